import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BulkLane } from '../../../src/application/delivery/bulk/bulk-lane.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt } from '../../support/builders-delivery.ts';
import { LaneWorld } from '../../support/lane-world.ts';
import { type TestTime, testTime } from '../../support/test-time.ts';

const OTHER = 'other.example';
/** One recipient in ten leaves by the other transport. */
const domain = (index: number): string => (index % 10 === 9 ? OTHER : `d${index % 20}.example`);

let time: TestTime;
let world: LaneWorld;

beforeEach(() => {
  time = testTime();
  world = new LaneWorld(time);
});
afterEach(() => time.restore());

/** Two transports; the second answers after `takes` milliseconds. */
function twoTransports(takes: number) {
  const sent: { readonly by: string; readonly to: string }[] = [];
  const transport = (by: string, milliseconds: number) =>
    new MemoryTransport({
      slots: 5,
      answer: async ({ envelope }) => {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        sent.push({ by, to: envelope.to });
        return anAttempt();
      },
    });
  const transports = [transport('main', 20), transport('other', takes)];
  const lane = world.laneOf(transports, (address, [main, other]) => (address.endsWith(OTHER) ? other : main), {
    maxUnrecorded: 400,
  });
  const by = (name: string) => sent.filter((one) => one.by === name);
  return { lane, by };
}

async function stop(lane: BulkLane): Promise<void> {
  const stopping = lane.stop();
  await time.pass(120_000);
  await stopping;
}

describe('a lane over two transports', () => {
  it('holds back for a later run what the slow one cannot take while others wait', async () => {
    world.campaign(4_000, { domain });
    const { lane, by } = twoTransports(60_000);
    lane.start();
    await time.until('the others to be sent', () => by('main').length === 3_600);
    const { deferred = 0 } = world.states();
    expect(deferred).toBeGreaterThan(200);
    expect(world.recorded.find(({ state }) => state === 'deferred')?.reply).toBe(
      'held back: the transport memory does not keep up, and recipients of others were waiting',
    );
    await stop(lane);
  });

  it('sends each message on the one that the route names', async () => {
    world.campaign(300, { domain });
    const { lane, by } = twoTransports(20);
    lane.start();
    await time.until('everything to be sent', () => world.done());
    expect(by('other').map(({ to }) => to.split('@')[1])).toEqual(Array.from({ length: 30 }, () => OTHER));
    expect(by('main').filter(({ to }) => to.endsWith(OTHER))).toEqual([]);
    expect(world.states()).toEqual({ submitted: 300 });
    await stop(lane);
  });

  it('keeps the others at their rate while one does not answer', async () => {
    const begun = time.clock.monotonic();
    world.campaign(900, { domain });
    const { lane, by } = twoTransports(60_000);
    lane.start();
    await time.until('the others to be sent', () => by('main').length === 810);
    // 810 messages over 5 connections at 20 ms each.
    expect(time.clock.monotonic() - begun).toBeLessThan(8_000);
    expect(by('other')).toEqual([]);
    await time.until('all of them to be recorded', () => world.states().submitted === 810);
    expect(world.states()).toEqual({ submitted: 810 });
    await stop(lane);
  });
});
