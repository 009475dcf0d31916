import type { DailySeries } from '../../domain/analytics/index.ts';
import type { CampaignFacts, CampaignFilter, CampaignInput, RenderedMessage } from '../../domain/campaign/index.ts';
import type { LedgerFilter, MessageFacts } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import type { CampaignFigures, CampaignProgress, DaysAsked, ReportOptions, Reports } from '../analytics/reports.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import type { As, CampaignCheck, CampaignDesk, CheckedCampaign, Writing, WrittenCampaign } from './campaign-desk.ts';
import type { ExplainCampaign, LeftOut, LeftOutCounts, LeftOutSearch } from './explain-campaign.ts';
import { campaignIdOf } from './find-campaign.ts';
import { type CampaignRecipient, recipientsPage } from './recipients.ts';
import { recipientsCsv } from './recipients-file.ts';
import type { ResendCampaign, ResendTarget } from './resend-campaign.ts';

/** Campaigns, by id, by slug, or by a name that only one unarchived campaign has. */
export interface Campaigns {
  /** All of it or nothing. @throws InvalidInput, NotFound, CampaignSlugTaken, ContentInvalid */
  create(projectId: Id, input: CampaignInput, writing?: Writing): Promise<CheckedCampaign>;
  /** Without content, which may have megabytes. */
  list(projectId: Id, filter?: CampaignFilter): Promise<Page<CampaignFacts>>;
  /** @throws NotFound */
  get(projectId: Id, campaign: string): Promise<WrittenCampaign>;
  /** A draft only. All of it or nothing. @throws NotFound, InvalidInput, CampaignNotEditable, ContentInvalid */
  update(
    projectId: Id,
    campaign: string,
    changes: Partial<Omit<CampaignInput, 'slug'>>,
    writing?: Writing,
  ): Promise<CheckedCampaign>;
  /** A draft only; archive the others. @throws NotFound, CampaignTransitionRefused */
  delete(projectId: Id, campaign: string, options?: { readonly dryRun?: boolean | undefined }): Promise<CampaignFacts>;
  /** Everything that a launch would refuse, and the number of recipients now. @throws NotFound */
  check(projectId: Id, campaign: string): Promise<CampaignCheck>;
  /** As one subscriber sees it; without a subscriber, with the defaults of the content. @throws NotFound, ContentInvalid */
  preview(projectId: Id, campaign: string, as?: As): Promise<RenderedMessage>;
  /**
   * Sends one transactional message per address, with `[Test]` before the subject and otherwise composed as for recipients,
   * without tracking. Its unsubscribe link has no effect. Not counted in any report.
   */
  test(projectId: Id, campaign: string, to: readonly string[], as?: As): Promise<readonly MessageFacts[]>;
  /** Fixes content and recipients, and sends. Launching twice sends once. */
  launch(projectId: Id, campaign: string): Promise<CampaignFacts>;
  schedule(projectId: Id, campaign: string, at: Date): Promise<CampaignFacts>;
  unschedule(projectId: Id, campaign: string): Promise<CampaignFacts>;
  pause(projectId: Id, campaign: string): Promise<CampaignFacts>;
  resume(projectId: Id, campaign: string): Promise<CampaignFacts>;
  cancel(projectId: Id, campaign: string): Promise<CampaignFacts>;
  archive(projectId: Id, campaign: string): Promise<CampaignFacts>;
  /** Sends it again to recipients that it did not reach; their number. */
  resend(projectId: Id, campaign: string, target: ResendTarget): Promise<{ readonly recipients: number }>;
  /** The number of people in the audience, and of those left out, by reason: of the lists now or, once launched, of its ledger. */
  explain(projectId: Id, campaign: string): Promise<LeftOutCounts>;
  /** The people left out; of one reason where one is named. See `ExplainCampaign.page` for `bad_data` before the launch. */
  excluded(projectId: Id, campaign: string, search?: LeftOutSearch): Promise<Page<LeftOut>>;
  /** One row per recipient with an outcome. */
  recipients(projectId: Id, campaign: string, filter?: LedgerFilter): Promise<Page<CampaignRecipient>>;
  /** The same as CSV, read as it is taken. */
  recipientsCsv(projectId: Id, campaign: string, filter?: Pick<LedgerFilter, 'state'>): AsyncIterable<string>;
  /** @param options `daily`: with the last 30 days */
  report(projectId: Id, campaign: string, options?: ReportOptions): Promise<CampaignFigures>;
  /** A few rows by primary key: cheap enough to ask several times a second. */
  progress(projectId: Id, campaign: string): Promise<CampaignProgress>;
  /** The figures of every day of a range, in the time zone of the project. @throws NotFound, InvalidInput */
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
