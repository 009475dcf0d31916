import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import { email, pageOf, pageOfItems, pageQuery, slug, timestamp } from '../schemas.ts';

const route = routesOf<Application>();

const scope = z
  .enum(['project', 'marketing'])
  .or(z.templateLiteral(['list:', z.guid()]).transform((text): `list:${string}` => `list:${text.slice(5).toLowerCase()}`))
  .or(z.templateLiteral(['stream:', slug]))
  .openapi({
    type: 'string',
    pattern:
      '^(project|marketing|list:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|stream:[a-z0-9]([a-z0-9-]*[a-z0-9])?)$',
    description:
      '`project`: no mail at all. `marketing`: no campaigns. `list:<id>`: nothing of that list. `stream:<name>`: no transactional message of that stream.',
    example: 'project',
  });
const reasons = ['manual', 'unsubscribe', 'hard_bounce', 'complaint'] as const;
const suppressionSchema = z
  .object({
    emailKey: guarded(
      'suppression.emailKey',
      z.string(),
      'The address in the form that is compared, or a keyed hash after an erasure.',
    ),
    scope: z.string(),
    reason: z.enum([...reasons, 'erased']),
    evidence: guarded('suppression.evidence', z.record(z.string(), z.string())),
    at: timestamp,
  })
  .openapi('Suppression');
const allOf = z.object({ items: z.array(suppressionSchema).readonly() });

export const suppressionRoutes: readonly Route<Application>[] = [
  route({
    verb: 'suppressions.list',
    method: 'get',
    path: '/v1/suppressions',
    summary: 'List suppressions, newest first',
    permission: 'audience.read',
    query: pageQuery.extend({ scope: scope.optional(), reason: z.enum([...reasons, 'erased']).optional() }),
    reply: pageOfItems(suppressionSchema),
    handle: ({ application, projectId, query }) =>
      application.suppressions.list(projectId, { ...pageOf(query), scope: query.scope, reason: query.reason }),
  }),
  route({
    verb: 'suppressions.create',
    method: 'post',
    path: '/v1/suppressions',
    summary: 'Suppress an address',
    description: 'Repeating the call changes nothing. A more serious reason replaces a less serious one.',
    permission: 'audience.write',
    body: z
      .strictObject({
        email,
        scope: scope.optional().openapi({ default: 'project' }),
        reason: z.enum(reasons).optional().openapi({ default: 'manual' }),
        evidence: z.record(z.string().max(100), z.string().max(1000)).optional(),
      })
      .openapi({ example: { email: 'ada@example.com', reason: 'manual' } }),
    reply: allOf,
    handle: ({ application, projectId, body: { email, ...wish } }) => application.suppressions.create(projectId, email, wish),
  }),
  // POST, not GET and DELETE: addresses do not belong into URLs, which end up in logs.
  route({
    verb: 'suppressions.lookup',
    method: 'post',
    path: '/v1/suppressions/lookup',
    summary: 'List the suppressions of an address',
    permission: 'audience.read',
    body: z.strictObject({ email }).openapi({ example: { email: 'ada@example.com' } }),
    reply: allOf,
    handle: async ({ application, projectId, body }) => ({
      items: await application.suppressions.lookup(projectId, body.email),
    }),
  }),
  route({
    verb: 'suppressions.lift',
    method: 'post',
    path: '/v1/suppressions/lift',
    summary: 'Remove a suppression',
    description:
      'Removes the suppression of one scope, including an erasure. Do so only at the request of the owner of the address.',
    permission: 'audience.write',
    body: z
      .strictObject({ email, scope: scope.optional().openapi({ default: 'project' }) })
      .openapi({ example: { email: 'ada@example.com' } }),
    reply: z.object({ lifted: z.boolean().openapi({ description: 'False when the address was not suppressed.' }) }),
    handle: async ({ application, projectId, body }) => ({
      lifted: await application.suppressions.lift(projectId, body.email, body.scope),
    }),
  }),
];
