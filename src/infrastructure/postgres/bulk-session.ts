/**
 * Transactions without the ORM, for what happens many times a second: batches of outcomes, claims, pages of recipients.
 *
 * A statement of `session.ts` is planned anew each time (a page of 1,000 recipients takes 3 ms to plan and 2 ms to read) and waits for
 * its turn on the event loop of a busy sender (about 2 ms). Here statements are prepared once per connection, and those that
 * the caller asks for without waiting leave together; `begin` is never waited for.
 */
import { hash } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { asConnectionError, asDatabaseError } from './errors.ts';
import { poolOf } from './orm.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

/** Aggregates need the ORM: code that loads one must use a transaction of `session.ts`. */
export function bulkSession(sql: Sql): Session {
  return {
    sql,
    get em(): never {
      throw new Error('This unit of work has no ORM: load aggregates in an ordinary one.');
    },
  };
}

/**
 * Runs `work` in one transaction; commits what it did, or nothing when it throws.
 * @throws DatabaseUnavailable | whatever `work` throws
 */
export function inBulkTransaction<T>(orm: MikroORM, work: (session: Session) => Promise<T>): Promise<T> {
  return lent(orm, async (client) => {
    const begun = client.query('begin');
    // Heard below; unheard until then it would end the process.
    begun.catch(() => undefined);
    try {
      const result = await work(bulkSession(sqlOn(client)));
      await begun.catch(rethrow);
      const { command } = await client.query('commit').catch(rethrow);
      // PostgreSQL answers COMMIT of a transaction in which something failed by rolling it back, without an error.
      if (command !== 'COMMIT')
        throw new Error('A statement of this transaction failed without being noticed, so the transaction was rolled back.');
      return result;
    } catch (error) {
      // Where this fails the connection is gone, and the transaction with it.
      await Promise.allSettled([client.query('rollback')]);
      throw error;
    }
  });
}

/** For statements that each stand for themselves: every one takes a connection of the pool and gives it back. */
export const singleStatements = (orm: MikroORM): Session =>
  bulkSession({ query: (text, values) => lent(orm, (client) => sqlOn(client).query(text, values)) });

/** The pool itself takes back no connection that is broken. */
async function lent<T>(orm: MikroORM, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await (await poolOf(orm)).connect().catch((error: unknown) => {
    throw asConnectionError(error);
  });
  // Unheard, this event would end the process; the statement in flight rejects as well.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  try {
    return await work(client);
  } finally {
    client.off('error', ignore);
    client.release();
  }
}

function sqlOn(client: pg.PoolClient): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const statement = values.length === 0 ? { text } : { name: nameOf(client, text), text, values: [...values] };
      const { rows } = await client.query<Row & pg.QueryResultRow>(statement).catch(rethrow);
      return rows;
    },
  };
}

const names = new WeakMap<pg.PoolClient, Map<string, string>>();

/** What a statement is called on this connection. Kept as long as the connection keeps the statement. */
function nameOf(client: pg.PoolClient, text: string): string {
  const known = names.get(client) ?? new Map<string, string>();
  names.set(client, known);
  const name = known.get(text) ?? hash('sha1', text, 'base64url');
  known.set(text, name);
  return name;
}

function rethrow(error: unknown): never {
  throw asDatabaseError(error);
}
