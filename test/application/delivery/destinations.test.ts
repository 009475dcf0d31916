import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Destination, Destinations, onWayTo } from '../../../src/application/delivery/pacing/destinations.ts';
import { Slowing } from '../../../src/application/delivery/pacing/slowing.ts';
import type { Attempt } from '../../../src/domain/delivery/index.ts';
import { anAttempt } from '../../support/builders-delivery.ts';

const SLOTS = 20;
const ENDS: readonly (Attempt | undefined)[] = [
  anAttempt(),
  anAttempt('rejected', { fault: 'recipient' }),
  anAttempt('deferred', { fault: 'sender' }),
  anAttempt('deferred', { fault: 'transport' }),
  anAttempt('in_doubt', { fault: 'transport' }),
  undefined,
];

interface Sent {
  readonly destination: Destination;
  started: number | undefined;
}

/** Destinations as a sender uses them, with a clock in hand and every message in sight. */
class Sender {
  readonly destinations = new Destinations(SLOTS, 0);
  readonly sent: Sent[] = [];
  readonly quickAnswers = new Map<string, number>();
  now = 0;
  /** Somebody is held back and nobody else has anything to send. */
  wanting = false;

  pass(milliseconds: number): void {
    this.now += milliseconds;
    this.destinations.look(this.now);
    if (this.wanting) this.destinations.idle(this.now);
    else this.destinations.busy();
  }

  /** @returns whether it might begin */
  begin(domain: string): boolean {
    const destination = this.destinations.of(domain);
    if (!this.destinations.mayBegin(destination, this.sent.length, this.now)) return false;
    this.destinations.begin(destination, this.now);
    this.sent.push({ destination, started: undefined });
    return true;
  }

  start(pick: number): void {
    const one = this.sent[pick % Math.max(1, this.sent.length)];
    if (one !== undefined) one.started ??= this.destinations.start(one.destination);
  }

  end(pick: number, attempt: Attempt | undefined): void {
    const [one] = this.sent.splice(pick % Math.max(1, this.sent.length), 1);
    if (one === undefined) return;
    const { destination, started } = one;
    this.destinations.end(destination, started, attempt, this.now);
    if (attempt !== undefined && attempt.fault !== 'transport')
      this.quickAnswers.set(destination.domain, (this.quickAnswers.get(destination.domain) ?? 0) + 1);
  }

  /** Sends one message and has it answered after so long; others go on meanwhile where `meanwhile` says so. */
  round(domain: string, takes: number, attempt = anAttempt()): boolean {
    if (!this.begin(domain)) return false;
    this.start(this.sent.length - 1);
    this.pass(takes);
    this.end(this.sent.length - 1, attempt);
    return true;
  }
}

const step = fc.record({
  what: fc.constantFrom(...(['begin', 'begin', 'begin', 'start', 'start', 'end', 'end', 'pass'] as const)),
  pick: fc.nat(60),
  end: fc.constantFrom(...ENDS),
  milliseconds: fc.constantFrom(1, 10, 200, 800, 5_000),
});

describe('destinations', () => {
  it('count what is on the way and never more than they allow, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const sender = new Sender();
        for (const { what, pick, end, milliseconds } of steps) {
          if (what === 'pass') sender.pass(milliseconds);
          else if (what === 'start') sender.start(pick);
          else if (what === 'end') sender.end(pick, end);
          else sender.begin(`d${pick % 4}.example`);
          for (const domain of ['d0.example', 'd1.example', 'd2.example', 'd3.example']) {
            const destination = sender.destinations.of(domain);
            const own = sender.sent.filter((one) => one.destination === destination).length;
            expect(onWayTo(destination)).toBe(own);
            const { waiting, fresh, recent, stuck } = destination;
            expect(Math.min(waiting, fresh, recent, stuck)).toBeGreaterThanOrEqual(0);
            // One to begin with and one for each answer, or, where the server is slow to all, all but a quarter.
            expect(own).toBeLessThanOrEqual(Math.max(1 + (sender.quickAnswers.get(domain) ?? 0), 15));
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('always let somebody of a domain go that has nothing on the way and refuses nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sender = new Sender();
        for (const { what, pick, milliseconds } of steps) {
          if (what === 'pass') sender.pass(milliseconds);
          else if (what === 'start') sender.start(pick);
          else if (what === 'end') sender.end(pick, anAttempt());
          else {
            const domain = `d${pick % 4}.example`;
            const free = onWayTo(sender.destinations.of(domain)) === 0;
            expect(sender.begin(domain) || !free).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('give a domain of which nothing is known one message, and all it can use after some ten quick answers', () => {
    const sender = new Sender();
    for (let answers = 0; answers < 60; answers += 1) sender.round('quick.example', 5);
    expect(sender.begin('new.example')).toBe(true);
    expect(sender.begin('new.example')).toBe(false);
    for (let count = 0; count < 59; count += 1) expect(sender.begin('quick.example')).toBe(true);
  });

  it('give nothing more to a domain that leaves a message unanswered, while others are quick', () => {
    const sender = new Sender();
    sender.begin('slow.example');
    sender.start(0);
    for (let count = 0; count < 400; count += 1) {
      expect(sender.round(`d${count % 50}.example`, 10)).toBe(true);
      expect(sender.begin('slow.example')).toBe(false);
    }
    const slow = sender.destinations.of('slow.example');
    expect(sender.destinations.keepsOthers(slow)).toBe(true);
    expect(sender.destinations.holdsBack(slow)).toContain('slow.example is slow to answer');
    sender.end(0, anAttempt());
    expect(sender.destinations.holdsBack(slow)).toContain('slow.example is slow to answer');
    expect(sender.begin('slow.example')).toBe(true);
    expect(sender.begin('slow.example')).toBe(false);
  });

  it('bear one late message of a quick domain, and more of one with a larger part of the answers', () => {
    const sender = new Sender();
    const late = (domain: string): void => {
      sender.begin(domain);
      sender.start(sender.sent.length - 1);
    };
    const quick = (times: number): void => {
      for (let count = 0; count < times; count += 1) sender.round(count % 2 === 0 ? 'half.example' : `d${count % 20}.example`, 5);
    };
    quick(100);
    late('d1.example');
    for (let count = 0; count < 6; count += 1) late('half.example');
    quick(400);
    for (const domain of ['d1.example', 'half.example'])
      expect([domain, sender.destinations.holdsBack(sender.destinations.of(domain))]).toEqual([domain, undefined]);
    for (let count = 0; count < 2; count += 1) late('d1.example');
    for (let count = 0; count < 8; count += 1) late('half.example');
    quick(400);
    for (const domain of ['d1.example', 'half.example'])
      expect(sender.destinations.holdsBack(sender.destinations.of(domain))).toContain('is slow to answer');
  });

  it('hold nobody back for being slow before anybody was quick, nor where everybody is slow', () => {
    const sender = new Sender();
    sender.begin('first.example');
    sender.start(0);
    sender.pass(5_000);
    expect(sender.destinations.holdsBack(sender.destinations.of('first.example'))).toBeUndefined();
    sender.end(0, anAttempt());
    for (let count = 0; count < 15; count += 1) expect(sender.begin('first.example')).toBe(true);
    expect(sender.begin('first.example')).toBe(false);
    expect(sender.destinations.keepsOthers(sender.destinations.of('first.example'))).toBe(false);
  });

  it('give a slow domain the connections but for a quarter when nobody else has had anything for a second', () => {
    const sender = new Sender();
    for (let count = 0; count < 50; count += 1) sender.round(`d${count}.example`, 10);
    sender.begin('slow.example');
    sender.wanting = true;
    sender.pass(900);
    expect(sender.begin('slow.example')).toBe(false);
    sender.pass(1_000);
    for (let count = 1; count < 15; count += 1) expect(sender.begin('slow.example')).toBe(true);
    expect(sender.begin('slow.example')).toBe(false);
    sender.wanting = false;
    sender.pass(1);
    sender.sent.length = 0;
    expect(sender.begin('slow.example')).toBe(false);
  });

  it('remember a few thousand domains, however many there are, and forget none that has something on the way', () => {
    const sender = new Sender();
    sender.begin('kept.example');
    const kept = sender.sent[0]?.destination;
    for (let count = 0; count < 30_000; count += 1) sender.round(`d${count}.example`, 0);
    expect(sender.destinations.size).toBeLessThanOrEqual(4_100);
    expect(sender.destinations.of('kept.example')).toBe(kept);
  });
});

describe('slowing', () => {
  /** A server that takes so many a second of what it is given as fast as it is let. @returns handed over in the last half */
  function run(limit: number, offered: number, seconds: number): { readonly handed: number; readonly taken: number } {
    const slowing = new Slowing({ answers: 20, milliseconds: 250 }, 0);
    let [tokens, handed, taken] = [limit, 0, 0];
    for (let now = 0; now < seconds * 1_000; now += 10) {
      tokens = Math.min(limit, tokens + limit / 100);
      for (let count = 0; count < offered / 100 && slowing.ready(now); count += 1) {
        slowing.take(now);
        const refused = tokens < 1;
        if (!refused) tokens -= 1;
        slowing.count(refused, now);
        if (now < seconds * 500) continue;
        handed += 1;
        taken += refused ? 0 : 1;
      }
    }
    return { handed: handed / (seconds / 2), taken: taken / (seconds / 2) };
  }

  it('finds about the rate that is taken', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.integer({ min: 400, max: 4_000 }), (limit, offered) => {
        const { handed, taken } = run(limit, offered, 240);
        expect(handed).toBeLessThanOrEqual(limit * 2 + 2);
        expect(taken).toBeGreaterThanOrEqual(limit * 0.4);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves those alone who refuse less than half', () => {
    expect(run(300, 500, 20).handed).toBe(500);
  });
});
