import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import {
  attributes,
  email,
  evidenceIn,
  evidenceSchema,
  id,
  idOf,
  jsonObject,
  languageTag,
  named,
  orNull,
  pageOf,
  pageOfItems,
  pageQuery,
  timestamp,
  timestampOrNull,
  timeZoneName,
} from '../schemas.ts';

const route = routesOf<Application>();

const subscriptionState = z.enum(['unconfirmed', 'confirmed', 'unsubscribed']);
const subscriberShape = {
  id,
  email: guarded('subscriber.email', orNull(z.string()), 'Spelled as it was first given; null after an erasure.'),
  status: z.enum(['active', 'erased']),
  locale: guarded('subscriber.locale', orNull(z.string())),
  timeZone: guarded('subscriber.timeZone', orNull(z.string())),
  attributes: guarded('subscriber.attributes', jsonObject),
  createdAt: timestamp,
  updatedAt: timestamp,
  erasedAt: timestampOrNull,
};
const subscriptionSchema = z
  .object({ listId: id, state: subscriptionState, createdAt: timestamp, at: timestamp })
  .openapi('Subscription');
const subscriberSchema = z.object(subscriberShape).openapi('Subscriber');
const params = z.object({ subscriberId: idOf('subscriber') });
const subscriptionParams = z.object({ listId: idOf('list'), subscriberId: idOf('subscriber') });

const changes = {
  locale: languageTag.nullable().optional().openapi({ description: 'BCP 47; null clears.' }),
  timeZone: timeZoneName.nullable().optional().openapi({ description: 'IANA name; null clears.' }),
  attributes: attributes.optional(),
};
const joining = {
  consent: evidenceSchema
    .optional()
    .openapi({ description: "Proof of the subscriber's own agreement. Without it the call counts as made by a third party." }),
  confirmed: z.boolean().optional().openapi({ description: 'The consent was already confirmed by e-mail; needs `consent`.' }),
};

const shown = <Known extends { readonly address: string | null }>(subscriber: Known) => ({
  ...subscriber,
  email: subscriber.address,
});

const filter = {
  text: z.string().max(200).optional().openapi({ description: 'Part of the address.' }),
  listId: idOf('list').optional(),
  state: subscriptionState.optional().openapi({ description: 'State of the subscription to `listId`.' }),
  status: z.enum(['active', 'erased']).optional(),
};

export const subscriberRoutes: readonly Route<Application>[] = [
  route({
    verb: 'subscribers.list',
    method: 'get',
    path: '/v1/subscribers',
    summary: 'Search subscribers, newest first',
    permission: 'audience.read',
    query: pageQuery.extend(filter),
    reply: pageOfItems(subscriberSchema),
    async handle({ application, projectId, query }) {
      const { text, listId, state, status } = query;
      const page = await application.subscribers.list(projectId, { ...pageOf(query), text, list: listId, state, status });
      return { items: page.items.map(shown), next: page.next };
    },
  }),
  route({
    verb: 'subscribers.export',
    method: 'get',
    path: '/v1/subscribers.csv',
    summary: 'Export subscribers as CSV',
    description:
      'The file has one column per attribute. The column `subscriptions` holds `slug=state` pairs. Cells that a spreadsheet would run as a formula begin with an apostrophe.',
    permission: 'audience.read',
    query: z.strictObject(filter),
    replyType: 'text/csv',
    handle: async ({ application, projectId, query: { listId, ...filter } }) => ({
      name: 'subscribers.csv',
      parts: application.subscribers.export(projectId, { ...filter, list: listId }),
    }),
  }),
  route({
    verb: 'subscribers.upsert',
    method: 'post',
    path: '/v1/subscribers',
    summary: 'Create a subscriber, or update the one with this address',
    description:
      '`lists` also subscribes the subscriber to these lists: unconfirmed on double opt-in lists, otherwise confirmed. The call is applied completely or not at all.',
    permission: 'audience.write',
    body: z
      .strictObject({ email, ...changes, lists: z.array(idOf('list')).max(100).optional(), ...joining })
      .refine(({ lists = [], consent, confirmed }) => lists.length > 0 || (consent ?? confirmed) === undefined, {
        path: ['lists'],
        message: '`consent` and `confirmed` require `lists`',
      })
      .openapi({ example: { email: 'ada@example.com', attributes: { first_name: 'Ada' } } }),
    reply: z
      .object({ ...subscriberShape, created: z.boolean(), subscriptions: z.array(subscriptionSchema).readonly() })
      .openapi('UpsertedSubscriber'),
    handle: async ({ application, caller, projectId, body }) =>
      shown(
        await application.subscribers.upsert(projectId, {
          ...body,
          consent: evidenceIn(caller.project.timeZone, body.consent),
        }),
      ),
  }),
  route({
    verb: 'subscribers.get',
    method: 'get',
    path: '/v1/subscribers/{subscriberId}',
    summary: 'Show a subscriber with its lists',
    permission: 'audience.read',
    params,
    reply: z.object({ ...subscriberShape, subscriptions: z.array(subscriptionSchema).readonly() }).openapi('SubscriberWithLists'),
    handle: async ({ application, projectId, params: { subscriberId } }) =>
      shown(await application.subscribers.get(projectId, subscriberId)),
  }),
  route({
    verb: 'subscribers.update',
    method: 'patch',
    path: '/v1/subscribers/{subscriberId}',
    summary: 'Update a subscriber',
    permission: 'audience.write',
    params,
    body: z.strictObject({ email: email.optional(), ...changes }).openapi({ example: { attributes: { first_name: 'Ada' } } }),
    reply: subscriberSchema,
    handle: async ({ application, projectId, params: { subscriberId }, body }) =>
      shown(await application.subscribers.update(projectId, subscriberId, named(body))),
  }),
  route({
    verb: 'subscribers.erase',
    method: 'delete',
    path: '/v1/subscribers/{subscriberId}',
    summary: 'Erase a subscriber',
    description:
      'The erasure is permanent. The id is kept, so that reports add up. A keyed hash of the address is kept, so that no import can add the address again.',
    permission: 'audience.write',
    params,
    handle: async ({ application, projectId, params: { subscriberId } }) => {
      await application.subscribers.erase(projectId, subscriberId);
      return undefined;
    },
  }),
  route({
    verb: 'subscribers.subscribe',
    method: 'put',
    path: '/v1/lists/{listId}/subscribers/{subscriberId}',
    summary: 'Subscribe a subscriber to a list',
    description: 'The subscription is confirmed, or unconfirmed on a double opt-in list. Repeating the call changes nothing.',
    permission: 'audience.write',
    params: subscriptionParams,
    body: z
      .strictObject(joining)
      .optional()
      .openapi({ example: { consent: { source: 'signup form /spring' } } }),
    reply: subscriptionSchema,
    handle: async ({ application, caller, projectId, params: { listId, subscriberId }, body }) => {
      const joining = body && { ...body, consent: evidenceIn(caller.project.timeZone, body.consent) };
      return application.subscribers.subscribe(projectId, subscriberId, listId, joining);
    },
  }),
  route({
    verb: 'subscribers.confirm',
    method: 'post',
    path: '/v1/lists/{listId}/subscribers/{subscriberId}/confirm',
    summary: 'Confirm a subscription to a double opt-in list',
    description: 'Call it when the subscriber has answered the confirmation mail. Repeating the call changes nothing.',
    permission: 'audience.write',
    params: subscriptionParams,
    body: z
      .strictObject({ consent: evidenceSchema })
      .openapi({ example: { consent: { source: 'link in the confirmation mail' } } }),
    reply: subscriptionSchema,
    handle: ({ application, caller, projectId, params: { listId, subscriberId }, body }) => {
      const evidence = { ...body.consent, at: body.consent.at?.in(caller.project.timeZone, new Date()) };
      return application.subscribers.confirm(projectId, subscriberId, listId, evidence);
    },
  }),
  route({
    verb: 'subscribers.unsubscribe',
    method: 'delete',
    path: '/v1/lists/{listId}/subscribers/{subscriberId}',
    summary: 'Unsubscribe a subscriber from a list',
    description: "Only the subscriber's own consent can revert this.",
    permission: 'audience.write',
    params: subscriptionParams,
    handle: async ({ application, projectId, params: { listId, subscriberId } }) => {
      await application.subscribers.unsubscribe(projectId, subscriberId, { lists: [listId], evidence: { source: 'API' } });
      return undefined;
    },
  }),
  route({
    verb: 'subscribers.consents',
    method: 'get',
    path: '/v1/subscribers/{subscriberId}/consents',
    summary: 'List the consent records of a subscriber',
    permission: 'audience.read',
    params,
    reply: z.object({
      items: z
        .array(
          z
            .object({
              id,
              listIds: z.array(id).readonly(),
              action: z.enum(['subscribe', 'confirm', 'unsubscribe', 'resubscribe', 'import']),
              source: z.string(),
              ip: orNull(z.string()),
              userAgent: orNull(z.string()),
              text: orNull(z.string()),
              textVersion: orNull(z.string()),
              importId: orNull(id),
              givenAt: timestamp,
              recordedAt: timestamp,
            })
            .openapi('Consent'),
        )
        .readonly(),
    }),
    handle: async ({ application, projectId, params: { subscriberId } }) => ({
      items: await application.subscribers.consents(projectId, subscriberId),
    }),
  }),
];
