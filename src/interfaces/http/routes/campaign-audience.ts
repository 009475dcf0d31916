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
    summary: 'How many are in the audience, and how many are left out, by reason',
    description:
      'Before the launch: of the lists as they are now. After it (`launched`): `included` are the people fixed at launch less those whom sending left out (`bad_data`, `skipped`), and nobody who has an outcome counts as left out by a list. One reason a person. Duplicate addresses do not occur: an address is one subscriber, and an import counts the rows that it merged (`duplicates`).',
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
          description: 'Whose data break the content. Null before the launch: see `/excluded?reason=bad_data`.',
        }),
        skipped: z.int().openapi({ description: 'No longer mailable when their turn came.' }),
      }),
    }),
    handle: ({ application, projectId, params: { campaignId } }) => application.campaign.explain(projectId, campaignId),
  }),
  route({
    method: 'get',
    path: '/v1/campaigns/{campaignId}/excluded',
    summary: 'Who is left out of the audience, person by person, and why',
    description:
      '`detail` says what is wrong with the data of `bad_data`, and what happened before their turn to the `skipped`. Before the launch `reason=bad_data` composes messages for a try, without sending them: a page goes through at most 500 people or one second, so it may be empty although `next` leads on. Data of a host application (`recipientData`) are not asked for.',
    permission: ['campaign.read', 'audience.read'],
    params,
    query: pageQuery.extend({ reason: reason.optional() }),
    reply: pageOfItems(z.object({ subscriberId: id, address: orNull(z.string()), reason, detail: orNull(z.string()) })),
    handle: async ({ application, projectId, params: { campaignId }, query }) =>
      application.campaign.excluded(projectId, campaignId, { ...pageOf(query), reason: query.reason }),
  }),
];
