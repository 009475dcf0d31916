import type { Id } from '../shared/ids.ts';
import type { LaneStore, RecordedBatches } from './lane-store.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { type ShardBatch, type ShardKey, type ShardLease, shardName } from './shard.ts';
import { type KnownWorker, WORKER_LIVE_MS, type Worker } from './worker.ts';

/** Long enough to ride out a garbage collection or a slow disk, short enough that a dead worker is not missed. */
export const LEASE_MS = 10_000;

/** The work of sending processes: they claim shards by leases, record batches of outcomes, and say that they live. */
export class DeliveryLanes {
  readonly #store: LaneStore;
  readonly #retry: RetryPolicy;
  readonly #random: () => number;

  constructor(deps: { lanes: LaneStore; bulkRetry: RetryPolicy; random: () => number }) {
    this.#store = deps.lanes;
    this.#retry = deps.bulkRetry;
    this.#random = deps.random;
  }

  /**
   * The next shard to work on: of the sending mailing with the fewest leased shards, then of the project with the fewest.
   * @param avoid mailings that the caller has enough of already
   * @param takeExpired false while the database has not yet been reachable for a whole lease period
   */
  claim(owner: Id, options: { avoid: readonly Id[]; takeExpired: boolean }): Promise<ShardLease | undefined> {
    return this.#store.claim(owner, LEASE_MS, { avoid: options.avoid, expiredBefore: options.takeExpired });
  }

  renew(owner: Id, leases: readonly (ShardKey & { fence: number })[]): Promise<ReadonlySet<string>> {
    return this.#store.renew(owner, LEASE_MS, leases);
  }

  release(leases: readonly (ShardKey & { fence: number })[]): Promise<void> {
    return this.#store.release(leases);
  }

  /** Releases the shards of a worker whose process has ended: they need not wait for their leases. */
  releaseAllOf(owner: Id): Promise<number> {
    return this.#store.releaseAllOf(owner);
  }

  /** In key order, so that two recorders never wait for each other in a circle. */
  record(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    const ordered = batches.toSorted((a, b) => (shardName(a) < shardName(b) ? -1 : 1));
    return this.#store.record(ordered, this.#retry, LEASE_MS, this.#random);
  }

  saveWorker(worker: Worker): Promise<void> {
    return this.#store.saveWorker(worker, WORKER_LIVE_MS);
  }

  forgetWorker(id: Id): Promise<void> {
    return this.#store.forgetWorker(id);
  }

  liveWorkers(): Promise<readonly KnownWorker[]> {
    return this.#store.workers(WORKER_LIVE_MS);
  }

  openShards() {
    return this.#store.openShards();
  }
}
