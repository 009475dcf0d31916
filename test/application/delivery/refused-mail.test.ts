import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { anAttempt } from '../../support/builders-delivery.ts';
import { LaneStage } from '../../support/lane-stage.ts';
import type { LaneWorld } from '../../support/lane-world.ts';
import type { TestTime } from '../../support/test-time.ts';

const STRICT = 'strict.example';
const REFUSED: Attempt = anAttempt('deferred', { code: 421, reply: '421 4.7.0 Too much mail from you', fault: 'sender' });

let time: TestTime;
let world: LaneWorld;
let stage: LaneStage;
let handed: readonly string[];

beforeEach(() => {
  stage = new LaneStage();
  ({ time, world, handed } = stage);
});
afterEach(() => stage.close());

const isStrict = (address: string): boolean => address.endsWith(`@${STRICT}`);
/** Two in five are of the strict domain. */
const strict = (index: number): string => (index % 5 < 2 ? STRICT : `d${index % 50}.example`);

/** Takes so many messages a second of whom it is asked about, and refuses the rest for now. */
function atMost(perSecond: number, whom: (address: string) => boolean): (message: OutgoingMessage) => Attempt {
  let tokens = perSecond;
  let at = 0;
  return ({ envelope }) => {
    if (!whom(envelope.to)) return anAttempt();
    const now = time.clock.monotonic();
    tokens = Math.min(perSecond, tokens + ((now - at) * perSecond) / 1_000);
    at = now;
    if (tokens < 1) return REFUSED;
    tokens -= 1;
    return anAttempt();
  };
}

describe('a receiving domain that refuses mail for reasons that are about us', () => {
  it('gets less of it, and the others get theirs as before', async () => {
    world.campaign(6_000, { shardSize: 2_000, domain: strict });
    stage.open({ slots: 20, takes: 50, answer: atMost(5, isStrict) });
    await time.pass(4_000);
    const [before, others] = [handed.filter(isStrict).length, handed.filter((address) => !isStrict(address)).length];
    await time.pass(4_000);
    const now = handed.filter(isStrict).length - before;
    expect(now).toBeGreaterThan(4);
    expect(now).toBeLessThan(4 * 5 * 2.5);
    expect(handed.filter((address) => !isStrict(address)).length - others).toBeGreaterThan(4 * 20 * 20 * 0.95);
    await time.until('everybody to be recorded', () => world.done(), 600_000);
    expect(new Set(world.recorded.map(({ subscriberId }) => subscriberId)).size).toBe(6_000);
    expect(world.recorded).toHaveLength(6_000);
    const held = world.recorded.filter(({ reply }) => reply?.startsWith('held back'));
    expect(held.every(({ state, attempted }) => state === 'deferred' && attempted === false)).toBe(true);
    expect(held.length).toBeGreaterThan(1_000);
  });

  it('and of which everybody is gets it as fast as it takes it; nobody is put off for others who are not there', async () => {
    world.campaign(3_000, { shardSize: 1_000, domain: () => STRICT });
    stage.open({ slots: 20, takes: 50, answer: atMost(50, isStrict) });
    await time.pass(10_000);
    const before = handed.length;
    await time.pass(20_000);
    expect(handed.length - before).toBeGreaterThan(20 * 50 * 0.6);
    expect(handed.length - before).toBeLessThan(20 * 50 * 1.6);
    expect(world.recorded.filter(({ reply }) => reply?.startsWith('held back'))).toEqual([]);
  });

  it('gets it as fast as before some time after it has stopped refusing', async () => {
    let strictly = true;
    world.campaign(12_000, { shardSize: 4_000, domain: () => STRICT });
    const answer = atMost(2, isStrict);
    stage.open({ slots: 20, takes: 50, answer: (message) => (strictly ? answer(message) : anAttempt()) });
    await time.pass(8_000);
    strictly = false;
    await time.pass(40_000);
    const before = handed.length;
    await time.pass(2_000);
    expect(handed.length - before).toBeGreaterThan(2 * 20 * 20 * 0.9);
  });

  it('gets it as before when it is single recipients whom it wants to see again', async () => {
    world.campaign(4_000, { shardSize: 1_000, domain: strict });
    stage.open({ slots: 20, takes: 50, answer: () => (handed.length % 6 === 0 ? REFUSED : anAttempt()) });
    const since = time.clock.monotonic();
    await time.until('everybody to be recorded', () => world.done());
    expect(time.clock.monotonic() - since).toBeLessThan(11_500);
    expect(handed).toHaveLength(4_000);
  });
});

describe('refusals that come from everywhere', () => {
  it('slow everything down, and nobody is put off', async () => {
    world.campaign(4_000, { shardSize: 1_000, domain: (index) => `d${index}.example` });
    stage.open({ slots: 20, takes: 50, answer: atMost(40, () => true) });
    await time.pass(12_000);
    const before = handed.length;
    await time.pass(20_000);
    expect(handed.length - before).toBeGreaterThan(20 * 40 * 0.5);
    expect(handed.length - before).toBeLessThan(20 * 40 * 1.8);
    expect(world.recorded.filter(({ reply }) => reply?.startsWith('held back'))).toEqual([]);
  });

  it('do not when they are from one domain, however much of the audience it has', async () => {
    world.campaign(4_000, {
      shardSize: 1_000,
      domain: (index) => (index % 10 < 7 ? STRICT : `d${index}.example`),
    });
    stage.open({ slots: 20, takes: 50, answer: atMost(1, isStrict) });
    await time.pass(1_500);
    const others = (): number => handed.filter((address) => !isStrict(address)).length;
    const before = others();
    await time.pass(1_000);
    expect(others() - before).toBeGreaterThan(20 * 20 * 0.9);
  });
});
