import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { flag, id, idOf, line, lines, pageOf, pageOfItems, pageQuery, slug, timestamp, timestampOrNull } from '../schemas.ts';

const route = routesOf<Application>();

const listShape = {
  id,
  name: z.string(),
  slug: z.string(),
  description: z.string(),
  doubleOptIn: z.boolean().openapi({ description: 'A subscription counts only after the mailed confirmation.' }),
  archivedAt: timestampOrNull,
  createdAt: timestamp,
  updatedAt: timestamp,
};
const listSchema = z.object(listShape).openapi('List');
const countsSchema = z.object({ unconfirmed: z.int(), confirmed: z.int(), unsubscribed: z.int() });
const countedListSchema = z.object({ ...listShape, subscribers: countsSchema }).openapi('CountedList');
const params = z.object({ listId: idOf('list') });

const changes = {
  name: line(200),
  description: lines(2_000),
  doubleOptIn: z.boolean(),
};

export const listRoutes: readonly Route<Application>[] = [
  route({
    method: 'get',
    path: '/v1/lists',
    summary: 'List the lists',
    permission: 'audience.read',
    query: pageQuery.extend({ archived: flag.optional().openapi({ description: 'Whether archived ones are shown too.' }) }),
    reply: pageOfItems(listSchema),
    handle: ({ application, projectId, query }) =>
      application.audience.lists(projectId, { ...pageOf(query), includeArchived: query.archived }),
  }),
  route({
    method: 'post',
    path: '/v1/lists',
    summary: 'Create a list',
    permission: 'audience.write',
    body: z
      .strictObject({
        ...changes,
        slug: slug.optional(),
        description: changes.description.optional(),
        doubleOptIn: changes.doubleOptIn.optional(),
      })
      .openapi({ example: { name: 'Monthly news', doubleOptIn: true } }),
    status: 201,
    reply: listSchema,
    handle: ({ application, projectId, body }) => application.audience.createList(projectId, body),
  }),
  route({
    method: 'get',
    path: '/v1/lists/{listId}',
    summary: 'One list, with its numbers',
    permission: 'audience.read',
    params,
    reply: countedListSchema,
    async handle({ application, projectId, params: { listId } }) {
      const list = await application.audience.getList(projectId, listId);
      const [counts] = await application.audience.listCounts(projectId, [listId]);
      return { ...list, subscribers: counts ?? { unconfirmed: 0, confirmed: 0, unsubscribed: 0 } };
    },
  }),
  route({
    method: 'patch',
    path: '/v1/lists/{listId}',
    summary: 'Change a list',
    permission: 'audience.write',
    params,
    body: z
      .strictObject(changes)
      .partial()
      .openapi({ example: { name: 'Weekly news' } }),
    reply: listSchema,
    handle: ({ application, projectId, params: { listId }, body }) => application.audience.updateList(projectId, listId, body),
  }),
  route({
    method: 'post',
    path: '/v1/lists/{listId}/archive',
    summary: 'Archive a list',
    description:
      'No subscriber can be added to it; its subscribers stay. Refused while a campaign that is not done uses the list.',
    permission: 'audience.write',
    params,
    query: z.strictObject({
      force: flag.optional().openapi({ description: 'Archive it although campaigns use it. The campaigns go on.' }),
    }),
    reply: listSchema,
    handle: ({ application, projectId, params: { listId }, query }) => application.audience.archiveList(projectId, listId, query),
  }),
  route({
    method: 'post',
    path: '/v1/lists/{listId}/restore',
    summary: 'Bring an archived list back',
    permission: 'audience.write',
    params,
    reply: listSchema,
    handle: ({ application, projectId, params: { listId } }) => application.audience.restoreList(projectId, listId),
  }),
  route({
    method: 'delete',
    path: '/v1/lists/{listId}',
    summary: 'Delete a list',
    description:
      'Deletes its subscriptions too, and with them the knowledge of who left it. Archive it where that matters. Refused while a campaign that is not done uses the list.',
    permission: 'audience.write',
    params,
    query: z.strictObject({
      force: flag.optional().openapi({
        description:
          'Delete it although campaigns use it: nobody else is mailed for this list, and a scheduled campaign that names it is not launched.',
      }),
    }),
    handle: async ({ application, projectId, params: { listId }, query }) => {
      await application.audience.deleteList(projectId, listId, query);
      return undefined;
    },
  }),
];
