import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { seeded } from './support/seeded.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage } from './support/stage.ts';

const ALLOWED_MS = 2_000;

/** Promise D12: control takes effect within two seconds, and never costs anybody a message or gives anybody two. */
describe('a campaign that is paused and resumed while it is sent', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-20ms-at-dot' });
    await stage.startWorker();
    await stage.startWorker();
  });
  afterAll(() => stage.close());

  it('reaches everybody once', async () => {
    const chance = seeded(12);
    const audience = await invite(stage.application, people(1_500));
    const { projectId } = audience;
    const { campaigns } = stage.application;
    const { id } = await launch(stage.application, audience);
    const rests: { readonly from: number; readonly to: number }[] = [];
    for (let pause = 1; pause <= 20; pause += 1) {
      await stage.accepted(pause * 60 + chance.below(30));
      await campaigns.pause(projectId, id);
      const from = Date.now() + ALLOWED_MS;
      // Most are too short for everybody to notice; two are long enough to see that nothing is sent.
      await delay(pause % 10 === 5 ? ALLOWED_MS + 500 : chance.below(700));
      rests.push({ from, to: Date.now() });
      await campaigns.resume(projectId, id);
    }
    // A pause may come before the turn of a message whose followers had theirs; a further run takes it.
    await stage.finished(audience, id, 'settled');

    const copies = await stage.copies();
    for (const { from, to } of rests)
      expect(copies.filter(({ time }) => Date.parse(time) > from && Date.parse(time) < to)).toEqual([]);
    const ledger = await stage.ledger(audience, id);
    expect([...ledger.values()].filter((row) => row.state !== 'submitted')).toEqual([]);
    expect(ledger.size).toBe(1_500);
    expectOneCopyEach(copies, audience.addresses);
    await expectWholeLedger(stage, audience, id);
  });

  it('stays unsent for good to whom it did not reach before it was cancelled', async () => {
    const already = (await stage.copies()).length;
    const audience = await invite(stage.application, people(1_000));
    const { projectId } = audience;
    const { id } = await launch(stage.application, audience);
    await stage.accepted(already + 200);
    await stage.application.campaigns.cancel(projectId, id);
    await delay(ALLOWED_MS);
    const reached = (await stage.copies()).slice(already);
    expect(reached.length).toBeLessThan(1_000);
    await delay(500);
    expect((await stage.copies()).slice(already)).toHaveLength(reached.length);
    const { states } = await stage.application.campaigns.report(projectId, id);
    expect(states).toMatchObject({ submitted: reached.length, cancelled: 1_000 - reached.length, pending: 0 });
    await eventually('everybody to have a row', async () => (await stage.ledger(audience, id)).size === 1_000);
    const ledger = await stage.ledger(audience, id);
    const got = [...ledger].filter(([, row]) => row.state === 'submitted').map(([address]) => address);
    expect(got.sort()).toEqual(reached.map((copy) => copy.to).sort());
    await expectWholeLedger(stage, audience, id);
  });
});
