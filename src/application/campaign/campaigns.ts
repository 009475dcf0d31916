import type { DailySeries } from '../../domain/analytics/index.ts';
import type { CampaignFacts, CampaignFilter, CampaignInput, RenderedMessage } from '../../domain/campaign/index.ts';
import type { LedgerFilter } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import type { CampaignFigures, CampaignProgress, DaysAsked, ReportOptions, Reports } from '../analytics/reports.ts';
import type { Message } from '../delivery/transactional/message-details.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { As, CampaignCheck, CampaignDesk, CheckedCampaign, Writing, WrittenCampaign } from './campaign-desk.ts';
import type { ExplainCampaign, LeftOut, LeftOutCounts, LeftOutSearch } from './explain-campaign.ts';
import { campaignIdOf } from './find-campaign.ts';
import { type CampaignRecipient, recipientsPage } from './recipients.ts';
import { recipientsCsv } from './recipients-file.ts';
import type { ResendCampaign, ResendTarget } from './resend-campaign.ts';

/** Operations on campaigns. A campaign is named by id, by slug, or by a name that only one unarchived campaign has. */
export interface Campaigns {
  /** Creates a draft completely or not at all. @throws InvalidInput, NotFound, CampaignSlugTaken, ContentInvalid */
  create(projectId: Id, input: CampaignInput, writing?: Writing): Promise<CheckedCampaign>;
  /** Without content, which may be several megabytes. */
  list(projectId: Id, filter?: CampaignFilter): Promise<Page<CampaignFacts>>;
  /** @throws NotFound */
  get(projectId: Id, campaign: string): Promise<WrittenCampaign>;
  /** Changes a draft completely or not at all. @throws NotFound, InvalidInput, CampaignNotEditable, ContentInvalid */
  update(
    projectId: Id,
    campaign: string,
    changes: Partial<Omit<CampaignInput, 'slug'>>,
    writing?: Writing,
  ): Promise<CheckedCampaign>;
  /** Deletes a draft. Other campaigns can only be archived. @throws NotFound, CampaignTransitionRefused */
  delete(projectId: Id, campaign: string, options?: { readonly dryRun?: boolean | undefined }): Promise<CampaignFacts>;
  /** Lists the problems that would prevent a launch, and counts the recipients. @throws NotFound */
  check(projectId: Id, campaign: string): Promise<CampaignCheck>;
  /** Renders the message for one subscriber, or with the defaults of the content. @throws NotFound, ContentInvalid */
  preview(projectId: Id, campaign: string, as?: As): Promise<RenderedMessage>;
  /**
   * Sends one transactional message per address. It has `[Test]` before the subject and no tracking; otherwise it is composed
   * as for recipients. Its unsubscribe link has no effect, and no report counts it.
   */
  test(projectId: Id, campaign: string, to: readonly string[], as?: As): Promise<readonly Message[]>;
  /** Freezes content and recipients, and starts sending. A second launch sends nothing. */
  launch(projectId: Id, campaign: string): Promise<CampaignFacts>;
  schedule(projectId: Id, campaign: string, at: Date): Promise<CampaignFacts>;
  unschedule(projectId: Id, campaign: string): Promise<CampaignFacts>;
  pause(projectId: Id, campaign: string): Promise<CampaignFacts>;
  resume(projectId: Id, campaign: string): Promise<CampaignFacts>;
  cancel(projectId: Id, campaign: string): Promise<CampaignFacts>;
  archive(projectId: Id, campaign: string): Promise<CampaignFacts>;
  /** Resends the campaign to recipients that it did not reach, and returns their number. */
  resend(projectId: Id, campaign: string, target: ResendTarget): Promise<{ readonly recipients: number }>;
  /** Counts recipients, and subscribers left out, by reason. Reads the lists or, after the launch, the ledger. */
  explain(projectId: Id, campaign: string): Promise<LeftOutCounts>;
  /** Lists the subscribers left out, for one reason or all. See `ExplainCampaign.page` for `bad_data` before the launch. */
  excluded(projectId: Id, campaign: string, search?: LeftOutSearch): Promise<Page<LeftOut>>;
  /** Lists recipients with an outcome, one row each. */
  recipients(projectId: Id, campaign: string, filter?: LedgerFilter): Promise<Page<CampaignRecipient>>;
  /** The same as CSV, as a stream. */
  recipientsCsv(projectId: Id, campaign: string, filter?: Pick<LedgerFilter, 'state'>): AsyncIterable<string>;
  /** @param options `daily` adds the figures of the last 30 days */
  report(projectId: Id, campaign: string, options?: ReportOptions): Promise<CampaignFigures>;
  /** Reads a few rows by primary key, so it can be called several times a second. */
  progress(projectId: Id, campaign: string): Promise<CampaignProgress>;
  /** Returns the figures of each day of a range, in the time zone of the project. @throws NotFound, InvalidInput */
  daily(projectId: Id, campaign: string, days?: DaysAsked): Promise<DailySeries>;
}

export function campaignVerbs(deps: {
  readonly work: UnitOfWork;
  readonly desk: CampaignDesk;
  readonly resend: ResendCampaign;
  readonly explain: ExplainCampaign;
  readonly reports: Reports;
}): Campaigns {
  const { work, desk, resend, explain, reports } = deps;
  const idOf = (projectId: Id, campaign: string) => campaignIdOf(work, projectId, campaign);
  return {
    create: (projectId, input, writing) => desk.create(projectId, input, writing),
    list: (projectId, filter = {}) => work.run(({ campaign }) => campaign.list(projectId, filter)),
    get: async (projectId, campaign) => desk.get(projectId, await idOf(projectId, campaign)),
    update: async (projectId, campaign, changes, writing) =>
      desk.update(projectId, await idOf(projectId, campaign), changes, writing),
    delete: async (projectId, campaign, options) => desk.delete(projectId, await idOf(projectId, campaign), options),
    check: async (projectId, campaign) => desk.check(projectId, await idOf(projectId, campaign)),
    preview: async (projectId, campaign, as) => desk.preview(projectId, await idOf(projectId, campaign), as),
    test: async (projectId, campaign, to, as) => desk.test(projectId, await idOf(projectId, campaign), to, as),
    launch: async (projectId, campaign) => desk.launch(projectId, await idOf(projectId, campaign)),
    schedule: async (projectId, campaign, at) => desk.schedule(projectId, await idOf(projectId, campaign), at),
    unschedule: async (projectId, campaign) => {
      const id = await idOf(projectId, campaign);
      return work.run((scope) => scope.campaign.unschedule(projectId, id));
    },
    pause: async (projectId, campaign) => desk.pause(projectId, await idOf(projectId, campaign)),
    resume: async (projectId, campaign) => desk.resume(projectId, await idOf(projectId, campaign)),
    cancel: async (projectId, campaign) => desk.cancel(projectId, await idOf(projectId, campaign)),
    archive: async (projectId, campaign) => {
      const id = await idOf(projectId, campaign);
      return work.run((scope) => scope.campaign.archive(projectId, id));
    },
    resend: async (projectId, campaign, target) => resend.resend(projectId, await idOf(projectId, campaign), target),
    explain: async (projectId, campaign) => explain.count(projectId, await idOf(projectId, campaign)),
    excluded: async (projectId, campaign, search = {}) => explain.page(projectId, await idOf(projectId, campaign), search),
    recipients: async (projectId, campaign, filter = {}) => {
      const id = await idOf(projectId, campaign);
      return work.run(async (scope) => {
        await scope.campaign.get(projectId, id);
        return recipientsPage(scope, projectId, id, filter);
      });
    },
    recipientsCsv: async function* (projectId, campaign, filter = {}) {
      yield* recipientsCsv(work, projectId, await idOf(projectId, campaign), filter);
    },
    report: async (projectId, campaign, options) => reports.campaign(projectId, await idOf(projectId, campaign), options),
    progress: async (projectId, campaign) => reports.progress(projectId, await idOf(projectId, campaign)),
    daily: async (projectId, campaign, days) => reports.campaignDaily(projectId, await idOf(projectId, campaign), days),
  };
}
