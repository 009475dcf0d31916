import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BulkLane } from '../../../src/application/delivery/bulk-lane.ts';
import type { BulkLaneOptions } from '../../../src/application/delivery/bulk-lane-ports.ts';
import type { Attempt, OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { LaneWorld } from '../../support/lane-world.ts';
import { type TestTime, testTime } from '../../support/test-time.ts';

const STRANGER = idOf(99, 0xf);

let time: TestTime;
let world: LaneWorld;
/** Addresses in the order in which their hand-over began. */
let handed: string[];
const running: BulkLane[] = [];

beforeEach(() => {
  time = testTime();
  world = new LaneWorld(time);
  handed = [];
});
afterEach(async () => {
  world.away = false;
  for (const lane of running.splice(0)) {
    const stopped = lane.stop();
    await time.pass(120_000);
    await stopped;
  }
  time.restore();
});

interface Opened {
  readonly lane: BulkLane;
  readonly transport: MemoryTransport;
}

/** A lane over a transport that answers after `takes` milliseconds. */
function open(
  options: BulkLaneOptions & { slots?: number; takes?: number; answer?: (message: OutgoingMessage) => Attempt } = {},
): Opened {
  const { slots = 5, takes = 1, answer = () => anAttempt(), ...laneOptions } = options;
  const transport = new MemoryTransport({
    slots,
    answer: async (message) => {
      handed.push(message.envelope.to);
      await new Promise((resolve) => setTimeout(resolve, takes));
      return answer(message);
    },
  });
  const lane = world.lane(transport, laneOptions);
  running.push(lane);
  lane.start();
  return { lane, transport };
}

const distinct = (addresses: readonly string[]): number => new Set(addresses).size;
const outcomesOf = (person: string) => world.recorded.filter((outcome) => outcome.subscriberId === person);

describe('the bulk lane', () => {
  it('sends everybody once and lets go of what is done', async () => {
    world.campaign(250, { shardSize: 100 });
    const { lane } = open();
    await time.until('everybody to be recorded', () => world.done());
    expect([handed.length, distinct(handed), world.states()]).toEqual([250, 250, { submitted: 250 }]);
    await time.pass(500);
    expect([lane.progress.shards, lane.progress.submitted, lane.progress.unrecorded]).toEqual([0, 250, 0]);
  });

  it('begins with work that comes later, woken by its job', async () => {
    const { lane } = open();
    await time.pass(1_000);
    world.campaign(1);
    lane.wake();
    await time.until('it to be sent', () => world.done(), 200);
  });

  it('asks for work four times a second when there is none', async () => {
    open();
    await time.pass(1_000);
    const before = world.called('claim');
    await time.pass(10_000);
    expect(world.called('claim') - before).toBeLessThanOrEqual(40);
    expect(world.called('renew') + world.called('runningOf') + world.called('commit')).toBe(0);
  });

  it('works on several campaigns at once, each in turn', async () => {
    const [big, small] = [world.campaign(5_000), world.campaign(50)];
    open({ takes: 10 });
    await time.until(
      'the small one to be done',
      () => [...world.shards.values()].find((shard) => shard.campaignId === small)?.done === true,
    );
    const bigBefore = handed.filter((address) => address.endsWith('@c1.example.com')).length;
    expect(bigBefore).toBeLessThan(400);
    expect([...world.shards.values()].find((shard) => shard.campaignId === big)?.done).toBe(false);
  });

  it('keeps to a limit of messages per second, also with many shards that have nothing ready', async () => {
    for (let campaigns = 0; campaigns < 6; campaigns += 1) world.campaign(400);
    open({ messagesPerSecond: 40 });
    await time.pass(1_000);
    const before = handed.length;
    await time.pass(20_000);
    expect(handed.length - before).toBeLessThanOrEqual(20 * 40 + 10);
    expect(handed.length - before).toBeGreaterThan(20 * 40 * 0.9);
  });

  it('takes its part of the limit when it shares it', async () => {
    world.campaign(400);
    const { lane } = open({ messagesPerSecond: 40 });
    lane.shareRate(4);
    await time.pass(11_000);
    expect(handed.length).toBeGreaterThan(100);
    expect(handed.length).toBeLessThanOrEqual(122);
  });

  it('hands over no more than its window while nothing can be recorded', async () => {
    world.campaign(1_000);
    const { lane } = open({ maxUnrecorded: 60 });
    await time.until('hand-over to begin', () => handed.length > 0);
    world.away = true;
    await time.pass(5_000);
    expect(handed.length - world.recorded.length).toBeLessThanOrEqual(60);
    expect(lane.progress.unrecorded).toBeLessThanOrEqual(60);
  });

  it('keeps its window also for a shard taken over with more than that to repeat', async () => {
    const campaign = world.campaign(1_000);
    const shard = [...world.shards.values()].find((one) => one.campaignId === campaign)!;
    Object.assign(shard, { claimedThrough: 900, fence: 1 });
    open({ maxUnrecorded: 60 });
    await time.until('hand-over to begin', () => handed.length > 0);
    const before = handed.length;
    world.away = true;
    await time.pass(5_000);
    expect(handed.length - world.recorded.length).toBeLessThanOrEqual(60);
    expect(before).toBeLessThanOrEqual(60);
  });
});

describe('a recipient', () => {
  it.each(['unsubscribed', 'suppressed', 'erased', 'unconfirmed'] as const)(
    'who is %s is skipped, with the reason',
    async (refusal) => {
      const campaign = world.campaign(3);
      world.change(world.personOf(campaign, 1), { refusal });
      open();
      await time.until('all to be recorded', () => world.done());
      expect(outcomesOf(world.personOf(campaign, 1))).toMatchObject([{ state: 'skipped', reply: refusal }]);
      expect(handed).toHaveLength(2);
    },
  );

  it('who is gone is skipped as deleted', async () => {
    const campaign = world.campaign(1);
    world.people.clear();
    open();
    await time.until('all to be recorded', () => world.done());
    expect(outcomesOf(world.personOf(campaign, 0))).toMatchObject([{ state: 'skipped', reply: 'deleted' }]);
  });

  it('whose data break the template fails, and the campaign goes on', async () => {
    const campaign = world.campaign(3);
    world.change(world.personOf(campaign, 0), { attributes: { poison: true } });
    open();
    await time.until('all to be recorded', () => world.done());
    expect(outcomesOf(world.personOf(campaign, 0))).toMatchObject([
      { state: 'failed', reply: 'the template cannot be rendered with this data' },
    ]);
    expect(world.states()).toEqual({ failed: 1, submitted: 2 });
  });

  it('whose data the host does not give is deferred', async () => {
    world.campaign(3);
    world.failure = 'recipient data: no answer within 50 ms';
    open();
    await time.until('all to be recorded', () => world.done());
    expect(world.states()).toEqual({ deferred: 3 });
    expect(handed).toEqual([]);
  });

  it('whom an earlier holder may have reached gets the mark', async () => {
    const campaign = world.campaign(4);
    Object.assign([...world.shards.values()][0]!, { claimedThrough: 2, fence: 1 });
    const { transport } = open();
    await time.until('all to be recorded', () => world.done());
    expect([0, 1, 2, 3].map((index) => outcomesOf(world.personOf(campaign, index))[0]?.possibleRepeat)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const marks = transport.messages.map((message) => message.content.toString().includes('X-Pennypost-Possible-Repeat: yes'));
    expect(marks.filter(Boolean)).toHaveLength(2);
  });

  it('whose acceptance is recorded is not mailed again, in a later run or after a take-over', async () => {
    const [retried, taken] = [world.campaign(2, { run: 1 }), world.campaign(2)];
    Object.assign([...world.shards.values()].find((shard) => shard.campaignId === taken)!, { claimedThrough: 2, fence: 1 });
    for (const campaign of [retried, taken]) world.accepted.add(world.personOf(campaign, 0));
    open();
    await time.until('all to be recorded', () => world.done());
    expect(handed.toSorted()).toEqual(['p1@c1.example.com', 'p1@c2.example.com']);
    expect(outcomesOf(world.personOf(retried, 0))).toMatchObject([{ state: 'skipped', reply: 'accepted before' }]);
  });

  it('who unsubscribes while messages wait is not mailed more than five seconds later', async () => {
    const campaign = world.campaign(200);
    open({ slots: 1, takes: 400 });
    await time.pass(8_000);
    const since = time.clock.monotonic();
    for (let index = 0; index < 200; index += 1) world.change(world.personOf(campaign, index), { refusal: 'unsubscribed' });
    let last = since;
    for (let seen = handed.length; time.clock.monotonic() < since + 20_000; await time.pass(10)) {
      if (handed.length > seen) last = time.clock.monotonic();
      seen = handed.length;
    }
    expect(last - since).toBeLessThan(5_000);
  });
});

describe('a turn that came back unsent', () => {
  it('is read again and sent, however slow the server is', async () => {
    world.campaign(60);
    open({ slots: 1, takes: 2_000 });
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect([handed.length, distinct(handed), world.states()]).toEqual([60, 60, { submitted: 60 }]);
  });

  it('is sent with the others when many come back at once', async () => {
    world.campaign(300);
    open({ slots: 10, takes: 5_000 });
    await time.until('everybody to be recorded', () => world.done(), 600_000);
    expect([handed.length, distinct(handed)]).toEqual([300, 300]);
  });
});

describe('pause and cancel', () => {
  it('take effect within the control tick; what is on the wire is recorded, the claim shrinks, the shard is given back', async () => {
    const campaign = world.campaign(1_000);
    open({ slots: 2, takes: 50 });
    await time.until('some to be handed over', () => handed.length > 10);
    world.stopped.add(campaign);
    await time.pass(700);
    const atPause = handed.length;
    await time.pass(10_000);
    expect(handed).toHaveLength(atPause);
    const [shard] = world.shards.values();
    expect([shard?.owner, shard?.claimedThrough, world.recorded.length]).toEqual([undefined, atPause, atPause]);
  });

  it('fifty times over skips and repeats nobody', async () => {
    const campaign = world.campaign(3_000, { shardSize: 500 });
    open({ slots: 3, takes: 20 });
    for (let rounds = 0; rounds < 50; rounds += 1) {
      await time.pass(150 + rounds * 17);
      world.stopped.add(campaign);
      await time.pass(100 + rounds * 23);
      world.stopped.delete(campaign);
    }
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect([handed.length, distinct(handed), world.recorded.length]).toEqual([3_000, 3_000, 3_000]);
    expect(world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
  });

  it('are seen for one campaign although the shard of another is lost while it is given back', async () => {
    const [lost, other] = [world.campaign(1_000), world.campaign(1_000)];
    open({ slots: 2, takes: 20 });
    await time.until('both to be handed over', () => new Set(handed.map((address) => address.split('@')[1])).size === 2);
    world.stopped.add(lost);
    world.snatch(lost, STRANGER);
    await time.pass(3_000);
    world.stopped.add(other);
    await time.pass(700);
    const atPause = handed.length;
    await time.pass(5_000);
    expect(handed).toHaveLength(atPause);
    expect([...world.shards.values()].find((shard) => shard.campaignId === other)?.owner).toBeUndefined();
  });

  it('do not touch a shard that is claimed while it is asked who goes on', async () => {
    world.latency = 120;
    world.campaign(2_000, { shardSize: 20 });
    open();
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect(world.released).toEqual([]);
  });
});

describe('a lease that is lost', () => {
  it('stops hand-over, keeps what is on the wire as facts, and releases nothing', async () => {
    const campaign = world.campaign(500);
    open({ slots: 2, takes: 100 });
    await time.until('some to be handed over', () => handed.length > 10);
    world.snatch(campaign, STRANGER);
    await time.pass(4_000);
    const atLoss = handed.length;
    await time.pass(5_000);
    expect(handed).toHaveLength(atLoss);
    expect(world.recorded).toHaveLength(atLoss);
    expect(world.released).toEqual([]);
    expect([...world.shards.values()][0]?.owner).toBe(STRANGER);
  });

  it('because the machine slept is renewed before anything else is claimed', async () => {
    world.campaign(2_000);
    open({ slots: 2, takes: 100 });
    await time.pass(15_000);
    const [shard] = world.shards.values();
    expect(shard?.fence).toBe(1);
    time.jump(60_000);
    await time.pass(5_000);
    expect(shard?.fence).toBe(1);
    expect(shard?.until).toBeGreaterThan(time.clock.monotonic());
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect([handed.length, distinct(handed)]).toEqual([2_000, 2_000]);
  });

  it('and won again by the same process loses no outcome of the older holding', async () => {
    const campaign = world.campaign(400);
    open({ slots: 2, takes: 3_000 });
    await time.pass(14_000);
    world.snatch(campaign, STRANGER);
    await time.pass(3_500);
    const [shard] = world.shards.values();
    Object.assign(shard!, { owner: undefined });
    await time.until('everybody to be recorded', () => world.done(), 900_000);
    expect(new Set(world.recorded.map((outcome) => outcome.subscriberId)).size).toBe(400);
    const repeats = handed.length - distinct(handed);
    expect(world.recorded.filter((outcome) => outcome.state === 'submitted')).toHaveLength(handed.length);
    expect(repeats).toBeLessThanOrEqual(world.recorded.filter((outcome) => outcome.possibleRepeat).length);
  });

  it('of somebody else is taken after the database was reachable for one lease', async () => {
    world.campaign(1);
    world.snatch(idOf(1, 0xc), STRANGER);
    [...world.shards.values()][0]!.until = time.clock.monotonic() - 1;
    open();
    await time.pass(9_500);
    expect(handed).toHaveLength(0);
    await time.pass(1_000);
    expect(handed).toHaveLength(1);
  });

  it('of somebody else is not taken right after an outage, in which nobody could renew', async () => {
    world.campaign(1);
    world.snatch(idOf(1, 0xc), STRANGER);
    open();
    await time.pass(8_000);
    world.away = true;
    await time.pass(30_000);
    world.away = false;
    await time.pass(9_000);
    expect(handed).toHaveLength(0);
    await time.pass(2_000);
    expect(handed).toHaveLength(1);
  });
});

describe('while the database is away', () => {
  it('outcomes are kept and written once when it is back; nothing is sent twice', async () => {
    world.campaign(500);
    open({ slots: 2, takes: 20 });
    await time.until('some to be handed over', () => handed.length > 50);
    world.away = true;
    await time.pass(60_000);
    const during = handed.length;
    world.away = false;
    await time.until('everybody to be recorded', () => world.done(), 300_000);
    expect(during).toBeLessThan(500);
    expect([handed.length, distinct(handed), world.recorded.length]).toEqual([500, 500, 500]);
  });

  it('nothing is handed over after the lease has ended by our own clock', async () => {
    world.campaign(5_000);
    open({ slots: 2, takes: 50, maxUnrecorded: 5_000 });
    await time.until('some to be handed over', () => handed.length > 20);
    world.away = true;
    const since = time.clock.monotonic();
    await time.pass(8_100);
    const atEnd = handed.length;
    await time.pass(30_000);
    expect(handed).toHaveLength(atEnd);
    expect(time.clock.monotonic() - since).toBeGreaterThan(30_000);
  });

  it('the database is asked now and then, not in a circle', async () => {
    world.campaign(5_000);
    open();
    await time.until('some to be handed over', () => handed.length > 20);
    world.away = true;
    world.people.clear();
    await time.pass(1_000);
    const before = [...world.calls.values()].reduce((sum, calls) => sum + calls, 0);
    await time.pass(10_000);
    expect([...world.calls.values()].reduce((sum, calls) => sum + calls, 0) - before).toBeLessThan(200);
  });

  it('a commit whose answer was lost is not written twice', async () => {
    world.campaign(300);
    open({ takes: 20 });
    await time.until('some to be recorded', () => world.recorded.length > 20);
    world.loseAnswers = 3;
    await time.until('everybody to be recorded', () => world.done());
    expect([world.recorded.length, handed.length]).toEqual([300, 300]);
  });
});

describe('a transport that fails', () => {
  const broken = anAttempt('deferred', { code: undefined, reply: 'connect ECONNREFUSED', fault: 'transport' });

  it('pauses the campaign after so many errors without an answer, and says why', async () => {
    const campaign = world.campaign(1_000);
    open({ pauseAfterTransportErrors: 20, answer: () => broken });
    await time.until('the campaign to be paused', () => world.paused.size > 0);
    expect(world.paused.get(campaign)).toBe('20 transport errors in a row, the last: connect ECONNREFUSED');
    await time.pass(2_000);
    expect(handed.length).toBeLessThan(60);
    expect(world.states()).toEqual({ deferred: handed.length });
  });

  it('pauses nothing while answers come between', async () => {
    world.campaign(200);
    open({ pauseAfterTransportErrors: 20, answer: () => (handed.length % 10 === 0 ? anAttempt() : broken) });
    await time.until('everybody to be recorded', () => world.done());
    expect(world.paused.size).toBe(0);
  });

  it('and breaks its contract costs a deferral, not the campaign', async () => {
    world.campaign(3);
    const lane = world.lane({
      name: 'broken',
      slots: 1,
      submit: () => Promise.reject(new Error('a fault of the transport')),
      verify: async () => undefined,
      close: async () => undefined,
    });
    running.push(lane);
    lane.start();
    await time.until('everybody to be recorded', () => world.done());
    expect(world.recorded).toMatchObject([1, 2, 3].map(() => ({ state: 'deferred', reply: 'a fault of the transport' })));
  });
});

describe('a campaign that this process cannot compile', () => {
  it('is paused with the reason, given back, and does not hold up the others', async () => {
    const campaign = world.campaign(10);
    world.broken = new Error('Campaign 1 was launched under key abcdef, which this process does not have.');
    open();
    await time.until('it to be paused', () => world.paused.has(campaign));
    expect(world.paused.get(campaign)).toBe(world.broken.message);
    await time.pass(100);
    expect(world.owned()).toBe(0);
    world.broken = undefined;
    world.campaign(5);
    await time.until('the other to be sent', () => handed.length === 5);
  });
});

describe('stop', () => {
  const stop = async (lane: BulkLane, within = 60_000): Promise<void> => {
    let ended = false;
    const stopping = lane.stop().then(() => {
      ended = true;
    });
    await time.until('it to stop', () => ended, within);
    await stopping;
    running.splice(running.indexOf(lane), 1);
  };

  it('finishes what is on the wire, writes every outcome and gives the shards back', async () => {
    world.campaign(2_000, { shardSize: 500 });
    const { lane } = open({ slots: 4, takes: 300 });
    await time.until('some to be handed over', () => handed.length > 20);
    const before = handed.length;
    await stop(lane, 1_000);
    expect(handed).toHaveLength(before);
    expect([world.recorded.length, world.owned()]).toEqual([before, 0]);
    const { lane: next } = open({ takes: 1 });
    await time.until('everybody to be recorded', () => world.done(), 120_000);
    await stop(next);
    expect([handed.length, distinct(handed)]).toEqual([2_000, 2_000]);
    expect(world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
  });

  it('keeps its leases while a slow server takes its time', async () => {
    world.campaign(100);
    const { lane } = open({ slots: 2, takes: 25_000 });
    await time.until('some to be handed over', () => handed.length === 2);
    const stopping = stop(lane);
    for (let second = 0; second < 20; second += 1) {
      await time.pass(1_000);
      expect(world.takeExpired(STRANGER)).toBe(0);
    }
    await stopping;
    expect([world.states(), world.owned()]).toEqual([{ submitted: 2 }, 0]);
  });

  it('gives back a shard that was just being claimed', async () => {
    world.latency = 200;
    world.campaign(100);
    const { lane } = open();
    await time.pass(100);
    expect(world.owned()).toBe(0);
    await stop(lane);
    expect([world.owned(), handed.length]).toEqual([0, 0]);
  });

  it('waits for the database rather than lose an outcome', async () => {
    world.campaign(100);
    const { lane } = open({ slots: 2, takes: 100 });
    await time.until('some to be handed over', () => handed.length > 5);
    world.away = true;
    const stopping = stop(lane);
    await time.pass(20_000);
    expect(world.recorded.length).toBeLessThan(handed.length);
    world.away = false;
    await stopping;
    expect(world.recorded).toHaveLength(handed.length);
  });
});

describe('a fault that keeps outcomes from being recorded for good', () => {
  it('ends hand-over at once and is told to who runs the process', async () => {
    world.campaign(1_000);
    open({ takes: 20, slots: 2 });
    await time.until('some to be handed over', () => handed.length > 10);
    world.commitError = new Error('relation "campaign_message" does not exist');
    await time.until('it to be told', () => world.fatal.length > 0);
    const atFault = handed.length;
    await time.pass(20_000);
    expect([handed.length, world.fatal.length]).toEqual([atFault, 1]);
    expect(world.takeExpired(STRANGER)).toBe(1);
    world.commitError = undefined;
  });
});
