import type { CallerTransaction } from '../../application/unit-of-work.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { bulkSession } from './bulk-session.ts';
import { asDatabaseError } from './errors.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

/** What a caller gave as its transaction is not an open one, or is one on another database. */
export class TransactionUnusable extends DomainError {
  readonly code = 'database.transaction_unusable';
  readonly kind = 'invalid';
}

/**
 * Runs `work` inside an open transaction of the caller's, behind a savepoint: it tells that there is a transaction, and it leaves the
 * caller's own work as it was when `work` throws.
 * @param keyFingerprints of this instance; the database at hand must have one of them
 * @throws TransactionUnusable | whatever `work` throws
 */
export async function inCallerTransaction<T>(
  transaction: CallerTransaction,
  keyFingerprints: readonly string[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const sql = oneByOne(transaction);
  await sql.query('savepoint pennypost').catch((error: unknown) => {
    throw new TransactionUnusable(`This is not an open transaction of PostgreSQL (${wordsOf(error)}). Begin one first.`);
  });
  try {
    await requireOwnDatabase(sql, keyFingerprints);
    const result = await work(bulkSession(sql));
    await sql.query('release savepoint pennypost');
    return result;
  } catch (error) {
    // Where this fails the caller's connection is gone, and the transaction with it.
    await Promise.allSettled([sql.query('rollback to savepoint pennypost'), sql.query('release savepoint pennypost')]);
    throw error;
  }
}

/** Not every driver takes a statement while another one is on its way. */
function oneByOne(transaction: CallerTransaction): Sql {
  let before: Promise<unknown> = Promise.resolve();
  return {
    query: <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> => {
      const asked = before.then(async () => [...(await transaction.query(text, values))] as Row[]);
      before = asked.catch(() => undefined);
      return asked.catch((error: unknown) => {
        throw asDatabaseError(error);
      });
    },
  };
}

async function requireOwnDatabase(sql: Sql, keyFingerprints: readonly string[]): Promise<void> {
  const found = await sql
    .query<{ fingerprint: string }>('select key_fingerprint as fingerprint from pennypost_access.instance')
    .catch(() => []);
  if (!found.some(({ fingerprint }) => keyFingerprints.includes(fingerprint)))
    throw new TransactionUnusable(
      'This transaction is on another database than this instance. The message must be stored with its own.',
    );
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200);
