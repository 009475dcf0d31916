import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invite, launch } from './support/audience.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** Promise D6: 4yz is tried again in a later run and for a limited time, 5yz is final. */
describe('a relay that refuses for now, or for good', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
    await stage.startWorker({ bulkRetry: { firstDelayMs: 200, maxDelayMs: 400, lifetimeMs: 3_000 } });
  });
  afterAll(() => stage.close());

  it('gets greylisted mail later and once, and refused mail never again', async () => {
    const grey = Array.from({ length: 40 }, (_, index) => `defer-2-times+${index}@example.net`);
    const greyAtDot = Array.from({ length: 10 }, (_, index) => `defer-1-times-at-dot+${index}@example.net`);
    const gone = Array.from({ length: 10 }, (_, index) => `550+${index}@example.net`);
    const never = ['451+never@example.net'];
    const audience = await invite(stage.application, [...people(100), ...grey, ...greyAtDot, ...gone, ...never]);
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id, 'settled');

    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: 150, rejected: 10, expired: 1 });
    for (const address of grey) expect(ledger.get(address)).toMatchObject({ attempts: 3, copies: 1, possibleRepeat: false });
    for (const address of greyAtDot) expect(ledger.get(address)).toMatchObject({ attempts: 2, copies: 1 });
    for (const address of gone) expect(ledger.get(address)).toMatchObject({ attempts: 1, copies: 0, code: 550 });
    expect(ledger.get('person7@example.net')).toMatchObject({ attempts: 1, run: 0 });
    expectOneCopyEach(await stage.copies(), [...people(100), ...grey, ...greyAtDot]);
    await expectWholeLedger(stage, audience, id);
  });
});
