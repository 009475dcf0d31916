import { z } from 'zod';
import type { AccessService } from '../domain/access/index.ts';
import type { CampaignFilter, CampaignInput, ContentInput } from '../domain/campaign/index.ts';
import type { LedgerFilter } from '../domain/delivery/index.ts';
import type { Audience, AudienceEntry } from '../domain/shared/audience.ts';
import { isId } from '../domain/shared/ids.ts';
import type { PageRequest } from '../domain/shared/page.ts';
import type { DaysAsked } from './analytics/reports.ts';
import type { audienceVerbs } from './audience/audience-verbs.ts';
import type { ImportRequest } from './audience/import-subscribers.ts';
import type { Retiring } from './audience/list-desk.ts';
import type { SubscribersFilter } from './audience/subscribers-file.ts';
import type { Writing } from './campaign/campaign-desk.ts';
import type { LeftOutSearch } from './campaign/explain-campaign.ts';
import type { SendInput } from './delivery/transactional/send-transactional.ts';

type Access = { [Name in keyof AccessService]: Parameters<AccessService[Name]> };
type AudienceVerbs = ReturnType<typeof audienceVerbs>;
type AudienceInputs = { [Name in keyof AudienceVerbs]: Parameters<AudienceVerbs[Name]> };

/** An object that has these properties and no others; the compiler sees to it that none of the type is forgotten. */
const strict = <T extends object>(fields: { readonly [Name in keyof Required<T>]: z.ZodType }) => z.strictObject(fields);

/** An id of this kind. What is none names nothing, like an id that nothing has. */
const id = (what: string) =>
  z.unknown().transform((value, context) => {
    if (typeof value === 'string' && isId(value)) return value.toLowerCase();
    context.addIssue({ code: 'custom', params: { missing: what }, message: `This is not the id of a ${what}.` });
    return z.NEVER;
  });
const ids = (what: string) => z.array(id(what)).readonly();

/** A text that a column can hold. Texts that are cleaned further inside (attributes, variables, content) need no more than be one. */
const text = z
  .string()
  .refine((value) => value.isWellFormed() && !value.includes('\0'), 'It holds a NUL character or half a surrogate pair.');
const idOrSlug = (what: string) =>
  z.unknown().transform((value, context) => {
    if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value;
    context.addIssue({ code: 'custom', params: { missing: what }, message: `This names no ${what}.` });
    return z.NEVER;
  });
const flag = z.boolean().optional();
/** Databases and ISO 8601 part ways before and after these years. */
const time = z
  .date('A valid Date is expected.')
  .refine((date) => date.getUTCFullYear() >= 1900 && date.getUTCFullYear() < 9999, 'A time from 1900 to 9998 is expected.');
const json = z.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'An object such as { first_name: "Ada" } is expected.',
);
const texts = z.record(text, text);
const anything = z.unknown();

const project = id('project');
const pageFields = {
  limit: z.int('A whole number from 1 to 500 is expected.').min(1).max(500).optional(),
  after: z.string().max(2_000).optional(),
};
const page = strict<PageRequest>(pageFields).optional();

const mailbox = strict<ContentInput['author']>({ name: z.string().optional(), address: z.string() });
const content = strict<ContentInput>({
  kind: z.enum(['mjml', 'html', 'markdown', 'text']),
  source: z.string(),
  text: z.string().optional(),
  subject: z.string(),
  preheader: z.string().optional(),
  author: mailbox,
  replyTo: mailbox.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  defaults: json.optional(),
  footer: z.enum(['project', 'none']).optional(),
  layout: z.enum(['default', 'none']).optional(),
});
const campaignFields = {
  name: z.string(),
  content: content.optional(),
  templateId: id('template').optional(),
  lists: ids('list'),
  excludeLists: ids('list').optional(),
  trackOpens: flag,
  trackClicks: flag,
};
const campaign = strict<CampaignInput>({ ...campaignFields, slug: z.string().optional() });
const campaignChanges = strict<Omit<CampaignInput, 'slug'>>(campaignFields).partial();
const writing = strict<Writing>({ checked: flag, scheduleAt: time.optional() }).optional();
const as = strict<{ readonly subscriberId?: string }>({ subscriberId: id('subscriber').optional() }).optional();

const evidence = strict<AudienceInputs['confirm'][3]>({
  source: z.string(),
  ip: z.string().optional(),
  userAgent: z.string().optional(),
  text: z.string().optional(),
  textVersion: z.string().optional(),
  at: time.optional(),
});
const joining = strict<NonNullable<AudienceInputs['subscribe'][3]>>({ consent: evidence.optional(), confirmed: flag }).optional();
const retiring = strict<Retiring>({ force: flag }).optional();
const person = strict<AudienceInputs['upsertSubscriber'][1]>({
  email: z.string(),
  locale: z.string().nullable().optional(),
  timeZone: z.string().nullable().optional(),
  attributes: json.optional(),
});
const part = strict<AudienceEntry>({ list: id('list') });
const audience = strict<Audience>({ include: z.array(part).readonly(), exclude: z.array(part).readonly() });
const profile = {
  name: z.string(),
  senderDomain: z.string(),
  authorDomains: z.array(z.string()).readonly().optional(),
  trackingBaseUrl: z.string().nullable().optional(),
  postalAddress: z.string().optional(),
  timeZone: z.string().optional(),
  defaultLanguage: z.string().optional(),
};
const profileChanges = strict<Access['updateProject'][1]>({
  ...profile,
  name: profile.name.optional(),
  senderDomain: profile.senderDomain.optional(),
});
const list = { name: z.string(), description: z.string().optional(), doubleOptIn: flag };
const subscriberFilter = {
  text: text.optional(),
  listId: id('list').optional(),
  state: z.enum(['unconfirmed', 'confirmed', 'unsubscribed']).optional(),
  status: z.enum(['active', 'erased']).optional(),
};
const subscriberSearch = strict<NonNullable<AudienceInputs['searchSubscribers'][1]>>({ ...pageFields, ...subscriberFilter });
const ledgerState = z.enum(['submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled']);
const exclusionReason = z.enum(['erased', 'suppressed', 'excluded_list', 'unconfirmed', 'unsubscribed']);
const days = strict<DaysAsked>({ from: z.string().optional(), to: z.string().optional() }).optional();
const importRequest = {
  lists: ids('list'),
  consent: evidence.optional(),
  map: z.record(text, text).optional(),
  as: z.enum(['subscribed', 'unsubscribed', 'suppressed', 'stated']).optional(),
  dryRun: flag,
  fileName: text.optional(),
};

/** What every verb takes, argument by argument, as `resource.verb`; arguments beyond these go on as they come. */
export const VERB_INPUTS = {
  'access.createProject': [strict<Access['createProject'][0]>({ ...profile, slug: z.string().optional() })],
  'access.updateProject': [project, profileChanges],
  'access.getProject': [idOrSlug('project')],
  'access.listProjects': [page],
  'access.timeZones': [ids('project')],
  'access.createKey': [
    project,
    strict<Access['createKey'][1]>({
      name: text,
      scopes: z.array(z.string()).readonly(),
      expiresAt: time.optional(),
      requestsPerSecond: z.number().optional(),
    }),
  ],
  'access.listKeys': [project, page],
  'access.revokeKey': [project, id('API key')],
  'access.authenticate': [z.string()],
  'access.rememberFingerprint': [text, z.array(text).readonly().optional()],
  'access.checkFingerprint': [text],
  'audience.createList': [project, strict<AudienceInputs['createList'][1]>({ ...list, slug: z.string().optional() })],
  'audience.updateList': [
    project,
    idOrSlug('list'),
    strict<AudienceInputs['updateList'][2]>({ ...list, name: list.name.optional() }),
  ],
  'audience.findList': [project, id('list')],
  'audience.getList': [project, idOrSlug('list')],
  'audience.lists': [
    project,
    strict<NonNullable<AudienceInputs['lists'][1]>>({ ...pageFields, includeArchived: flag }).optional(),
  ],
  'audience.listCounts': [project, ids('list')],
  'audience.archiveList': [project, idOrSlug('list'), retiring],
  'audience.restoreList': [project, idOrSlug('list')],
  'audience.deleteList': [project, idOrSlug('list'), retiring],
  'audience.upsertSubscriber': [project, person],
  'audience.join': [project, person, z.array(idOrSlug('list')).readonly(), joining],
  'audience.updateSubscriber': [project, id('subscriber'), person.partial()],
  'audience.getSubscriber': [project, id('subscriber')],
  'audience.findByAddress': [project, z.string()],
  'audience.searchSubscribers': [project, subscriberSearch.optional()],
  'audience.deleteSubscriber': [project, id('subscriber'), texts.optional()],
  'audience.subscribe': [project, idOrSlug('list'), id('subscriber'), joining],
  'audience.confirm': [project, idOrSlug('list'), id('subscriber'), evidence],
  'audience.unsubscribe': [project, ids('list'), id('subscriber'), evidence],
  'audience.subscriptionsOf': [project, ids('subscriber')],
  'audience.consentsOf': [project, id('subscriber')],
  'audience.suppress': [
    project,
    z.string(),
    strict<NonNullable<AudienceInputs['suppress'][2]>>({
      scope: z.string().optional(),
      reason: z.string().optional(),
      evidence: texts.optional(),
    }).optional(),
  ],
  'audience.unsuppress': [project, z.string(), z.string().optional()],
  'audience.suppressionsOf': [project, z.string()],
  'audience.listSuppressions': [
    project,
    strict<NonNullable<AudienceInputs['listSuppressions'][1]>>({
      ...pageFields,
      scope: text.optional(),
      reason: z.string().optional(),
    }).optional(),
  ],
  'audience.countAudience': [project, audience],
  'audience.getImport': [project, id('import')],
  'audience.imports': [project, page],
  'audience.rejections': [project, id('import'), page],
  'imports.run': [
    project,
    anything,
    strict<ImportRequest>({
      ...importRequest,
      format: z.enum(['csv', 'jsonl']).optional(),
      encoding: z.string().optional(),
      delimiter: z.string().optional(),
    }),
  ],
  'imports.rejectionsCsv': [project, id('import')],
  'exports.subscribersCsv': [project, strict<SubscribersFilter>(subscriberFilter)],
  'campaign.create': [project, campaign, writing],
  'campaign.edit': [project, id('campaign'), campaignChanges, writing],
  'campaign.delete': [project, id('campaign')],
  'campaign.get': [project, id('campaign')],
  'campaign.list': [
    project,
    strict<CampaignFilter>({
      ...pageFields,
      state: z.enum(['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled']).optional(),
      name: text.optional(),
      slug: text.optional(),
      archived: flag,
    }),
  ],
  'campaign.check': [project, id('campaign')],
  'campaign.preview': [project, id('campaign'), as],
  'campaign.test': [project, id('campaign'), z.array(z.string()).readonly(), as],
  'campaign.launch': [project, id('campaign')],
  'campaign.schedule': [project, id('campaign'), time],
  'campaign.unschedule': [project, id('campaign')],
  'campaign.pause': [project, id('campaign')],
  'campaign.resume': [project, id('campaign')],
  'campaign.cancel': [project, id('campaign')],
  'campaign.archive': [project, id('campaign')],
  'campaign.resend': [project, id('campaign'), z.enum(['failed', 'in_doubt', 'new'])],
  'campaign.explain': [project, id('campaign')],
  'campaign.excluded': [
    project,
    id('campaign'),
    strict<LeftOutSearch>({ ...pageFields, reason: exclusionReason.or(z.enum(['bad_data', 'skipped'])).optional() }),
  ],
  'campaign.recipients': [project, id('campaign'), strict<LedgerFilter>({ ...pageFields, state: ledgerState.optional() })],
  'campaign.recipientsCsv': [project, id('campaign'), strict<Pick<LedgerFilter, 'state'>>({ state: ledgerState.optional() })],
  'templates.create': [project, z.string(), content],
  'templates.edit': [
    project,
    id('template'),
    strict<{ name?: string; content?: ContentInput }>({ name: z.string().optional(), content: content.optional() }),
  ],
  'templates.get': [project, id('template')],
  'templates.list': [project, strict<PageRequest>(pageFields)],
  'templates.delete': [project, id('template')],
  'messages.send': [
    project,
    strict<SendInput>({
      to: z.string(),
      templateId: id('template').optional(),
      content: content.optional(),
      variables: json.optional(),
      idempotencyKey: text.optional(),
    }),
  ],
  'messages.get': [project, id('message')],
  'messages.list': [project, strict<PageRequest>(pageFields)],
  'reports.campaign': [project, id('campaign')],
  'reports.progress': [project, id('campaign')],
  'reports.campaignDaily': [project, id('campaign'), days],
  'reports.projectDaily': [project, days],
  'recipients.click': [z.string(), z.string(), anything],
  'recipients.open': [z.string(), anything],
  'recipients.openUnsubscribe': [z.string()],
  'recipients.unsubscribe': [z.string(), anything],
  'recipients.resubscribe': [z.string(), anything],
} as const satisfies Readonly<Record<string, readonly z.ZodType[]>>;
