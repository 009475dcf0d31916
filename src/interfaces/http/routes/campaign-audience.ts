import { z } from '@hono/zod-openapi';
import { type Application, LEFT_OUT_REASONS, RESEND_TARGETS } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { id, idOf, orNull, pageOf, pageOfItems, pageQuery } from '../schemas.ts';

const route = routesOf<Application>();

const params = z.object({ campaignId: idOf('campaign') });
const reason = z.enum(LEFT_OUT_REASONS);

/** Who is in a campaign's audience, who is not, and who gets it once more. */
export const campaignAudienceRoutes: readonly Route<Application>[] = [
  route({
    verb: 'campaigns.resend',
    method: 'post',
    path: '/v1/campaigns/{campaignId}/resend',
    summary: 'Resend a finished campaign to recipients that it did not reach',
    description:
      '`failed`: recipients that are rejected, expired or failed. `in_doubt`: recipients whose acceptance is unknown; their messages are marked as possible repeats. `new`: subscribers of the same lists that were not in the audience. One run at a time.',
    permission: 'campaign.send',
    params,
    body: z.strictObject({ target: z.enum(RESEND_TARGETS) }).openapi({ example: { target: 'failed' } }),
    status: 202,
    reply: z.object({ recipients: z.int().openapi({ description: 'Recipients of the new run; may be 0.' }) }),
    handle: ({ application, projectId, params: { campaignId }, body }) =>
      application.campaigns.resend(projectId, campaignId, body.target),
  }),
  route({
    verb: 'campaigns.explain',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/explain',
    summary: 'Count the audience, and the subscribers that are left out, by reason',
    description:
      'Before the launch the counts follow the lists as they are now. After it (`launched`), `included` are the recipients fixed at launch less those that sending left out (`bad_data`, `skipped`), and a recipient with an outcome does not count as left out by a list. Each subscriber has one reason. Duplicate addresses do not occur: an address is one subscriber, and an import counts the rows that it merged (`duplicates`).',
    permission: 'campaign.read',
    params,
    reply: z.object({
      launched: z.boolean(),
      included: z.int(),
      excluded: z.object({
        erased: z.int(),
        suppressed: z.int(),
        excluded_list: z.int(),
        unconfirmed: z.int(),
        unsubscribed: z.int(),
        bad_data: orNull(z.int()).openapi({
          description: 'Subscribers whose attributes break the content. Null before the launch: see `/excluded?reason=bad_data`.',
        }),
        skipped: z.int().openapi({ description: 'Not mailable any more at hand-over.' }),
      }),
    }),
    handle: ({ application, projectId, params: { campaignId } }) => application.campaigns.explain(projectId, campaignId),
  }),
  route({
    verb: 'campaigns.excluded',
    method: 'get',
    path: '/v1/campaigns/{campaignId}/excluded',
    summary: 'List the subscribers that are left out of the audience, with the reason',
    description:
      '`detail` says which attribute is wrong (`bad_data`) or what happened before hand-over (`skipped`). Before the launch `reason=bad_data` composes messages without sending them. A page covers at most 500 subscribers or one second, so it may be empty and still have a `next`. Data of a host application (`recipientData`) is not read.',
    permission: ['campaign.read', 'audience.read'],
    params,
    query: pageQuery.extend({ reason: reason.optional() }),
    reply: pageOfItems(z.object({ subscriberId: id, address: orNull(z.string()), reason, detail: orNull(z.string()) })),
    handle: async ({ application, projectId, params: { campaignId }, query }) =>
      application.campaigns.excluded(projectId, campaignId, { ...pageOf(query), reason: query.reason }),
  }),
];
