import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import { day, id, idOf, orNull, timestampOrNull } from '../schemas.ts';

const route = routesOf<Application>();

const params = z.object({ campaignId: idOf('campaign') });
const figures = z.object({ unique: z.int().openapi({ description: 'People.' }), total: z.int() });
const states = ['pending', 'submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped', 'cancelled'] as const;

const reportSchema = z
  .object({
    campaignId: id,
    slug: z.string(),
    name: z.string(),
    state: z.enum(['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled']),
    launchedAt: timestampOrNull,
    submittedAt: timestampOrNull,
    settledAt: timestampOrNull,
    recipients: z.int().openapi({ description: 'The sum of all states.' }),
    states: z.record(z.enum(states), z.int()),
    repeated: z
      .int()
      .openapi({ description: 'Copies that the next hop accepted beyond the first for a recipient, as far as was recorded.' }),
    possibleRepeats: z.int().openapi({
      description:
        'Recipients that may have more than one copy, because a worker ended without recording a hand-over. The later copy carries `X-Pennypost-Possible-Repeat: yes`.',
    }),
    pauseReason: guarded('report.pauseReason', orNull(z.string()), 'Why a rule paused it; null when a user paused it.'),
    reasons: z
      .array(z.object({ state: z.enum(states), reason: guarded('report.reason', z.string()), count: z.int(), of: z.int() }))
      .readonly()
      .openapi({
        description:
          'The five commonest reasons of each state, without addresses. `of` is the number of messages that were examined, at most 1,000.',
      }),
    opened: figures,
    clicked: figures,
    unsubscribed: z.int(),
    bounced: z.int(),
    complained: z.int(),
    rates: z
      .array(z.object({ name: z.string(), value: z.number().nullable(), definition: z.string() }))
      .readonly()
      .openapi({ description: 'Each rate with its definition; null when the divisor is 0.' }),
    links: z.array(z.object({ index: z.int(), target: z.string(), ...figures.shape })).readonly(),
    domains: z.array(z.object({ domain: z.string(), counts: z.record(z.string(), z.int()) })).readonly(),
  })
  .openapi('CampaignReport');

const days = z.strictObject({
  from: day.optional().openapi({ description: 'First day, included; default: 30 days up to `to`.', example: '2026-11-01' }),
  to: day.optional().openapi({ description: 'Last day, included; default: today.', example: '2026-11-30' }),
});
const seriesSchema = z
  .object({
    subject: z.string(),
    from: z.string(),
    to: z.string(),
    timeZone: z.string(),
    days: z.array(z.object({ day: z.string(), counts: z.record(z.string(), z.int()) })).readonly(),
  })
  .openapi('DailySeries', { description: "Every day of the range in the project's time zone, also days without events." });

export const reportRoutes: readonly Route<Application>[] = [
  route({
    verb: 'campaigns.report',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/report',
    summary: 'Show the report of a campaign',
    permission: 'report.read',
    params,
    reply: reportSchema,
    handle: ({ application, projectId, params: { campaignId } }) => application.campaigns.report(projectId, campaignId),
  }),
  route({
    verb: 'campaigns.progress',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/progress',
    summary: 'How far a campaign is: the numbers that change while it is sent',
    description: 'Cheap enough to ask several times a second.',
    permission: 'report.read',
    params,
    reply: reportSchema.pick({ state: true, recipients: true, states: true }).openapi('CampaignProgress'),
    handle: ({ application, projectId, params: { campaignId } }) => application.campaigns.progress(projectId, campaignId),
  }),
  route({
    verb: 'campaigns.daily',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/daily',
    summary: 'Show the days of a campaign',
    permission: 'report.read',
    params,
    query: days,
    reply: seriesSchema,
    handle: ({ application, projectId, params: { campaignId }, query }) =>
      application.campaigns.daily(projectId, campaignId, query),
  }),
  route({
    verb: 'projects.daily',
    method: 'get',
    path: '/v1/project/daily',
    summary: 'Show the days of the project',
    permission: 'report.read',
    query: days,
    reply: seriesSchema,
    handle: ({ application, projectId, query }) => application.projects.daily(projectId, query),
  }),
];
