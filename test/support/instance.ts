import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Application } from '../../src/application/application.ts';
import type { Log } from '../../src/application/log.ts';
import type { Config } from '../../src/infrastructure/config.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { type Opened, type OpenOptions, openPennypost } from '../../src/infrastructure/open.ts';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';
import { DatabaseClock } from '../../src/infrastructure/postgres/database-clock.ts';
import { createTestDatabase } from './database.ts';
import { urlOf } from './database-url.ts';
import { FakeDns } from './fake-dns.ts';
import { handTime } from './hand-clock.ts';

export { urlOf } from './database-url.ts';

/** 32 bytes that every process of a test shares. */
export const TEST_SECRET = '5eed'.repeat(16);

export const silentLog: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A whole instance over a database of its own, as an application would open it. */
export interface TestInstance extends Opened {
  readonly application: Application;
  readonly connection: ConnectionSettings;
  readonly databaseUrl: string;
  readonly config: Config;
  /** Moves the clocks of the database and of this process, which stand still. @throws Error without `stillTime` */
  pass(milliseconds: number): Promise<void>;
}

export async function openTestInstance(
  options: Partial<OpenOptions> & { smtpUrl?: string; config?: never; overrides?: Partial<Config>; stillTime?: boolean } = {},
): Promise<TestInstance> {
  const database = await createTestDatabase();
  const time = options.stillTime === true ? await handTime(database.connection) : undefined;
  const dataDir = await mkdtemp(join(tmpdir(), 'pennypost-test-'));
  const databaseUrl = urlOf(database.connection);
  const config: Config = {
    databaseUrl,
    dataDir,
    smtpUrl: options.smtpUrl,
    allowPrivateHosts: true,
    emlDir: join(dataDir, 'eml'),
    publicUrl: 'http://127.0.0.1:8025',
    host: '127.0.0.1',
    port: 8025,
    logLevel: 'silent',
    maxConnections: 5,
    maxUnrecorded: 1_000,
    messagesPerSecond: undefined,
    pauseAfterTransportErrors: undefined,
    pauseAfterSenderFaults: undefined,
    stuckAfterMs: 30_000,
    profileDir: undefined,
    ...options.overrides,
  };
  const { smtpUrl: _, overrides: __, stillTime: ___, ...rest } = options;
  const opened = await openPennypost({
    works: false,
    destination: 'none',
    log: silentLog,
    dns: new FakeDns(),
    secretKeys: [Buffer.from(TEST_SECRET, 'hex')],
    ...(time === undefined ? {} : { clock: time.clock }),
    ...rest,
    config,
  });
  return {
    ...opened,
    application: opened.get(tokens.application),
    connection: database.connection,
    databaseUrl,
    config,
    async pass(milliseconds) {
      if (time === undefined) throw new Error('The time of this instance does not stand still.');
      await time.pass(milliseconds);
      // It may have asked between the two steps.
      const clock = opened.get(tokens.clock);
      if (clock instanceof DatabaseClock) await clock.compare();
    },
    close: async () => {
      await opened.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
