import { type Campaign, CampaignTransitionRefused } from '../../domain/campaign/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { holdCampaignLists } from '../audience/list-desk.ts';
import { bulkWake } from '../delivery/jobs.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/**
 * `failed`: recipients that are rejected, expired or failed. `in_doubt`: acceptance is unknown (each marked as a possible
 * repeat). `new`: subscribers that belong to the same audience now and did not at launch.
 */
export const RESEND_TARGETS = ['failed', 'in_doubt', 'new'] as const;
export type ResendTarget = (typeof RESEND_TARGETS)[number];

/** Resends a finished campaign, with its launched content, to recipients whose ledger state says it did not arrive. */
export class ResendCampaign {
  readonly #work: UnitOfWork;
  readonly #shardSize: number;

  constructor(deps: { work: UnitOfWork; shardSize: number }) {
    this.#work = deps.work;
    this.#shardSize = deps.shardSize;
  }

  /**
   * @returns how many recipients are in the new run; may be 0
   * @throws NotFound, RunOpen, CampaignListMissing, CampaignTransitionRefused unless the campaign is submitted
   */
  resend(projectId: Id, campaignId: Id, target: ResendTarget): Promise<{ recipients: number }> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.lock(projectId, campaignId);
      if (campaign.state !== 'submitted') throw new CampaignTransitionRefused(campaign.state, 'resend');
      await holdCampaignLists(scope, campaign);
      const { audience: recipients } = await this.#cut(scope, campaign, target);
      if (target === 'new') campaign.recipients += recipients;
      campaign.reopen();
      await scope.jobs.enqueue(bulkWake, { projectId, campaignId }, { key: campaignId });
      return { recipients };
    });
  }

  async #cut(scope: Scope, campaign: Campaign, target: ResendTarget): Promise<{ audience: number }> {
    const { projectId, id } = campaign;
    const mailings = await scope.campaign.mailings.of(projectId, id);
    if (target !== 'new') {
      return scope.delivery.runs.resend(mailings, target === 'failed' ? 'resend_failed' : 'resend_in_doubt', this.#shardSize);
    }
    return scope.delivery.runs.resendNew(mailings, (after) =>
      scope.audience.recipients.page(projectId, campaign.audience, after, this.#shardSize),
    );
  }
}
