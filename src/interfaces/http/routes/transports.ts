import { z } from '@hono/zod-openapi';
import { type Application, TRANSPORT_KINDS } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import {
  email,
  id,
  idOf,
  jsonObject,
  line,
  orNull,
  pageOf,
  pageOfItems,
  pageQuery,
  slug,
  timestamp,
  timestampOrNull,
} from '../schemas.ts';

const route = routesOf<Application>();

export const healthSchema = z
  .object({
    state: z.enum(['closed', 'open', 'half_open']).openapi({
      description:
        'State of the breaker. `closed`: messages take this transport. `open`: it failed, and other transports take its messages. `half_open`: one message is being tried.',
    }),
    cause: orNull(z.enum(['connection', 'authentication', 'quota', 'answers', 'settings'])).openapi({
      description: 'Cause of the last failure. It is kept when the transport is well again.',
    }),
    reason: orNull(z.string()).openapi({ description: 'The last reply or error, without addresses.' }),
    changedAt: timestampOrNull,
    nextTrialAt: timestampOrNull.openapi({ description: 'While open: when a message is tried next.' }),
  })
  .openapi('TransportHealth');

const transportSchema = z
  .object({
    id,
    slug: z.string(),
    name: z.string(),
    kind: z.enum(TRANSPORT_KINDS),
    settings: jsonObject.openapi({ description: 'Settings of this kind, without credentials.' }),
    secrets: z.record(z.string(), z.enum(['set', 'not set'])).openapi({
      description: 'Every credential of this kind, and whether it is set. No answer contains a credential.',
    }),
    maxConnections: orNull(z.int()),
    messagesPerSecond: orNull(z.number()),
    state: z.enum(['active', 'disabled']),
    version: z.int().openapi({ description: 'Grows with every change.' }),
    health: healthSchema,
    createdAt: timestamp,
    updatedAt: timestamp,
  })
  .openapi('Transport');

const params = z.object({ transportId: idOf('transport') });

const limits = {
  maxConnections: orNull(z.int().min(1).max(1_000)).openapi({
    description: 'Connections of all workers together. Default: 10 per worker.',
  }),
  messagesPerSecond: orNull(z.number().min(0.01).max(100_000)).openapi({
    description: 'Messages per second of all workers together. Default: no limit.',
  }),
};

const example = {
  kind: 'smtp',
  name: 'Main relay',
  settings: { host: 'smtp.example.com', port: 587, user: 'mailer', password: 'a password' },
};

export const transportRoutes: readonly Route<Application>[] = [
  route({
    verb: 'transports.list',
    method: 'get',
    path: '/v1/transports',
    summary: 'List the transports',
    description: 'A project without transports uses the transport of the environment.',
    permission: 'transport.read',
    query: pageQuery,
    reply: pageOfItems(transportSchema),
    handle: ({ application, projectId, query }) => application.transports.list(projectId, pageOf(query)),
  }),
  route({
    verb: 'transports.create',
    method: 'post',
    path: '/v1/transports',
    summary: 'Create a transport',
    description: 'Credentials are stored encrypted and never shown again. From now on the project uses its own transports.',
    permission: 'transport.write',
    body: z
      .strictObject({
        kind: z.enum(TRANSPORT_KINDS),
        name: line(200).optional().openapi({ description: 'Default: the kind.' }),
        slug: slug.optional(),
        settings: jsonObject.optional().openapi({ description: 'Settings of this kind, with credentials.' }),
        maxConnections: limits.maxConnections.optional(),
        messagesPerSecond: limits.messagesPerSecond.optional(),
      })
      .openapi({ example }),
    status: 201,
    reply: transportSchema,
    handle: ({ application, projectId, body }) => application.transports.create(projectId, body),
  }),
  route({
    verb: 'transports.get',
    method: 'get',
    path: '/v1/transports/{transportId}',
    summary: 'Show a transport with its health',
    permission: 'transport.read',
    params,
    reply: transportSchema,
    handle: ({ application, projectId, params: { transportId } }) => application.transports.get(projectId, transportId),
  }),
  route({
    verb: 'transports.update',
    method: 'patch',
    path: '/v1/transports/{transportId}',
    summary: 'Update a transport',
    description:
      'Settings that are not named stay, credentials included; null removes one. Workers use the new version within about a second, and try it at once.',
    permission: 'transport.write',
    params,
    body: z
      .strictObject({
        name: line(200),
        settings: jsonObject,
        maxConnections: limits.maxConnections,
        messagesPerSecond: limits.messagesPerSecond,
        state: z.enum(['active', 'disabled']),
      })
      .partial()
      .openapi({ example: { settings: { password: 'a new password' } } }),
    reply: transportSchema,
    handle: ({ application, projectId, params: { transportId }, body }) =>
      application.transports.update(projectId, transportId, body),
  }),
  route({
    verb: 'transports.delete',
    method: 'delete',
    path: '/v1/transports/{transportId}',
    summary: 'Delete a transport',
    description: 'Refused while a route names it, and of the last active transport while campaigns or messages wait.',
    permission: 'transport.write',
    params,
    handle: async ({ application, projectId, params: { transportId } }) => {
      await application.transports.delete(projectId, transportId);
      return undefined;
    },
  }),
  route({
    verb: 'transports.verify',
    method: 'post',
    path: '/v1/transports/{transportId}/verify',
    summary: 'Test a transport',
    description: 'Connects and authenticates. With `to`, also sends a real test message to this address.',
    permission: ['transport.write', 'message.send'],
    params,
    body: z
      .strictObject({ to: email.optional() })
      .optional()
      .openapi({ example: { to: 'ada@example.com' } }),
    reply: z
      .object({
        ok: z.boolean(),
        problem: guarded('transport.problem', orNull(z.string()), 'What is wrong; null when nothing is.'),
        message: orNull(
          z.object({
            outcome: z.enum(['submitted', 'deferred', 'rejected', 'in_doubt']),
            code: orNull(z.int()),
            reply: guarded('transport.reply', z.string()),
          }),
        ).openapi({ description: 'End of the test message.' }),
        milliseconds: z.int(),
      })
      .openapi('TransportTest'),
    handle: ({ application, projectId, params: { transportId }, body }) =>
      application.transports.verify(projectId, transportId, body),
  }),
];
