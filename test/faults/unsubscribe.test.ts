import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { type Audience, invite, launch } from './support/audience.ts';
import { seeded } from './support/seeded.ts';
import { expectWholeLedger, openStage, people, type Stage } from './support/stage.ts';

/** What promise D11 allows between the commit of an unsubscription and the hand-over of a message. */
const ALLOWED_MS = 5_000;

/** Promise D11, by the sink's clock: nobody hears from us who left five seconds ago or earlier. */
describe('someone who leaves while a campaign is being sent', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ messagesPerSecond: 200 });
  });
  afterAll(() => stage.close());

  it('is not mailed later than five seconds after that, by nobody and in no run', async () => {
    const chance = seeded(11);
    const grey = Array.from({ length: 30 }, (_, index) => `defer-1-times+${index}@example.net`);
    const audience = await invite(stage.application, [...people(1_200), ...grey]);
    const { projectId } = audience;
    // The greylisted are due again after those who leave have left.
    await stage.startWorker({ bulkRetry: { firstDelayMs: 6_000, maxDelayMs: 6_000, lifetimeMs: 60_000 } });
    const { id } = await launch(stage.application, audience);
    const left = new Map<string, number>();
    const leave = async (address: string): Promise<void> => {
      await part(stage, audience, address, chance.next() < 0.5);
      left.set(address, Date.now());
    };
    for (let moment = 1; moment <= 12; moment += 1) {
      await stage.accepted(moment * 40 + chance.below(40));
      for (let one = 0; one < 8; one += 1) await leave(`person${chance.below(1_200)}@example.net`);
      if (moment <= 10) await leave(grey[moment] ?? '');
    }
    await stage.application.campaigns.pause(projectId, id);
    for (let one = 0; one < 8; one += 1) await leave(`person${chance.below(1_200)}@example.net`);
    await delay(ALLOWED_MS);
    const { accepted } = await stage.sink.look();
    await stage.application.campaigns.resume(projectId, id);
    await eventually('sending to go on', async () => (await stage.sink.look()).accepted > accepted);
    await stage.finished(audience, id, 'settled');

    const late = (await stage.copies()).filter(({ to, time }) => Date.parse(time) > (left.get(to) ?? Infinity) + ALLOWED_MS);
    expect(late).toEqual([]);
    const ledger = await stage.ledger(audience, id);
    const mailed = new Set((await stage.copies()).map((copy) => copy.to));
    const spared = [...left.keys()].filter((address) => !mailed.has(address));
    expect(spared.length).toBeGreaterThan(20);
    for (const address of spared) expect(ledger.get(address)).toMatchObject({ state: 'skipped', copies: 0 });
    for (const address of grey.slice(1, 11)) expect(spared).toContain(address);
    await expectWholeLedger(stage, audience, id);
  });
});

/** By leaving the list, or by being refused as an address. */
async function part({ application }: Stage, { projectId, listId }: Audience, address: string, byList: boolean): Promise<void> {
  const subscriber = await application.subscribers.get(projectId, address);
  if (byList && subscriber !== undefined)
    await application.subscribers.unsubscribe(projectId, subscriber.id, { lists: [listId], evidence: { source: 'one-click' } });
  else await application.suppressions.create(projectId, address, { reason: 'manual' });
}
