import type { MikroORM } from '@mikro-orm/postgresql';
import { asConnectionError, asDatabaseError } from './errors.ts';
import { poolOf } from './orm.ts';

/** Any fixed number will do; it must only never be used for another lock. */
const MIGRATION_LOCK = 7_366_011;

/**
 * Brings the database to the newest schema. All migrations of one call and their marks in `pennypost_migrations.applied` are
 * one transaction, so an interruption leaves the schema as it was. Processes that start at once queue up behind an advisory
 * lock: one applies, the others find nothing to do. No limit on the duration of a statement holds here.
 */
export function migrate(orm: MikroORM): Promise<{ applied: string[] }> {
  return underLock(orm, async () => {
    // Asked before the transaction begins: the first question makes the table, on a connection of its own.
    if ((await orm.migrator.getPending()).length === 0) return { applied: [] };
    return orm.em.fork({ disableContextResolution: true }).transactional(async (em) => {
      await em.execute('set local statement_timeout = 0');
      const done = await orm.migrator.up({ transaction: em.getTransactionContext() });
      return { applied: done.map((migration) => migration.name) };
    });
  });
}

/** Names of the migrations that `migrate` would apply, in order. */
export function pendingMigrations(orm: MikroORM): Promise<string[]> {
  return underLock(orm, async () => (await orm.migrator.getPending()).map((migration) => migration.name));
}

async function underLock<T>(orm: MikroORM, work: () => Promise<T>): Promise<T> {
  const client = await (await poolOf(orm)).connect().catch((error: unknown) => {
    throw asConnectionError(error);
  });
  try {
    // A second process waits as long as the migrations of the first take.
    await client.query('set statement_timeout = 0');
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await work();
  } catch (error) {
    throw asDatabaseError(error);
  } finally {
    // Closing the connection gives the lock back, whatever state it is in.
    client.release(true);
  }
}
