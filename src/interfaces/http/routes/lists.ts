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
  doubleOptIn: z.boolean().openapi({ description: 'Subscribers get mail only after they confirmed by e-mail.' }),
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
    verb: 'lists.list',
    method: 'get',
    path: '/v1/lists',
    summary: 'List the lists',
    permission: 'audience.read',
    query: pageQuery.extend({ archived: flag.optional().openapi({ description: 'Whether archived ones are included.' }) }),
    reply: pageOfItems(listSchema),
    handle: ({ application, projectId, query }) =>
      application.lists.list(projectId, { ...pageOf(query), includeArchived: query.archived }),
  }),
  route({
    verb: 'lists.create',
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
    handle: ({ application, projectId, body }) => application.lists.create(projectId, body),
  }),
  route({
    verb: 'lists.get',
    method: 'get',
    path: '/v1/lists/{listId}',
    summary: 'Show a list with its subscriber counts',
    permission: 'audience.read',
    params,
    reply: countedListSchema,
    handle: ({ application, projectId, params: { listId } }) => application.lists.get(projectId, listId),
  }),
  route({
    verb: 'lists.update',
    method: 'patch',
    path: '/v1/lists/{listId}',
    summary: 'Update a list',
    permission: 'audience.write',
    params,
    body: z
      .strictObject(changes)
      .partial()
      .openapi({ example: { name: 'Weekly news' } }),
    reply: listSchema,
    handle: ({ application, projectId, params: { listId }, body }) => application.lists.update(projectId, listId, body),
  }),
  route({
    verb: 'lists.archive',
    method: 'post',
    path: '/v1/lists/{listId}/archive',
    summary: 'Archive a list',
    description:
      'An archived list takes no new subscribers; its subscribers stay. Refused while an unfinished campaign uses the list.',
    permission: 'audience.write',
    params,
    query: z.strictObject({
      force: flag.optional().openapi({ description: 'Archive the list even while campaigns use it. These campaigns continue.' }),
    }),
    reply: listSchema,
    handle: ({ application, projectId, params: { listId }, query }) => application.lists.archive(projectId, listId, query),
  }),
  route({
    verb: 'lists.restore',
    method: 'post',
    path: '/v1/lists/{listId}/restore',
    summary: 'Restore an archived list',
    permission: 'audience.write',
    params,
    reply: listSchema,
    handle: ({ application, projectId, params: { listId } }) => application.lists.restore(projectId, listId),
  }),
  route({
    verb: 'lists.delete',
    method: 'delete',
    path: '/v1/lists/{listId}',
    summary: 'Delete a list',
    description:
      'Also deletes its subscriptions, including the record of unsubscribes. Archive the list to keep them. Refused while an unfinished campaign uses the list.',
    permission: 'audience.write',
    params,
    query: z.strictObject({
      force: flag.optional().openapi({
        description:
          'Delete the list even while campaigns use it. They stop mailing it, and a scheduled campaign that names it is not launched.',
      }),
    }),
    handle: async ({ application, projectId, params: { listId }, query }) => {
      await application.lists.delete(projectId, listId, query);
      return undefined;
    },
  }),
];
