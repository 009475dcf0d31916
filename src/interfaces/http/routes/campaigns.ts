import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Call, type Route, routesOf } from '../route.ts';
import {
  email,
  flag,
  id,
  idOf,
  line,
  moment,
  named,
  orNull,
  pageOf,
  pageOfItems,
  pageQuery,
  slug,
  timestamp,
  timestampOrNull,
} from '../schemas.ts';
import { CONTENT_BODY_BYTES, contentExample, contentInput, contentSchema, problemSchema, renderedSchema } from './content.ts';
import { messageSchema } from './messages.ts';

const route = routesOf<Application>();

const state = z.enum(['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled']);
const entry = z.object({ list: id });
const campaignShape = {
  id,
  slug: z.string().openapi({ description: 'Short name for commands. Unique in the project; never changes.' }),
  name: z.string(),
  state,
  pauseReason: guarded('campaign.pauseReason', orNull(z.string()), 'Why a rule paused it; null when a user paused it.'),
  launchFailure: guarded(
    'campaign.launchFailure',
    orNull(z.string()),
    'Why the scheduled launch failed; the campaign is a draft again.',
  ),
  subject: z.string(),
  audience: z.object({ include: z.array(entry).readonly(), exclude: z.array(entry).readonly() }).openapi('Audience'),
  recipients: z.int().openapi({ description: 'Their number, fixed at launch.' }),
  trackOpens: z.boolean(),
  trackClicks: z.boolean(),
  createdAt: timestamp,
  scheduledAt: timestampOrNull,
  launchedAt: timestampOrNull,
  submittedAt: timestampOrNull,
  settledAt: timestampOrNull,
  archivedAt: timestampOrNull,
};
const campaignSchema = z.object({ ...campaignShape, content: contentSchema }).openapi('Campaign');
/** Without the content, which may have megabytes: for listings and for the answer to a step. */
const listedCampaignSchema = z.object(campaignShape).openapi('ListedCampaign');
const params = z.object({ campaignId: idOf('campaign') });

/** The verb says which kinds of entry there are when it is given another one. */
const entryInput = z
  .custom<{ readonly list: string }>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'An object such as { "list": "newsletter" } is expected',
  )
  .openapi({
    type: 'object',
    properties: {
      list: { type: 'string', 'x-object': 'list', description: 'Id or slug of a list.', example: 'newsletter' },
    },
    required: ['list'],
    additionalProperties: false,
  } as object);
const audienceInput = z
  .strictObject({ include: z.array(entryInput).max(100), exclude: z.array(entryInput).max(100).optional() })
  .openapi({
    description:
      'Subscribers of the entries in `include`, without those of the entries in `exclude`. An empty `include` matches no subscriber.',
  });

const changes = z.strictObject({
  name: line(200),
  content: contentInput.optional().openapi({ description: 'Either content or a template.' }),
  templateId: idOf('template').optional().openapi({ description: 'A stored template. Its content is copied.' }),
  audience: audienceInput,
  trackOpens: z.boolean().optional().openapi({ default: true }),
  trackClicks: z.boolean().optional().openapi({ default: true }),
});
const draft = changes.extend({
  slug: slug.optional().openapi({ description: 'Default: made from the name, numbered when taken.' }),
});
const asSubscriber = { subscriberId: idOf('subscriber').optional() };
const ledgerStates = ['submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled'] as const;

type Campaign = Awaited<ReturnType<Application['campaigns']['launch']>>;
type Verb = (call: Call<Application, { campaignId: string }>) => Promise<Campaign>;

/** `POST /v1/campaigns/{campaignId}/<verb>`: one step of the state machine, without a body. */
function step(name: string, permission: 'campaign.write' | 'campaign.send', summary: string, description: string, handle: Verb) {
  return route({
    verb: `campaigns.${name}`,
    method: 'post',
    path: `/v1/campaigns/{campaignId}/${name}`,
    summary,
    description,
    permission,
    params,
    reply: listedCampaignSchema,
    handle,
  });
}

export const campaignRoutes: readonly Route<Application>[] = [
  route({
    verb: 'campaigns.list',
    method: 'get',
    path: '/v1/campaigns',
    summary: 'List campaigns, without their content',
    permission: 'campaign.read',
    query: pageQuery.extend({
      state: state.optional(),
      name: z.string().max(200).optional().openapi({ description: 'Campaigns with exactly this name.' }),
      slug: slug.optional(),
      archived: flag.optional().openapi({ description: 'Whether archived ones are included.' }),
    }),
    reply: pageOfItems(listedCampaignSchema),
    handle: ({ application, projectId, query }) =>
      application.campaigns.list(projectId, {
        ...pageOf(query),
        state: query.state,
        name: query.name,
        slug: query.slug,
        archived: query.archived,
      }),
  }),
  route({
    verb: 'campaigns.create',
    method: 'post',
    path: '/v1/campaigns',
    summary: 'Create a campaign as a draft',
    permission: 'campaign.write',
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: draft.openapi({
      example: { name: 'November news', content: contentExample, audience: { include: [{ list: 'newsletter' }] } },
    }),
    status: 201,
    reply: campaignSchema,
    handle: ({ application, projectId, body }) => application.campaigns.create(projectId, body),
  }),
  route({
    verb: 'campaigns.get',
    method: 'get',
    path: '/v1/campaigns/{campaignId}',
    summary: 'One campaign',
    permission: 'campaign.read',
    params,
    reply: campaignSchema,
    handle: ({ application, projectId, params: { campaignId } }) => application.campaigns.get(projectId, campaignId),
  }),
  route({
    verb: 'campaigns.update',
    method: 'patch',
    path: '/v1/campaigns/{campaignId}',
    summary: 'Update a draft',
    permission: 'campaign.write',
    params,
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: changes.partial().openapi({ example: { name: 'December news', audience: { include: [{ list: 'newsletter' }] } } }),
    reply: campaignSchema,
    handle: ({ application, projectId, params: { campaignId }, body }) =>
      application.campaigns.update(projectId, campaignId, named(body)),
  }),
  route({
    verb: 'campaigns.delete',
    method: 'delete',
    path: '/v1/campaigns/{campaignId}',
    summary: 'Delete a draft',
    description: 'Only drafts can be deleted. Unschedule a scheduled campaign first; archive a finished one.',
    permission: 'campaign.write',
    params,
    handle: async ({ application, projectId, params: { campaignId } }) => {
      await application.campaigns.delete(projectId, campaignId);
      return undefined;
    },
  }),
  route({
    verb: 'campaigns.check',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/check',
    summary: 'List the problems that would prevent a launch',
    permission: 'campaign.read',
    params,
    reply: z.object({
      problems: z.array(problemSchema).readonly(),
      recipients: z.int().openapi({ description: 'Their number, if it was launched now.' }),
    }),
    handle: ({ application, projectId, params: { campaignId } }) => application.campaigns.check(projectId, campaignId),
  }),
  route({
    verb: 'campaigns.preview',
    method: 'post',
    path: '/v1/campaigns/{campaignId}/preview',
    summary: 'Preview the campaign as a subscriber receives it',
    description:
      'Without a subscriber the defaults of the content are used. With a subscriber the key also needs the scope `audience.read`.',
    permission: 'campaign.read',
    params,
    body: z.strictObject(asSubscriber).optional().openapi({ example: {} }),
    reply: renderedSchema,
    async handle({ application, caller, projectId, params: { campaignId }, body }) {
      if (body?.subscriberId !== undefined) caller.requireScope('audience.read');
      return application.campaigns.preview(projectId, campaignId, { subscriber: body?.subscriberId });
    },
  }),
  route({
    verb: 'campaigns.test',
    method: 'post',
    path: '/v1/campaigns/{campaignId}/test',
    summary: 'Send the campaign to a few addresses as a test',
    description:
      'Sends one transactional message to each address, with `[Test]` before the subject. Links are not tracked, the unsubscribe link has no effect, and reports do not count it. To render it for a subscriber, the key also needs the scope `audience.read`.',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ to: z.array(email).min(1).max(20), ...asSubscriber }).openapi({ example: { to: ['me@example.com'] } }),
    status: 202,
    reply: z.object({ messages: z.array(messageSchema).readonly() }),
    async handle({ application, caller, projectId, params: { campaignId }, body: { to, subscriberId } }) {
      if (subscriberId !== undefined) caller.requireScope('audience.read');
      const messages = await application.campaigns.test(projectId, campaignId, to, { subscriber: subscriberId });
      return { messages };
    },
  }),
  route({
    verb: 'campaigns.schedule',
    method: 'post',
    path: '/v1/campaigns/{campaignId}/schedule',
    summary: 'Launch a draft later',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ at: moment }).openapi({ example: { at: '2030-01-01T08:00:00+01:00' } }),
    reply: listedCampaignSchema,
    handle: ({ application, caller, projectId, params: { campaignId }, body }) =>
      application.campaigns.schedule(projectId, campaignId, body.at.in(caller.project.timeZone, new Date())),
  }),
  step(
    'launch',
    'campaign.send',
    'Launch a campaign',
    'The launch freezes content and recipients.',
    ({ application, projectId, params }) => application.campaigns.launch(projectId, params.campaignId),
  ),
  step(
    'unschedule',
    'campaign.send',
    'Make a scheduled campaign a draft again',
    'A draft can be edited.',
    ({ application, projectId, params }) => application.campaigns.unschedule(projectId, params.campaignId),
  ),
  step(
    'pause',
    'campaign.send',
    'Pause a sending campaign',
    'Sending stops within two seconds.',
    ({ application, projectId, params }) => application.campaigns.pause(projectId, params.campaignId),
  ),
  step(
    'resume',
    'campaign.send',
    'Resume a paused campaign',
    'No recipient is skipped or mailed twice.',
    ({ application, projectId, params }) => application.campaigns.resume(projectId, params.campaignId),
  ),
  step(
    'cancel',
    'campaign.send',
    'Cancel a campaign',
    'Permanent. Messages that were handed over cannot be recalled.',
    ({ application, projectId, params }) => application.campaigns.cancel(projectId, params.campaignId),
  ),
  step(
    'archive',
    'campaign.write',
    'Archive a campaign',
    'Listings no longer show it; its report stays.',
    ({ application, projectId, params }) => application.campaigns.archive(projectId, params.campaignId),
  ),
  route({
    verb: 'campaigns.recipients',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/recipients',
    summary: 'List the recipients with their outcomes',
    description: 'With addresses for a key that has the scope `audience.read` too.',
    permission: 'report.read',
    params,
    query: pageQuery.extend({ state: z.enum(ledgerStates).optional() }),
    reply: pageOfItems(
      z
        .object({
          subscriberId: id,
          address: guarded('recipient.address', orNull(z.string()), 'The current address; null after an erasure.'),
          state: z.enum(ledgerStates),
          run: z.int(),
          attempts: z.int(),
          copies: z.int().openapi({ description: 'How often the next hop accepted the message; more than 1 is a repeat.' }),
          possibleRepeat: z.boolean(),
          code: orNull(z.int()),
          reply: guarded('recipient.reply', orNull(z.string())),
          firstAttemptAt: timestamp,
          nextAttemptAt: timestampOrNull,
          at: timestamp,
          transport: orNull(z.string()).openapi({ description: 'Name of the transport of the latest attempt.' }),
        })
        .openapi('CampaignRecipient'),
    ),
    handle: ({ application, projectId, params: { campaignId }, query }) =>
      application.campaigns.recipients(projectId, campaignId, { ...pageOf(query), state: query.state }),
  }),
  route({
    verb: 'campaigns.recipientsCsv',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/recipients.csv',
    summary: 'Download the recipients as CSV, with addresses',
    description: 'Safe to open in a spreadsheet. Erased subscribers have no address.',
    permission: ['report.read', 'audience.read'],
    params,
    query: z.strictObject({ state: z.enum(ledgerStates).optional() }),
    replyType: 'text/csv',
    handle: async ({ application, projectId, params: { campaignId }, query }) => ({
      name: `recipients-${campaignId}.csv`,
      parts: application.campaigns.recipientsCsv(projectId, campaignId, query),
    }),
  }),
];
