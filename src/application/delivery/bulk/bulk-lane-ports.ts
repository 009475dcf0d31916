import type { RecordedBatches, RunKey, ShardBatch, ShardKey, ShardLease, Turn } from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { ReadPage } from './recipient-reader.ts';
import type { SendingMailing } from './sending-mailing.ts';

/** What the sender asks of the rest of the house; each is one transaction. */
export interface BulkLanePorts {
  claim(owner: Id, options: { avoid: readonly Id[]; takeExpired: boolean }): Promise<ShardLease | undefined>;
  renew(owner: Id, held: readonly (ShardKey & { fence: number })[]): Promise<ReadonlySet<string>>;
  release(held: readonly (ShardKey & { fence: number })[]): Promise<void>;
  loadMailing(projectId: Id, mailingId: Id): Promise<SendingMailing>;
  readRecipients(mailing: SendingMailing, shard: ShardLease, turns: readonly Turn[]): Promise<ReadPage>;
  /** Whether recipients whose messages are composed may still be mailed: as `readRecipients`, without a host application's data. */
  checkRecipients(mailing: SendingMailing, shard: ShardLease, turns: readonly Turn[]): Promise<ReadPage>;
  /** Names (`runName`) of those of these runs that are neither paused nor cancelled. */
  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>>;
  commit(batches: readonly ShardBatch[]): Promise<RecordedBatches>;
  isTransient(error: unknown): boolean;
  /** Ends runs that have no open shard left, settles campaigns, cuts retry runs. */
  settle(): Promise<void>;
  /** Pauses its campaign, which cannot go on by itself: too many transport errors in a row, or content that cannot be compiled. */
  pauseMailing(projectId: Id, mailingId: Id, reason: string): Promise<void>;
}

/** `maxUnrecorded` where none is given. */
export const DEFAULT_WINDOW = 1_000;

export interface BulkLaneOptions {
  /** Messages handed over or claimed and not yet recorded, at most; bounds memory in an outage and repeats in a crash. Default 1,000. */
  readonly maxUnrecorded?: number | undefined;
}
