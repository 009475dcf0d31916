import { mailingSubject, PROJECT } from '../../domain/analytics/index.ts';
import { CampaignTransitionRefused } from '../../domain/campaign/index.ts';
import type { MailingKey } from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Log } from '../log.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { EditedMeanwhile, type LaunchCampaign } from './launch-campaign.ts';

/** Steps for one cancelled campaign, each about a shard of recipients, before other work has its turn again. */
const MOST_PIECES = 5;
/** Work that failed for a transient reason waits for this time, while other work that is due continues. */
const TRY_AGAIN_MS = 60_000;

/**
 * What makes a campaign go on by itself: ends runs without open shards, moves campaigns to `submitted` and sets `settled_at`,
 * cuts retry runs from due deferrals, launches what is scheduled. Safe to run anywhere, at any time, twice at once.
 */
export class TendCampaigns {
  readonly #work: UnitOfWork;
  readonly #launch: LaunchCampaign;
  readonly #log: Log;
  readonly #shardSize: number;
  readonly #isTransient: (error: unknown) => boolean;
  readonly #clock: Clock;
  /** Campaigns whose launch failed for a reason that passes, and when. */
  readonly #failedAt = new Map<Id, number>();

  constructor(deps: {
    work: UnitOfWork;
    launch: LaunchCampaign;
    log: Log;
    shardSize: number;
    isTransient: (error: unknown) => boolean;
    clock: Clock;
  }) {
    this.#work = deps.work;
    this.#launch = deps.launch;
    this.#log = deps.log;
    this.#shardSize = deps.shardSize;
    this.#isTransient = deps.isTransient;
    this.#clock = deps.clock;
  }

  /** Ends and settles; cheap enough to be asked every two seconds by every sending process. */
  async settle(): Promise<void> {
    const finished = await this.#work.run((scope) => scope.delivery.runs.finished());
    for (const run of finished) {
      await this.#work.run(async (scope) => {
        const { projectId, campaignId } = await scope.campaign.mailings.get(run.projectId, run.mailingId);
        // The campaign's row first, as pause and cancel take it: the second one sees what the first has done.
        await scope.campaign.lock(projectId, campaignId);
        if (!(await scope.delivery.runs.end(run))) return;
        const mailings = await scope.campaign.mailings.of(projectId, campaignId);
        if (run.number === 0 && (await scope.delivery.runs.firstOver(mailings)))
          await scope.campaign.finish(projectId, campaignId);
        if (await scope.delivery.runs.settle(mailings)) await scope.campaign.settle(projectId, campaignId);
      });
    }
    await this.#retryDue();
    for (const mailing of await this.#work.run((scope) => scope.delivery.runs.cancelling())) await this.cancelRest(mailing);
  }

  /**
   * Records the recipients that a cancelled mailing did not reach, some thousand in each transaction: 50,000 recipients in a second or
   * so, and the others at the next call.
   */
  async cancelRest(mailing: MailingKey): Promise<void> {
    const { projectId, mailingId } = mailing;
    for (let piece = 0; piece < MOST_PIECES; piece += 1) {
      const left = await this.#work.run(async (scope) => {
        const { timeZone } = await scope.access.getProject(projectId);
        const rest = await scope.delivery.runs.cancelRest(mailing);
        const increment = { kind: 'cancelled', at: this.#clock.now(), by: rest.cancelled } as const;
        if (rest.cancelled > 0)
          await scope.analytics.count(projectId, timeZone, [
            { subject: mailingSubject(mailingId), ...increment },
            { subject: PROJECT, ...increment },
          ]);
        return rest.left;
      });
      if (left !== 'more') return;
    }
  }

  /** Everything, the schedule included; once a minute. */
  async tend(): Promise<void> {
    await this.settle();
    await this.launchDue();
  }

  /** Launches what is scheduled for a time that is past; one look at a small index, so it may be asked every second. */
  async launchDue(): Promise<void> {
    const now = this.#clock.monotonic();
    for (const [id, at] of this.#failedAt) if (now - at >= TRY_AGAIN_MS) this.#failedAt.delete(id);
    const due = await this.#work.run((scope) => scope.campaign.due());
    for (const { projectId, id } of due) {
      if (this.#failedAt.has(id)) continue;
      try {
        await this.#launch.launch(projectId, id, { allowEmpty: true });
      } catch (error) {
        await this.#launchFailed(projectId, id, error);
      }
    }
  }

  /** An error that a retry cannot solve needs a user: the campaign becomes a draft again, with the reason. */
  async #launchFailed(projectId: Id, campaign: Id, error: unknown): Promise<void> {
    // Another process was first.
    if (error instanceof CampaignTransitionRefused) return;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#isTransient(error) || error instanceof EditedMeanwhile) {
      this.#failedAt.set(campaign, this.#clock.monotonic());
      this.#log.warn({ campaign, reason }, 'a scheduled campaign could not be launched; it is tried again in a minute');
      return;
    }
    this.#log.error({ campaign, reason }, 'a scheduled campaign could not be launched and is a draft again');
    await this.#work.run((scope) => scope.campaign.failLaunch(projectId, campaign, `The scheduled launch failed. ${reason}`));
  }

  async #retryDue(): Promise<void> {
    const due = await this.#work.run((scope) => scope.delivery.runs.due(20));
    for (const { projectId, mailingId } of due) {
      await this.#work.run(async (scope) => {
        // The campaign's row is the lock: two processes would otherwise cut the same deferrals into two runs.
        const mailing = await scope.campaign.mailings.get(projectId, mailingId);
        const { state } = await scope.campaign.lock(projectId, mailing.campaignId);
        const [first, ...others] = await scope.delivery.runs.of(projectId, mailingId);
        // Paused or cancelled, maybe since it was found; or another process has cut the run.
        if ((state !== 'sending' && state !== 'submitted') || first === undefined) return;
        if (others.some((run) => run.state === 'running' || run.state === 'paused')) return;
        await scope.delivery.runs.retryDeferred(mailing, this.#shardSize);
      });
    }
  }
}
