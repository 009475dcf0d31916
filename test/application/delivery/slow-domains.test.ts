import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { WHOLE_MESSAGES } from '../../../src/infrastructure/transports/whole-messages.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { LaneStage } from '../../support/lane-stage.ts';
import type { LaneWorld } from '../../support/lane-world.ts';
import type { TestTime } from '../../support/test-time.ts';

const SLOW = 'slow.example';
const SLOTS = 20;

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

const distinct = (addresses: readonly string[]): number => new Set(addresses).size;
const isSlow = (address: string): boolean => address.endsWith(`@${SLOW}`);
/** 30 seconds for each of four commands. */
const takes = ({ envelope }: OutgoingMessage): number => (isSlow(envelope.to) ? 120_000 : 50);
/** One in `every` is of the slow domain, the others are spread over fifty. */
const oneSlowIn =
  (every: number) =>
  (index: number): string =>
    index % every === every - 1 ? SLOW : `d${index % 50}.example`;
const fast = (): number => handed.filter((address) => !isSlow(address)).length;

/** The lane stops, and all that is on the wire is answered. */
async function stopLane(): Promise<void> {
  const [lane] = stage.running.splice(0);
  let ended = false;
  const stopping = lane?.stop().then(() => {
    ended = true;
  });
  await time.until('it to stop', () => ended);
  await stopping;
}

/** Test time until so many others were handed over. */
async function until(others: number): Promise<number> {
  const since = time.clock.monotonic();
  await time.until('all others to be handed over', () => fast() >= others, 600_000);
  return time.clock.monotonic() - since;
}

describe('a receiving domain that answers slowly', () => {
  it('takes one connection of twenty, and the others keep their rate', async () => {
    world.campaign(4_000, { shardSize: 1_000, domain: (index) => `d${index % 50}.example` });
    stage.open({ slots: SLOTS, takes });
    const alone = await until(4_000);
    await stopLane();
    stage.handed.splice(0);
    world.campaign(4_080, { shardSize: 1_020, domain: oneSlowIn(51) });
    stage.open({ slots: SLOTS, takes });
    const beside = await until(4_000);
    expect(alone / beside).toBeGreaterThanOrEqual(0.93);
    expect(stage.mostInFlight.get(SLOW)).toBe(1);
    expect(distinct(handed)).toBe(handed.length);
  });

  it('gets more connections when the others are done, but for a quarter, and loses nobody', async () => {
    world.campaign(510, { domain: oneSlowIn(51) });
    stage.open({ slots: SLOTS, takes: ({ envelope }) => (isSlow(envelope.to) ? 20_000 : 20) });
    await until(500);
    await time.pass(2_000);
    expect(stage.mostInFlight.get(SLOW)).toBe(10);
    await time.until('everybody to be recorded', () => world.done());
    expect([world.states(), handed.length, distinct(handed)]).toEqual([{ submitted: 510 }, 510, 510]);

    world.campaign(40, { domain: () => SLOW });
    stage.mostInFlight.clear();
    await time.until('everybody to be recorded', () => world.done(), 200_000);
    expect(stage.mostInFlight.get(SLOW)).toBe(15);
    expect(world.states()).toEqual({ submitted: 550 });
  });

  it('has those who would wait too long tried again by a later run, without an attempt', async () => {
    world.campaign(4_080, { shardSize: 1_020, domain: oneSlowIn(20) });
    stage.open({ slots: SLOTS, takes });
    await until(3_876);
    await time.until('everybody to be recorded', () => world.done(), 900_000);
    const deferred = world.recorded.filter(({ state }) => state === 'deferred');
    expect(deferred.length).toBeGreaterThan(100);
    expect(new Set(deferred.map(({ attempted }) => attempted))).toEqual(new Set([false]));
    expect(new Set(deferred.map(({ reply }) => reply))).toEqual(
      new Set([`held back: ${SLOW} is slow to answer, and others were waiting`]),
    );
    expect(new Set(world.recorded.map(({ subscriberId }) => subscriberId)).size).toBe(4_080);
    expect(world.recorded).toHaveLength(4_080);
  });

  it('does not keep the recipients behind its own from being seen', async () => {
    world.campaign(2_000, { domain: (index) => (index < 600 ? SLOW : `d${index % 50}.example`) });
    stage.open({ slots: SLOTS, takes });
    await until(1_400);
    // Not before the first answer: until then the server may be slow whoever is asked.
    expect(time.clock.monotonic() - Date.parse('2026-11-22T10:00:00Z')).toBeLessThan(140_000);
  });

  it('does not keep the shards that nobody has room for from being claimed', async () => {
    for (let campaigns = 0; campaigns < 8; campaigns += 1) world.campaign(10, { domain: oneSlowIn(2) });
    const { lane } = stage.open({ slots: SLOTS, takes });
    await until(40);
    await time.pass(1_000);
    expect(lane.progress.shards).toBe(8);
    world.campaign(100, { domain: (index) => `d${index % 50}.example` });
    expect(await until(140)).toBeLessThan(10_000);
  });

  it('and was quick before has its messages taken back from the line, and gets its part again when it is quick again', async () => {
    let slow = false;
    world.campaign(12_000, { shardSize: 4_000, domain: (index) => (index % 5 === 0 ? SLOW : `d${index % 50}.example`) });
    stage.open({ slots: SLOTS, takes: ({ envelope }) => (slow && isSlow(envelope.to) ? 10_000 : 100) });
    await until(1_000);
    const share = (from: number, to: number): number => handed.slice(from, to).filter(isSlow).length / (to - from);
    expect(share(250, 1_250)).toBeGreaterThan(0.15);
    slow = true;
    // What it has on connections when it turns slow stays there until it answers.
    await time.pass(12_000);
    const [from, before] = [handed.length, fast()];
    await time.pass(5_000);
    expect(fast() - before).toBeGreaterThanOrEqual(5 * 10 * (SLOTS - 1) * 0.99);
    expect(stage.inFlight.get(SLOW)).toBeLessThanOrEqual(1);
    expect(share(from, handed.length)).toBeLessThan(0.01);
    slow = false;
    await time.pass(12_000);
    const again = handed.length;
    await time.pass(2_000);
    expect(share(again, handed.length)).toBeGreaterThan(0.15);
    expect(distinct(handed)).toBe(handed.length);
  });
});

describe('a receiving domain that answers as quickly as any', () => {
  it.each([
    ['with two recipients in five', (index: number) => (index % 5 < 2 ? 'large.example' : `d${index % 50}.example`)],
    ['with everybody', () => 'large.example'],
    ['with one recipient', (index: number) => `d${index}.example`],
  ])('is not held back, %s', async (_, domain) => {
    world.campaign(4_000, { shardSize: 1_000, domain });
    stage.open({ slots: SLOTS, takes });
    // Twenty connections, 50 ms each: ten seconds; a little more for the first messages and between shards.
    expect(await until(4_000)).toBeLessThan(10_800);
    await time.until('everybody to be recorded', () => world.done());
    expect(world.states()).toEqual({ submitted: 4_000 });
  });

  it('keeps its part though now and then one of its messages takes ten seconds', async () => {
    let count = 0;
    world.campaign(4_000, {
      shardSize: 1_000,
      domain: (index) => (index % 5 < 2 ? 'large.example' : `d${index % 50}.example`),
    });
    const late = ({ envelope }: OutgoingMessage): number => {
      if (!envelope.to.endsWith('@large.example')) return 50;
      count += 1;
      return count % 500 === 0 ? 10_000 : 50;
    };
    stage.open({ slots: SLOTS, takes: late });
    await time.pass(8_000);
    const large = handed.filter((address) => address.endsWith('@large.example')).length;
    expect(large / handed.length).toBeGreaterThan(0.35);
    await time.until('everybody to be recorded', () => world.done());
    expect(world.states()).toEqual({ submitted: 4_000 });
  });
});

describe('a server that is slow whoever is asked', () => {
  it.each([
    ['of one domain', 1, 15],
    ['of three domains', 3, 20],
    ['of fifty domains', 50, 20],
  ])('is used with its connections for people %s, and nobody is put off', async (_, domains, connections) => {
    world.campaign(900, { domain: (index) => `d${index % domains}.example` });
    stage.open({ slots: SLOTS, takes: 3_000 });
    await time.pass(12_000);
    const before = handed.length;
    await time.pass(30_000);
    expect(handed.length - before).toBeGreaterThanOrEqual(connections * 10 - connections);
    await time.until('everybody to be recorded', () => world.done(), 600_000);
    expect([world.states(), handed.length]).toEqual([{ submitted: 900 }, 900]);
  });
});

describe('a server that takes longer for the envelope than what is known of people stays fresh', () => {
  /** Decides before MAIL, and 90 seconds later before the content. @returns who was mailed, and how many were withdrawn at DATA */
  function openPatient({ envelopeMs = 90_000, contentMs = 0, slots = 2, askMs = 60_000, hostMs = 0 } = {}) {
    const [taken, working, waiting] = [[] as string[], new Set<OutgoingMessage>(), [] as (() => void)[]];
    const known = { taken, aborted: 0 };
    /** A question is no decision: it is asked of messages on connections and of those that wait for one, at any time. */
    const asked = new Set<OutgoingMessage>();
    const asking = setInterval(() => {
      for (const { proceed } of asked) for (let times = 0; times < 3; times += 1) proceed?.();
    }, askMs);
    const pass = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const lane = world.lane({
      name: 'patient',
      slots,
      depth: 1,
      capabilities: WHOLE_MESSAGES,
      submit: async (message) => {
        const { envelope, proceed, onHandOver, onContent } = message;
        asked.add(message);
        try {
          while (working.size >= slots) await new Promise<void>((resolve) => waiting.push(resolve));
          if (proceed?.() === false) return { outcome: 'withdrawn' };
          onHandOver?.();
          working.add(message);
          await pass(envelopeMs);
          if (proceed?.() === false) {
            known.aborted += 1;
            return { outcome: 'withdrawn' };
          }
          onContent?.();
          await pass(contentMs);
          taken.push(envelope.to);
          return anAttempt();
        } finally {
          asked.delete(message);
          working.delete(message);
          waiting.shift()?.();
        }
      },
      waits: () => [],
      verify: async () => undefined,
      close: async () => clearInterval(asking),
    });
    world.hostMs = hostMs;
    stage.running.push(lane);
    lane.start();
    return known;
  }

  it.each([
    [500, 0],
    [2_000, 0],
    [4_000, 0],
    [20_000, 0],
    [0, 20_000],
    [4_000, 4_000],
    [6_000, 6_000],
  ])('%i ms for the envelope, %i for the content: each gets one message at the first try', async (envelopeMs, contentMs) => {
    world.campaign(40, { domain: (index) => `d${index}.example` });
    const known = openPatient({ envelopeMs, contentMs, slots: 4, askMs: 70 });
    await time.until('everybody to be recorded', () => world.done(), 10 * (envelopeMs + contentMs) + 20_000);
    expect([known.taken.length, distinct(known.taken), known.aborted]).toEqual([40, 40, 0]);
    expect(world.states()).toEqual({ submitted: 40 });
  });

  it('gets them also while a host application takes six seconds for its data', async () => {
    world.campaign(8, { domain: (index) => `d${index}.example` });
    const known = openPatient({ envelopeMs: 5_000, slots: 4, askMs: 70, hostMs: 6_000 });
    await time.until('everybody to be recorded', () => world.done(), 400_000);
    expect([known.taken.length, distinct(known.taken), known.aborted]).toEqual([8, 8, 0]);
  });

  it('gets them also while a look for more work takes long', async () => {
    world.campaign(8, { domain: (index) => `d${index}.example` });
    world.claimMs = 30_000;
    const known = openPatient({ envelopeMs: 20_000, slots: 4, askMs: 70 });
    await time.until('everybody to be recorded', () => world.done(), 400_000);
    expect([known.taken.length, distinct(known.taken), known.aborted]).toEqual([8, 8, 0]);
  });

  it('gets the messages all the same', async () => {
    world.campaign(3, { domain: (index) => `d${index}.example` });
    const { taken } = openPatient();
    await time.until('everybody to be recorded', () => world.done(), 400_000);
    expect(taken.toSorted()).toEqual(['p0@d0.example', 'p1@d1.example', 'p2@d2.example']);
  });

  it('gets none for who unsubscribes meanwhile', async () => {
    const campaign = world.campaign(2, { domain: (index) => `d${index}.example` });
    const { taken } = openPatient();
    await time.pass(80_000);
    world.change(world.personOf(campaign, 0), { refusal: 'unsubscribed' });
    await time.until('everybody to be recorded', () => world.done(), 400_000);
    expect([taken, world.states()]).toEqual([['p1@d1.example'], { submitted: 1, skipped: 1 }]);
  });
});

describe('recipients who wait for a slow domain', () => {
  const waiting = async (): Promise<string> => {
    const campaign = world.campaign(2_040, { shardSize: 2_040, domain: oneSlowIn(51) });
    stage.open({ slots: SLOTS, takes });
    await until(1_000);
    return campaign;
  };

  it('are not mailed when they unsubscribe meanwhile', async () => {
    const campaign = world.campaign(1_020, { domain: oneSlowIn(51) });
    stage.open({ slots: SLOTS, takes: ({ envelope }) => (isSlow(envelope.to) ? 10_000 : 20) });
    await until(1_000);
    const before = handed.filter(isSlow).length;
    for (let index = 50; index < 1_020; index += 51) world.change(world.personOf(campaign, index), { refusal: 'unsubscribed' });
    await time.until('everybody to be recorded', () => world.done(), 600_000);
    // Read some milliseconds before they left.
    expect(handed.filter(isSlow).length - before).toBeLessThanOrEqual(15);
    expect(world.states().skipped).toBe(1_020 - handed.length);
  });

  it('are tried again later and are not marked when the campaign is paused', async () => {
    const campaign = await waiting();
    world.stopped.add(campaign);
    await time.pass(130_000);
    const [shard] = world.shards.values();
    expect(shard?.owner).toBeUndefined();
    world.stopped.delete(campaign);
    await time.until('everybody to be recorded', () => world.done(), 900_000);
    expect(world.recorded.some(({ possibleRepeat }) => possibleRepeat)).toBe(false);
    expect(world.recorded).toHaveLength(2_040);
    expect(distinct(handed)).toBe(handed.length);
  });

  it('are tried again later when the process is stopped', async () => {
    await waiting();
    await stopLane();
    expect(world.owned()).toBe(0);
    expect(world.states()).toEqual({
      submitted: handed.length - 1,
      in_doubt: 1,
      deferred: Math.floor(handed.length / 50) - 1,
    });
  });

  it('are left to whoever takes the shard over', async () => {
    const campaign = await waiting();
    world.snatch(campaign, idOf(99, 0xf));
    await time.pass(4_000);
    expect(world.states()).toEqual({ submitted: fast() });
  });

  it('are part of the window', async () => {
    world.campaign(1_000, { domain: oneSlowIn(4) });
    const { lane } = stage.open({ slots: SLOTS, takes, maxUnrecorded: 80 });
    for (let most = 0; fast() < 750; most = Math.max(most, lane.progress.unrecorded)) {
      await time.pass(10);
      expect(most).toBeLessThanOrEqual(80);
    }
    expect(stage.mostInFlight.get(SLOW)).toBe(1);
  });
});
