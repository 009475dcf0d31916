import { z } from '@hono/zod-openapi';
import { type Application, MESSAGE_STATES, type SendInput } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import {
  email,
  id,
  idOf,
  jsonObject,
  moment,
  orNull,
  pageOf,
  pageOfItems,
  pageQuery,
  timestamp,
  timestampOrNull,
} from '../schemas.ts';
import { CONTENT_BODY_BYTES, contentExample } from './content.ts';
import { batchedInput, messageInput, stream, tag, toSendInput } from './message-input.ts';

const route = routesOf<Application>();

const state = z.enum(MESSAGE_STATES);

const recipientShape = {
  field: z.enum(['to', 'cc', 'bcc']),
  name: guarded('message.name', orNull(z.string())),
  address: guarded('message.address', z.string()),
  state,
  attempts: z.int(),
  nextAttemptAt: timestampOrNull,
  at: timestamp.openapi({ description: 'Time of the last change of state.' }),
  code: orNull(z.int()).openapi({ description: 'SMTP reply code of the last attempt.' }),
  reply: guarded('message.reply', orNull(z.string()), 'The last reply, or the reason why it was not sent.'),
};

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

const messageShape = {
  id,
  state: state.openapi({ description: 'That of the recipient who has got least far: `submitted` only when all are.' }),
  templateId: orNull(id),
  stream: orNull(z.string()),
  tags: z.array(z.string()).readonly(),
  metadata: guarded('message.metadata', orNull(jsonObject)),
  sendAt: timestampOrNull,
  acceptedAt: timestamp,
};

/** A transactional message without its content. */
export const messageSchema = z
  .object({ ...messageShape, recipients: z.array(z.object(recipientShape).openapi('MessageRecipient')).readonly() })
  .openapi('Message');
const messageWithAttempts = z
  .object({
    ...messageShape,
    recipients: z.array(z.object({ ...recipientShape, tries: z.array(attemptSchema).readonly() })).readonly(),
  })
  .openapi('MessageWithAttempts');

/** 7 MB of files in base64, and the content. */
const MESSAGE_BODY_BYTES = 10 * 1024 * 1024 + CONTENT_BODY_BYTES;
const BATCH_BODY_BYTES = 2 * MESSAGE_BODY_BYTES;

const idempotency = z.object({ 'idempotency-key': z.string().min(1).max(256).optional() });
const REPLAYED = {
  'Idempotent-Replayed':
    '`true` when an equal request with this Idempotency-Key was answered before; the answer is the one from then.',
};

/** What the border refuses goes on as its error, so that each message has its own result. */
type SendInputs = readonly SendInput[];

const batchResult = z.object({
  message: orNull(messageSchema),
  error: orNull(
    z
      .object({
        code: z.string(),
        message: guarded('batch.error', z.string()),
        pointer: orNull(z.string()).openapi({ description: 'JSON pointer to the field at fault.' }),
      })
      .openapi('BatchRefusal'),
  ),
});

export const messageRoutes: readonly Route<Application>[] = [
  route({
    verb: 'messages.send',
    method: 'post',
    path: '/v1/messages',
    summary: 'Send one message',
    description:
      'The answer comes when the message and its job are stored in one transaction. With an `Idempotency-Key` the same request gives the same message, and another request with that key is refused.',
    permission: 'message.send',
    headers: idempotency,
    maxBodyBytes: MESSAGE_BODY_BYTES,
    body: messageInput.openapi({
      example: { to: 'Ada Lee <ada@example.com>', content: contentExample, variables: { first_name: 'Ada' } },
    }),
    status: 202,
    reply: messageSchema,
    replyHeaders: REPLAYED,
    async handle({ application, caller, projectId, headers, body, setHeader }) {
      const input = toSendInput(body, caller.project.timeZone);
      const message = await application.messages.send(projectId, { ...input, idempotencyKey: headers['idempotency-key'] });
      if (message.replayed) setHeader('Idempotent-Replayed', 'true');
      return message;
    },
  }),
  route({
    verb: 'messages.sendBatch',
    method: 'post',
    path: '/v1/messages/batch',
    summary: 'Send up to 500 messages',
    description:
      'Each message has its own result, in the order of the request: those that are refused stop no other. All that are accepted are stored with their jobs in one transaction. The `Idempotency-Key` is that of the batch as a whole.',
    permission: 'message.send',
    headers: idempotency,
    maxBodyBytes: BATCH_BODY_BYTES,
    body: z
      .strictObject({
        messages: z
          .array(z.unknown())
          .min(1)
          .max(500)
          .openapi({ type: 'array', items: { $ref: '#/components/schemas/MessageInput' } } as object),
      })
      .openapi({ example: { messages: [{ to: 'ada@example.com', content: contentExample, variables: { first_name: 'Ada' } }] } }),
    status: 202,
    reply: z.object({ results: z.array(batchResult).readonly() }),
    replyHeaders: REPLAYED,
    async handle({ application, caller, projectId, headers, body, setHeader }) {
      const messages = body.messages.map((given, at) => batchedInput(given, at, caller.project.timeZone)) as SendInputs;
      const answer = await application.messages.sendBatch(projectId, messages, { idempotencyKey: headers['idempotency-key'] });
      if (answer.replayed) setHeader('Idempotent-Replayed', 'true');
      return answer;
    },
  }),
  route({
    verb: 'messages.list',
    method: 'get',
    path: '/v1/messages',
    summary: 'List and search transactional messages, newest first',
    description: 'A message is found by any of its recipients. A search by `recipient` needs the scope `audience.read` as well.',
    permission: 'report.read',
    query: pageQuery.extend({
      recipient: email.optional(),
      state: state.optional(),
      tag: tag.optional(),
      stream: stream.optional(),
      since: moment.optional().openapi({ description: 'Accepted at this time or later.' }),
      until: moment.optional().openapi({ description: 'Accepted before.' }),
    }),
    reply: pageOfItems(messageSchema),
    handle: ({ application, caller, projectId, query: { cursor: _cursor, limit: _limit, since, until, ...search }, query }) => {
      if (search.recipient !== undefined) caller.requireScope('audience.read');
      const inZone = (time: typeof since) => time?.in(caller.project.timeZone, new Date());
      return application.messages.list(projectId, { ...pageOf(query), ...search, since: inZone(since), until: inZone(until) });
    },
  }),
  route({
    verb: 'messages.cancel',
    method: 'post',
    path: '/v1/messages/{messageId}/cancel',
    summary: 'Cancel a message',
    description:
      'For every recipient that still waits: scheduled, accepted or deferred. One that is under way, in doubt or has ended stays as it is.',
    permission: 'message.send',
    params: z.object({ messageId: idOf('message') }),
    reply: messageSchema,
    handle: ({ application, projectId, params: { messageId } }) => application.messages.cancel(projectId, messageId),
  }),
  route({
    verb: 'messages.get',
    method: 'get',
    path: '/v1/messages/{messageId}',
    summary: 'Show a message with every attempt',
    permission: 'report.read',
    params: z.object({ messageId: idOf('message') }),
    reply: messageWithAttempts,
    handle: ({ application, projectId, params: { messageId } }) => application.messages.get(projectId, messageId),
  }),
];
