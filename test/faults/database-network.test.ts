import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, type TestInstance } from '../support/instance.ts';
import { eventually } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { type DatabaseProxy, startDatabaseProxy } from './support/database-proxy.ts';
import { seeded } from './support/seeded.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** Promises D5 and D8, between a worker and its database: whatever breaks there, nothing is sent twice, counted twice or lost. */
describe('a network between worker and database that fails', () => {
  let instance: TestInstance;
  let proxy: DatabaseProxy;
  let stage: Stage;

  beforeAll(async () => {
    instance = await openTestInstance({ shardSize: 500 });
    proxy = await startDatabaseProxy(instance.connection);
    stage = await openStage({ script: 'slow-20ms-at-dot', database: proxy.connection }, instance);
    await stage.startWorker({ databasePatienceMs: 3_000 });
  });
  afterAll(async () => {
    await stage.close();
    await proxy.close();
    await instance.close();
  });

  it('by losing the answers to commits', async () => {
    await sendThrough(async (chance, progress) => {
      for (let loss = 0; loss < 8; loss += 1) {
        const before = proxy.swallowed;
        proxy.swallowAnswersToCommit(1);
        await eventually('an answer to be lost', () => proxy.swallowed > before);
        await progress(20 + chance.below(60));
      }
    });
  });

  it('by breaking every connection', async () => {
    await sendThrough(async (chance, progress) => {
      for (let cut = 0; cut < 8; cut += 1) {
        proxy.cut();
        await progress(20 + chance.below(60));
      }
    });
  });

  it('because an administrator ends every connection', async () => {
    await sendThrough(async (chance, progress) => {
      for (let end = 0; end < 6; end += 1) {
        await terminateBackends(instance);
        await progress(20 + chance.below(60));
      }
    });
  });

  it('by standing still for a while', async () => {
    await sendThrough(async (_chance, progress) => {
      for (const milliseconds of [500, 1_500]) {
        proxy.standStill();
        await delay(milliseconds);
        proxy.goOn();
        await progress(100);
      }
    });
  });

  it('by forgetting connections without a word', async () => {
    await sendThrough(async (_chance, progress) => {
      proxy.forget();
      await progress(200);
    });
  });

  /** A campaign of its own, disturbed while it is sent; `progress` waits until so many more were accepted. */
  async function sendThrough(
    disturb: (chance: ReturnType<typeof seeded>, progress: (more: number) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const already = (await stage.sink.look()).accepted;
    const audience = await invite(stage.application, people(800));
    const { id } = await launch(stage.application, audience);
    await stage.accepted(already + 50);
    await disturb(seeded(already + 8), async (more) => {
      const { accepted } = await stage.sink.look();
      await stage.accepted(Math.min(accepted + more, already + 800));
    });
    await stage.finished(audience, id);
    const copies = (await stage.copies()).slice(already);
    expectOneCopyEach(copies, audience.addresses);
    expectNoMarks(copies);
    expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: 800 });
    await expectWholeLedger(stage, audience, id);
  }
});

async function terminateBackends({ connection }: TestInstance): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [connection.database]);
  await client.end();
}
