import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, LETTER, launch } from './support/audience.ts';
import { expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** Promise D4: no reply after the last byte is a state of its own, neither a success nor a failure. */
describe('a connection that dies between the final dot and its reply', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage.close());

  it('leaves a campaign message in doubt, and marketing never sends it again by itself', async () => {
    const doubtful = Array.from({ length: 12 }, (_, index) => `reset-at-dot+${index}@example.net`);
    const audience = await invite(stage.application, [...people(60), ...doubtful]);
    // Deferrals come back after a tenth of a second: if doubt were one, it would be tried again at once.
    await stage.startWorker({ bulkRetry: { firstDelayMs: 100, maxDelayMs: 100, lifetimeMs: 60_000 } });
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id, 'settled');

    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: 60, in_doubt: 12 });
    for (const address of doubtful) {
      const row = ledger.get(address);
      // A message that stands behind several resets is deferred before its content leaves, and is sent by a later run.
      expect(row).toMatchObject({ state: 'in_doubt', copies: 0, attempts: (row?.run ?? 0) + 1 });
    }
    expect(ledger.get(doubtful[0] ?? '')?.reply).toContain('after the final dot');
    const copies = await stage.copies();
    for (const address of audience.addresses) expect(copies.filter((copy) => copy.to === address)).toHaveLength(1);
    await expectWholeLedger(stage, audience, id);
  });

  it('makes transactional mail try again, with the same Message-ID each time', async () => {
    const { projectId } = await invite(stage.application, people(1));
    const retry = { firstDelayMs: 100, maxDelayMs: 200, lifetimeMs: 60_000 };
    await stage.startWorker({ lanes: ['transactional', 'background'], transactionalRetry: retry });
    const to = 'reset-at-dot+receipt@example.net';
    const message = await stage.application.messages.send(projectId, { to, content: LETTER });
    const copiesOf = async () => (await stage.copies()).filter((copy) => copy.to === to);
    await eventually('three copies to arrive', async () => (await copiesOf()).length >= 3);
    expect(new Set((await copiesOf()).map((copy) => copy.messageId)).size).toBe(1);
    const { recipients } = await stage.application.messages.get(projectId, message.id);
    expect(recipients[0]?.tries.slice(0, 2).map((attempt) => attempt.outcome)).toEqual(['in_doubt', 'in_doubt']);
  });
});
