import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Attempt } from './attempt.ts';
import { RunOpen } from './delivery-errors.ts';
import type { DeliveryStore, LedgerFilter, LedgerTotals, RecordedBatches } from './delivery-store.ts';
import type { LedgerRow, LedgerState, StateReason } from './message.ts';
import { reasonsIn } from './reasons.ts';
import { BULK_RETRY, nextAttemptAt, type RetryPolicy, TRANSACTIONAL_RETRY } from './retry-policy.ts';
import type { Run, RunKey, RunPurpose } from './run.ts';
import { type ShardBatch, type ShardKey, type ShardLease, shardName } from './shard.ts';
import type { MessageAttempt, TransactionalMessage, TransactionalState } from './transactional-message.ts';
import { WORKER_LIVE_MS, WORKER_LOST_MS, type Worker } from './worker.ts';

/** Ids of recipients in pages, as PostgreSQL array literals; `undefined` after the last. */
export type RecipientPages = (
  after: Id | undefined,
) => Promise<{ readonly ids: string; readonly count: number; readonly last: Id } | undefined>;

/** Long enough to ride out a garbage collection or a slow disk, short enough that a dead worker is not missed. */
export const LEASE_MS = 10_000;

/** Expired and failed ones were never accepted either; in doubt may have been, so it is asked for by name. */
const RESENT_STATES = {
  resend_failed: ['rejected', 'expired', 'failed'],
  resend_in_doubt: ['in_doubt'],
} as const satisfies Record<string, readonly LedgerState[]>;

/** Looked at per state: a report must not take longer because a million were refused. */
const MOST_REPLIES = 1_000;
/** Shown per state. */
const MOST_REASONS = 5;

const WAITING: readonly TransactionalState[] = ['accepted', 'deferred', 'in_doubt'];
/** In doubt: the sweep has given the attempt up before its worker, who was only slow, told how it ended. */
const UNKNOWN_END: readonly TransactionalState[] = ['attempting', 'in_doubt'];
const NOT_ACCEPTED: readonly TransactionalState[] = [...WAITING, 'attempting', 'rejected', 'expired', 'failed', 'skipped'];

const attemptKey = (message: TransactionalMessage) => ({
  projectId: message.projectId,
  messageId: message.id,
  number: message.attempts,
});

/** The one way into the delivery context: see the manual page in `index.ts`. */
export class DeliveryService {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #bulkRetry: RetryPolicy;
  readonly #transactionalRetry: RetryPolicy;
  readonly #random: () => number;

  constructor(deps: {
    store: DeliveryStore;
    clock: Clock;
    ids: Ids;
    random: () => number;
    bulkRetry?: RetryPolicy;
    transactionalRetry?: RetryPolicy;
  }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#random = deps.random;
    this.#bulkRetry = deps.bulkRetry ?? BULK_RETRY;
    this.#transactionalRetry = deps.transactionalRetry ?? TRANSACTIONAL_RETRY;
  }

  /** Fixes the people of a run: one shard per page. Returns how many they are. */
  async startRun(
    campaign: { projectId: Id; campaignId: Id; launchedOn: string },
    purpose: RunPurpose,
    pages: RecipientPages,
  ): Promise<{ run: number; audience: number }> {
    const { projectId, campaignId, launchedOn } = campaign;
    await this.#store.ensureLedgerPartition(launchedOn);
    const number = (await this.#store.runs(projectId, campaignId)).length;
    const run: Run = {
      projectId,
      campaignId,
      number,
      launchedOn,
      purpose,
      state: 'running',
      audience: 0,
      createdAt: this.#clock.now(),
      endedAt: undefined,
    };
    await this.#store.addRun(run);
    let shard = 0;
    for (let page = await pages(undefined); page !== undefined; page = await pages(page.last)) {
      await this.#store.addShard({ projectId, campaignId, run: number, number: shard }, launchedOn, page.ids, page.count);
      shard += 1;
    }
    return { run: number, audience: await this.#store.closeRun(run) };
  }

  /**
   * Cuts a retry run from the deferrals due now. At most one retry run of a campaign is open at a time, so nobody can stand
   * in two shards at once.
   */
  async retryDeferred(campaign: { projectId: Id; campaignId: Id; launchedOn: string }, shardSize: number): Promise<number> {
    const now = this.#clock.now();
    const { audience } = await this.startRun(campaign, 'retry', (after) =>
      this.#store.recipientsInStates(campaign, ['deferred'], now, after, shardSize),
    );
    return audience;
  }

  campaignsDue(limit: number) {
    return this.#store.campaignsDue(this.#clock.now(), limit);
  }

  runs(projectId: Id, campaignId: Id): Promise<readonly Run[]> {
    return this.#store.runs(projectId, campaignId);
  }

  /** Stops hand-over within two seconds; what is on the wire is finished. */
  async pause(projectId: Id, campaignId: Id): Promise<void> {
    await this.#store.setRunState(projectId, campaignId, ['running'], 'paused', this.#clock.now());
    await this.#store.watch(projectId, campaignId, false);
  }

  async resume(projectId: Id, campaignId: Id): Promise<void> {
    await this.#store.setRunState(projectId, campaignId, ['paused'], 'running', this.#clock.now());
    await this.#store.watch(projectId, campaignId, true);
  }

  /** Everybody without an outcome, or with a deferral, stays unsent for good. */
  async cancel(projectId: Id, campaignId: Id): Promise<void> {
    await this.#store.setRunState(projectId, campaignId, ['running', 'paused'], 'cancelled', this.#clock.now());
    await this.#store.watch(projectId, campaignId, false);
  }

  /** Names (`runName`) of those of these runs that are neither paused, cancelled nor ended. */
  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    return this.#store.runningOf(runs);
  }

  /** Those of `ids` whom nobody may mail again: their acceptance is recorded. */
  acceptedAmong(campaign: { projectId: Id; campaignId: Id; launchedOn: string }, ids: readonly Id[]): Promise<ReadonlySet<Id>> {
    return this.#store.acceptedAmong(campaign, ids);
  }

  /**
   * The next shard to work on: of the sending campaign with the fewest leased shards, then of the project with the fewest.
   * @param avoid campaigns that the caller has enough of already
   * @param takeExpired false while the database has not yet been reachable for a whole lease period
   */
  claim(owner: Id, options: { avoid: readonly Id[]; takeExpired: boolean }): Promise<ShardLease | undefined> {
    return this.#store.claim(owner, LEASE_MS, { avoid: options.avoid, expiredBefore: options.takeExpired });
  }

  renew(owner: Id, held: readonly (ShardKey & { fence: number })[]): Promise<ReadonlySet<string>> {
    return this.#store.renew(owner, LEASE_MS, held);
  }

  release(held: readonly (ShardKey & { fence: number })[]): Promise<void> {
    return this.#store.release(held);
  }

  /** For whoever saw this worker's process end: its shards need not wait for their leases. */
  releaseAllOf(owner: Id): Promise<number> {
    return this.#store.releaseAllOf(owner);
  }

  /** In key order, so that two recorders never wait for each other in a circle. */
  record(batches: readonly ShardBatch[]): Promise<RecordedBatches> {
    const ordered = batches.toSorted((a, b) => (shardName(a) < shardName(b) ? -1 : 1));
    return this.#store.record(ordered, this.#bulkRetry, LEASE_MS, this.#random);
  }

  finishedRuns(limit = 100): Promise<readonly Run[]> {
    return this.#store.finishedRuns(limit);
  }

  /** False when it was paused, cancelled or ended by somebody else meanwhile. */
  endRun(run: Run): Promise<boolean> {
    return this.#store.endRun(run, this.#clock.now());
  }

  /** True when no run is open and nobody is deferred: nothing of this campaign will be tried again. */
  async settle(campaign: { projectId: Id; campaignId: Id; launchedOn: string }): Promise<boolean> {
    const { projectId, campaignId, launchedOn } = campaign;
    const open = (await this.runs(projectId, campaignId)).some((run) => run.state === 'running' || run.state === 'paused');
    if (open || (await this.#store.hasDeferred(projectId, campaignId, launchedOn))) return false;
    await this.#store.watch(projectId, campaignId, false);
    return true;
  }

  totals(projectId: Id, campaignId: Id): Promise<LedgerTotals> {
    return this.#store.totals(projectId, campaignId);
  }

  /** Who received it, and who did not and why; by subscriber id. */
  ledger(projectId: Id, campaignId: Id, filter: LedgerFilter): Promise<Page<LedgerRow>> {
    return this.#store.ledger(projectId, campaignId, filter);
  }

  /** Those of `ids` (a PostgreSQL array literal) without any outcome. */
  withoutRow(
    campaign: { projectId: Id; campaignId: Id; launchedOn: string },
    ids: string,
  ): Promise<{ readonly ids: string; readonly count: number }> {
    return this.#store.recipientsWithoutRow(campaign, ids);
  }

  /** Why messages are in their states, by state, the commonest reason first. */
  async reasons(projectId: Id, campaignId: Id): Promise<readonly StateReason[]> {
    return reasonsIn(await this.#store.replies(projectId, campaignId, MOST_REPLIES), MOST_REASONS);
  }

  /** Cuts a run from everybody in these states. @throws RunOpen while another pass over this campaign is under way */
  async resend(
    campaign: { projectId: Id; campaignId: Id; launchedOn: string },
    purpose: 'resend_failed' | 'resend_in_doubt',
    shardSize: number,
  ): Promise<{ run: number; audience: number }> {
    await this.#refuseWhileRunning(campaign.projectId, campaign.campaignId);
    const states = RESENT_STATES[purpose];
    return this.startRun(campaign, purpose, (after) =>
      this.#store.recipientsInStates(campaign, states, undefined, after, shardSize),
    );
  }

  /** Cuts a run from those of `pages` who have no row in the ledger yet. @throws RunOpen */
  async resendNew(
    campaign: { projectId: Id; campaignId: Id; launchedOn: string },
    pages: RecipientPages,
  ): Promise<{ run: number; audience: number }> {
    await this.#refuseWhileRunning(campaign.projectId, campaign.campaignId);
    return this.startRun(campaign, 'resend_new', async (after) => {
      for (let page = await pages(after); page !== undefined; page = await pages(page.last)) {
        const fresh = await this.#store.recipientsWithoutRow(campaign, page.ids);
        if (fresh.count > 0) return { ...fresh, last: page.last };
      }
      return undefined;
    });
  }

  /** Two open passes could hold the same person twice. */
  async #refuseWhileRunning(projectId: Id, campaignId: Id): Promise<void> {
    const runs = await this.#store.runs(projectId, campaignId);
    if (runs.some((run) => run.state === 'running' || run.state === 'paused')) throw new RunOpen();
  }

  saveWorker(worker: Worker): Promise<void> {
    return this.#store.saveWorker(worker, WORKER_LIVE_MS);
  }

  forgetWorker(id: Id): Promise<void> {
    return this.#store.forgetWorker(id);
  }

  liveWorkers(): Promise<readonly Worker[]> {
    return this.#store.workers(WORKER_LIVE_MS);
  }

  openShards() {
    return this.#store.openShards();
  }

  /** Stores a transactional message; the caller enqueues its job in the same transaction. Undefined when its idempotency key is taken. */
  async accept(
    input: Pick<
      TransactionalMessage,
      'projectId' | 'recipient' | 'content' | 'variables' | 'templateId' | 'idempotencyKey' | 'fingerprint'
    >,
  ): Promise<TransactionalMessage | undefined> {
    const now = this.#clock.now();
    const message: TransactionalMessage = {
      ...input,
      id: this.#ids.next(),
      state: 'accepted',
      attempts: 0,
      nextAttemptAt: now,
      acceptedAt: now,
      at: now,
      code: undefined,
      reply: undefined,
    };
    return (await this.#store.addMessage(message)) ? message : undefined;
  }

  /** @throws NotFound */
  async message(projectId: Id, id: Id): Promise<TransactionalMessage> {
    const message = await this.#store.message(projectId, id);
    if (message === undefined) throw new NotFound('message', id);
    return message;
  }

  messages(projectId: Id, page: PageRequest): Promise<Page<TransactionalMessage>> {
    return this.#store.messages(projectId, page);
  }

  messageByIdempotencyKey(projectId: Id, key: string): Promise<TransactionalMessage | undefined> {
    return this.#store.messageByIdempotencyKey(projectId, key);
  }

  attempts(projectId: Id, messageId: Id): Promise<readonly MessageAttempt[]> {
    return this.#store.attempts(projectId, messageId);
  }

  /** True when an earlier attempt ended in doubt: a further one must be marked as a possible repeat. */
  async mayHaveArrived({ projectId, id }: TransactionalMessage): Promise<boolean> {
    return (await this.#store.attempts(projectId, id)).some((attempt) => attempt.outcome === 'in_doubt');
  }

  /** The message, if it is waiting to be sent and due. */
  async waiting(projectId: Id, id: Id): Promise<TransactionalMessage | undefined> {
    const message = await this.#store.message(projectId, id);
    const due = message?.nextAttemptAt !== undefined && message.nextAttemptAt <= this.#clock.now();
    return due && WAITING.includes(message.state) ? message : undefined;
  }

  /**
   * Commits that an attempt starts, before MAIL is written: a start without an end is `in_doubt`. Undefined when the message
   * is not waiting any more: another worker has it, or it is settled.
   */
  async beginAttempt(message: TransactionalMessage, workerId: Id): Promise<TransactionalMessage | undefined> {
    const now = this.#clock.now();
    const begun: TransactionalMessage = {
      ...message,
      state: 'attempting',
      attempts: message.attempts + 1,
      nextAttemptAt: undefined,
      at: now,
    };
    if (!(await this.#store.moveMessage(begun, { states: WAITING, attempts: message.attempts }))) return undefined;
    const attempt = { startedAt: now, endedAt: undefined, outcome: undefined, code: undefined, reply: undefined };
    await this.#store.addAttempt({ ...attempt, ...attemptKey(begun) }, workerId);
    return begun;
  }

  /**
   * What the attempt came to. Transactional mail in doubt is tried again by policy, with the same Message-ID. Undefined when
   * it was given up as lost meanwhile and somebody else has gone on; an acceptance is kept even then.
   */
  async endAttempt(message: TransactionalMessage, attempt: Attempt): Promise<TransactionalMessage | undefined> {
    const now = this.#clock.now();
    const again = attempt.outcome === 'deferred' || attempt.outcome === 'in_doubt';
    const expired = again && now.getTime() - message.acceptedAt.getTime() >= this.#transactionalRetry.lifetimeMs;
    const ended: TransactionalMessage = {
      ...message,
      state: expired ? 'expired' : attempt.outcome,
      nextAttemptAt:
        again && !expired ? nextAttemptAt(this.#transactionalRetry, message.attempts, now, this.#random()) : undefined,
      at: now,
      code: attempt.code,
      reply: attempt.reply,
    };
    const { outcome, code, reply } = attempt;
    const from = outcome === 'submitted' ? { states: NOT_ACCEPTED } : { states: UNKNOWN_END, attempts: message.attempts };
    if (!(await this.#store.moveMessage(ended, from))) return undefined;
    await this.#store.endAttempt({ ...attemptKey(message), startedAt: message.at, endedAt: now, outcome, code, reply });
    return ended;
  }

  /** The attempt never wrote a byte: the message waits as before. */
  async takeBack(message: TransactionalMessage): Promise<void> {
    const now = this.#clock.now();
    const waiting: TransactionalMessage = {
      ...message,
      state: message.attempts === 1 ? 'accepted' : 'deferred',
      attempts: message.attempts - 1,
      nextAttemptAt: now,
      at: now,
    };
    if (await this.#store.moveMessage(waiting, { states: UNKNOWN_END, attempts: message.attempts }))
      await this.#store.removeAttempt(attemptKey(message));
  }

  /**
   * Ends a message without an attempt: its data break the template, or its recipient is suppressed. Undefined when it was not
   * waiting any more.
   */
  async giveUp(
    message: TransactionalMessage,
    state: 'failed' | 'skipped',
    reason: string,
  ): Promise<TransactionalMessage | undefined> {
    const ended: TransactionalMessage = { ...message, state, reply: reason, nextAttemptAt: undefined, at: this.#clock.now() };
    return (await this.#store.moveMessage(ended, { states: WAITING, attempts: message.attempts })) ? ended : undefined;
  }

  /** Messages whose worker is gone in the middle of an attempt, as the worker `judge` can tell: they are in doubt. */
  unfinished(judge: Id, limit = 100): Promise<readonly TransactionalMessage[]> {
    return this.#store.unfinishedMessages(judge, { silentMs: WORKER_LIVE_MS, lostMs: WORKER_LOST_MS }, limit);
  }

  messagesDue(limit = 500): Promise<readonly TransactionalMessage[]> {
    return this.#store.messagesDue(this.#clock.now(), limit);
  }
}
