/**
 * Transactions. A store is built on a `Session` and never begins or commits by itself: what one unit of work does, through
 * the ORM and through SQL, is kept together or not at all.
 *
 * - `inTransaction` always opens a transaction of its own, also when it is called while another one is open (they then know
 *   nothing of one another, and hold two connections). To be part of an open one, take its session.
 * - `withClient` lends a whole connection, for COPY.
 * - `pooledSql` is for single statements that need no transaction.
 * - Errors: a server that is away becomes `database.unavailable`, a lost race on a version `resource.changed_meanwhile`;
 *   everything else passes as it is. `isTransient(error)` tells whether the whole unit of work may simply be repeated.
 */
import {
  IsolationLevel,
  type MikroORM,
  type TransactionOptions as OrmTransactionOptions,
  type SqlEntityManager,
} from '@mikro-orm/postgresql';
import { CompiledQuery, type ControlledTransaction, type Kysely } from 'kysely';
import type pg from 'pg';
import { asConnectionError, asDatabaseError, asDatabaseErrorIfMarked } from './errors.ts';
import { poolOf, watch } from './orm.ts';
import type { Sql } from './sql.ts';

/** What a store is built on for the length of one transaction: aggregates through `em`, lists and bulk through `sql`. */
export interface Session {
  readonly em: SqlEntityManager;
  readonly sql: Sql;
}

/** `snapshot`: every statement sees the database as it was at the first one (repeatable read), for reports of several queries. */
export interface TransactionOptions {
  readonly snapshot?: boolean;
  readonly readOnly?: boolean;
}

/**
 * Runs `work` in one transaction; commits what it did, or nothing when it throws.
 * @throws DatabaseUnavailable | ChangedMeanwhile | whatever `work` throws
 */
export async function inTransaction<T>(
  orm: MikroORM,
  work: (session: Session) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  // Without context resolution, a call from inside another transaction does not inherit anything from it.
  const em: SqlEntityManager = orm.em.fork({ disableContextResolution: true });
  return transactional(em, work, {
    ...(options.snapshot === true ? { isolationLevel: IsolationLevel.REPEATABLE_READ } : {}),
    ...(options.readOnly === true ? { readOnly: true } : {}),
  });
}

async function transactional<T>(
  em: SqlEntityManager,
  work: (session: Session) => Promise<T>,
  options: OrmTransactionOptions,
): Promise<T> {
  let failed = false;
  try {
    return await em.transactional(async (inner) => {
      try {
        return await work({ em: inner, sql: sqlOf(inner) });
      } catch (error) {
        failed = true;
        throw error;
      }
    }, options);
  } catch (error) {
    // What fails outside of `work` is begin, flush or commit.
    throw failed ? asDatabaseErrorIfMarked(error) : asDatabaseError(error);
  }
}

/**
 * Lends one connection of the pool, without limits on the duration of a statement, for COPY and bulk work that begins and
 * commits by itself. What is still open when `work` returns or throws is rolled back.
 */
export async function withClient<T>(orm: MikroORM, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await (await poolOf(orm)).connect().catch((error: unknown) => {
    throw asConnectionError(error);
  });
  let broken: Error | undefined;
  // Unheard, this event would end the process; the statement in flight rejects as well.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    // A statement of COPY lasts as long as the slowest upload.
    watch(client, 0);
    await client.query('set statement_timeout = 0; set idle_in_transaction_session_timeout = 0');
    const result = await work(client);
    const forgotten = client.getTransactionStatus() !== 'I';
    await client.query('reset statement_timeout; reset idle_in_transaction_session_timeout');
    client.off('error', onError);
    client.release(forgotten);
    return result;
  } catch (error) {
    // Closing the connection ends its transaction, its COPY and its locks, whatever state they are in.
    client.release(true);
    throw broken === undefined ? asDatabaseErrorIfMarked(error) : asConnectionError(broken);
  }
}

/** SQL outside of any transaction: every statement for itself, on any connection of the pool. */
export function pooledSql(orm: MikroORM): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      try {
        const pool = await poolOf(orm);
        const result = await pool.query<Row & pg.QueryResultRow>(text, [...values]);
        return result.rows;
      } catch (error) {
        throw asDatabaseError(error);
      }
    },
  };
}

/** @throws Error when the session has ended */
function transactionOf(em: SqlEntityManager): Kysely<unknown> {
  const transaction = em.getTransactionContext<ControlledTransaction<unknown>>();
  if (transaction === undefined || transaction.isCommitted || transaction.isRolledBack) {
    throw new Error('This session has ended: its transaction is over.');
  }
  return transaction;
}

function sqlOf(em: SqlEntityManager): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      const transaction = transactionOf(em);
      try {
        // The statement must see what was persisted before it; a flush with nothing to write costs no round trip.
        await em.flush();
        const result = await transaction.executeQuery<Row>(CompiledQuery.raw(text, [...values]));
        return result.rows;
      } catch (error) {
        throw asDatabaseError(error);
      }
    },
  };
}
