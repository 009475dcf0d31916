import type { MikroORM, SqlEntityManager } from '@mikro-orm/postgresql';
import { CompiledQuery, type Kysely } from 'kysely';
import type { Sql } from './sql.ts';

/** What a store is built on for the length of one transaction: aggregates through `em`, lists and bulk through `sql`. */
export interface Session {
  readonly em: SqlEntityManager;
  readonly sql: Sql;
}

/** Runs `work` in one transaction; commits what it did, or nothing when it throws. */
export function inTransaction<T>(orm: MikroORM, work: (session: Session) => Promise<T>): Promise<T> {
  return orm.em.fork().transactional(async (em) => work({ em: em as unknown as SqlEntityManager, sql: sqlOf(em as unknown as SqlEntityManager) }));
}

function sqlOf(em: SqlEntityManager): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
      // The statement must see what was persisted before it; a flush with nothing to write costs no round trip.
      await em.flush();
      const transaction = em.getTransactionContext<Kysely<unknown>>();
      if (transaction === undefined) throw new Error('This session has ended: its transaction is over.');
      const result = await transaction.executeQuery<Row>(CompiledQuery.raw(text, [...values]));
      return result.rows;
    },
  };
}
