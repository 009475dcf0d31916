import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import type { Scope } from '../authentication.ts';
import { type Route, routesOf } from '../route.ts';
import { id, idOf, line, moment, pageOf, pageOfItems, pageQuery, timestamp, timestampOrNull } from '../schemas.ts';

const SCOPES = [
  'audience.read',
  'audience.write',
  'campaign.read',
  'campaign.write',
  'campaign.send',
  'message.send',
  'transport.read',
  'transport.write',
  'report.read',
  'admin',
  'instance.read',
] as const satisfies readonly Scope[];

const keyShape = {
  id,
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)).readonly(),
  requestsPerSecond: z.int(),
  createdAt: timestamp,
  expiresAt: timestampOrNull,
  revokedAt: timestampOrNull,
  lastUsedAt: timestampOrNull.openapi({ description: 'Updated at most once a minute.' }),
};
const keySchema = z.object(keyShape).openapi('Key');

const route = routesOf<Application>();

export const keyRoutes: readonly Route<Application>[] = [
  route({
    verb: 'keys.list',
    method: 'get',
    path: '/v1/keys',
    summary: 'List API keys',
    permission: 'admin',
    query: pageQuery,
    reply: pageOfItems(keySchema),
    handle: ({ application, projectId, query }) => application.keys.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'keys.create',
    method: 'post',
    path: '/v1/keys',
    summary: 'Create an API key',
    description: 'Only this answer contains the secret. Only a key with `instance.read` can grant that scope.',
    permission: 'admin',
    body: z
      .strictObject({
        name: line(100),
        scopes: z.array(z.enum(SCOPES)).min(1),
        expiresAt: moment.optional().openapi({ description: 'In the future. Default: never.' }),
        requestsPerSecond: z.int().min(1).max(10_000).optional().openapi({ default: 50 }),
      })
      .openapi({ example: { name: 'deployment', scopes: ['audience.read'] } }),
    status: 201,
    reply: z.object({ ...keyShape, secret: z.string().openapi({ example: 'pp_...' }) }).openapi('NewKey'),
    async handle({ application, caller, projectId, body }) {
      // A project's administrator hands out the project, not the instance.
      if (body.scopes.includes('instance.read')) caller.requireScope('instance.read');
      const { key, secret } = await application.keys.create(projectId, {
        ...body,
        expiresAt: body.expiresAt?.in(caller.project.timeZone, new Date()),
      });
      return { ...key, secret };
    },
  }),
  route({
    verb: 'keys.revoke',
    method: 'post',
    path: '/v1/keys/{keyId}/revoke',
    summary: 'Revoke an API key',
    description: 'Takes effect at once, and is permanent.',
    permission: 'admin',
    params: z.object({ keyId: idOf('key') }),
    reply: keySchema,
    handle: ({ application, projectId, params }) => application.keys.revoke(projectId, params.keyId),
  }),
];
