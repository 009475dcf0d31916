import { type HeldShard, leaseName, type RecordedBatches, type ShardBatch } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Log } from '../../log.ts';
import { ClaimDemand } from './claim-demand.ts';

/** Commits without any pause degenerate to 5 rows each and cost PostgreSQL 3 to 4 times the CPU; 20 ms gives 100 and more. */
const FLOOR_MS = 20;
/**
 * A batch without waiters gets this long to fill up to half of the window. A row of 100 costs PostgreSQL 12 us and this
 * process 11, a row of 500 costs them 5 each; but what waits here is what a crash repeats, so not longer.
 */
const FILL_MS = 50;
/** Between tries while the database is away. */
const RETRY_MS = [50, 100, 200, 500, 1_000] as const;

export interface OutcomeRecorderDeps {
  /** One transaction: shards, ledger and counters. */
  readonly commit: (batches: readonly ShardBatch[]) => Promise<RecordedBatches>;
  /** True when the same batch may succeed later: the connection, the server or a lock failed, not the data. */
  readonly isTransient: (error: unknown) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Claimed and not yet recorded messages of this process, over all its shards. */
  readonly maxUnrecorded: number;
  /** Claimed ahead of hand-over at least, over all shards: about as many messages as the transport has connections. */
  readonly leastAhead: number;
  /** After each commit: which shards moved, and when the commit began (for the lease). */
  readonly onCommitted: (recorded: RecordedBatches, begunAt: number) => void;
  /** The data cannot be stored however often it is tried: a fault of ours that must not be hidden. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * Writes outcomes in numbered batches and clocks itself: one commit is in flight, and the next batch is all that arrived
 * meanwhile. A batch is repeated word for word until its answer arrives, so that an outcome survives a database outage and a
 * commit whose answer was lost is recognised by its number.
 */
export class OutcomeRecorder {
  readonly #deps: OutcomeRecorderDeps;
  readonly #shards = new Map<string, HeldShard>();
  #running: Promise<void> | undefined;
  /** Shards about to be given back, and who waits for it. */
  readonly #retracting = new Map<HeldShard, PromiseWithResolvers<void>>();
  /** Shards without further hand-over; the rest of their claims takes no room from the others. */
  readonly #closed = new Set<HeldShard>();
  /** A batch is given time to fill. */
  #filling: PromiseWithResolvers<void> | undefined;
  #stopped = false;
  #draining = false;
  #lastCommit = Number.NEGATIVE_INFINITY;
  readonly #demand: ClaimDemand;
  /** What is being committed, and since when it is tried. */
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

  /** A commit that has not been answered yet. */
  get underway(): { readonly outcomes: number; readonly since: number } | undefined {
    return this.#underway;
  }

  /** From now on this shard's outcomes are written and its claim is kept ahead of its holder. */
  track(shard: HeldShard): void {
    this.#shards.set(leaseName(shard.lease), shard);
    this.wake();
  }

  untrack(shard: HeldShard): void {
    this.#shards.delete(leaseName(shard.lease));
    this.#closed.delete(shard);
  }

  /** Its hand-over has ended: its claim is not extended, and only messages that are being sent belong to the window. */
  close(shard: HeldShard): void {
    this.#closed.add(shard);
    this.wake();
  }

  /** It goes on after all. */
  reopen(shard: HeldShard): void {
    this.#closed.delete(shard);
    this.wake();
  }

  /** There may be something to write. Cheap: call it after every outcome. */
  wake(): void {
    if (this.#filling !== undefined && this.#urgent()) this.#filling.resolve();
    if (this.#running !== undefined || this.#stopped) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      // Something may have arrived between the last look and here.
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
   * Writes what is known of one shard and shrinks its claim to what was really handed over; then it may be given back. It is
   * not tracked any more afterwards. Another call meanwhile waits for the same end.
   */
  async retract(shard: HeldShard): Promise<void> {
    const asked = this.#retracting.get(shard);
    if (asked !== undefined) return asked.promise;
    const leaving = Promise.withResolvers<void>();
    this.#retracting.set(shard, leaving);
    this.wake();
    // Stopped meanwhile: nothing will be written any more, and no caller may wait for it.
    if (this.#stopped) this.#retracted(shard);
    return leaving.promise;
  }

  /** Gives up what could not be written; call `flush` first. */
  stop(): void {
    this.#stopped = true;
    this.#filling?.resolve();
  }

  #retracted(shard: HeldShard): void {
    this.#retracting.get(shard)?.resolve();
    this.#retracting.delete(shard);
    // At once: the next look would extend the claim of a shard that is being given back.
    this.untrack(shard);
  }

  #needsWork(): boolean {
    if (this.#retracting.size > 0) return true;
    for (const shard of this.#shards.values()) if (shard.gathered > 0 || shard.doneUntold) return true;
    return !this.#draining && this.#hungry().length > 0 && this.unrecorded < this.#deps.maxUnrecorded;
  }

  /** Shards that could hand over more if their claim were further ahead. */
  #hungry(): HeldShard[] {
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

  /** The batch is large enough, or hand-over, a shard's end or a stop waits for it. */
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
   * What goes into the next commit: all outcomes, and claims as far ahead as hand-over needs until the commit after it, within the
   * window. What is claimed and not handed over when this process is killed is marked as a possible repeat without being one.
   */
  #collect(): { readonly batch: ShardBatch; readonly applied: () => void }[] {
    const leaving = [...this.#retracting.keys()].filter(
      (shard) => shard.gathered > 0 || shard.doneUntold || shard.claimedThrough > shard.cursor,
    );
    const shards = [...this.#shards.values()].filter((shard) => !this.#retracting.has(shard));
    let room = this.#draining ? 0 : this.#deps.maxUnrecorded - this.unrecorded;
    for (const shard of this.#draining ? [] : shards) room += shard.gathered;
    const open = shards
      .filter((shard) => shard.claimedThrough < shard.size && !this.#closed.has(shard))
      .sort((a, b) => a.ready - b.ready);
    const extension = new Map<HeldShard, number>();
    const each = Math.ceil(this.#demand.ahead / Math.max(1, open.length));
    for (const [index, shard] of open.entries()) {
      const wanted = Math.min(each - shard.ready, shard.size - shard.claimedThrough);
      const share = Math.min(Math.ceil(room / (open.length - index)), wanted);
      if (share <= 0) continue;
      extension.set(shard, share);
      room -= share;
    }
    const staying = shards.filter(
      (shard) => shard.gathered > 0 || shard.doneUntold || ((extension.get(shard) ?? 0) > 0 && shard.ready === 0),
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

  /** Waits before the next try, or ends the recorder when there is no point in one. */
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

/** Its claim is nearly used up, and there is more to claim. */
const isShort = ({ ready, remaining }: HeldShard, fewest: number): boolean =>
  ready === 0 || (ready <= fewest && remaining > ready);
const count = (batches: readonly ShardBatch[]): number => batches.reduce((sum, batch) => sum + batch.outcomes.length, 0);
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
