import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../support/instance.ts';
import { releaseWorker, runChaos } from './support/chaos-run.ts';

/** Promises D2 and D3, in small; `npm run chaos` is the same with 20,000 people, 100 kills and stalls. */
describe('a campaign whose workers are killed while they send', () => {
  let instance: TestInstance;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-kills-'));
    instance = await openTestInstance({ shardSize: 1_000 });
  });
  afterAll(async () => {
    await instance.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('skips nobody, marks every repeat, and knows what became of everybody', async () => {
    const { figures, faults } = await runChaos(
      { recipients: 2_000, kills: 8, seed: 3, stalls: 0, processes: 3, window: 30, connections: 10, seconds: 100 },
      {
        application: instance.application,
        environment: {
          PENNYPOST_DATABASE_URL: instance.databaseUrl,
          PENNYPOST_DATA_DIR: join(directory, 'data'),
          PENNYPOST_SECRET_KEY: TEST_SECRET,
          PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
          PENNYPOST_LOG_LEVEL: 'warn',
        },
        directory,
        release: (workerId) => releaseWorker(instance, workerId),
        note: () => undefined,
      },
    );
    expect(faults).toEqual([]);
    expect(figures).toMatchObject({
      recipients: 2_000,
      killsInFlight: 8,
      skipped: 0,
      repeatedUnmarked: 0,
      messageIdChanged: 0,
      ledgerMismatch: 0,
    });
  });
});
