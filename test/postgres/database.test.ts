import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate, pendingMigrations } from '../../src/infrastructure/postgres/migrate.ts';
import { openTestOrm } from '../support/database.ts';

describe('a test database', () => {
  let database: Awaited<ReturnType<typeof openTestOrm>>;
  beforeAll(async () => {
    database = await openTestOrm();
  });
  afterAll(() => database.close());

  it('is migrated already', async () => {
    expect(await pendingMigrations(database.orm)).toEqual([]);
    expect(await migrate(database.orm)).toEqual({ applied: [] });
  });
});
