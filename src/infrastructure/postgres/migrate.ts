import type { MikroORM } from '@mikro-orm/postgresql';
import { poolOf } from './orm.ts';

/** Any fixed number will do; it must only never be used for another lock. */
const MIGRATION_LOCK = 7_366_011;

/**
 * Brings the database to the newest schema. Each migration and its mark in `pennypost_migrations.applied` are one
 * transaction each (all of one call together), so an interruption leaves the schema as it was. Processes that start at once
 * queue up behind an advisory lock: one applies, the others find nothing to do.
 */
export async function migrate(orm: MikroORM): Promise<{ applied: string[] }> {
  return underLock(orm, async () => {
    const done = await orm.migrator.up();
    return { applied: done.map((migration) => migration.name) };
  });
}

/** Names of the migrations that `migrate` would apply, in order. */
export async function pendingMigrations(orm: MikroORM): Promise<string[]> {
  // Also under the lock: the question creates the table of applied migrations when that is missing.
  return underLock(orm, async () => (await orm.migrator.getPending()).map((migration) => migration.name));
}

async function underLock<T>(orm: MikroORM, work: () => Promise<T>): Promise<T> {
  const pool = await poolOf(orm);
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const result = await work();
    await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    client.release();
    return result;
  } catch (error) {
    // Closing the connection gives the lock back, whatever state it is in.
    client.release(true);
    throw error;
  }
}
