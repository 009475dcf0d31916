import type { Clock } from '../shared/clock.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import { RunOpen } from './delivery-errors.ts';
import type { DeliveryStore, LedgerFilter, LedgerPlace, LedgerTotals, Reached, RecordedBatches } from './delivery-store.ts';
import type { LedgerRow, LedgerState, StateReason } from './message.ts';
import { reasonsIn } from './reasons.ts';
import { BULK_RETRY, type RetryPolicy, TRANSACTIONAL_RETRY } from './retry-policy.ts';
import type { Run, RunKey, RunPurpose } from './run.ts';
import { type ShardBatch, type ShardKey, type ShardLease, shardName } from './shard.ts';
import { TransactionalDelivery } from './transactional-delivery.ts';
import { type KnownWorker, WORKER_LIVE_MS, type Worker } from './worker.ts';

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

/** The one way into the delivery context: see the manual page in `index.ts`. */
export class DeliveryService extends TransactionalDelivery {
  readonly #store: DeliveryStore;
  readonly #clock: Clock;
  readonly #bulkRetry: RetryPolicy;
  readonly #random: () => number;

  constructor(deps: {
    store: DeliveryStore;
    clock: Clock;
    ids: Ids;
    random: () => number;
    bulkRetry?: RetryPolicy;
    transactionalRetry?: RetryPolicy;
  }) {
    super({ ...deps, transactionalRetry: deps.transactionalRetry ?? TRANSACTIONAL_RETRY });
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#bulkRetry = deps.bulkRetry ?? BULK_RETRY;
  }

  /** Fixes the people of a run: one shard per page. Returns how many they are. */
  async startRun(campaign: LedgerPlace, purpose: RunPurpose, pages: RecipientPages): Promise<{ run: number; audience: number }> {
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
  async retryDeferred(campaign: LedgerPlace, shardSize: number): Promise<number> {
    const { audience } = await this.startRun(campaign, 'retry', (after) =>
      this.#store.recipientsInStates(campaign, 'due', after, shardSize),
    );
    return audience;
  }

  campaignsDue(limit: number) {
    return this.#store.campaignsDue(limit);
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

  /** Everybody without an outcome, or with a deferral, stays unsent for good; `cancelRest` writes them down. */
  async cancel(projectId: Id, campaignId: Id): Promise<void> {
    await this.#store.setRunState(projectId, campaignId, ['running', 'paused'], 'cancelled', this.#clock.now());
    await this.#store.watch(projectId, campaignId, false);
    await this.#store.beginCancelling(projectId, campaignId);
  }

  cancelling(limit = 20) {
    return this.#store.cancelling(limit);
  }

  /** See `DeliveryStore.cancelRest`. */
  cancelRest(campaign: LedgerPlace) {
    return this.#store.cancelRest(campaign, this.#clock.now());
  }

  /** Names (`runName`) of those of these runs that are neither paused, cancelled nor ended. */
  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    return this.#store.runningOf(runs);
  }

  /** Those of `ids` whom earlier hand-overs have reached, surely or possibly. */
  reachedAmong(campaign: LedgerPlace, ids: readonly Id[]): Promise<Reached> {
    return this.#store.reachedAmong(campaign, ids);
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
  async settle(campaign: LedgerPlace): Promise<boolean> {
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
  withoutRow(campaign: LedgerPlace, ids: string): Promise<{ readonly ids: string; readonly count: number }> {
    return this.#store.recipientsWithoutRow(campaign, ids);
  }

  /** Why messages are in their states, by state, the commonest reason first. */
  async reasons(projectId: Id, campaignId: Id): Promise<readonly StateReason[]> {
    return reasonsIn(await this.#store.replies(projectId, campaignId, MOST_REPLIES), MOST_REASONS);
  }

  /** Cuts a run from everybody in these states. @throws RunOpen while another pass over this campaign is under way */
  async resend(
    campaign: LedgerPlace,
    purpose: 'resend_failed' | 'resend_in_doubt',
    shardSize: number,
  ): Promise<{ run: number; audience: number }> {
    await this.#refuseWhileRunning(campaign.projectId, campaign.campaignId);
    const states = RESENT_STATES[purpose];
    return this.startRun(campaign, purpose, (after) => this.#store.recipientsInStates(campaign, states, after, shardSize));
  }

  /** Cuts a run from those of `pages` who have no row in the ledger yet. @throws RunOpen */
  async resendNew(campaign: LedgerPlace, pages: RecipientPages): Promise<{ run: number; audience: number }> {
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

  liveWorkers(): Promise<readonly KnownWorker[]> {
    return this.#store.workers(WORKER_LIVE_MS);
  }

  openShards() {
    return this.#store.openShards();
  }
}
