import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** A lease of 10 s, and a little. */
const LEASE_OVER_MS = 11_000;

/** Promise D10: two workers never hold one shard, and what a worker did before it lost its shard stays a fact. */
describe('a worker that sleeps past its lease and wakes up', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-20ms-at-dot', shardSize: 2_000 });
  });
  afterAll(() => stage.close());

  it('sends nothing more, and its outcomes are kept', async () => {
    const audience = await invite(stage.application, people(2_000));
    const sleeper = await stage.startWorker();
    const { id } = await launch(stage.application, audience);
    await stage.accepted(100);
    // Idle: there is one shard only. It may take an expired lease once it has known the database for as long as one.
    const heir = await stage.startWorker();
    const asleep = (await stage.sink.look()).open[0] ?? 0;
    expect(asleep).toBeGreaterThan(0);
    sleeper.kill('SIGSTOP');
    await delay(LEASE_OVER_MS);
    const before = (await stage.sink.look()).accepted;
    await eventually('the heir to send', async () => (await stage.sink.look()).accepted > before);
    sleeper.kill('SIGCONT');
    await stage.finished(audience, id);
    for (const worker of [sleeper, heir]) worker.kill('SIGTERM');
    expect([await sleeper.ended, await heir.ended]).toEqual([0, 0]);
    expect(sleeper.errors()).toContain('lost the lease of a shard to another worker');

    const copies = await stage.copies();
    const groups = [...Map.groupBy(copies, (copy) => copy.to).values()];
    expect(groups).toHaveLength(2_000);
    for (const group of groups) {
      expect(group.filter((copy) => copy.headers['x-pennypost-possible-repeat'] === undefined).length).toBeLessThanOrEqual(1);
      expect(new Set(group.map((copy) => copy.messageId)).size).toBe(1);
    }
    // Nobody was killed, so the ledger knows of every single copy, those that the sleeper told late included.
    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: 2_000 });
    expect([...ledger.values()].reduce((sum, row) => sum + row.copies, 0)).toBe(copies.length);
    await expectWholeLedger(stage, audience, id);
  });
});
