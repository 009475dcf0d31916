import { z } from 'zod';
import type { NewApiKey, NewProject, ProjectChanges } from '../domain/access/index.ts';
import type {
  Evidence,
  Joining,
  ListChanges,
  NewList,
  NewSuppression,
  SubscriberFields,
  SuppressionFilter,
} from '../domain/audience/index.ts';
import type { CampaignFilter, CampaignInput, NewTemplate } from '../domain/campaign/index.ts';
import type { LedgerFilter, NewTransport, RouteChanges, TransportChanges } from '../domain/delivery/index.ts';
import type { AudienceInput } from '../domain/shared/audience.ts';
import type { PageRequest } from '../domain/shared/page.ts';
import type { ProjectDeleting } from './access/delete-project.ts';
import type { Domains } from './access/domains.ts';
import type { Keys } from './access/keys.ts';
import type { Projects } from './access/projects.ts';
import type { DaysAsked, ReportOptions } from './analytics/reports.ts';
import type { ImportRequest } from './audience/import-subscribers.ts';
import type { Imports } from './audience/imports.ts';
import type { Retiring } from './audience/list-desk.ts';
import type { Deleting, ListListing, Lists } from './audience/lists.ts';
import type { Erasing, Leaving, SubscriberInput, SubscriberListing, Subscribers } from './audience/subscribers.ts';
import type { SubscribersFilter } from './audience/subscribers-file.ts';
import type { Suppressions } from './audience/suppressions.ts';
import type { As, Writing } from './campaign/campaign-desk.ts';
import type { Campaigns } from './campaign/campaigns.ts';
import type { LeftOutSearch } from './campaign/explain-campaign.ts';
import type { TemplateChanges, Templates } from './campaign/templates.ts';
import type { ExplainRequest } from './delivery/routing/explain-route.ts';
import type { RouteInput, Routes } from './delivery/routing/routes.ts';
import type { TransportDeleting, Transports } from './delivery/routing/transports.ts';
import { MESSAGE_INPUTS } from './delivery/transactional/message-inputs.ts';
import type { Messages } from './delivery/transactional/messages.ts';

import {
  allNamed,
  anything,
  content,
  flag,
  id,
  json,
  named,
  page,
  pageFields,
  project,
  strict,
  text,
  texts,
  time,
} from './input-parts.ts';
import type { PublicActions } from './tracking/public-actions.ts';

/** Which kinds of entry there are is for the audience to say. */
const entries = z.array(z.record(text, named('list'))).readonly();
const audience = strict<AudienceInput>({ include: entries, exclude: entries.optional() });
const campaignFields = {
  name: z.string(),
  content: content.optional(),
  templateId: named('template').optional(),
  audience,
  trackOpens: flag,
  trackClicks: flag,
};
const campaign = strict<CampaignInput>({ ...campaignFields, slug: z.string().optional() });
const campaignChanges = strict<Omit<CampaignInput, 'slug'>>(campaignFields).partial();
const writing = strict<Writing>({ checked: flag, scheduleAt: time.optional() }).optional();
const as = strict<As>({ subscriber: named('subscriber').optional() }).optional();

const evidence = strict<Evidence>({
  source: z.string(),
  ip: z.string().optional(),
  userAgent: z.string().optional(),
  text: z.string().optional(),
  textVersion: z.string().optional(),
  at: time.optional(),
});
const joiningFields = { consent: evidence.optional(), confirmed: flag };
const joining = strict<Joining>(joiningFields).optional();
const personFields = {
  email: z.string(),
  locale: z.string().nullable().optional(),
  timeZone: z.string().nullable().optional(),
  attributes: json.optional(),
};
const profile = {
  name: z.string(),
  senderDomain: z.string(),
  authorDomains: z.array(z.string()).readonly().optional(),
  trackingBaseUrl: z.string().nullable().optional(),
  postalAddress: z.string().optional(),
  timeZone: z.string().optional(),
  defaultLanguage: z.string().optional(),
  keepMessagesDays: z.number().optional(),
  keepEventsDays: z.number().optional(),
};
const profileChanges = strict<ProjectChanges>({
  ...profile,
  name: profile.name.optional(),
  senderDomain: profile.senderDomain.optional(),
});
const list = { name: z.string(), description: z.string().optional(), doubleOptIn: flag };
const subscriberFilter = {
  text: text.optional(),
  list: named('list').optional(),
  state: z.enum(['unconfirmed', 'confirmed', 'unsubscribed']).optional(),
  status: z.enum(['active', 'erased']).optional(),
};
const ledgerState = z.enum(['submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled']);
const exclusionReason = z.enum(['erased', 'suppressed', 'excluded_list', 'unconfirmed', 'unsubscribed']);
const limits = { maxConnections: z.number().nullable().optional(), messagesPerSecond: z.number().nullable().optional() };
const lane = z.enum(['transactional', 'bulk']).optional();
const order = { priority: z.number().optional(), weight: z.number().optional() };
const days = strict<DaysAsked>({ from: z.string().optional(), to: z.string().optional() }).optional();
const importRequest = {
  lists: allNamed('list'),
  consent: evidence.optional(),
  map: z.record(text, text).optional(),
  as: z.enum(['subscribed', 'unsubscribed', 'suppressed', 'stated']).optional(),
  dryRun: flag,
  fileName: text.optional(),
};

/** What every verb takes, argument by argument; arguments beyond these go on as they come. */
export const VERB_INPUTS = {
  projects: {
    create: [
      strict<NewProject>({ ...profile, slug: z.string().optional() }),
      strict<{ withKey?: boolean }>({ withKey: flag }).optional(),
    ],
    list: [page],
    get: [named('project').optional()],
    update: [named('project'), profileChanges],
    delete: [named('project'), strict<ProjectDeleting>({ force: flag, dryRun: flag }).optional()],
    daily: [named('project'), days],
  },
  keys: {
    create: [
      project,
      strict<NewApiKey>({
        name: text,
        scopes: z.array(z.string()).readonly(),
        expiresAt: time.optional(),
        requestsPerSecond: z.number().optional(),
      }),
    ],
    list: [project, page],
    revoke: [project, id('API key')],
    authenticate: [z.string()],
  },
  status: { get: [] },
  recipients: {
    click: [z.string(), z.string(), anything],
    open: [z.string(), anything],
    openUnsubscribe: [z.string()],
    unsubscribe: [z.string(), anything],
    resubscribe: [z.string(), anything],
  },
  subscribers: {
    upsert: [project, strict<SubscriberInput>({ ...personFields, ...joiningFields, lists: allNamed('list').optional() })],
    list: [project, strict<SubscriberListing>({ ...pageFields, ...subscriberFilter }).optional()],
    get: [project, named('subscriber')],
    update: [project, named('subscriber'), strict<SubscriberFields>(personFields).partial()],
    erase: [project, named('subscriber'), strict<Erasing>({ evidence: texts.optional(), dryRun: flag }).optional()],
    subscribe: [project, named('subscriber'), named('list'), joining],
    confirm: [project, named('subscriber'), named('list'), evidence],
    unsubscribe: [project, named('subscriber'), strict<Leaving>({ lists: allNamed('list').optional(), evidence })],
    consents: [project, named('subscriber')],
    export: [project, strict<SubscribersFilter>(subscriberFilter).optional()],
  },
  lists: {
    create: [project, strict<NewList>({ ...list, slug: z.string().optional() })],
    list: [project, strict<ListListing>({ ...pageFields, includeArchived: flag, counts: flag }).optional()],
    get: [project, named('list')],
    update: [project, named('list'), strict<ListChanges>({ ...list, name: list.name.optional() })],
    archive: [project, named('list'), strict<Retiring>({ force: flag }).optional()],
    restore: [project, named('list')],
    delete: [project, named('list'), strict<Deleting>({ force: flag, dryRun: flag }).optional()],
  },
  imports: {
    create: [
      project,
      anything,
      strict<ImportRequest>({
        ...importRequest,
        format: z.enum(['csv', 'jsonl']).optional(),
        encoding: z.string().optional(),
        delimiter: z.string().optional(),
      }),
    ],
    list: [project, page],
    get: [project, id('import')],
    rejections: [project, id('import'), page],
    rejectionsCsv: [project, id('import')],
  },
  suppressions: {
    create: [
      project,
      z.string(),
      strict<NewSuppression>({
        scope: z.string().optional(),
        reason: z.string().optional(),
        evidence: texts.optional(),
      }).optional(),
    ],
    list: [
      project,
      strict<PageRequest & SuppressionFilter>({
        ...pageFields,
        scope: text.optional(),
        reason: z.string().optional(),
      }).optional(),
    ],
    lookup: [project, z.string()],
    lift: [project, z.string(), z.string().optional()],
  },
  templates: {
    create: [project, strict<NewTemplate>({ name: z.string(), content, slug: z.string().optional() })],
    list: [project, page],
    get: [project, named('template')],
    update: [project, named('template'), strict<TemplateChanges>({ name: z.string().optional(), content: content.optional() })],
    delete: [project, named('template')],
  },
  campaigns: {
    create: [project, campaign, writing],
    list: [
      project,
      strict<CampaignFilter>({
        ...pageFields,
        state: z.enum(['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled']).optional(),
        name: text.optional(),
        slug: text.optional(),
        archived: flag,
      }).optional(),
    ],
    get: [project, named('campaign')],
    update: [project, named('campaign'), campaignChanges, writing],
    delete: [project, named('campaign'), strict<{ dryRun?: boolean }>({ dryRun: flag }).optional()],
    check: [project, named('campaign')],
    preview: [project, named('campaign'), as],
    test: [project, named('campaign'), z.array(z.string()).readonly(), as],
    launch: [project, named('campaign')],
    schedule: [project, named('campaign'), time],
    unschedule: [project, named('campaign')],
    pause: [project, named('campaign')],
    resume: [project, named('campaign')],
    cancel: [project, named('campaign')],
    archive: [project, named('campaign')],
    resend: [project, named('campaign'), z.enum(['failed', 'in_doubt', 'new'])],
    explain: [project, named('campaign')],
    excluded: [
      project,
      named('campaign'),
      strict<LeftOutSearch>({ ...pageFields, reason: exclusionReason.or(z.enum(['bad_data', 'skipped'])).optional() }).optional(),
    ],
    recipients: [project, named('campaign'), strict<LedgerFilter>({ ...pageFields, state: ledgerState.optional() }).optional()],
    recipientsCsv: [
      project,
      named('campaign'),
      strict<Pick<LedgerFilter, 'state'>>({ state: ledgerState.optional() }).optional(),
    ],
    report: [project, named('campaign'), strict<ReportOptions>({ daily: flag }).optional()],
    progress: [project, named('campaign')],
    daily: [project, named('campaign'), days],
  },
  messages: MESSAGE_INPUTS,
  domains: {
    create: [project, strict<Parameters<Domains['create']>[1]>({ name: z.string() })],
    list: [project, page],
    get: [project, named('sending domain')],
    check: [project, named('sending domain')],
    rotate: [project, named('sending domain')],
    delete: [project, named('sending domain')],
  },
  transports: {
    create: [
      project,
      strict<NewTransport>({
        ...limits,
        kind: text,
        name: text.optional(),
        slug: text.optional(),
        settings: json.optional(),
      }),
    ],
    list: [project, page],
    get: [project, named('transport')],
    update: [
      project,
      named('transport'),
      strict<TransportChanges>({
        ...limits,
        name: text.optional(),
        settings: json.optional(),
        state: z.enum(['active', 'disabled']).optional(),
      }),
    ],
    delete: [project, named('transport'), strict<TransportDeleting>({ dryRun: flag }).optional()],
    verify: [project, named('transport'), strict<{ to?: string }>({ to: z.string().optional() }).optional()],
  },
  routes: {
    create: [project, strict<RouteInput>({ ...order, transport: named('transport'), lane, receivingGroup: text.optional() })],
    list: [project, page],
    get: [project, id('route')],
    update: [project, id('route'), strict<RouteChanges>(order)],
    delete: [project, id('route')],
    explain: [project, z.string(), strict<ExplainRequest>({ lane }).optional()],
  },
} as const satisfies {
  readonly projects: Inputs<Projects>;
  readonly keys: Inputs<Keys>;
  readonly status: Inputs<{ get: unknown }>;
  readonly recipients: Inputs<Pick<PublicActions, 'click' | 'open' | 'openUnsubscribe' | 'unsubscribe' | 'resubscribe'>>;
  readonly subscribers: Inputs<Subscribers>;
  readonly lists: Inputs<Lists>;
  readonly imports: Inputs<Imports>;
  readonly suppressions: Inputs<Suppressions>;
  readonly templates: Inputs<Templates>;
  readonly campaigns: Inputs<Campaigns>;
  readonly messages: Inputs<Messages>;
  readonly domains: Inputs<Domains>;
  readonly transports: Inputs<Transports>;
  readonly routes: Inputs<Routes>;
};

/** One entry per verb: a verb without one, or an entry without a verb, does not compile. */
type Inputs<Verbs> = { readonly [Verb in keyof Verbs]: readonly z.ZodType[] };
