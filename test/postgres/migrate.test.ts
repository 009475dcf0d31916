import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { migrate, pendingMigrations } from '../../src/infrastructure/postgres/migrate.ts';
import { migrations } from '../../src/infrastructure/postgres/migrations/index.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { pooledSql } from '../../src/infrastructure/postgres/session.ts';
import { createEmptyDatabase, openTestOrm, type TestDatabase } from '../support/database.ts';

const all = migrations.map((migration) => migration.name);

describe('migrating', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createEmptyDatabase();
  });
  afterEach(() => database.drop());

  it('applies everything that is missing, once, in order', async () => {
    const orm = await openOrm(database.connection);
    expect(await pendingMigrations(orm)).toEqual(all);
    expect(await migrate(orm)).toEqual({ applied: all });
    expect(await pendingMigrations(orm)).toEqual([]);
    expect(await migrate(orm)).toEqual({ applied: [] });
    expect(await pooledSql(orm).query('select name from pennypost_migrations.applied order by id')).toEqual(
      all.map((name) => ({ name })),
    );
    await orm.close();
  });

  it('is done by one of three processes that begin at once', async () => {
    const orms = await Promise.all([1, 2, 3].map(() => openOrm(database.connection, { poolSize: 2 })));
    const results = await Promise.all(orms.map((orm) => migrate(orm)));
    expect(results.map((result) => result.applied.length).sort()).toEqual([0, 0, all.length].sort());
    await Promise.all(orms.map((orm) => orm.close()));
  });

  it('that is interrupted leaves nothing of itself, and can be done again', async () => {
    const orm = await openOrm(database.connection, { applicationName: 'migrating' });
    const other = new pg.Client({ ...database.connection });
    await other.connect();
    // An uncommitted schema of the same name makes the migration wait in its middle.
    await other.query('begin; create schema pennypost_delivery');
    const interrupted = migrate(orm);
    const refusal = expect(interrupted).rejects.toMatchObject({ code: 'database.unavailable' });
    const killer = new pg.Client({ ...database.connection });
    await killer.connect();
    await vi.waitFor(async () => {
      const { rowCount } = await killer.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'migrating' and datname = current_database() and wait_event_type = 'Lock' and state = 'active'`);
      expect(rowCount).toBe(1);
    }, 10_000);
    await refusal;
    await other.query('rollback');
    const left = await killer.query(
      `select nspname from pg_namespace where nspname like 'pennypost%' and nspname <> 'pennypost_migrations'`,
    );
    expect(left.rows).toEqual([]);
    expect(await migrate(orm)).toEqual({ applied: all });
    await Promise.all([other.end(), killer.end(), orm.close()]);
  });
});

describe('a test database', () => {
  it('is migrated already', async () => {
    const { orm, close } = await openTestOrm();
    expect(await pendingMigrations(orm)).toEqual([]);
    await close();
  });

  it('is nobody else’s', async () => {
    const [one, two] = await Promise.all([openTestOrm(), openTestOrm()]);
    await pooledSql(one.orm).query('create table mine (id int)');
    expect(await pooledSql(two.orm).query(`select to_regclass('mine') as found`)).toEqual([{ found: null }]);
    await Promise.all([one.close(), two.close()]);
  });
});
