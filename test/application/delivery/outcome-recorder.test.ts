import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OutcomeRecorder } from '../../../src/application/delivery/bulk/outcome-recorder.ts';
import { leaseName, type RecordedBatches, type ShardBatch, ShardProgress } from '../../../src/domain/delivery/index.ts';
import { aLease, anOutcome } from '../../support/builders-delivery.ts';
import { silentLog } from '../../support/instance.ts';
import { type TestTime, testTime } from '../../support/test-time.ts';

class Away extends Error {}

const moved = (batches: readonly ShardBatch[]): RecordedBatches => ({
  verdicts: new Map(batches.map((batch) => [leaseName(batch), 'moved' as const])),
  changes: [],
});

/** A recorder whose commits wait until they are answered. */
function openRecorder(time: TestTime, maxUnrecorded = 100, leastAhead = maxUnrecorded) {
  const commits: { batches: readonly ShardBatch[]; at: number; answer(): void; fail(error: Error): void }[] = [];
  const committed: number[] = [];
  const fatal: unknown[] = [];
  const recorder = new OutcomeRecorder({
    commit: (batches) => {
      const { promise, resolve, reject } = Promise.withResolvers<RecordedBatches>();
      commits.push({ batches, at: time.clock.monotonic(), answer: () => resolve(moved(batches)), fail: reject });
      return promise;
    },
    isTransient: (error) => error instanceof Away,
    clock: time.clock,
    log: silentLog,
    maxUnrecorded,
    leastAhead,
    onCommitted: (_, begunAt) => committed.push(begunAt),
    onFatal: (error) => fatal.push(error),
  });
  const last = () => commits[commits.length - 1]!;
  return {
    recorder,
    commits,
    committed,
    fatal,
    last,
    /** Answers the commit under way and lets the next one begin. */
    answer: async () => {
      last().answer();
      await time.pass(50);
    },
  };
}

/** Takes and settles `count` turns. */
function settle(shard: ShardProgress, count: number): void {
  for (let taken = 0; taken < count; taken += 1) {
    const turn = shard.take();
    if (turn === undefined) throw new Error('The claim does not reach so far.');
    shard.settle(turn.position, anOutcome(turn.position));
  }
}

const held = (size: number, number = 0): ShardProgress => new ShardProgress(aLease(size, { number }));

describe('the recorder of outcomes', () => {
  let time: TestTime;
  beforeEach(() => {
    time = testTime();
  });
  afterEach(() => time.restore());

  it('claims for a new shard at once, so that its holder can begin', async () => {
    const { recorder, commits, answer } = openRecorder(time);
    const shard = held(500);
    recorder.track(shard);
    await time.pass(0);
    expect(commits[0]?.batches).toMatchObject([{ batch: 1, cursor: 0, claimedThrough: 100, outcomes: [] }]);
    expect(shard.ready).toBe(0);
    await answer();
    expect(shard.ready).toBe(100);
  });

  it('has one commit in flight; the next takes all that arrived meanwhile', async () => {
    const { recorder, commits, answer } = openRecorder(time);
    const shard = held(500);
    recorder.track(shard);
    await time.pass(0);
    await answer();
    settle(shard, 1);
    recorder.wake();
    await time.pass(100);
    expect(commits).toHaveLength(2);
    for (let more = 0; more < 10; more += 1) {
      settle(shard, 1);
      recorder.wake();
      await time.pass(30);
    }
    expect(commits).toHaveLength(2);
    await answer();
    expect(commits[2]?.batches).toMatchObject([{ batch: 3, cursor: 11 }]);
    expect(commits[2]?.batches[0]?.outcomes).toHaveLength(10);
  });

  it('leaves 20 ms between the beginnings of two commits', async () => {
    const { recorder, commits, last } = openRecorder(time);
    const shard = held(500);
    recorder.track(shard);
    await time.pass(0);
    for (let more = 0; more < 20; more += 1) {
      last().answer();
      await time.pass(5);
      settle(shard, Math.min(50, shard.ready));
      recorder.wake();
    }
    const gaps = commits.slice(1).map((commit, index) => commit.at - (commits[index]?.at ?? 0));
    expect([...new Set(gaps)]).toEqual([20]);
    expect(commits.length).toBeGreaterThan(3);
  });

  it('gives a batch that nobody waits for 50 ms, or until it has half of the window', async () => {
    const { recorder, commits, last } = openRecorder(time);
    const shard = held(500);
    recorder.track(shard);
    await time.pass(0);
    last().answer();
    await time.pass(30);
    settle(shard, 49);
    recorder.wake();
    expect(commits).toHaveLength(1);
    settle(shard, 1);
    recorder.wake();
    await time.pass(0);
    expect(commits[1]?.at).toBe((commits[0]?.at ?? 0) + 30);
    last().answer();
    await time.pass(1);
    settle(shard, 1);
    recorder.wake();
    await time.pass(100);
    expect(commits[2]?.at).toBe((commits[1]?.at ?? 0) + 50);
  });

  it('lets nobody wait for a batch to fill who has everything of a shard', async () => {
    const { recorder, commits, last } = openRecorder(time);
    const shard = held(3);
    recorder.track(shard);
    await time.pass(0);
    last().answer();
    await time.pass(20);
    settle(shard, 3);
    recorder.wake();
    await time.pass(0);
    expect(commits[1]?.batches).toMatchObject([{ done: true, cursor: 3 }]);
  });

  it('repeats a batch word for word until the database answers, and begins no other', async () => {
    const { recorder, commits, last, answer } = openRecorder(time);
    const shard = held(500);
    recorder.track(shard);
    await time.pass(0);
    await answer();
    settle(shard, 3);
    recorder.wake();
    await time.pass(50);
    const first = last().batches;
    for (let tries = 0; tries < 8; tries += 1) {
      last().fail(new Away());
      settle(shard, 1);
      recorder.wake();
      await time.pass(1_000);
      expect(last().batches).toBe(first);
    }
    expect(commits).toHaveLength(10);
    await answer();
    expect(last().batches).toMatchObject([{ batch: 3, cursor: 11 }]);
  });

  it('keeps the window over all its shards, and gives each a part of it', async () => {
    const { recorder, answer } = openRecorder(time, 30);
    const shards = [0, 1, 2].map((number) => held(100, number));
    for (const shard of shards) recorder.track(shard);
    for (let rounds = 0; rounds < 200 && shards.some((shard) => !shard.done); rounds += 1) {
      await time.pass(20);
      await answer();
      expect(recorder.unrecorded).toBeLessThanOrEqual(30);
      if (rounds === 2) expect(shards.map((shard) => shard.claimedThrough > 0)).toEqual([true, true, true]);
      for (const [index, shard] of shards.entries()) {
        settle(shard, Math.min(shard.ready, 3 + index));
        if (shard.done) recorder.untrack(shard);
      }
      recorder.wake();
    }
    expect(shards.map((shard) => shard.done)).toEqual([true, true, true]);
  });

  /** Messages a second that a server would take, and milliseconds until a commit is answered. */
  it.each([
    [20, 5],
    [300, 5],
    [300, 150],
    [1_000, 30],
    [3_000, 15],
  ])('claims what is handed over until the next commit, at %i a second and %i ms for a commit', async (perSecond, latencyMs) => {
    const { recorder, commits, last } = openRecorder(time, 1_000, 10);
    const shards = [0, 1].map((number) => held(50_000, number));
    for (const shard of shards) recorder.track(shard);
    const claimed = (shard: ShardProgress): number =>
      commits.flatMap(({ batches }) => batches).findLast(({ number }) => number === shard.lease.number)?.claimedThrough ?? 0;
    const takenOf = [0, 0];
    let [answered, offered, taken, ahead] = [0, 0, 0, 0];
    for (let now = 0; now < 6_000; now += 1) {
      if (commits.length > answered && time.clock.monotonic() - last().at >= latencyMs) {
        answered = commits.length;
        last().answer();
      }
      await time.pass(1);
      offered = Math.min(offered + perSecond / 1_000, perSecond / 4);
      for (let turn = 0; offered >= 1 && shards.some(({ ready }) => ready > 0); turn += 1) {
        const shard = shards[turn % 2]!;
        if (shard.ready === 0) continue;
        offered -= 1;
        settle(shard, 1);
        takenOf[turn % 2]! += 1;
        if (now >= 1_000) taken += 1;
      }
      recorder.wake();
      if (now < 1_000) continue;
      // A kill now would leave so many marked that were never handed over.
      for (const [index, shard] of shards.entries()) ahead += claimed(shard) - (takenOf[index] ?? 0);
    }
    expect(taken / (5 * perSecond)).toBeGreaterThan(0.97);
    expect(ahead / 5_000).toBeLessThan(10 + (perSecond / 1_000) * (50 + 1.5 * latencyMs));
  });

  it('claims ever more while hand-over waits for it, up to the window', async () => {
    const { recorder, commits, last } = openRecorder(time, 200, 10);
    const shard = held(5_000);
    recorder.track(shard);
    const claims: number[] = [];
    for (let rounds = 0; rounds < 12; rounds += 1) {
      await time.pass(20);
      claims.push((commits.at(-1)?.batches[0]?.claimedThrough ?? 0) - shard.claimedThrough);
      last().answer();
      await time.pass(0);
      settle(shard, shard.ready);
      recorder.wake();
    }
    expect(claims[0]).toBe(10);
    expect(claims).toEqual(claims.toSorted((a, b) => a - b));
    expect(claims.at(-1)).toBe(200);
  });

  it('says what is handed over and not recorded', async () => {
    const { recorder, answer } = openRecorder(time, 30);
    const shard = held(100);
    recorder.track(shard);
    await time.pass(0);
    await answer();
    shard.take();
    expect([recorder.handedOver, recorder.unrecorded]).toEqual([1, 30]);
  });

  it('tells when a commit began, for the lease', async () => {
    const { recorder, commits, committed, last } = openRecorder(time);
    recorder.track(held(10));
    await time.pass(0);
    await time.pass(700);
    last().answer();
    await time.pass(0);
    expect(committed).toEqual([commits[0]?.at]);
  });

  it('ends when an error will not go away by itself, and says so once', async () => {
    const { recorder, commits, fatal, last } = openRecorder(time);
    recorder.track(held(10));
    await time.pass(0);
    const fault = new Error('column "copies" does not exist');
    last().fail(fault);
    await time.pass(5_000);
    recorder.wake();
    await time.pass(5_000);
    expect([commits.length, fatal]).toEqual([1, [fault]]);
  });

  it('writes everything and claims nothing more when it is flushed', async () => {
    const { recorder, commits, last } = openRecorder(time, 10);
    const shard = held(100);
    recorder.track(shard);
    await time.pass(0);
    last().answer();
    await time.pass(20);
    settle(shard, 10);
    const flushed = recorder.flush();
    await time.pass(20);
    expect(last().batches).toMatchObject([{ cursor: 10, claimedThrough: 10 }]);
    last().answer();
    await time.pass(20);
    await flushed;
    expect(commits).toHaveLength(2);
  });

  it('flushes through an outage', async () => {
    const { recorder, last } = openRecorder(time, 10);
    const shard = held(10);
    recorder.track(shard);
    await time.pass(0);
    last().answer();
    await time.pass(20);
    settle(shard, 10);
    let done = false;
    const flushed = recorder.flush().then(() => {
      done = true;
    });
    await time.pass(20);
    for (let tries = 0; tries < 5; tries += 1) {
      last().fail(new Away());
      await time.pass(1_000);
    }
    expect(done).toBe(false);
    last().answer();
    await time.pass(20);
    await flushed;
    expect(shard.done).toBe(true);
  });

  describe('asked for a shard back', () => {
    it('writes what is known and shrinks the claim', async () => {
      const { recorder, last } = openRecorder(time, 10);
      const shard = held(100);
      recorder.track(shard);
      await time.pass(0);
      last().answer();
      await time.pass(20);
      settle(shard, 4);
      const retracted = recorder.retract(shard);
      await time.pass(20);
      expect(last().batches).toMatchObject([{ cursor: 4, claimedThrough: 4 }]);
      last().answer();
      await retracted;
      expect(recorder.unrecorded).toBe(0);
    });

    it('answers everybody who asked, however often', async () => {
      const { recorder, last } = openRecorder(time, 10);
      const shard = held(100);
      recorder.track(shard);
      await time.pass(0);
      last().answer();
      await time.pass(20);
      const asked = [recorder.retract(shard), recorder.retract(shard)];
      await time.pass(20);
      asked.push(recorder.retract(shard));
      last().answer();
      await Promise.all(asked);
    });

    it('does not claim for it again, even when its last commit took long', async () => {
      const { recorder, commits, last } = openRecorder(time, 10);
      const shard = held(100);
      recorder.track(shard);
      await time.pass(0);
      last().answer();
      await time.pass(20);
      const retracted = recorder.retract(shard);
      await time.pass(500);
      last().answer();
      await retracted;
      await time.pass(500);
      expect(commits).toHaveLength(2);
    });

    it('goes on with the others', async () => {
      const { recorder, last } = openRecorder(time, 10);
      const [leaving, staying] = [held(100, 0), held(100, 1)];
      recorder.track(leaving);
      recorder.track(staying);
      await time.pass(0);
      last().answer();
      await time.pass(20);
      if (last().batches.length > 0) last().answer();
      await time.pass(20);
      const retracted = recorder.retract(leaving);
      await time.pass(20);
      last().answer();
      await retracted;
      settle(staying, staying.ready);
      recorder.wake();
      await time.pass(20);
      expect(last().batches).toMatchObject([{ number: 1 }]);
      expect(last().batches[0]?.claimedThrough).toBeGreaterThan(last().batches[0]?.cursor ?? 0);
    });

    it('answers at once when it has ended', async () => {
      const { recorder, fatal, last } = openRecorder(time, 10);
      const shard = held(100);
      recorder.track(shard);
      await time.pass(0);
      const waiting = recorder.retract(shard);
      last().fail(new Error('no such table'));
      await waiting;
      expect(fatal).toHaveLength(1);
      await recorder.retract(held(5, 3));
    });
  });
});
