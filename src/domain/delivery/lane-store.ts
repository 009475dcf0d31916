import type { Id } from '../shared/ids.ts';
import type { LedgerState } from './message.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { ShardBatch, ShardKey, ShardLease } from './shard.ts';
import type { KnownWorker, Worker } from './worker.ts';

/** What one batch of one shard met when it was committed. */
export type BatchVerdict =
  /** The fence holds: state and cursor moved. */
  | 'moved'
  /** This very batch was committed before; only its answer had been lost. Nothing was done. */
  | 'already'
  /** Another worker holds the shard: the outcomes were kept as facts, the cursor stayed. */
  | 'fenced';

/** A row of the ledger that came to a state it was not in before. */
export interface MovedState {
  readonly state: LedgerState;
  readonly at: Date;
  readonly domain: string | undefined;
}

/** Rows of one mailing that really changed: what counters are kept from. */
export interface LedgerChange {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly moved: readonly MovedState[];
}

export interface RecordedBatches {
  /** By `leaseName`. */
  readonly verdicts: ReadonlyMap<string, BatchVerdict>;
  readonly changes: readonly LedgerChange[];
}

type LeaseKey = ShardKey & { readonly fence: number };

/** Leases of shards, batches of outcomes, and the workers. Leases live by the clock of the database. */
export interface LaneStore {
  claim(
    owner: Id,
    leaseMs: number,
    options: { readonly avoid: readonly Id[]; readonly expiredBefore: boolean },
  ): Promise<ShardLease | undefined>;
  /** Names of the leases (`leaseName`) whose fence still holds. */
  renew(owner: Id, leaseMs: number, leases: readonly LeaseKey[]): Promise<ReadonlySet<string>>;
  release(leases: readonly LeaseKey[]): Promise<void>;
  releaseAllOf(owner: Id): Promise<number>;
  /** Writes a batch per shard in one transaction: see `ShardProgress.nextBatch`. */
  record(batches: readonly ShardBatch[], policy: RetryPolicy, leaseMs: number, random: () => number): Promise<RecordedBatches>;
  /** Open shards of running runs: for `status`. */
  openShards(): Promise<{ readonly shards: number; readonly recipients: number; readonly oldestAgeMs: number }>;
  /** Says that it lives. A worker that was silent for `steadyMs` begins anew to be steadily in touch with the database. */
  saveWorker(worker: Worker, steadyMs: number): Promise<void>;
  /** Unless it has an open attempt: then its silence will tell. */
  forgetWorker(id: Id): Promise<void>;
  /**
   * Workers seen within `withinMs`, by the clock of the database, and those whose watchers told within it that they are blocked; the
   * oldest first.
   */
  workers(withinMs: number): Promise<readonly KnownWorker[]>;
}
