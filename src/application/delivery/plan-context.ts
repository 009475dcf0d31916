import { listsIn } from '../../domain/audience/index.ts';
import type { Campaign, PlanContext } from '../../domain/campaign/index.ts';

/** What messages say about the campaign that they belong to. */
export type PlannedCampaign = Pick<Campaign, 'id' | 'name' | 'audience' | 'projectId' | 'trackOpens' | 'trackClicks'>;

/** What every message of a campaign has in common, as a plan wants it. */
export function marketingPlanContext(
  campaign: PlannedCampaign,
  project: PlanContext['project'],
  tracking: { readonly baseUrl: string; linkToken(index: number, target: string): string } | undefined,
): PlanContext {
  const [list = campaign.id] = listsIn(campaign.audience.include);
  return {
    stream: 'marketing',
    project,
    campaign: { id: campaign.id, name: campaign.name },
    staticHeaders: [
      // RFC 2919: named by id, so that a rename keeps it.
      `List-Id: <${list}.${project.senderDomain}>`,
      // Google's feedback loop: campaign, list, kind, and a sender id of 5 to 15 characters that stays.
      `Feedback-ID: ${campaign.id}:${list}:marketing:${campaign.projectId.replaceAll('-', '').slice(-12)}`,
      'Precedence: bulk',
      'X-Auto-Response-Suppress: OOF, AutoReply',
    ],
    ...(tracking === undefined
      ? {}
      : {
          tracking: {
            baseUrl: tracking.baseUrl,
            linkToken: tracking.linkToken,
            openPixel: campaign.trackOpens,
            clicks: campaign.trackClicks,
          },
        }),
  };
}

/** The same for one transactional message: no list, no footer, and no answer from machines (RFC 3834 section 5). */
export function transactionalPlanContext(project: PlanContext['project']): PlanContext {
  return { stream: 'transactional', project, campaign: {}, staticHeaders: ['X-Auto-Response-Suppress: OOF, AutoReply'] };
}

/** Of a message of the transactional lane; `testOf` makes it one of that campaign's. Without tracking: links stay as written. */
export const messagePlanContext = (
  project: PlanContext['project'],
  variables: Readonly<Record<string, unknown>>,
  testOf: PlannedCampaign | undefined,
): PlanContext => ({
  ...(testOf === undefined ? transactionalPlanContext(project) : marketingPlanContext(testOf, project, undefined)),
  // A variable that the message brings along needs no default; one that neither has is refused when it is accepted.
  variables: Object.keys(variables)
    .filter((name) => variables[name] !== null && variables[name] !== undefined)
    .sort(),
});
