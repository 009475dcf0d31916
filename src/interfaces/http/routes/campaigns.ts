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
import { messageSchema, shownMessage } from './messages.ts';

const route = routesOf<Application>();

const state = z.enum(['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled']);
const campaignShape = {
  id,
  slug: z.string().openapi({ description: 'Names it in commands; unique in the project, and never changes.' }),
  name: z.string(),
  state,
  pauseReason: guarded('campaign.pauseReason', orNull(z.string()), 'When a rule paused it, and not a person.'),
  launchFailure: guarded(
    'campaign.launchFailure',
    orNull(z.string()),
    'Why its scheduled launch did not happen; it is a draft again.',
  ),
  subject: z.string(),
  audience: z.int().openapi({ description: 'Recipients, fixed at launch.' }),
  lists: z.array(id).readonly(),
  excludeLists: z.array(id).readonly(),
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

const changes = z.strictObject({
  name: line(200),
  content: contentInput.optional().openapi({ description: 'Either this or a template.' }),
  templateId: idOf('template').optional().openapi({ description: 'A stored template, whose content is copied.' }),
  lists: z.array(idOf('list')).max(100),
  excludeLists: z.array(idOf('list')).max(100).optional(),
  trackOpens: z.boolean().optional().openapi({ default: true }),
  trackClicks: z.boolean().optional().openapi({ default: true }),
});
const draft = changes.extend({
  slug: slug.optional().openapi({ description: 'Default: made from the name, with a number when it is taken.' }),
});
const asSubscriber = { subscriberId: idOf('subscriber').optional() };
const ledgerStates = ['submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled'] as const;

type Campaign = Awaited<ReturnType<Application['campaign']['launch']>>;
type Verb = (call: Call<Application, { campaignId: string }>) => Promise<Campaign>;

/** `POST /v1/campaigns/{campaignId}/<verb>`: one step of the state machine, without a body. */
function step(name: string, permission: 'campaign.write' | 'campaign.send', summary: string, description: string, handle: Verb) {
  return route({
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
    method: 'get',
    path: '/v1/campaigns',
    summary: 'List campaigns, without their content',
    permission: 'campaign.read',
    query: pageQuery.extend({
      state: state.optional(),
      name: z.string().max(200).optional().openapi({ description: 'Those with this very name.' }),
      slug: slug.optional(),
      archived: flag.optional().openapi({ description: 'Whether archived ones are shown too.' }),
    }),
    reply: pageOfItems(listedCampaignSchema),
    handle: ({ application, projectId, query }) =>
      application.campaign.list(projectId, {
        ...pageOf(query),
        state: query.state,
        name: query.name,
        slug: query.slug,
        archived: query.archived,
      }),
  }),
  route({
    method: 'post',
    path: '/v1/campaigns',
    summary: 'Create a campaign as a draft',
    permission: 'campaign.write',
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: draft.openapi({
      example: { name: 'November news', content: contentExample, lists: ['0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'] },
    }),
    status: 201,
    reply: campaignSchema,
    handle: ({ application, projectId, body }) => application.campaign.create(projectId, body),
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}',
    summary: 'One campaign',
    permission: 'campaign.read',
    params,
    reply: campaignSchema,
    handle: ({ application, projectId, params: { campaignId } }) => application.campaign.get(projectId, campaignId),
  }),
  route({
    method: 'patch',
    path: '/v1/campaigns/{campaignId}',
    summary: 'Change a draft',
    permission: 'campaign.write',
    params,
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: changes.partial().openapi({ example: { name: 'December news' } }),
    reply: campaignSchema,
    handle: ({ application, projectId, params: { campaignId }, body }) =>
      application.campaign.edit(projectId, campaignId, named(body)),
  }),
  route({
    method: 'delete',
    path: '/v1/campaigns/{campaignId}',
    summary: 'Delete a draft',
    description: 'Only a draft: unschedule what is scheduled, archive what is over.',
    permission: 'campaign.write',
    params,
    handle: async ({ application, projectId, params: { campaignId } }) => {
      await application.campaign.delete(projectId, campaignId);
      return undefined;
    },
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/check',
    summary: 'Everything that would stand in the way of a launch',
    permission: 'campaign.read',
    params,
    reply: z.object({ problems: z.array(problemSchema).readonly() }),
    handle: async ({ application, projectId, params: { campaignId } }) => ({
      problems: await application.campaign.check(projectId, campaignId),
    }),
  }),
  route({
    method: 'post',
    path: '/v1/campaigns/{campaignId}/preview',
    summary: 'The campaign as one subscriber would see it',
    description: "Without a subscriber: with the content's defaults. With one, the key needs the scope `audience.read` too.",
    permission: 'campaign.read',
    params,
    body: z.strictObject(asSubscriber).optional().openapi({ example: {} }),
    reply: renderedSchema,
    async handle({ application, caller, projectId, params: { campaignId }, body }) {
      if (body?.subscriberId !== undefined) caller.requireScope('audience.read');
      return application.campaign.preview(projectId, campaignId, body);
    },
  }),
  route({
    method: 'post',
    path: '/v1/campaigns/{campaignId}/test',
    summary: 'Send the campaign to a few addresses as a test',
    description:
      'One transactional message each, with `[Test]` before the subject, otherwise as recipients get it; links are not tracked, and the unsubscribe link unsubscribes nobody. Counts in no report. As a subscriber, the key needs the scope `audience.read` too.',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ to: z.array(email).min(1).max(20), ...asSubscriber }).openapi({ example: { to: ['me@example.com'] } }),
    status: 202,
    reply: z.object({ messages: z.array(messageSchema).readonly() }),
    async handle({ application, caller, projectId, params: { campaignId }, body: { to, subscriberId } }) {
      if (subscriberId !== undefined) caller.requireScope('audience.read');
      const messages = await application.campaign.test(projectId, campaignId, to, { subscriberId });
      return { messages: messages.map(shownMessage) };
    },
  }),
  route({
    method: 'post',
    path: '/v1/campaigns/{campaignId}/schedule',
    summary: 'Launch a draft later',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ at: moment }).openapi({ example: { at: '2030-01-01T08:00:00+01:00' } }),
    reply: listedCampaignSchema,
    handle: ({ application, caller, projectId, params: { campaignId }, body }) =>
      application.campaign.schedule(projectId, campaignId, body.at.in(caller.project.timeZone, new Date())),
  }),
  step(
    'launch',
    'campaign.send',
    'Launch a campaign',
    'Content and recipients are fixed from here on.',
    ({ application, projectId, params }) => application.campaign.launch(projectId, params.campaignId),
  ),
  step(
    'unschedule',
    'campaign.send',
    'Make a scheduled campaign a draft again',
    'It can be edited then.',
    ({ application, projectId, params }) => application.campaign.unschedule(projectId, params.campaignId),
  ),
  step(
    'pause',
    'campaign.send',
    'Pause a sending campaign',
    'Within two seconds nothing more is handed over.',
    ({ application, projectId, params }) => application.campaign.pause(projectId, params.campaignId),
  ),
  step(
    'resume',
    'campaign.send',
    'Go on with a paused campaign',
    'Nobody is skipped, nobody is mailed again.',
    ({ application, projectId, params }) => application.campaign.resume(projectId, params.campaignId),
  ),
  step(
    'cancel',
    'campaign.send',
    'Cancel a campaign',
    'For good. What was handed over stays sent.',
    ({ application, projectId, params }) => application.campaign.cancel(projectId, params.campaignId),
  ),
  step(
    'archive',
    'campaign.write',
    'Archive a campaign',
    'It no longer shows in listings; its report stays.',
    ({ application, projectId, params }) => application.campaign.archive(projectId, params.campaignId),
  ),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/recipients',
    summary: 'Who received it, and who did not and why',
    description: 'With addresses for a key that has the scope `audience.read` too.',
    permission: 'report.read',
    params,
    query: pageQuery.extend({ state: z.enum(ledgerStates).optional() }),
    reply: pageOfItems(
      z
        .object({
          subscriberId: id,
          address: guarded('recipient.address', orNull(z.string()), 'As it is now; null once the person is erased.'),
          state: z.enum(ledgerStates),
          run: z.int(),
          attempts: z.int(),
          copies: z.int().openapi({ description: 'How often the next hop accepted it; more than 1 is a repeat.' }),
          possibleRepeat: z.boolean(),
          code: orNull(z.int()),
          reply: guarded('recipient.reply', orNull(z.string())),
          firstAttemptAt: timestamp,
          nextAttemptAt: timestampOrNull,
          at: timestamp,
        })
        .openapi('CampaignRecipient'),
    ),
    handle: ({ application, projectId, params: { campaignId }, query }) =>
      application.campaign.recipients(projectId, campaignId, { ...pageOf(query), state: query.state }),
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/recipients.csv',
    summary: 'The same as a file, with addresses',
    description: 'Safe to open in a spreadsheet. Who was erased meanwhile has no address.',
    permission: ['report.read', 'audience.read'],
    params,
    query: z.strictObject({ state: z.enum(ledgerStates).optional() }),
    replyType: 'text/csv',
    handle: async ({ application, projectId, params: { campaignId }, query }) => ({
      name: `recipients-${campaignId}.csv`,
      parts: application.campaign.recipientsCsv(projectId, campaignId, query),
    }),
  }),
];
