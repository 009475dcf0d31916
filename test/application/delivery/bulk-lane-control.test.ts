import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BulkLane } from '../../../src/application/delivery/bulk/bulk-lane.ts';
import { idOf } from '../../support/builders-delivery.ts';
import { LaneStage } from '../../support/lane-stage.ts';
import type { LaneWorld } from '../../support/lane-world.ts';
import type { TestTime } from '../../support/test-time.ts';

const STRANGER = idOf(99, 0xf);

let time: TestTime;
let world: LaneWorld;
let stage: LaneStage;
/** Addresses in the order in which their hand-over began. */
let handed: readonly string[];

beforeEach(() => {
  stage = new LaneStage();
  ({ time, world, handed } = stage);
});
afterEach(() => stage.close());

const open: LaneStage['open'] = (options) => stage.open(options);

const distinct = (addresses: readonly string[]): number => new Set(addresses).size;

/** The first message is answered after ten minutes. */
function firstHangs(): () => number {
  let messages = 0;
  return () => {
    messages += 1;
    return messages === 1 ? 600_000 : 5;
  };
}

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

  it.each([1, 2, 3, 4, 5, 6])('claim nobody with a slow server who was not handed over, and mark nobody (%i)', async (seed) => {
    const campaign = world.campaign(400, { shardSize: 400, domain: (index) => `d${index % 40}.example` });
    world.latency = 250;
    let answers = seed;
    open({
      slots: 4,
      takes: () => {
        answers = (answers * 7 + 3) % 11;
        return answers < 3 ? 9_000 : answers * 700;
      },
    });
    for (let rounds = 0; rounds < 6; rounds += 1) {
      await time.pass(9_000 + rounds * 1_300 + seed * 370);
      world.stopped.add(campaign);
      await time.until('the shard to be given back', () => world.owned() === 0);
      const [shard] = world.shards.values();
      const settled = new Set(world.recorded.map(({ subscriberId }) => subscriberId));
      const open = shard?.recipients.slice(shard.cursor, shard.claimedThrough).filter((id) => !settled.has(id));
      expect(open).toEqual([]);
      world.stopped.delete(campaign);
    }
    expect(world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
    expect(distinct(handed)).toBe(handed.length);
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
    expect([...world.shards.values()].find((shard) => shard.mailingId === other)?.owner).toBeUndefined();
  });

  it('take no room from other campaigns while one answer is still awaited', async () => {
    const hanging = world.campaign(800);
    open({ maxUnrecorded: 100, takes: firstHangs() });
    await time.until('some to be handed over', () => handed.length > 150);
    world.stopped.add(hanging);
    await time.pass(2_000);
    const other = world.campaign(150);
    await time.until(
      'the other campaign to be done',
      () => [...world.shards.values()].find((shard) => shard.mailingId === other)?.done === true,
      5_000,
    );
  });

  it('are followed by resume at once, although one answer is still awaited', async () => {
    const campaign = world.campaign(800);
    open({ maxUnrecorded: 100, takes: firstHangs() });
    await time.until('some to be handed over', () => handed.length > 150);
    world.stopped.add(campaign);
    await time.pass(2_000);
    const atPause = handed.length;
    world.stopped.delete(campaign);
    await time.until('hand-over to go on', () => handed.length > atPause, 2_000);
    await time.until('everybody else to be recorded', () => world.recorded.length === 799, 20_000);
    await time.until('everybody to be recorded', () => world.done(), 700_000);
    expect([handed.length, distinct(handed), world.recorded.length]).toEqual([800, 800, 800]);
    expect(world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
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

describe('stop', () => {
  const stop = async (lane: BulkLane, within = 60_000): Promise<void> => {
    let ended = false;
    const stopping = lane.stop().then(() => {
      ended = true;
    });
    await time.until('it to stop', () => ended, within);
    await stopping;
    stage.running.splice(stage.running.indexOf(lane), 1);
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

  it('writes down as in doubt what a server has not answered after thirty seconds, and then gives the shard back', async () => {
    world.campaign(50);
    const { lane } = open({ takes: firstHangs() });
    await time.until('the others to be recorded', () => world.recorded.length === 49);
    let ended = false;
    const stopped = lane.stop().then(() => {
      ended = true;
    });
    await time.pass(29_000);
    expect(ended).toBe(false);
    await time.pass(3_000);
    await stopped;
    expect(world.states()).toEqual({ submitted: 49, in_doubt: 1 });
    expect(world.owned()).toBe(0);
  });

  it('gives up after a while when the database is gone, and the next holder marks what it left', async () => {
    world.campaign(200);
    const { lane } = open({ slots: 4, takes: 300 });
    await time.until('some to be handed over', () => handed.length > 20);
    world.away = true;
    await time.pass(1_000);
    const before = handed.length;
    const inDoubt = before - world.recorded.length;
    expect([inDoubt > 0, lane.inDoubt]).toEqual([true, inDoubt]);
    await stop(lane, 26_000);
    expect(handed).toHaveLength(before);
    world.away = false;
    open({ takes: 1 });
    await time.until('everybody to be recorded', () => world.done(), 120_000);
    expect(handed.length - distinct(handed)).toBe(inDoubt);
    const marked = world.recorded.filter(({ possibleRepeat }) => possibleRepeat).length;
    expect(marked).toBeGreaterThanOrEqual(inDoubt);
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
    world.commitError = new Error('relation "mailing_recipient" does not exist');
    await time.until('it to be told', () => world.fatal.length > 0);
    const atFault = handed.length;
    await time.pass(20_000);
    expect([handed.length, world.fatal.length]).toEqual([atFault, 1]);
    expect(world.takeExpired(STRANGER)).toBe(1);
    world.commitError = undefined;
  });
});
