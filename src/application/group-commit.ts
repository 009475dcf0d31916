import type { Clock } from '../domain/shared/clock.ts';

export interface GroupCommitDeps<T> {
  /**
   * Writes a batch in one transaction. It must be safe to repeat (a connection can break during COMMIT), must settle in the
   * end, and must reject when nothing was kept.
   */
  readonly commit: (batch: readonly T[]) => Promise<void>;
  /** True when the same batch may succeed later: connection, shutdown, resources, deadlock. Otherwise the data are at fault. */
  readonly isTransient: (error: unknown) => boolean;
  readonly clock: Clock;
  /** From the beginning of one commit to the next. Without any, commits degenerate to 5 rows each and cost PostgreSQL 3 to 4 times the CPU. Default 20. */
  readonly floorMs?: number | undefined;
  /** Items held in memory at most, those being written included. Default 10,000. */
  readonly maxWaiting?: number | undefined;
  /** Items in one commit at most. Default 5,000. */
  readonly maxBatch?: number | undefined;
  /**
   * Commits in flight at most. Default 1. With 2, the next batch is prepared and sent while PostgreSQL writes the first: for `commit`
   * functions that lock rows in one order.
   */
  readonly maxCommits?: number | undefined;
}

/** `durable`: committed. `refused`: PostgreSQL will not have this item, whatever is tried. `abandoned`: given up at close. */
export type Settlement =
  | { readonly outcome: 'durable' }
  | { readonly outcome: 'refused'; readonly error: unknown }
  | { readonly outcome: 'abandoned' };

export interface GroupCommitStats {
  /** Items in memory now, those being written included. */
  readonly waiting: number;
  readonly commits: number;
  readonly largestBatch: number;
  /** Commits that failed for a reason that may pass. */
  readonly retries: number;
  /** What the last failed commit said, until one succeeds. */
  readonly trouble: string | undefined;
}

interface Entry<T> {
  readonly item: T;
  readonly settled: (settlement: Settlement) => void;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
const DURABLE: Settlement = { outcome: 'durable' };
const ABANDONED: Settlement = { outcome: 'abandoned' };

/**
 * Many small facts, few commits: one commit or two are in flight, and the next batch is all that arrived meanwhile. It clocks
 * itself: a lone item is written at once, a flood in large batches.
 *
 * While the database is away the batch is kept and tried again, and what arrives waits behind it, up to `maxWaiting`; beyond,
 * `add` refuses. A batch that is refused for its data is halved until the items at fault stand alone; the others are written.
 */
export class GroupCommit<T> {
  private readonly commit: GroupCommitDeps<T>['commit'];
  private readonly isTransient: GroupCommitDeps<T>['isTransient'];
  private readonly clock: Clock;
  private readonly floorMs: number;
  private readonly maxWaiting: number;
  private readonly maxBatch: number;
  private readonly maxCommits: number;
  private queue: Entry<T>[] = [];
  private held = 0;
  private readonly running = new Set<Promise<void>>();
  private lastBegin = Number.NEGATIVE_INFINITY;
  private closing = false;
  /** Set at the end of the time that `close` allows: no further try. */
  private givenUp = false;
  /** Each ends a present pause at once. */
  private readonly wakes = new Set<() => void>();
  private commits = 0;
  private largestBatch = 0;
  private retries = 0;
  private trouble: string | undefined;

  constructor(deps: GroupCommitDeps<T>) {
    this.commit = deps.commit;
    this.isTransient = deps.isTransient;
    this.clock = deps.clock;
    this.floorMs = deps.floorMs ?? 20;
    this.maxWaiting = deps.maxWaiting ?? 10_000;
    this.maxBatch = deps.maxBatch ?? 5_000;
    this.maxCommits = deps.maxCommits ?? 1;
  }

  get stats(): GroupCommitStats {
    const { commits, largestBatch, retries, trouble } = this;
    return { waiting: this.held, commits, largestBatch, retries, trouble };
  }

  /**
   * Takes an item for the next commit; `settled` is called exactly once for it, later.
   * @returns false when there is no room or the recorder is closing; then `settled` is never called
   */
  add(item: T, settled: (settlement: Settlement) => void): boolean {
    if (this.closing || this.held >= this.maxWaiting) return false;
    this.queue.push({ item, settled });
    this.held += 1;
    if (this.running.size < this.maxCommits) {
      const work = this.work().finally(() => this.running.delete(work));
      this.running.add(work);
    }
    return true;
  }

  /**
   * Takes nothing more and writes what is there. What the database has not taken after `withinMs` (default 5,000) is
   * abandoned; a commit in flight then is left to itself.
   */
  async close(withinMs = 5_000): Promise<void> {
    this.closing = true;
    this.endPauses();
    if (this.running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([Promise.all(this.running), timeout]);
    clearTimeout(timer);
    this.givenUp = true;
    this.endPauses();
    this.settle(this.queue.splice(0), ABANDONED);
  }

  private async work(): Promise<void> {
    // What arrives in the same turn of the event loop goes into the same commit.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const rest = this.lastBegin + this.floorMs - this.clock.monotonic();
      // Another commit may have begun during the pause, and then keeps its own distance.
      if (rest > 0 && !this.closing) await this.pause(rest);
      else await this.write(this.queue.splice(0, this.maxBatch));
    }
  }

  private async write(entries: readonly Entry<T>[]): Promise<void> {
    const error = await this.commitUntilAnswered(entries);
    if (error === undefined) return;
    if (entries.length === 1) {
      this.settle(entries, { outcome: 'refused', error: error.cause });
      return;
    }
    const middle = entries.length >> 1;
    await this.write(entries.slice(0, middle));
    await this.write(entries.slice(middle));
  }

  /** Settles the entries and returns undefined, or returns why the data were refused, with nothing settled. */
  private async commitUntilAnswered(entries: readonly Entry<T>[]): Promise<{ cause: unknown } | undefined> {
    const batch = entries.map((entry) => entry.item);
    for (let delay = FIRST_RETRY_MS; !this.givenUp; delay = Math.min(delay * 2, LAST_RETRY_MS)) {
      this.lastBegin = this.clock.monotonic();
      try {
        await this.commit(batch);
        this.commits += 1;
        this.largestBatch = Math.max(this.largestBatch, batch.length);
        this.trouble = undefined;
        this.settle(entries, DURABLE);
        return undefined;
      } catch (error) {
        this.trouble = String(error);
        if (!this.isTransient(error)) return { cause: error };
        this.retries += 1;
      }
      if (!this.givenUp) await this.pause(delay);
    }
    this.settle(entries, ABANDONED);
    return undefined;
  }

  private settle(entries: readonly Entry<T>[], settlement: Settlement): void {
    this.held -= entries.length;
    for (const entry of entries) entry.settled(settlement);
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wakes.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.wakes.add(done);
    });
  }

  private endPauses(): void {
    for (const wake of this.wakes) wake();
  }
}
