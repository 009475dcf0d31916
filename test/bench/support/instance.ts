/** An instance for one benchmark: a database of its own, gone afterwards; opened by the means of any application. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Application } from '../../../src/application/application.ts';
import { readConfig } from '../../../src/infrastructure/config.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { createLogger } from '../../../src/infrastructure/logger.ts';
import { type Opened, openPennypost } from '../../../src/infrastructure/open.ts';
import { parseDatabaseUrl, withDatabase } from '../../../src/infrastructure/postgres/connection.ts';
import { pooledSql, withClient } from '../../../src/infrastructure/postgres/session.ts';
import type { Sql } from '../../../src/infrastructure/postgres/sql.ts';
import { urlOf } from '../../support/database-url.ts';
import { serverTree } from './machine.ts';

export interface BenchInstance {
  readonly application: Application;
  readonly opened: Opened;
  /** What other processes need to belong to it. */
  readonly environment: Readonly<Record<string, string>>;
  /** PostgreSQL's processes now; none when it runs elsewhere. */
  serverPids(): Promise<number[]>;
  close(): Promise<void>;
}

export const PUBLIC_URL = 'http://127.0.0.1:8025';

/**
 * @param variables of the environment, as a user would set them: `PENNYPOST_SMTP_URL` and so on
 */
export async function openBenchInstance(variables: Readonly<Record<string, string>>): Promise<BenchInstance> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pennypost-bench-'));
  // As root the embedded server runs as another user, who has to get through.
  await chmod(dataDir, 0o711);
  const own = await ownDatabase(process.env.PENNYPOST_DATABASE_URL);
  const environment = {
    PENNYPOST_DATA_DIR: dataDir,
    PENNYPOST_DATABASE_URL: own?.url ?? '',
    PENNYPOST_SECRET_KEY: randomBytes(32).toString('hex'),
    PENNYPOST_PUBLIC_URL: PUBLIC_URL,
    PENNYPOST_LOG_LEVEL: 'warn',
    ...variables,
  };
  const config = readConfig(environment);
  const secretKeys = [Buffer.from(environment.PENNYPOST_SECRET_KEY, 'hex')] as const;
  const opened = await openPennypost({
    config,
    log: createLogger('warn'),
    works: false,
    destination: 'none',
    secretKeys: [...secretKeys],
  });
  return {
    application: opened.get(tokens.application),
    opened,
    environment,
    async serverPids() {
      const [row] = await opened.get(tokens.orm).em.fork().execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      return serverTree(row?.pid ?? 0);
    },
    async close() {
      await opened.close();
      await own?.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** For what a benchmark looks up or makes up; everything that is measured goes through the application. */
export const sqlOf = (opened: Opened): Sql => pooledSql(opened.get(tokens.orm));

export const withClientOf = <T>(opened: Opened, work: (client: pg.PoolClient) => Promise<T>): Promise<T> =>
  withClient(opened.get(tokens.orm), work);

/** On a server of the user's own, a database beside theirs; `undefined`: the embedded one. */
async function ownDatabase(url: string | undefined): Promise<{ url: string; drop(): Promise<void> } | undefined> {
  if (url === undefined || url === '') return undefined;
  const server = parseDatabaseUrl(url);
  const connection = withDatabase(server, `pennypost_bench_${randomBytes(6).toString('hex')}`);
  const administer = async (statement: string): Promise<void> => {
    const client = new pg.Client({ ...server });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await administer(`create database ${connection.database} encoding 'UTF8' template template0`);
  return {
    url: urlOf(connection),
    drop: () => administer(`drop database if exists ${connection.database} with (force)`),
  };
}
