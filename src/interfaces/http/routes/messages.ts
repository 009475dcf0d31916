import { z } from '@hono/zod-openapi';
import type { Application } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import { email, id, idOf, jsonObject, orNull, pageOf, pageOfItems, pageQuery, timestamp, timestampOrNull } from '../schemas.ts';
import { CONTENT_BODY_BYTES, contentExample, contentInput } from './content.ts';

const route = routesOf<Application>();

const messageShape = {
  id,
  to: guarded('message.to', z.string()),
  state: z.enum(['accepted', 'attempting', 'submitted', 'deferred', 'rejected', 'in_doubt', 'expired', 'failed', 'skipped']),
  templateId: orNull(id),
  attempts: z.int(),
  nextAttemptAt: timestampOrNull,
  acceptedAt: timestamp,
  at: timestamp.openapi({ description: 'Time of the last change of state.' }),
  code: orNull(z.int()).openapi({ description: 'SMTP reply code of the last attempt.' }),
  reply: guarded('message.reply', orNull(z.string()), 'The last reply, or the reason why it was not sent.'),
};

type Message = Awaited<ReturnType<Application['messages']['send']>>;
/** A transactional message without its content. */
export const shownMessage = (message: Message) => ({ ...message, to: message.recipient.address });

export const messageSchema = z.object(messageShape).openapi('Message');
const attemptSchema = z
  .object({
    number: z.int(),
    startedAt: timestamp,
    endedAt: timestampOrNull,
    outcome: orNull(z.enum(['submitted', 'deferred', 'rejected', 'in_doubt'])),
    code: orNull(z.int()),
    reply: guarded('attempt.reply', orNull(z.string())),
    transport: z.string().openapi({ description: 'Name of the transport that was asked.' }),
  })
  .openapi('Attempt');

export const messageRoutes: readonly Route<Application>[] = [
  route({
    verb: 'messages.send',
    method: 'post',
    path: '/v1/messages',
    summary: 'Send one message',
    description:
      'The answer comes when the message and its job are stored in one transaction. With an `Idempotency-Key` the same request gives the same message, and another request with that key is refused.',
    permission: 'message.send',
    headers: z.object({ 'idempotency-key': z.string().min(1).max(256).optional() }),
    maxBodyBytes: CONTENT_BODY_BYTES,
    body: z
      .strictObject({
        to: email,
        templateId: idOf('template').optional(),
        content: contentInput.optional(),
        variables: jsonObject.optional(),
      })
      .openapi({ example: { to: 'ada@example.com', content: contentExample, variables: { first_name: 'Ada' } } }),
    status: 202,
    reply: messageSchema,
    handle: async ({ application, projectId, headers, body }) =>
      shownMessage(await application.messages.send(projectId, { ...body, idempotencyKey: headers['idempotency-key'] })),
  }),
  route({
    verb: 'messages.list',
    method: 'get',
    path: '/v1/messages',
    summary: 'List transactional messages, newest first',
    permission: 'report.read',
    query: pageQuery,
    reply: pageOfItems(messageSchema),
    async handle({ application, projectId, query }) {
      const page = await application.messages.list(projectId, pageOf(query));
      return { items: page.items.map(shownMessage), next: page.next };
    },
  }),
  route({
    verb: 'messages.get',
    method: 'get',
    path: '/v1/messages/{messageId}',
    summary: 'Show a message with every attempt',
    permission: 'report.read',
    params: z.object({ messageId: idOf('message') }),
    reply: z.object({ ...messageShape, tries: z.array(attemptSchema).readonly() }).openapi('MessageWithAttempts'),
    async handle({ application, projectId, params: { messageId } }) {
      const message = await application.messages.get(projectId, messageId);
      return { ...shownMessage(message), tries: message.tries };
    },
  }),
];
