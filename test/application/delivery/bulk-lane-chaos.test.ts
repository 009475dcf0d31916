import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BulkLane } from '../../../src/application/delivery/bulk/bulk-lane.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { LaneWorld } from '../../support/lane-world.ts';
import { type TestTime, testTime } from '../../support/test-time.ts';

const WINDOW = 25;

/** Several processes on the same campaigns, in one world and in test time; what a mail server saw is the judge. */
class Processes {
  readonly #time: TestTime;
  readonly world: LaneWorld;
  readonly #live: { lane: BulkLane; life: { dead: boolean } }[] = [];
  readonly #sink = new Map<string, { copies: number; unmarked: number }>();
  readonly #stopping: Promise<void>[] = [];
  kills = 0;
  #answers = 1;
  campaign: string;

  constructor(time: TestTime, people: number, domain?: (index: number) => string) {
    this.#time = time;
    this.world = new LaneWorld(time);
    this.campaign = this.world.campaign(people, { shardSize: 40, ...(domain === undefined ? {} : { domain }) });
  }

  start(): void {
    if (this.#live.length >= 3) return;
    const life = { dead: false };
    const transport = new MemoryTransport({
      slots: 3,
      answer: async (message) => {
        // The process died before it wrote this one.
        if (life.dead) return new Promise(() => undefined);
        const seen = this.#sink.get(message.envelope.to) ?? { copies: 0, unmarked: 0 };
        seen.copies += 1;
        if (!Buffer.from(message.content).includes('X-Pennypost-Possible-Repeat')) seen.unmarked += 1;
        this.#sink.set(message.envelope.to, seen);
        // Answers overtake one another, as they do on several connections.
        this.#answers = (this.#answers * 31 + 17) % 257;
        const takes = message.envelope.to.endsWith('@slow.example') ? 4_000 : 20 + this.#answers;
        await new Promise((resolve) => setTimeout(resolve, takes));
        return anAttempt();
      },
    });
    const lane = this.world.lane(transport, { maxUnrecorded: WINDOW }, life);
    this.#live.push({ lane, life });
    lane.start();
  }

  kill(pick: number): void {
    const [victim] = this.#live.splice(pick % Math.max(1, this.#live.length), 1);
    if (victim === undefined) return;
    victim.life.dead = true;
    this.kills += 1;
  }

  stop(pick: number): void {
    const [one] = this.#live.splice(pick % Math.max(1, this.#live.length), 1);
    if (one !== undefined) this.#stopping.push(one.lane.stop());
  }

  pause(pick: number): void {
    if (pick % 2 === 0) this.world.stopped.add(this.campaign);
    else this.world.stopped.delete(this.campaign);
  }

  outage(pick: number): void {
    this.world.away = pick % 3 !== 0;
  }

  loseAnswer(): void {
    this.world.loseAnswers += 1;
  }

  /** The leases seem to have ended although their holders live. */
  snatch(): void {
    this.world.snatch(this.campaign, idOf(99, 0xf));
    for (const shard of this.world.shards.values()) shard.until = this.#time.clock.monotonic() - 1;
  }

  /** Everything works again; ends when everybody is recorded. */
  async finish(): Promise<void> {
    this.world.away = false;
    this.world.stopped.clear();
    this.start();
    await this.#time.until('everybody to be recorded', () => this.world.done(), 900_000);
    for (const { lane } of this.#live) this.#stopping.push(lane.stop());
    let stopped = false;
    void Promise.all(this.#stopping).then(() => {
      stopped = true;
    });
    await this.#time.until('every process to stop', () => stopped, 60_000);
  }

  judge(people: number, snatches: number) {
    const seen = [...this.#sink.values()];
    const copies = seen.reduce((sum, one) => sum + one.copies, 0);
    // Whom a worker put off itself a later run would send to.
    const putOff = this.world.recorded.filter(({ attempted }) => attempted === false);
    const reached = new Set([
      ...this.#sink.keys(),
      ...putOff.map(({ subscriberId }) => this.world.people.get(subscriberId)?.address),
    ]);
    expect(reached.size).toBe(people);
    expect(seen.filter((one) => one.unmarked > 1)).toEqual([]);
    expect(copies - seen.length).toBeLessThanOrEqual((this.kills + snatches * 3) * WINDOW);
    expect(new Set(this.world.recorded.map((outcome) => outcome.subscriberId)).size).toBe(people);
    return copies - seen.length;
  }
}

describe('processes that are killed, stopped, cut off and fenced out at any moment', () => {
  let time: TestTime;
  beforeEach(() => {
    time = testTime();
  });
  afterEach(() => time.restore());

  const event = fc.record({
    after: fc.integer({ min: 0, max: 1_500 }),
    what: fc.constantFrom(...(['start', 'start', 'kill', 'stop', 'pause', 'outage', 'loseAnswer', 'snatch'] as const)),
    pick: fc.nat(20),
  });

  it('skip nobody, repeat within their windows, and mark every repeat', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const processes = new Processes(time, 200);
        processes.start();
        for (const { after, what, pick } of events) {
          await time.pass(after);
          processes[what](pick);
        }
        await processes.finish();
        processes.judge(200, events.filter(({ what }) => what === 'snatch').length);
      }),
      { numRuns: 40 },
    );
  });

  it('do so also when some domains are slow and their people wait beside the line', async () => {
    const domain = (index: number): string => (index % 4 === 0 ? 'slow.example' : `d${index % 7}.example`);
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const processes = new Processes(time, 200, domain);
        processes.start();
        for (const { after, what, pick } of events) {
          await time.pass(after);
          processes[what](pick);
        }
        await processes.finish();
        processes.judge(200, events.filter(({ what }) => what === 'snatch').length);
      }),
      { numRuns: 40 },
    );
  });

  it('mark nobody when none is killed and no lease is lost, whoever waits beside the line', async () => {
    const gentle = event.filter(({ what }) => what !== 'kill' && what !== 'snatch' && what !== 'outage');
    const domain = (index: number): string => (index % 4 === 0 ? 'slow.example' : `d${index % 7}.example`);
    await fc.assert(
      fc.asyncProperty(fc.array(gentle, { maxLength: 25 }), async (events) => {
        const processes = new Processes(time, 150, domain);
        processes.start();
        for (const { after, what, pick } of events) {
          await time.pass(after);
          processes[what](pick);
        }
        await processes.finish();
        expect(processes.world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('repeat nobody when none is killed and no lease is lost', async () => {
    const gentle = event.filter(({ what }) => what !== 'kill' && what !== 'snatch' && what !== 'outage');
    await fc.assert(
      fc.asyncProperty(fc.array(gentle, { maxLength: 25 }), async (events) => {
        const processes = new Processes(time, 150);
        processes.start();
        for (const { after, what, pick } of events) {
          await time.pass(after);
          processes[what](pick);
        }
        await processes.finish();
        expect(processes.judge(150, 0)).toBe(0);
        expect(processes.world.recorded.some((outcome) => outcome.possibleRepeat)).toBe(false);
      }),
      { numRuns: 20 },
    );
  });
});
