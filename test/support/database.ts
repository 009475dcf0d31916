import { randomBytes } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/postgresql';
import { inject } from 'vitest';
import { type ConnectionSettings, withDatabase } from '../../src/infrastructure/postgres/connection.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { administer } from './administer.ts';

export interface TestDatabase {
  readonly connection: ConnectionSettings;
  /** Ends whatever is still connected. Close pools first: a pool that loses its server is a failure of its own. */
  drop(): Promise<void>;
}

/** A migrated database for one test file (70 to 200 ms), a copy of the template. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('postgresTemplate');
  return copyOf(template, template.database);
}

/** A database without any table of ours, for what migrates by itself. @param more options of `create database` */
export async function createEmptyDatabase(more = ''): Promise<TestDatabase> {
  return copyOf(inject('postgresTemplate'), `template0 ${more}`);
}

/** A migrated database with the ORM open on it; `close` ends both. */
export async function openTestOrm(): Promise<{ orm: MikroORM; connection: ConnectionSettings; close(): Promise<void> }> {
  const { connection, drop } = await createTestDatabase();
  const orm = await openOrm(connection);
  return {
    orm,
    connection,
    async close() {
      await orm.close();
      await drop();
    },
  };
}

async function copyOf(server: ConnectionSettings, template: string): Promise<TestDatabase> {
  const connection = withDatabase(server, `pennypost_test_${randomBytes(6).toString('hex')}`);
  // Copying files and two checkpoints take less time here than writing every block to the WAL.
  await administer(
    withDatabase(connection, 'postgres'),
    `create database ${connection.database} template ${template} strategy file_copy`,
  );
  return {
    connection,
    drop: () => administer(withDatabase(connection, 'postgres'), `drop database if exists ${connection.database} with (force)`),
  };
}
