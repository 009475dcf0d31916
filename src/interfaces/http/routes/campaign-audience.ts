import { z } from '@hono/zod-openapi';
import { type Application, EXCLUSION_REASONS, RESEND_TARGETS } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { id, idOf, orNull, pageOf, pageOfItems, pageQuery } from '../schemas.ts';

const route = routesOf<Application>();

const params = z.object({ campaignId: idOf('campaign') });
const reason = z.enum(EXCLUSION_REASONS);

/** Who is in a campaign's audience, who is not, and who gets it once more. */
export const campaignAudienceRoutes: readonly Route<Application>[] = [
  route({
    method: 'post',
    path: '/v1/campaigns/{campaignId}/resend',
    summary: 'Send a submitted campaign again to those whom it did not reach',
    description:
      '`failed`: everybody rejected, expired or failed. `in_doubt`: everybody whose acceptance is unknown; each is marked as a possible repeat. `new`: who belongs to the same lists now and was not in the audience. One pass at a time.',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ target: z.enum(RESEND_TARGETS) }).openapi({ example: { target: 'failed' } }),
    status: 202,
    reply: z.object({ audience: z.int().openapi({ description: 'Recipients of the new pass; may be 0.' }) }),
    handle: ({ application, projectId, params: { campaignId }, body }) =>
      application.campaign.resend(projectId, campaignId, body.target),
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/explain',
    summary: 'How many are in the audience now, and how many are left out, by reason',
    permission: 'campaign.read',
    params,
    reply: z.object({
      included: z.int(),
      excluded: z.object({
        erased: z.int(),
        suppressed: z.int(),
        excluded_list: z.int(),
        unconfirmed: z.int(),
        unsubscribed: z.int(),
      }),
    }),
    handle: ({ application, projectId, params: { campaignId } }) => application.campaign.explain(projectId, campaignId),
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/excluded',
    summary: 'Who is left out of the audience, person by person, and why',
    permission: ['campaign.read', 'audience.read'],
    params,
    query: pageQuery.extend({ reason: reason.optional() }),
    reply: pageOfItems(z.object({ subscriberId: id, address: orNull(z.string()), reason })),
    handle: async ({ application, projectId, params: { campaignId }, query }) =>
      application.campaign.excluded(projectId, campaignId, { ...pageOf(query), reason: query.reason }),
  }),
];
