import type { Clock } from '../shared/clock.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import { decodeCursor, encodeCursor, InvalidCursor, type Page, pageLimit, toPage } from '../shared/page.ts';
import { RunOpen } from './delivery-errors.ts';
import type {
  DeliveryStore,
  LedgerFilter,
  LedgerTotals,
  MailingKey,
  Reached,
  RecordedBatches,
  StateReply,
} from './delivery-store.ts';
import type { LedgerRow, LedgerState, StateReason } from './message.ts';
import { reasonsIn } from './reasons.ts';
import { BULK_RETRY, type RetryPolicy, TRANSACTIONAL_RETRY } from './retry-policy.ts';
import type { Run, RunKey, RunPurpose, RunState } from './run.ts';
import { type ShardBatch, type ShardKey, type ShardLease, shardName } from './shard.ts';
import { TransactionalDelivery } from './transactional-delivery.ts';
import { type KnownWorker, WORKER_LIVE_MS, type Worker } from './worker.ts';

/** Ids of recipients in pages, as PostgreSQL array literals; `undefined` after the last. */
export type RecipientPages = (
  after: Id | undefined,
) => Promise<{ readonly ids: string; readonly count: number; readonly last: Id } | undefined>;

/** Where a listing of the ledger goes on behind this recipient of this mailing. */
export const ledgerCursor = (mailing: MailingKey, subscriberId: Id): string => encodeCursor([mailing.mailingId, subscriberId]);

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

  /** Fixes the recipients of a run: one shard per page. Returns how many they are. */
  async startRun(mailing: MailingKey, purpose: RunPurpose, pages: RecipientPages): Promise<{ run: number; audience: number }> {
    const { projectId, mailingId, launchedOn } = mailing;
    await this.#store.ensureLedgerPartition(launchedOn);
    const number = (await this.#store.runs(projectId, mailingId)).length;
    const run: Run = {
      projectId,
      mailingId,
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
      await this.#store.addShard({ projectId, mailingId, run: number, number: shard }, launchedOn, page.ids, page.count);
      shard += 1;
    }
    return { run: number, audience: await this.#store.closeRun(run) };
  }

  /**
   * Cuts a retry run from the deferrals due now. At most one retry run of a mailing is open at a time, so nobody can stand
   * in two shards at once.
   */
  async retryDeferred(mailing: MailingKey, shardSize: number): Promise<number> {
    const { audience } = await this.startRun(mailing, 'retry', (after) =>
      this.#store.recipientsInStates(mailing, 'due', after, shardSize),
    );
    return audience;
  }

  mailingsDue(limit: number) {
    return this.#store.mailingsDue(limit);
  }

  runs(projectId: Id, mailingId: Id): Promise<readonly Run[]> {
    return this.#store.runs(projectId, mailingId);
  }

  /** Stops hand-over within two seconds; what is on the wire is finished. */
  pause(mailings: readonly MailingKey[]): Promise<void> {
    return this.#moveRuns(mailings, ['running'], 'paused');
  }

  resume(mailings: readonly MailingKey[]): Promise<void> {
    return this.#moveRuns(mailings, ['paused'], 'running');
  }

  /** Recipients without an outcome, or with a deferral, stay unsent for good; `cancelRest` records them. */
  async cancel(mailings: readonly MailingKey[]): Promise<void> {
    await this.#moveRuns(mailings, ['running', 'paused'], 'cancelled');
    for (const { projectId, mailingId } of mailings) await this.#store.beginCancelling(projectId, mailingId);
  }

  async #moveRuns(mailings: readonly MailingKey[], from: readonly RunState[], to: RunState): Promise<void> {
    for (const { projectId, mailingId } of mailings) {
      await this.#store.setRunState(projectId, mailingId, from, to, this.#clock.now());
      await this.#store.watch(projectId, mailingId, to === 'running');
    }
  }

  cancelling(limit = 20) {
    return this.#store.cancelling(limit);
  }

  /** See `DeliveryStore.cancelRest`. */
  cancelRest(mailing: MailingKey) {
    return this.#store.cancelRest(mailing, this.#clock.now());
  }

  /** Names (`runName`) of those of these runs that are neither paused, cancelled nor ended. */
  runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    return this.#store.runningOf(runs);
  }

  /** Those of `ids` whom earlier hand-overs have reached, surely or possibly. */
  reachedAmong(mailing: MailingKey, ids: readonly Id[]): Promise<Reached> {
    return this.#store.reachedAmong(mailing, ids);
  }

  /**
   * The next shard to work on: of the sending mailing with the fewest leased shards, then of the project with the fewest.
   * @param avoid mailings that the caller has enough of already
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

  /** True when the first pass over each of these mailings is over. */
  async firstRunsOver(mailings: readonly MailingKey[]): Promise<boolean> {
    for (const { projectId, mailingId } of mailings) {
      const [first] = await this.runs(projectId, mailingId);
      if (first !== undefined && isOpen(first)) return false;
    }
    return true;
  }

  /** True when no run is open and no recipient is deferred: nothing of these mailings will be tried again. */
  async settle(mailings: readonly MailingKey[]): Promise<boolean> {
    let over = true;
    for (const { projectId, mailingId, launchedOn } of mailings) {
      const open = (await this.runs(projectId, mailingId)).some(isOpen);
      if (open || (await this.#store.hasDeferred(projectId, mailingId, launchedOn))) over = false;
      else await this.#store.watch(projectId, mailingId, false);
    }
    return over;
  }

  /** The sums over these mailings. */
  totals(projectId: Id, mailingIds: readonly Id[]): Promise<LedgerTotals> {
    return this.#store.totals(projectId, mailingIds);
  }

  /** One row per recipient with an outcome: mailing after mailing, by subscriber id. */
  async ledger(mailings: readonly MailingKey[], filter: LedgerFilter): Promise<Page<LedgerRow>> {
    const limit = pageLimit(filter);
    const start = placeAfter(filter);
    const from = start === undefined ? 0 : mailings.findIndex(({ mailingId }) => mailingId === start.mailingId);
    if (from < 0) throw new InvalidCursor();
    const found: { readonly mailing: MailingKey; readonly row: LedgerRow }[] = [];
    for (const mailing of mailings.slice(from)) {
      const after = mailing.mailingId === start?.mailingId ? start.subscriberId : undefined;
      const rows = await this.#store.ledger(mailing, { state: filter.state, after, limit: limit + 1 - found.length });
      found.push(...rows.map((row) => ({ mailing, row })));
      if (found.length > limit) break;
    }
    const page = toPage(found, limit, ({ mailing, row }) => [mailing.mailingId, row.subscriberId]);
    return { items: page.items.map(({ row }) => row), next: page.next };
  }

  /** Those of `ids` (a PostgreSQL array literal) without an outcome in any of these mailings. */
  async withoutRow(mailings: readonly MailingKey[], ids: string): Promise<{ readonly ids: string; readonly count: number }> {
    let rest = { ids, count: 0 };
    for (const mailing of mailings) rest = await this.#store.recipientsWithoutRow(mailing, rest.ids);
    return rest;
  }

  /** Why messages are in their states, by state, the commonest reason first. */
  async reasons(mailings: readonly MailingKey[]): Promise<readonly StateReason[]> {
    const replies: StateReply[] = [];
    for (const mailing of mailings) replies.push(...(await this.#store.replies(mailing, MOST_REPLIES)));
    return reasonsIn(replies, MOST_REASONS);
  }

  /** Cuts a run of each mailing from its recipients in these states. @throws RunOpen while another pass over one of them is under way */
  async resend(
    mailings: readonly MailingKey[],
    purpose: 'resend_failed' | 'resend_in_doubt',
    shardSize: number,
  ): Promise<{ audience: number }> {
    await this.#refuseWhileRunning(mailings);
    const states = RESENT_STATES[purpose];
    let audience = 0;
    for (const mailing of mailings) {
      const run = await this.startRun(mailing, purpose, (after) =>
        this.#store.recipientsInStates(mailing, states, after, shardSize),
      );
      audience += run.audience;
    }
    return { audience };
  }

  /** Cuts a run of the latest mailing from those of `pages` who have no row in the ledger of any of them. @throws RunOpen */
  async resendNew(mailings: readonly MailingKey[], pages: RecipientPages): Promise<{ audience: number }> {
    await this.#refuseWhileRunning(mailings);
    const latest = mailings.at(-1);
    if (latest === undefined) return { audience: 0 };
    return this.startRun(latest, 'resend_new', async (after) => {
      for (let page = await pages(after); page !== undefined; page = await pages(page.last)) {
        const fresh = await this.withoutRow(mailings, page.ids);
        if (fresh.count > 0) return { ...fresh, last: page.last };
      }
      return undefined;
    });
  }

  /** Two open passes could hold the same person twice. */
  async #refuseWhileRunning(mailings: readonly MailingKey[]): Promise<void> {
    for (const { projectId, mailingId } of mailings) {
      if ((await this.#store.runs(projectId, mailingId)).some(isOpen)) throw new RunOpen();
    }
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

const isOpen = ({ state }: Run): boolean => state === 'running' || state === 'paused';

/** @throws InvalidCursor */
function placeAfter({ after }: LedgerFilter): { readonly mailingId: Id; readonly subscriberId: Id } | undefined {
  if (after === undefined) return undefined;
  const [mailingId = '', subscriberId = ''] = decodeCursor(after, 2);
  if (!isId(mailingId) || !isId(subscriberId)) throw new InvalidCursor();
  return { mailingId, subscriberId };
}
