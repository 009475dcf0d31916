import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GroupCommit, type GroupCommitDeps, type Settlement } from '../../../src/application/group-commit.ts';

class Passing extends Error {}

const clock = { now: () => new Date(), monotonic: () => performance.now() };
const isTransient = (error: unknown): boolean => error instanceof Passing;

/** A commit that answers when the test says so. */
function heldCommit(): {
  commit: (batch: readonly string[]) => Promise<void>;
  batches: string[][];
  answer(error?: Error): Promise<void>;
} {
  const batches: string[][] = [];
  let open: PromiseWithResolvers<void> | undefined;
  return {
    batches,
    commit(batch) {
      if (open !== undefined) throw new Error('Two commits are in flight.');
      batches.push([...batch]);
      open = Promise.withResolvers<void>();
      return open.promise;
    },
    async answer(error) {
      const answered = open;
      open = undefined;
      if (error === undefined) answered?.resolve();
      else answered?.reject(error);
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

function groupOf(deps: Partial<GroupCommitDeps<string>> & Pick<GroupCommitDeps<string>, 'commit'>): {
  group: GroupCommit<string>;
  outcomes: Map<string, Settlement['outcome']>;
  add(...items: string[]): boolean[];
} {
  const group = new GroupCommit<string>({ isTransient, clock, ...deps });
  const outcomes = new Map<string, Settlement['outcome']>();
  const settle = (item: string, { outcome }: Settlement): void => {
    if (outcomes.has(item)) throw new Error(`${item} was settled twice.`);
    outcomes.set(item, outcome);
  };
  return { group, outcomes, add: (...items) => items.map((item) => group.add(item, (settlement) => settle(item, settlement))) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a group commit', () => {
  it('writes a lone item at once, and then all that arrived meanwhile', async () => {
    const { commit, batches, answer } = heldCommit();
    const { add, outcomes } = groupOf({ commit });
    add('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(batches).toEqual([['a']]);
    add('b', 'c');
    await vi.advanceTimersByTimeAsync(100);
    add('d');
    expect(batches).toHaveLength(1);
    expect(outcomes.size).toBe(0);
    await answer();
    expect(outcomes.get('a')).toBe('durable');
    expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
    expect(outcomes.has('b')).toBe(false);
    await answer();
    expect([...outcomes.values()]).toEqual(['durable', 'durable', 'durable', 'durable']);
  });

  it('keeps a floor between the beginnings of two commits', async () => {
    const { commit, batches, answer } = heldCommit();
    const { add } = groupOf({ commit, floorMs: 20 });
    add('a');
    await vi.advanceTimersByTimeAsync(0);
    await answer();
    add('b');
    await vi.advanceTimersByTimeAsync(19);
    expect(batches).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches).toHaveLength(2);
  });

  it('cuts a flood into batches, and refuses what does not fit into memory', async () => {
    const { commit, batches, answer } = heldCommit();
    const { add, group, outcomes } = groupOf({ commit, maxBatch: 2, maxWaiting: 5, floorMs: 0 });
    expect(add('a', 'b', 'c', 'd', 'e', 'f')).toEqual([true, true, true, true, true, false]);
    await vi.advanceTimersByTimeAsync(0);
    await answer();
    expect(group.stats).toMatchObject({ waiting: 3, commits: 1, largestBatch: 2 });
    expect(add('g')).toEqual([true]);
    await answer();
    await answer();
    expect(batches).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'g'],
    ]);
    expect(group.stats).toMatchObject({ waiting: 0, commits: 3 });
    expect(outcomes.has('f')).toBe(false);
  });

  it('tries the same batch again while the database is away', async () => {
    const { commit, batches, answer } = heldCommit();
    const { add, group, outcomes } = groupOf({ commit });
    add('a');
    await vi.advanceTimersByTimeAsync(0);
    add('b');
    for (let outage = 0; outage < 10; outage += 1) {
      await answer(new Passing('connection refused'));
      expect(group.stats.trouble).toContain('connection refused');
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(batches).toEqual(Array(11).fill(['a']));
    await answer();
    expect(outcomes.get('a')).toBe('durable');
    await vi.advanceTimersByTimeAsync(20);
    await answer();
    expect(outcomes.get('b')).toBe('durable');
    expect(group.stats).toMatchObject({ retries: 10, trouble: undefined });
  });

  it('writes everything but the items at fault', async () => {
    const items = Array.from({ length: 100 }, (_, index) => `item ${index}`);
    const poison = new Set(['item 0', 'item 41', 'item 42', 'item 99']);
    const written: string[] = [];
    const { add, outcomes } = groupOf({
      async commit(batch) {
        if (batch.some((item) => poison.has(item))) throw new Error('invalid input syntax');
        written.push(...batch);
      },
    });
    add(...items);
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toEqual(items.filter((item) => !poison.has(item)));
    expect([...outcomes].filter(([, outcome]) => outcome === 'refused').map(([item]) => item)).toEqual([...poison]);
    expect(outcomes.size).toBe(items.length);
  });
});

describe('closing a group commit', () => {
  it('writes what is there without waiting for the floor, and takes nothing more', async () => {
    const { commit, answer } = heldCommit();
    const { add, group, outcomes } = groupOf({ commit, floorMs: 60_000 });
    add('a');
    await vi.advanceTimersByTimeAsync(0);
    await answer();
    add('b');
    const closed = group.close();
    expect(add('c')).toEqual([false]);
    await vi.advanceTimersByTimeAsync(0);
    await answer();
    await closed;
    expect(outcomes.get('b')).toBe('durable');
    expect(group.stats.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up on a database that stays away', async () => {
    const { add, group, outcomes } = groupOf({ commit: () => Promise.reject(new Passing('refused')) });
    add('a', 'b');
    await vi.advanceTimersByTimeAsync(300);
    add('c');
    const closed = group.close(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    await vi.advanceTimersByTimeAsync(0);
    expect([...outcomes.values()]).toEqual(['abandoned', 'abandoned', 'abandoned']);
    expect(group.stats.waiting).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait for a database that hangs', async () => {
    const { add, group, outcomes } = groupOf({ commit: () => new Promise(() => undefined) });
    add('a');
    await vi.advanceTimersByTimeAsync(0);
    add('b');
    const closed = group.close(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect([...outcomes]).toEqual([['b', 'abandoned']]);
  });

  it('is at once when there is nothing to write', async () => {
    const { group } = groupOf({ commit: () => Promise.resolve() });
    await group.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
