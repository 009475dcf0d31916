import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type ConnectionSettings, parseDatabaseUrl, withDatabase } from '../../src/infrastructure/postgres/connection.ts';
import { startEmbedded } from '../../src/infrastructure/postgres/embedded.ts';
import { migrate } from '../../src/infrastructure/postgres/migrate.ts';
import { openOrm } from '../../src/infrastructure/postgres/orm.ts';
import { administer } from './administer.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The migrated template that every test database is a copy of; nobody connects to it. */
    postgresTemplate: ConnectionSettings;
  }
}

/**
 * One PostgreSQL for the whole run: an embedded one in a temporary directory, or the server of PENNYPOST_TEST_DATABASE_URL
 * (whose user may create databases), where only databases of our own are made and dropped.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.PENNYPOST_TEST_DATABASE_URL;
  const server = url === undefined ? await throwAwayServer() : { connection: parseDatabaseUrl(url), stop: async () => undefined };
  const template = withDatabase(server.connection, `pennypost_template_${process.pid}`);
  try {
    await administer(server.connection, `create database ${template.database} template template0`);
    const orm = await openOrm(template);
    await migrate(orm).finally(() => orm.close());
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide('postgresTemplate', template);
  return async () => {
    await administer(server.connection, `drop database if exists ${template.database} with (force)`);
    await server.stop();
  };
}

async function throwAwayServer(): Promise<{ connection: ConnectionSettings; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pennypost-test-'));
  // Root lends the server to another user, who has to get through.
  await chmod(dataDir, 0o711);
  // fsync stays on, because some specifications stop the server; WAL is small, because every checkpoint of a copied database counts.
  const database = await startEmbedded({ dataDir, sync: false, settings: ['max_connections=100', 'shared_buffers=128MB'] });
  return {
    connection: database.connection,
    async stop() {
      await database.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
