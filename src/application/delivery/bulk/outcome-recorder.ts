import { leaseName, type RecordedBatches, type ShardBatch, type ShardProgress } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Log } from '../../log.ts';
import { ClaimDemand } from './claim-demand.ts';

/** Without a pause, commits shrink to 5 rows and cost PostgreSQL 3 to 4 times the CPU. With 20 ms they have 100 rows or more. */
const FLOOR_MS = 20;
/**
 * Time to fill a batch up to half of the window while nothing waits for it. In a batch of 100, a row costs PostgreSQL 12 us and
 * this process 11 us; in a batch of 500, 5 us each. A longer time would leave more messages in doubt after a crash.
 */
const FILL_MS = 50;
/** Waits between retries while the database is unavailable. */
const RETRY_MS = [50, 100, 200, 500, 1_000] as const;

export interface OutcomeRecorderDeps {
  /** One transaction: shards, ledger and counters. */
  readonly commit: (batches: readonly ShardBatch[]) => Promise<RecordedBatches>;
  /** True when the same batch may succeed later: the connection, the server or a lock failed, not the data. */
  readonly isTransient: (error: unknown) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Most claimed messages without a recorded outcome, over all shards of this process. */
  readonly maxUnrecorded: number;
  /** Least number of messages claimed ahead of hand-over, over all shards: about the number of connections. */
  readonly leastAhead: number;
  /** Called after each commit with the shards that moved and the time when the commit began (for the lease). */
  readonly onCommitted: (recorded: RecordedBatches, begunAt: number) => void;
  /** Called when the database refuses the data for good, which is a bug in pennypost. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * Writes outcomes in numbered batches. One commit is in flight; the next batch holds all outcomes that arrived meanwhile. An
 * unanswered batch is repeated unchanged, so outcomes survive a database outage. A commit whose answer was lost is recognised
 * by its number.
 */
export class OutcomeRecorder {
  readonly #deps: OutcomeRecorderDeps;
  readonly #shards = new Map<string, ShardProgress>();
  #running: Promise<void> | undefined;
  /** Shards about to be given back, with the promise that callers await. */
  readonly #retracting = new Map<ShardProgress, PromiseWithResolvers<void>>();
  /** Shards without further hand-over. The rest of their claims does not count for the window. */
  readonly #closed = new Set<ShardProgress>();
  /** Set while a batch waits to fill. */
  #filling: PromiseWithResolvers<void> | undefined;
  #stopped = false;
  #draining = false;
  #lastCommit = Number.NEGATIVE_INFINITY;
  readonly #demand: ClaimDemand;
  /** The commit in flight, and when its first try began. */
  #underway: { readonly outcomes: number; readonly since: number } | undefined;

  constructor(deps: OutcomeRecorderDeps) {
    this.#deps = deps;
    this.#demand = new ClaimDemand({ least: deps.leastAhead, most: deps.maxUnrecorded, everyMs: FILL_MS });
  }

  /** Claimed positions without a committed outcome that are handed over, or may be. */
  get unrecorded(): number {
    let sum = 0;
    for (const shard of this.#shards.values()) sum += this.#closed.has(shard) ? shard.handedOver : shard.unrecorded;
    return sum;
  }

  /** Handed over and not yet recorded: what a crash of this process could repeat. */
  get handedOver(): number {
    let sum = 0;
    for (const shard of this.#shards.values()) sum += shard.handedOver;
    return sum;
  }

  /** The commit that has not been answered yet. */
  get underway(): { readonly outcomes: number; readonly since: number } | undefined {
    return this.#underway;
  }

  /** Starts to write this shard's outcomes and to extend its claim ahead of hand-over. */
  track(shard: ShardProgress): void {
    this.#shards.set(leaseName(shard.lease), shard);
    this.wake();
  }

  untrack(shard: ShardProgress): void {
    this.#shards.delete(leaseName(shard.lease));
    this.#closed.delete(shard);
  }

  /** Ends the hand-over of a shard: its claim is not extended, and only its messages on the wire count for the window. */
  close(shard: ShardProgress): void {
    this.#closed.add(shard);
    this.wake();
  }

  /** Reverts `close`. */
  reopen(shard: ShardProgress): void {
    this.#closed.delete(shard);
    this.wake();
  }

  /** Starts writing when there is something to write. It is cheap; call it after every outcome. */
  wake(): void {
    if (this.#filling !== undefined && this.#urgent()) this.#filling.resolve();
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      // An outcome may have arrived since the last check.
      if (!this.#stopped && this.#needsWork()) this.wake();
    });
  }

  /** Writes everything known so far and claims nothing more; call it when nothing is on the wire. */
  async flush(): Promise<void> {
    this.#draining = true;
    this.wake();
    while (this.#running !== undefined) await this.#running;
  }

  /**
   * Writes the outcomes of one shard and reduces its claim to the messages handed over, so that the shard may be given back.
   * Afterwards the shard is not tracked any more. A second call waits for the first.
   */
  async retract(shard: ShardProgress): Promise<void> {
    const asked = this.#retracting.get(shard);
    if (asked !== undefined) return asked.promise;
    const leaving = Promise.withResolvers<void>();
    this.#retracting.set(shard, leaving);
    this.wake();
    // After `stop` nothing is written any more, so no caller may wait.
    if (this.#stopped) this.#retracted(shard);
    return leaving.promise;
  }

  /** Discards outcomes that could not be written. Call `flush` first. */
  stop(): void {
    this.#stopped = true;
    this.#filling?.resolve();
  }

  #retracted(shard: ShardProgress): void {
    this.#retracting.get(shard)?.resolve();
    this.#retracting.delete(shard);
    // At once: otherwise the next batch would extend the claim of a shard that is being given back.
    this.untrack(shard);
  }

  #needsWork(): boolean {
    if (this.#retracting.size > 0) return true;
    for (const shard of this.#shards.values()) if (shard.gathered > 0 || shard.doneUnrecorded) return true;
    return !this.#draining && this.#hungry().length > 0 && this.unrecorded < this.#deps.maxUnrecorded;
  }

  /** Shards that could hand over more if their claim were further ahead. */
  #hungry(): ShardProgress[] {
    return [...this.#shards.values()].filter(
      (shard) => shard.ready === 0 && shard.remaining > 0 && !this.#retracting.has(shard) && !this.#closed.has(shard),
    );
  }

  async #work(): Promise<void> {
    while (!this.#stopped && this.#needsWork()) {
      const wait = this.#lastCommit + FLOOR_MS - this.#deps.clock.monotonic();
      if (wait > 0) await pause(wait);
      await this.#fill();
      const leaving = [...this.#retracting.keys()];
      const starved = this.#hungry().length * 2 > this.#shards.size - this.#closed.size;
      this.#demand.look({ now: this.#deps.clock.monotonic(), handedOver: this.handedOver, starved });
      const parts = this.#collect();
      if (parts.length > 0) await this.#commit(parts);
      for (const shard of leaving) this.#retracted(shard);
    }
    for (const shard of this.#stopped ? [...this.#retracting.keys()] : []) this.#retracted(shard);
  }

  async #fill(): Promise<void> {
    const wait = this.#lastCommit + FILL_MS - this.#deps.clock.monotonic();
    if (wait <= 0 || this.#urgent()) return;
    this.#filling = Promise.withResolvers<void>();
    const timer = setTimeout(this.#filling.resolve, wait);
    await this.#filling.promise;
    clearTimeout(timer);
    this.#filling = undefined;
  }

  /** True when the batch is large enough, or when hand-over, the end of a shard or a stop waits for it. */
  #urgent(): boolean {
    if (this.#stopped || this.#draining || this.#retracting.size > 0) return true;
    let gathered = 0;
    let handedOver = 0;
    const fewest = this.#demand.fewest / Math.max(1, this.#shards.size);
    for (const shard of this.#shards.values()) {
      gathered += shard.gathered;
      handedOver += shard.handedOver;
      const waits =
        shard.remaining > 0 && !this.#closed.has(shard) ? isShort(shard, fewest) : shard.handedOver === shard.gathered;
      if (waits) return true;
    }
    return gathered >= this.#deps.maxUnrecorded / 2 || handedOver >= this.#deps.maxUnrecorded;
  }

  /**
   * Collects the next commit: all outcomes, and claims that last until the commit after it, within the window. Claims are kept
   * short, because messages that are claimed when the process is killed are marked as possible repeats without being any.
   */
  #collect(): { readonly batch: ShardBatch; readonly applied: () => void }[] {
    const leaving = [...this.#retracting.keys()].filter(
      (shard) => shard.gathered > 0 || shard.doneUnrecorded || shard.claimedThrough > shard.cursor,
    );
    const shards = [...this.#shards.values()].filter((shard) => !this.#retracting.has(shard));
    let room = this.#draining ? 0 : this.#deps.maxUnrecorded - this.unrecorded;
    for (const shard of this.#draining ? [] : shards) room += shard.gathered;
    const open = shards
      .filter((shard) => shard.claimedThrough < shard.size && !this.#closed.has(shard))
      .sort((a, b) => a.ready - b.ready);
    const extension = new Map<ShardProgress, number>();
    const each = Math.ceil(this.#demand.ahead / Math.max(1, open.length));
    for (const [index, shard] of open.entries()) {
      const wanted = Math.min(each - shard.ready, shard.size - shard.claimedThrough);
      const share = Math.min(Math.ceil(room / (open.length - index)), wanted);
      if (share <= 0) continue;
      extension.set(shard, share);
      room -= share;
    }
    const staying = shards.filter(
      (shard) => shard.gathered > 0 || shard.doneUnrecorded || ((extension.get(shard) ?? 0) > 0 && shard.ready === 0),
    );
    return [...leaving.map((shard) => shard.lastBatch()), ...staying.map((shard) => shard.nextBatch(extension.get(shard) ?? 0))];
  }

  async #commit(parts: readonly { readonly batch: ShardBatch; readonly applied: () => void }[]): Promise<void> {
    const batches = parts.map((part) => part.batch);
    this.#underway = { outcomes: count(batches), since: this.#deps.clock.monotonic() };
    for (let tries = 0; !this.#stopped; tries += 1) {
      const begunAt = this.#deps.clock.monotonic();
      this.#lastCommit = begunAt;
      const recorded = await this.#deps.commit(batches).catch((error: unknown) => this.#failed(error, tries, batches));
      if (recorded === undefined) continue;
      this.#underway = undefined;
      const before = this.handedOver;
      for (const part of parts) part.applied();
      this.#demand.committed(before - this.handedOver, this.#deps.clock.monotonic() - begunAt);
      this.#deps.onCommitted(recorded, begunAt);
      return;
    }
  }

  /** Waits before the next try, or stops the recorder when the error is not transient. */
  async #failed(error: unknown, tries: number, batches: readonly ShardBatch[]): Promise<undefined> {
    if (!this.#deps.isTransient(error)) {
      this.#stopped = true;
      this.#deps.onFatal(error);
      return undefined;
    }
    if (tries === 0) this.#deps.log.warn({ outcomes: count(batches), reason: error }, 'outcomes wait for the database');
    await pause(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] ?? 1_000);
    return undefined;
  }
}

/** True when the claim is nearly used up and there is more to claim. */
const isShort = ({ ready, remaining }: ShardProgress, fewest: number): boolean =>
  ready === 0 || (ready <= fewest && remaining > ready);
const count = (batches: readonly ShardBatch[]): number => batches.reduce((sum, batch) => sum + batch.outcomes.length, 0);
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
