import {
  type CampaignReport,
  type CounterKind,
  type DailySeries,
  mailingSubject,
  PROJECT,
} from '../../domain/analytics/index.ts';
import type { Campaign, Mailing } from '../../domain/campaign/index.ts';
import type { StateReason } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

const DAILY_KINDS: readonly CounterKind[] = ['submitted', 'opened_unique', 'clicked_unique', 'unsubscribed'];

export interface CampaignFigures extends CampaignReport {
  readonly slug: string;
  readonly state: Campaign['state'];
  readonly launchedAt: Date | null;
  readonly submittedAt: Date | null;
  readonly settledAt: Date | null;
  /** Copies that the next hop accepted beyond the first for a recipient, as far as was recorded. */
  readonly repeated: number;
  /** Recipients who may have more than one copy because a worker was killed; what they got since carries the mark. */
  readonly possibleRepeats: number;
  /** Why messages are in their states, by state, the commonest reason first. */
  readonly reasons: readonly StateReason[];
  /** The reason of a pause that a rule and not a user caused. */
  readonly pauseReason: string | null;
  /** The last 30 days, where they were asked for. */
  readonly daily: DailySeries | undefined;
}

/** What changes while a campaign is being sent. */
export type CampaignProgress = Pick<CampaignFigures, 'state' | 'recipients' | 'states'>;

export interface ReportOptions {
  readonly daily?: boolean | undefined;
}

export interface DaysAsked {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Figures of reports, from the ledger, the counters and the campaign. */
export class Reports {
  readonly #work: UnitOfWork;

  constructor(deps: { work: UnitOfWork }) {
    this.#work = deps.work;
  }

  /** @throws NotFound */
  campaign(projectId: Id, campaignId: Id, options: ReportOptions = {}): Promise<CampaignFigures> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.get(projectId, campaignId);
      const mailings = await scope.campaign.mailings.of(projectId, campaignId);
      const { recipients, states, repeated, possibleRepeats } = await totalsOf(scope, campaign, mailings);
      const report = await scope.analytics.campaignReport(projectId, {
        campaignId,
        mailingIds: idsOf(mailings),
        name: campaign.name,
        recipients,
        states,
        links: await scope.campaign.mailings.links(projectId, campaignId),
      });
      const { slug, state, pauseReason, launchedAt, submittedAt, settledAt } = campaign;
      const reasons = await scope.delivery.ledger.reasons(mailings);
      const times = { launchedAt, submittedAt, settledAt };
      const daily = options.daily === true ? await this.#days(scope, campaign, {}) : undefined;
      return { ...report, slug, state, pauseReason, ...times, repeated, possibleRepeats, reasons, daily };
    });
  }

  /** How far a campaign is: a few rows by primary key, cheap enough to be asked several times a second. @throws NotFound */
  progress(projectId: Id, campaignId: Id): Promise<CampaignProgress> {
    return this.#work.run(async (scope) => {
      const campaign = await scope.campaign.get(projectId, campaignId);
      const mailings = await scope.campaign.mailings.of(projectId, campaignId);
      const { recipients, states } = await totalsOf(scope, campaign, mailings);
      return { state: campaign.state, recipients, states };
    });
  }

  /** One campaign's days in the project's time zone. @throws NotFound, InvalidInput */
  campaignDaily(projectId: Id, campaignId: Id, days: DaysAsked = {}): Promise<DailySeries> {
    return this.#work.run(async (scope) => {
      return this.#days(scope, await scope.campaign.get(projectId, campaignId), days);
    });
  }

  async #days(scope: Scope, { projectId, id }: Campaign, days: DaysAsked): Promise<DailySeries> {
    const { timeZone } = await scope.access.getProject(projectId);
    const counters = idsOf(await scope.campaign.mailings.of(projectId, id)).map(mailingSubject);
    const series = { subject: `campaign:${id}`, counters, kinds: DAILY_KINDS, timeZone };
    return scope.analytics.dailySeries(projectId, { ...series, ...days });
  }

  /** The whole project's days. @throws InvalidInput */
  projectDaily(idOrSlug: string, days: DaysAsked = {}): Promise<DailySeries> {
    return this.#work.run(async (scope) => {
      const { id: projectId, timeZone } = await scope.access.getProject(idOrSlug);
      const series = { subject: PROJECT, counters: [PROJECT], kinds: DAILY_KINDS, timeZone };
      return scope.analytics.dailySeries(projectId, { ...series, ...days });
    });
  }
}

const idsOf = (mailings: readonly Mailing[]): readonly Id[] => mailings.map(({ mailingId }) => mailingId);

type Totals = Pick<CampaignFigures, 'recipients' | 'states' | 'repeated' | 'possibleRepeats'>;

/** Every state with its number; `pending` are those without an outcome. */
async function totalsOf(scope: Scope, { projectId, state }: Campaign, mailings: readonly Mailing[]): Promise<Totals> {
  const { audience: recipients, ...totals } = await scope.delivery.ledger.totals(projectId, idsOf(mailings));
  const known = Object.values(totals.states).reduce((sum, count) => sum + count, 0);
  const pending = recipients - known;
  const { cancelled, deferred } = totals.states;
  // Recipients that a cancelled campaign did not reach are recorded after the cancelling, which takes seconds where they are many.
  const over = { ...totals.states, pending: 0, cancelled: cancelled + pending + deferred, deferred: 0 };
  return { ...totals, recipients, states: state === 'cancelled' ? over : { ...totals.states, pending } };
}
