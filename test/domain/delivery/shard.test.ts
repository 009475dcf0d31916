import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leaseName, type ShardLease, ShardProgress } from '../../../src/domain/delivery/index.ts';
import { aLease, anOutcome, idOf } from '../../support/builders-delivery.ts';
import { ModelShard } from '../../support/model-shard.ts';

const drain = (shard: ShardProgress): number[] => {
  const positions: number[] = [];
  for (let turn = shard.take(); turn !== undefined; turn = shard.take()) positions.push(turn.position);
  return positions;
};
/** Claims `room` more and has it answered at once. */
const extend = (shard: ShardProgress, room: number) => {
  const { batch, applied } = shard.nextBatch(room);
  applied();
  return batch;
};

describe('a shard in the hands of its holder', () => {
  it('hands over nobody before the claim is committed', () => {
    const shard = new ShardProgress(aLease(5));
    expect(shard.take()).toBeUndefined();
    const { batch, applied } = shard.nextBatch(3);
    expect([batch.claimedThrough, shard.take()]).toEqual([3, undefined]);
    applied();
    expect(drain(shard)).toEqual([0, 1, 2]);
  });

  it('hands over in the order fixed at launch', () => {
    const shard = new ShardProgress(aLease(3));
    extend(shard, 3);
    expect([shard.take(), shard.take(), shard.take()].map((turn) => turn?.subscriberId)).toEqual([idOf(0), idOf(1), idOf(2)]);
  });

  it('moves its cursor over outcomes without a gap, and no further', () => {
    const shard = new ShardProgress(aLease(5));
    extend(shard, 5);
    drain(shard);
    for (const position of [0, 1, 3]) shard.settle(position, anOutcome(position));
    expect(shard.nextBatch(0).batch).toMatchObject({ cursor: 2, done: false });
  });

  it('numbers its batches from 1', () => {
    const shard = new ShardProgress(aLease(5));
    expect([extend(shard, 1).batch, extend(shard, 1).batch, extend(shard, 1).batch]).toEqual([1, 2, 3]);
  });

  it('is done when everybody has an outcome', () => {
    const shard = new ShardProgress(aLease(2));
    extend(shard, 2);
    drain(shard);
    shard.settle(1, anOutcome(1));
    expect([extend(shard, 0).done, shard.done]).toEqual([false, false]);
    shard.settle(0, anOutcome(0));
    expect([extend(shard, 0).done, shard.done]).toEqual([true, true]);
  });

  it('hands a turn that was given back out again, first', () => {
    const shard = new ShardProgress(aLease(5));
    extend(shard, 5);
    shard.take();
    shard.giveBack(0);
    expect(shard.peek(2).map((turn) => turn.position)).toEqual([0, 1]);
    expect(drain(shard)).toEqual([0, 1, 2, 3, 4]);
  });

  it('shows who comes next beyond its claim, for reading ahead', () => {
    const shard = new ShardProgress(aLease(5));
    extend(shard, 1);
    expect(shard.peek(3).map((turn) => turn.position)).toEqual([0, 1, 2]);
  });

  it('counts what a crash could repeat from the moment it is taken until its outcome is committed', () => {
    const shard = new ShardProgress(aLease(5));
    extend(shard, 5);
    shard.take();
    shard.take();
    expect(shard.handedOver).toBe(2);
    shard.giveBack(1);
    shard.settle(0, anOutcome(0));
    expect([shard.handedOver, shard.unrecorded]).toEqual([1, 5]);
    extend(shard, 0);
    expect([shard.handedOver, shard.unrecorded]).toEqual([0, 4]);
  });
});

describe('a shard taken over', () => {
  const inherited: Partial<ShardLease> = { fence: 2, cursor: 1, claimedThrough: 4, settled: [2] };

  it('leaves out who has an outcome, and marks the others whom the last holder had claimed', () => {
    const shard = new ShardProgress(aLease(6, inherited));
    extend(shard, 2);
    const turns = [shard.take(), shard.take(), shard.take(), shard.take()];
    expect(turns.map((turn) => [turn?.position, turn?.possibleRepeat])).toEqual([
      [1, true],
      [3, true],
      [4, false],
      [5, false],
    ]);
  });

  it('may hand over at once what was claimed before', () => {
    expect(new ShardProgress(aLease(6, inherited)).take()?.position).toBe(1);
  });

  it('starts behind what was settled without a gap', () => {
    expect(new ShardProgress(aLease(6, { ...inherited, settled: [1, 2] })).cursor).toBe(3);
  });

  it('that its last holder completed late is done, and has to say so', () => {
    const shard = new ShardProgress(aLease(3, { fence: 2, cursor: 1, claimedThrough: 3, settled: [1, 2] }));
    expect([shard.done, shard.doneUnrecorded]).toEqual([true, true]);
    expect(extend(shard, 0)).toMatchObject({ cursor: 3, done: true, outcomes: [] });
    expect(shard.doneUnrecorded).toBe(false);
  });

  it('has a name of its own, so that two holdings by one process are never mixed up', () => {
    expect(leaseName(aLease(1, { fence: 1 }))).not.toBe(leaseName(aLease(1, { fence: 2 })));
  });
});

describe('a shard given back', () => {
  it('shrinks its claim, so that nobody is marked who was never handed over', () => {
    const shard = new ShardProgress(aLease(10));
    extend(shard, 8);
    shard.take();
    shard.settle(0, anOutcome(0));
    const { batch, applied } = shard.lastBatch();
    applied();
    expect(batch).toMatchObject({ cursor: 1, claimedThrough: 1, done: false });
  });

  it('keeps its claim up to the last outcome behind a gap', () => {
    const shard = new ShardProgress(aLease(10));
    extend(shard, 8);
    drain(shard);
    shard.settle(4, anOutcome(4));
    for (const position of [7, 6, 5, 3, 2, 1, 0]) shard.giveBack(position);
    expect(shard.lastBatch().batch).toMatchObject({ cursor: 0, claimedThrough: 5 });
  });

  it('keeps the marks that it inherited', () => {
    const shard = new ShardProgress(aLease(10, { fence: 2, cursor: 1, claimedThrough: 6 }));
    expect(shard.lastBatch().batch).toMatchObject({ cursor: 1, claimedThrough: 6 });
  });
});

describe('a shard that is worked off by holders who crash at any moment', () => {
  const step = fc.record({
    do: fc.constantFrom(
      ...([
        'take',
        'take',
        'take',
        'settle',
        'settle',
        'giveBack',
        'cut',
        'answer',
        'crash',
        'fence',
        'late',
        'release',
      ] as const),
    ),
    pick: fc.nat(1_000),
  });

  it('skips nobody, repeats only what was claimed and marks every repeat', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(step, { maxLength: 300 }),
        (size, window, steps) => {
          const model = new ModelShard(size, window);
          for (const { do: action, pick } of steps) model[action](pick);
          model.finish();
        },
      ),
      { numRuns: 400 },
    );
  });
});
