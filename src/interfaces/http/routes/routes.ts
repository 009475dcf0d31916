import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { type Route, routesOf } from '../route.ts';
import { email, id, idOf, namedTransport, orNull, pageOf, pageOfItems, pageQuery, timestamp } from '../schemas.ts';
import { healthSchema } from './transports.ts';

const route = routesOf<Application>();

const lane = z.enum(['transactional', 'bulk']);
const receivingGroup = z
  .string()
  .openapi({ description: '`gmail`, `microsoft`, `yahoo`, `apple` or a domain.', example: 'gmail' });
const priority = z
  .int()
  .min(0)
  .max(1_000)
  .openapi({ description: 'The lowest comes first; the next ones take over. Default: 10.' });
const weight = z.int().min(1).max(1_000).openapi({ description: 'Share among routes of the same priority. Default: 1.' });

const routeSchema = z
  .object({
    id,
    transportId: id,
    transport: z.string().openapi({ description: 'Slug of the transport.' }),
    lane: orNull(lane).openapi({ description: 'Null: both lanes.' }),
    receivingGroup: orNull(receivingGroup).openapi({ description: 'Null: all recipients.' }),
    priority,
    weight,
    createdAt: timestamp,
  })
  .openapi('Route');

const params = z.object({ routeId: idOf('route') });

export const routeRoutes: readonly Route<Application>[] = [
  route({
    verb: 'routes.list',
    method: 'get',
    path: '/v1/routes',
    summary: 'List the routes',
    description:
      'Of the routes that match a message, those for its receiving group come first, then those for its lane, then the lowest priority. Routes that are equal in these share the messages by weight. The next ones take over while a transport fails. Without a matching route, the transports are used in the order in which they were created.',
    permission: 'transport.read',
    query: pageQuery,
    reply: pageOfItems(routeSchema),
    handle: ({ application, projectId, query }) => application.routes.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'routes.create',
    method: 'post',
    path: '/v1/routes',
    summary: 'Create a route',
    permission: 'transport.write',
    body: z
      .strictObject({
        transport: namedTransport,
        lane: lane.optional().openapi({ description: 'Default: both lanes.' }),
        receivingGroup: receivingGroup.optional().openapi({ description: 'Default: all recipients.' }),
        priority: priority.optional(),
        weight: weight.optional(),
      })
      .openapi({ example: { transport: 'main-relay', lane: 'bulk', priority: 20 } }),
    status: 201,
    reply: routeSchema,
    handle: ({ application, projectId, body }) => application.routes.create(projectId, body),
  }),
  route({
    verb: 'routes.get',
    method: 'get',
    path: '/v1/routes/{routeId}',
    summary: 'Show a route',
    permission: 'transport.read',
    params,
    reply: routeSchema,
    handle: ({ application, projectId, params: { routeId } }) => application.routes.get(projectId, routeId),
  }),
  route({
    verb: 'routes.update',
    method: 'patch',
    path: '/v1/routes/{routeId}',
    summary: 'Update the priority or the weight of a route',
    permission: 'transport.write',
    params,
    body: z
      .strictObject({ priority, weight })
      .partial()
      .openapi({ example: { weight: 3 } }),
    reply: routeSchema,
    handle: ({ application, projectId, params: { routeId }, body }) => application.routes.update(projectId, routeId, body),
  }),
  route({
    verb: 'routes.delete',
    method: 'delete',
    path: '/v1/routes/{routeId}',
    summary: 'Delete a route',
    permission: 'transport.write',
    params,
    handle: async ({ application, projectId, params: { routeId } }) => {
      await application.routes.delete(projectId, routeId);
      return undefined;
    },
  }),
  route({
    verb: 'routes.explain',
    method: 'post',
    path: '/v1/routes/explain',
    summary: 'Explain which way a message would go',
    description: 'Changes nothing. The address is in the body, so that it does not appear in logs of URLs.',
    permission: 'transport.read',
    body: z.strictObject({ address: email, lane: lane.optional().openapi({ description: 'Default: transactional.' }) }).openapi({
      example: { address: 'ada@example.com', lane: 'bulk' },
    }),
    reply: z
      .object({
        domain: z.string(),
        receivingGroup: orNull(z.string()),
        lane,
        ways: z
          .array(
            z.object({
              transport: z.string(),
              transportId: id,
              route: orNull(z.object({ id, priority, weight })),
              share: z.number().openapi({ description: 'Part of these messages, among the ways of the same priority.' }),
              usable: z.boolean(),
              health: healthSchema,
              why: z.string(),
            }),
          )
          .readonly()
          .openapi({ description: 'In the order of preference. Empty for a project without transports.' }),
        why: z.string(),
      })
      .openapi('RouteExplanation'),
    handle: ({ application, projectId, body: { address, lane: asked } }) =>
      application.routes.explain(projectId, address, { lane: asked }),
  }),
];
