import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invite, launch } from './support/audience.ts';
import type { Copy } from './support/doors.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, type Stage, statesIn } from './support/stage.ts';

const RETRY = { firstDelayMs: 1_000, maxDelayMs: 2_000, lifetimeMs: 600_000 };
const CONNECTIONS = 20;

/** People of fifty domains that are answered in 40 ms; with 20 connections that takes longer than anything else does. */
const quickPeople = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}@d${index % 50}.example`);
/** One of these after every so many of the others. */
const scattered = (others: readonly string[], few: readonly string[]): string[] => {
  const every = Math.floor(others.length / few.length);
  return others.flatMap((address, index) => {
    const one = index % every === 0 ? few[index / every] : undefined;
    return one === undefined ? [address] : [address, one];
  });
};

/** Copies a second of these people, without the first and the last tenth. */
function rateOf(copies: readonly Copy[], name: string): number {
  const times = copies.filter(({ to }) => to.startsWith(name)).map(({ time }) => Date.parse(time));
  const [from, to] = [Math.floor(times.length * 0.1), Math.floor(times.length * 0.9)];
  return (to - from) / (times[to]! - times[from]!);
}

/** Promise D7: one slow domain does not starve the others. */
describe('a receiving domain that takes two seconds for every command', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-40ms-at-dot', connections: CONNECTIONS, window: 1_000, shardSize: 1_000 });
    await stage.startWorker({ bulkRetry: RETRY });
  });
  afterAll(() => stage.close());

  it('leaves the others their rate, and everybody of it gets one copy in the end', async () => {
    const alone = await invite(stage.application, quickPeople(2_000, 'alone'));
    await stage.finished(alone, (await launch(stage.application, alone)).id);

    const slow = Array.from({ length: 40 }, (_, index) => `slow-2+${index}@slow.example`);
    const beside = await invite(stage.application, scattered(quickPeople(2_000, 'beside'), slow));
    const { id } = await launch(stage.application, beside);
    await stage.finished(beside, id, 'settled', 120_000);

    const copies = await stage.copies();
    // Without limits the slow ones would have all connections before the first of them is answered: then it is about a tenth.
    expect(rateOf(copies, 'beside') / rateOf(copies, 'alone')).toBeGreaterThan(0.6);
    expectOneCopyEach(copies, [...alone.addresses, ...beside.addresses]);
    expectNoMarks(copies);
    const ledger = await stage.ledger(beside, id);
    expect(statesIn(ledger)).toEqual({ submitted: beside.addresses.length });
    // Who was held back was not tried.
    expect(new Set([...ledger.values()].map(({ attempts }) => attempts))).toEqual(new Set([1]));
    await expectWholeLedger(stage, beside, id);
  });
});

/** Promise D6: refusals that are about us slow down what they come from, and nobody else. */
describe('a receiving domain that refuses mail for a while because it is too much', () => {
  let stage: Stage;

  beforeAll(async () => {
    // One shard: several would be worked on in turn.
    stage = await openStage({ script: 'slow-10ms-at-dot', connections: CONNECTIONS, window: 1_000, shardSize: 3_000 });
    await stage.startWorker({ bulkRetry: RETRY });
  });
  afterAll(() => stage.close());

  it('gets it more slowly, each message by its own schedule, and all of it in the end; the others do not notice', async () => {
    const stormy = Array.from({ length: 100 }, (_, index) => `storm-40+${index}@storm.example`);
    const quick = quickPeople(1_500, 'other');
    const audience = await invite(stage.application, scattered(quick, stormy));
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id, 'settled', 120_000);

    const copies = await stage.copies();
    expectOneCopyEach(copies, audience.addresses);
    expectNoMarks(copies);
    const ledger = await stage.ledger(audience, id);
    expect(statesIn(ledger)).toEqual({ submitted: audience.addresses.length });
    const refused = stormy.map((address) => ledger.get(address)!);
    expect(refused.reduce((sum, { attempts }) => sum + attempts - 1, 0)).toBe(40);
    for (const { attempts, at, firstAttemptAt } of refused)
      expect(at.getTime() - firstAttemptAt.getTime()).toBeGreaterThanOrEqual(((attempts - 1) * RETRY.firstDelayMs) / 2);

    for (const address of quick) expect(ledger.get(address)).toMatchObject({ attempts: 1, run: 0 });
    // In the order in which they stand in the ledger, but for what is on the wire at the same time; once their domains are known.
    const place = new Map(
      [...ledger.keys()].filter((address) => address.startsWith('other')).map((address, index) => [address, index]),
    );
    const order = copies.flatMap(({ to }) => place.get(to) ?? []);
    const displaced = order.map((where, index) => (index < 300 ? 0 : Math.abs(where - index)));
    expect(Math.max(...displaced)).toBeLessThan(6 * CONNECTIONS);
    const last = copies.findLastIndex(({ to }) => to.startsWith('other'));
    expect(copies.slice(last).filter(({ to }) => to.startsWith('storm')).length).toBeGreaterThan(0);
    await expectWholeLedger(stage, audience, id);
  });
});
