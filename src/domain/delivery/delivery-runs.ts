import type { Clock } from '../shared/clock.ts';
import type { Id } from '../shared/ids.ts';
import { RunOpen } from './delivery-errors.ts';
import type { DeliveryLedger } from './delivery-ledger.ts';
import type { LedgerStore, RecipientPage } from './ledger-store.ts';
import type { MailingKey } from './mailing-key.ts';
import type { LedgerState } from './message.ts';
import type { Run, RunKey, RunPurpose, RunState } from './run.ts';
import type { RunStore } from './run-store.ts';

/** Recipients page by page; `undefined` after the last. */
export type RecipientPages = (after: Id | undefined) => Promise<RecipientPage | undefined>;

/** Expired and failed ones were never accepted either; in doubt may have been, so it is asked for by name. */
const RESENT_STATES = {
  resend_failed: ['rejected', 'expired', 'failed'],
  resend_in_doubt: ['in_doubt'],
} as const satisfies Record<string, readonly LedgerState[]>;

/** Passes over the recipients of mailings: from the launch to the last retry, paused, resumed, cancelled, and sent again. */
export class DeliveryRuns {
  readonly #ledger: DeliveryLedger;
  readonly #store: RunStore;
  readonly #rows: LedgerStore;
  readonly #clock: Clock;

  constructor(parts: { ledger: DeliveryLedger }, deps: { runs: RunStore; ledger: LedgerStore; clock: Clock }) {
    this.#ledger = parts.ledger;
    this.#store = deps.runs;
    this.#rows = deps.ledger;
    this.#clock = deps.clock;
  }

  /** Fixes the recipients of a run: one shard per page. Returns how many they are. */
  async start(mailing: MailingKey, purpose: RunPurpose, pages: RecipientPages): Promise<{ run: number; audience: number }> {
    const { projectId, mailingId, launchedOn } = mailing;
    await this.#store.ensurePartition(launchedOn);
    const number = (await this.#store.of(projectId, mailingId)).length;
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
    await this.#store.add(run);
    let shard = 0;
    for (let page = await pages(undefined); page !== undefined; page = await pages(page.last)) {
      await this.#store.addShard({ projectId, mailingId, run: number, number: shard }, launchedOn, page.ids, page.count);
      shard += 1;
    }
    return { run: number, audience: await this.#store.close(run) };
  }

  /**
   * Cuts a retry run from the deferrals due now. At most one retry run of a mailing is open at a time, so no recipient is in
   * two shards at once.
   */
  async retryDeferred(mailing: MailingKey, shardSize: number): Promise<number> {
    const { audience } = await this.start(mailing, 'retry', (after) => this.#rows.inStates(mailing, 'due', after, shardSize));
    return audience;
  }

  /** Mailings with deferrals that are due, and no run open but the first. */
  due(limit: number) {
    return this.#store.due(limit);
  }

  of(projectId: Id, mailingId: Id): Promise<readonly Run[]> {
    return this.#store.of(projectId, mailingId);
  }

  /** Stops hand-over within two seconds; what is on the wire is finished. */
  pause(mailings: readonly MailingKey[]): Promise<void> {
    return this.#move(mailings, ['running'], 'paused');
  }

  resume(mailings: readonly MailingKey[]): Promise<void> {
    return this.#move(mailings, ['paused'], 'running');
  }

  /** Recipients without an outcome, or with a deferral, stay unsent for good; `cancelRest` records them. */
  async cancel(mailings: readonly MailingKey[]): Promise<void> {
    await this.#move(mailings, ['running', 'paused'], 'cancelled');
    for (const { projectId, mailingId } of mailings) await this.#store.beginCancelling(projectId, mailingId);
  }

  async #move(mailings: readonly MailingKey[], from: readonly RunState[], to: RunState): Promise<void> {
    for (const { projectId, mailingId } of mailings) {
      await this.#store.setState(projectId, mailingId, from, to, this.#clock.now());
      await this.#store.watch(projectId, mailingId, to === 'running');
    }
  }

  /** Cancelled mailings with recipients that have no final state yet. */
  cancelling(limit = 20) {
    return this.#store.cancelling(limit);
  }

  /** See `RunStore.cancelRest`. */
  cancelRest(mailing: MailingKey) {
    return this.#store.cancelRest(mailing, this.#clock.now());
  }

  /** Names (`runName`) of those of these runs that are neither paused, cancelled nor ended. */
  running(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    return this.#store.running(runs);
  }

  /** Runs without an open shard. */
  finished(limit = 100): Promise<readonly Run[]> {
    return this.#store.finished(limit);
  }

  /** False when it was paused, cancelled or ended by another process meanwhile. */
  end(run: Run): Promise<boolean> {
    return this.#store.end(run, this.#clock.now());
  }

  /** True when the first pass over each of these mailings is over. */
  async firstOver(mailings: readonly MailingKey[]): Promise<boolean> {
    for (const { projectId, mailingId } of mailings) {
      const [first] = await this.of(projectId, mailingId);
      if (first !== undefined && isOpen(first)) return false;
    }
    return true;
  }

  /** True when no run is open and no recipient is deferred: nothing of these mailings will be tried again. */
  async settle(mailings: readonly MailingKey[]): Promise<boolean> {
    let over = true;
    for (const mailing of mailings) {
      const { projectId, mailingId } = mailing;
      const open = (await this.of(projectId, mailingId)).some(isOpen);
      if (open || (await this.#rows.hasDeferred(mailing))) over = false;
      else await this.#store.watch(projectId, mailingId, false);
    }
    return over;
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
      const run = await this.start(mailing, purpose, (after) => this.#rows.inStates(mailing, states, after, shardSize));
      audience += run.audience;
    }
    return { audience };
  }

  /** Cuts a run of the latest mailing from the recipients in `pages` without a row in the ledger of any of them. @throws RunOpen */
  async resendNew(mailings: readonly MailingKey[], pages: RecipientPages): Promise<{ audience: number }> {
    await this.#refuseWhileRunning(mailings);
    const latest = mailings.at(-1);
    if (latest === undefined) return { audience: 0 };
    return this.start(latest, 'resend_new', async (after) => {
      for (let page = await pages(after); page !== undefined; page = await pages(page.last)) {
        const fresh = await this.#ledger.withoutRow(mailings, page.ids);
        if (fresh.count > 0) return { ...fresh, last: page.last };
      }
      return undefined;
    });
  }

  /** Two open passes could hold the same recipient twice. */
  async #refuseWhileRunning(mailings: readonly MailingKey[]): Promise<void> {
    for (const { projectId, mailingId } of mailings) {
      if ((await this.#store.of(projectId, mailingId)).some(isOpen)) throw new RunOpen();
    }
  }
}

const isOpen = ({ state }: Run): boolean => state === 'running' || state === 'paused';
