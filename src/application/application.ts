/**
 * The table of contents: every resource and verb that a face (HTTP, CLI, npm) can call, and nothing else. The same
 * `resource.verb` has one name in all three: `lists.create` is `POST /v1/lists` and `pennypost list create`. A face calls one
 * verb; a verb is one transaction unless its own page says otherwise. Verbs inside a project take the project's id first.
 */
import type { DeleteProject } from './access/delete-project.ts';
import { type DomainDeps, domainVerbs } from './access/domains.ts';
import { type Keys, keyVerbs } from './access/keys.ts';
import { type Projects, projectVerbs } from './access/projects.ts';
import type { Reports } from './analytics/reports.ts';
import type { ImportSubscribers } from './audience/import-subscribers.ts';
import { importVerbs } from './audience/imports.ts';
import { listVerbs } from './audience/lists.ts';
import { subscriberVerbs } from './audience/subscribers.ts';
import { suppressionVerbs } from './audience/suppressions.ts';
import type { CampaignDesk } from './campaign/campaign-desk.ts';
import { campaignVerbs } from './campaign/campaigns.ts';
import type { ExplainCampaign } from './campaign/explain-campaign.ts';
import type { ResendCampaign } from './campaign/resend-campaign.ts';
import { templateVerbs } from './campaign/templates.ts';
import { routeVerbs } from './delivery/routing/routes.ts';
import { transportVerbs } from './delivery/routing/transports.ts';
import type { VerifyTransport } from './delivery/routing/verify-transport.ts';
import type { Status, StatusBoard } from './delivery/status/status-board.ts';
import type { AcceptMessage } from './delivery/transactional/accept-message.ts';
import { messageVerbs } from './delivery/transactional/messages.ts';
import type { ProjectResources } from './project-verbs.ts';
import type { PublicActions } from './tracking/public-actions.ts';
import type { JoinedWork, UnitOfWork } from './unit-of-work.ts';
import { checkedVerbs } from './verb-input.ts';

export type { Project } from '../domain/access/index.ts';
export { FINDING_SUBJECTS, SCOPES } from '../domain/access/index.ts';
export type { CampaignReport, CounterKind, DailySeries } from '../domain/analytics/index.ts';
export type {
  CampaignFacts as Campaign,
  ContentInput,
  ContentProblem,
  RenderedMessage,
  Template,
} from '../domain/campaign/index.ts';
export { ContentInvalid } from '../domain/campaign/index.ts';
export type { LedgerRow, MessageState, SendingLane } from '../domain/delivery/index.ts';
export { MESSAGE_STATES, SENDING_LANES, secretSettings, TRANSPORT_KINDS } from '../domain/delivery/index.ts';
export { mailboxParts } from '../domain/shared/email-address.ts';
export { MOMENT_PATTERN, type Moment, parseMoment } from '../domain/shared/moment.ts';
export type { Page, PageRequest } from '../domain/shared/page.ts';
export { networkOf } from '../domain/tracking/index.ts';
export type { DomainFacts } from './access/domains.ts';
export type { Keys } from './access/keys.ts';
export type { Projects } from './access/projects.ts';
export type { Imports } from './audience/imports.ts';
export type { Lists } from './audience/lists.ts';
export type { SubscriberDetails, Subscribers } from './audience/subscribers.ts';
export type { Suppressions } from './audience/suppressions.ts';
export type { WrittenCampaign } from './campaign/campaign-desk.ts';
export type { Campaigns } from './campaign/campaigns.ts';
export { LEFT_OUT_REASONS } from './campaign/explain-campaign.ts';
export type { CampaignRecipient } from './campaign/recipients.ts';
export { RESEND_TARGETS, type ResendTarget } from './campaign/resend-campaign.ts';
export type { Templates } from './campaign/templates.ts';
export type { Routes } from './delivery/routing/routes.ts';
export type { Transports } from './delivery/routing/transports.ts';
export type { Status } from './delivery/status/status-board.ts';
export type { Message, MessageRecipient } from './delivery/transactional/message-details.ts';
export type { SendInput } from './delivery/transactional/message-input.ts';
export type { Messages } from './delivery/transactional/messages.ts';
export { type InProject, type ProjectResources, type ProjectVerbs, verbsOfProject } from './project-verbs.ts';
export type { CallerTransaction } from './unit-of-work.ts';

/** Verbs of the whole instance. */
export interface InstanceVerbs {
  readonly projects: Projects;
  readonly keys: Keys;
  readonly status: {
    /** Queue depth, oldest job and active workers per lane. */
    get(): Promise<Status>;
  };
  /** Actions that recipients may take, authorised by signed tokens. */
  readonly recipients: Pick<PublicActions, 'click' | 'open' | 'openUnsubscribe' | 'unsubscribe' | 'resubscribe'>;
}

export interface Application extends InstanceVerbs, ProjectResources {}

export interface ApplicationParts extends DomainDeps {
  readonly work: UnitOfWork & JoinedWork;
  readonly deleteProject: DeleteProject;
  readonly desk: CampaignDesk;
  readonly acceptMessage: AcceptMessage;
  readonly resend: ResendCampaign;
  readonly explain: ExplainCampaign;
  readonly imports: ImportSubscribers;
  readonly reports: Reports;
  readonly verifyTransport: VerifyTransport;
  readonly recipients: PublicActions;
  readonly statusBoard: StatusBoard;
}

export function createApplication(parts: ApplicationParts): Application {
  const { recipients, statusBoard } = parts;
  return {
    projects: checkedVerbs('projects', projectVerbs(parts)),
    keys: checkedVerbs('keys', keyVerbs(parts)),
    status: checkedVerbs('status', { get: () => statusBoard.read() }),
    recipients: checkedVerbs('recipients', {
      click: (messageToken, linkToken, request) => recipients.click(messageToken, linkToken, request),
      open: (token, request) => recipients.open(token, request),
      openUnsubscribe: (token) => recipients.openUnsubscribe(token),
      unsubscribe: (token, request) => recipients.unsubscribe(token, request),
      resubscribe: (token, request) => recipients.resubscribe(token, request),
    }),
    subscribers: checkedVerbs('subscribers', subscriberVerbs(parts)),
    lists: checkedVerbs('lists', listVerbs(parts)),
    imports: checkedVerbs('imports', importVerbs(parts)),
    suppressions: checkedVerbs('suppressions', suppressionVerbs(parts)),
    templates: checkedVerbs('templates', templateVerbs(parts)),
    campaigns: checkedVerbs('campaigns', campaignVerbs(parts)),
    domains: checkedVerbs('domains', domainVerbs(parts)),
    messages: checkedVerbs('messages', messageVerbs(parts)),
    transports: checkedVerbs('transports', transportVerbs(parts)),
    routes: checkedVerbs('routes', routeVerbs(parts)),
  };
}
