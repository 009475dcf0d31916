import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokens } from '../../../src/infrastructure/container.ts';
import { openPennypost } from '../../../src/infrastructure/open.ts';
import { type EmbeddedDatabase, startEmbedded } from '../../../src/infrastructure/postgres/embedded.ts';
import { silentLog, TEST_SECRET, type TestInstance, urlOf } from '../../support/instance.ts';

/** A PostgreSQL that a test may stop and start, and an instance on it. */
export interface OwnDatabase {
  readonly instance: TestInstance;
  /** A fast shutdown: open transactions are rolled back. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function openOwnDatabase(shardSize: number): Promise<OwnDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pennypost-own-'));
  // As root the server runs as another user, who has to get through.
  await chmod(dataDir, 0o711);
  const open = (): Promise<EmbeddedDatabase> => startEmbedded({ dataDir, sync: false, settings: ['shared_buffers=64MB'] });
  let server: EmbeddedDatabase | undefined = await open();
  const { connection } = server;
  const config = {
    databaseUrl: urlOf(connection),
    dataDir,
    smtpUrl: undefined,
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
  };
  const opened = await openPennypost({
    config,
    log: silentLog,
    works: false,
    destination: 'none',
    secretKeys: [Buffer.from(TEST_SECRET, 'hex')],
    shardSize,
  });
  return {
    instance: {
      ...opened,
      application: opened.get(tokens.application),
      connection,
      databaseUrl: config.databaseUrl,
      config,
      pass: () => Promise.reject(new Error('The time of this instance does not stand still.')),
    },
    async stop() {
      await server?.stop();
      server = undefined;
    },
    async start() {
      server ??= await open();
    },
    async close() {
      await opened.close();
      await server?.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
