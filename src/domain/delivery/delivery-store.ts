import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { LedgerRow, LedgerState, StateTotals } from './message.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { Run, RunKey } from './run.ts';
import type { ShardBatch, ShardKey, ShardLease } from './shard.ts';
import type { AttemptMaker, MessageAttempt, MessageFacts, TransactionalMessage } from './transactional-message.ts';
import type { KnownWorker, Worker } from './worker.ts';

/** What one batch of one shard met when it was committed. */
export type BatchVerdict =
  /** The fence holds: state and cursor moved. */
  | 'moved'
  /** This very batch was committed before; only its answer had been lost. Nothing was done. */
  | 'already'
  /** Somebody else holds the shard: the outcomes were kept as facts, the cursor stayed. */
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

/** Sums of the ledger. */
export interface LedgerTotals {
  readonly audience: number;
  readonly states: StateTotals;
  /** Acceptances beyond the first per recipient. */
  readonly repeated: number;
  /** Recipients who may have more copies than one: see `mayBeRepeated`. */
  readonly possibleRepeats: number;
}

/** A reply or reason, and how many recipients of a state have it. */
export interface StateReply {
  readonly state: LedgerState;
  readonly reply: string | undefined;
  readonly count: number;
}

export interface LedgerFilter extends PageRequest {
  readonly state?: LedgerState | undefined;
}

/** Names a mailing: one frozen content that is sent to people. Delivery knows nothing else of it. */
export interface MailingKey {
  readonly projectId: Id;
  readonly mailingId: Id;
  /** Part of its key, fixed at launch (UTC date, `YYYY-MM-DD`). */
  readonly launchedOn: string;
}

/** What the delivery context keeps; implemented over PostgreSQL. Leases live by the database's own clock. */
/** People whom earlier hand-overs have reached, surely or possibly. */
export interface Reached {
  /** Their acceptance is recorded: nobody may mail them again. */
  readonly accepted: ReadonlySet<Id>;
  /** A holder that crashed may have handed over to them: whatever is sent to them from now on carries the mark. */
  readonly possibly: ReadonlySet<Id>;
}

/** Where a message may come from. */
export interface MessageMove {
  readonly states: readonly TransactionalMessage['state'][];
  readonly attempts?: number;
}

export interface DeliveryStore {
  addRun(run: Run): Promise<void>;
  /** `recipients` is a PostgreSQL array literal of `size` uuids, as read: a million ids never become objects here. */
  addShard(key: ShardKey, launchedOn: string, recipients: string, size: number): Promise<void>;
  /** How many were put into this run's shards; sets the run's audience. */
  closeRun(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>): Promise<number>;
  runs(projectId: Id, mailingId: Id): Promise<readonly Run[]>;
  /** Moves every run of a mailing that is in one of `from`. */
  setRunState(projectId: Id, mailingId: Id, from: readonly Run['state'][], to: Run['state'], at: Date): Promise<number>;
  /** `running` to `done`; false when the run was not running any more or has an open shard after all. */
  endRun(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>, at: Date): Promise<boolean>;
  /** Whether `mailingsDue` looks for this mailing's deferrals: not while it is paused, not once it is over. True for a new run. */
  watch(projectId: Id, mailingId: Id, watched: boolean): Promise<void>;

  /** From now on `cancelling` names this mailing, until `cancelRest` finds nobody left. */
  beginCancelling(projectId: Id, mailingId: Id): Promise<void>;
  /** Cancelled mailings of whom not everybody has a final state yet. */
  cancelling(limit: number): Promise<readonly MailingKey[]>;
  /**
   * Writes `cancelled` for some thousand of those without an outcome or with a deferral, in bounded statements.
   * `held`: somebody else is at it, or a live worker still has a shard.
   */
  cancelRest(mailing: MailingKey, at: Date): Promise<{ readonly cancelled: number; readonly left: 'more' | 'held' | 'nothing' }>;

  /** Names (`runName`) of those of these runs that are running. */
  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>>;

  claim(
    owner: Id,
    leaseMs: number,
    options: { readonly avoid: readonly Id[]; readonly expiredBefore: boolean },
  ): Promise<ShardLease | undefined>;
  /** Names of the leases (`leaseName`) whose fence still holds. */
  renew(owner: Id, leaseMs: number, held: readonly (ShardKey & { readonly fence: number })[]): Promise<ReadonlySet<string>>;
  release(held: readonly (ShardKey & { readonly fence: number })[]): Promise<void>;
  releaseAllOf(owner: Id): Promise<number>;
  /** Writes a batch per shard in one transaction: see `HeldShard.nextBatch`. */
  record(batches: readonly ShardBatch[], policy: RetryPolicy, leaseMs: number, random: () => number): Promise<RecordedBatches>;

  /** Runs that are `running` and have no open shard left. */
  finishedRuns(limit: number): Promise<readonly Run[]>;
  /** Watched mailings with a deferral that is due, by the database's clock, and no run open but the first. */
  mailingsDue(limit: number): Promise<readonly MailingKey[]>;
  hasDeferred(projectId: Id, mailingId: Id, launchedOn: string): Promise<boolean>;
  /** The next recipients, in id order, whose ledger row is in one of `states`, or who are deferred and due by the database's clock. */
  recipientsInStates(
    mailing: MailingKey,
    states: readonly LedgerState[] | 'due',
    after: Id | undefined,
    limit: number,
  ): Promise<{ readonly ids: string; readonly count: number; readonly last: Id } | undefined>;

  /** Those of `ids` (a PostgreSQL array literal) who have no row in this mailing's ledger. */
  recipientsWithoutRow(mailing: MailingKey, ids: string): Promise<{ readonly ids: string; readonly count: number }>;

  /** What the ledger knows of earlier hand-overs to `ids`. */
  reachedAmong(mailing: MailingKey, ids: readonly Id[]): Promise<Reached>;

  /** Sums over these mailings. */
  totals(projectId: Id, mailingIds: readonly Id[]): Promise<LedgerTotals>;
  /** By subscriber id, from the one behind `after`. */
  ledger(
    mailing: MailingKey,
    search: { readonly state: LedgerState | undefined; readonly after: Id | undefined; readonly limit: number },
  ): Promise<readonly LedgerRow[]>;
  /** Replies and reasons of the first `limit` recipients of each state but `submitted`, each with how often it stands there. */
  replies(mailing: MailingKey, limit: number): Promise<readonly StateReply[]>;
  /** Deletes nothing; makes sure that rows of this launch date have a partition to go to. */
  ensureLedgerPartition(launchedOn: string): Promise<void>;

  /** Says that it lives. Whoever was not heard of for `steadyMs` begins anew to be steadily in touch with the database. */
  saveWorker(worker: Worker, steadyMs: number): Promise<void>;
  /** Unless an attempt of its is still open: then its silence will tell. */
  forgetWorker(id: Id): Promise<void>;
  /**
   * Workers seen within `withinMs`, by the database's clock, and those whose watchers told within it that they are blocked; the
   * oldest first.
   */
  workers(withinMs: number): Promise<readonly KnownWorker[]>;
  /** Open shards per lane of work: for `status`. */
  openShards(): Promise<{ readonly shards: number; readonly recipients: number; readonly oldestAgeMs: number }>;

  /** False, and nothing done, when a message with this idempotency key exists. */
  addMessage(message: TransactionalMessage): Promise<boolean>;
  /** `due`: its next attempt is, by the database's clock. One that was never attempted always is. */
  message(projectId: Id, id: Id): Promise<{ readonly message: TransactionalMessage; readonly due: boolean } | undefined>;
  /** Without content, like all that follow: content may have megabytes. */
  messageFacts(projectId: Id, id: Id): Promise<MessageFacts | undefined>;
  messages(projectId: Id, page: PageRequest): Promise<Page<MessageFacts>>;
  messageByIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined>;
  /** Moves a message from one state to another; false when it was not in `from` any more, or not at this number of attempts. */
  moveMessage(message: MessageFacts, from: MessageMove): Promise<boolean>;
  /** The same, and its attempt of this number begins with it, at the same time. */
  moveToAttempt(message: MessageFacts, from: MessageMove, by: AttemptMaker): Promise<boolean>;
  /** The same, and its attempt of this number ends with it, at the same time. */
  moveFromAttempt(
    message: MessageFacts,
    from: MessageMove,
    end: Pick<MessageAttempt, 'outcome' | 'code' | 'reply'>,
  ): Promise<boolean>;
  /** Whether this attempt is under way and was begun by this worker. */
  isAttemptOf(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>, workerId: Id): Promise<boolean>;
  /** As if it had never begun. */
  removeAttempt(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>): Promise<void>;
  attempts(projectId: Id, messageId: Id): Promise<readonly MessageAttempt[]>;
  /**
   * Messages under attempt by a worker that is gone: one of `dead`, silent for `lostMs`, or for `silentMs` while none of its sessions is left on
   * the server. Nobody is, while the worker `judge` has itself not been in touch for as long without a gap: after an outage
   * everybody seems gone.
   */
  unfinishedMessages(
    judge: Id,
    after: { readonly silentMs: number; readonly lostMs: number; readonly dead: readonly Id[] },
    limit: number,
  ): Promise<readonly MessageFacts[]>;
  /** Messages under attempt by this worker. */
  unfinishedMessagesOf(worker: Id, limit: number): Promise<readonly MessageFacts[]>;
  /** Workers with an attempt under way, and the processes that they are. */
  attemptingWorkers(): Promise<readonly { readonly id: Id; readonly process: string | undefined }[]>;
  /** Messages accepted or deferred and due by the database's clock, oldest first: the truth behind the jobs. */
  messagesDue(limit: number): Promise<readonly MessageFacts[]>;
}
