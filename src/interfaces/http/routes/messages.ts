import { z } from '@hono/zod-openapi';
import { type Application, MESSAGE_STATES } from '../../../application/application.ts';
import { guarded } from '../field-scopes.ts';
import { type Route, routesOf } from '../route.ts';
import {
  email,
  id,
  idOf,
  inline,
  jsonObject,
  line,
  moment,
  namedTemplate,
  orNull,
  pageOf,
  pageOfItems,
  pageQuery,
  slug,
  timestamp,
  timestampOrNull,
} from '../schemas.ts';
import { CONTENT_BODY_BYTES, contentExample, contentInput, headersInput } from './content.ts';

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

const stream = slug.openapi({
  description: 'Named class of mail, such as `receipts`. A suppression with the scope `stream:receipts` stops it alone.',
  example: 'receipts',
});
const tag = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,64}$/, 'A tag is 1 to 64 of letters, digits and . _ : -')
  .openapi({ example: 'order' });

const one = z.union([
  z.string().min(3).max(1_000).openapi({ description: 'An address, alone or as `Ada Lee <ada@example.com>`.' }),
  z.strictObject({ name: inline(320).optional(), address: email }),
]);
const several = z.union([...one.options, z.array(one).max(50)]);

/** A message as a caller gives it. */
const messageInput = z.strictObject({
  to: several.openapi({ description: 'One recipient or several; `to`, `cc` and `bcc` are 50 together.' }),
  cc: several.optional(),
  bcc: several.optional().openapi({ description: 'They get the message, and no header names them.' }),
  from: one.optional().openapi({ description: 'In place of the author of the content.' }),
  replyTo: one.optional(),
  headers: headersInput.optional(),
  attachments: z
    .array(
      z.strictObject({
        name: line(300).openapi({ description: 'File name, without directories.' }),
        type: line(200).openapi({ description: 'Content type.', example: 'application/pdf' }),
        content: z.string().min(4).openapi({ format: 'byte', description: 'Base64. 5 MB a file, 7 MB together.' }),
        contentId: line(200).optional().openapi({ description: 'Makes it an inline image: `<img src="cid:...">` shows it.' }),
      }),
    )
    .max(20)
    .optional(),
  template: namedTemplate.optional(),
  content: contentInput.optional(),
  variables: jsonObject.optional(),
  stream: stream.optional(),
  tags: z.array(tag).max(10).optional(),
  metadata: jsonObject.optional().openapi({ description: 'Kept with the message and given back with it; 4 kB at most.' }),
  sendAt: moment.optional().openapi({ description: 'Not to be sent before; at most a year from now.' }),
  missingVariables: z.enum(['refuse', 'empty']).optional().openapi({
    default: 'refuse',
    description: 'What becomes of a variable that the content prints and that has neither a value nor a default.',
  }),
});

/** 7 MB of files in base64, and the content. */
const MESSAGE_BODY_BYTES = 10 * 1024 * 1024 + CONTENT_BODY_BYTES;

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
    maxBodyBytes: MESSAGE_BODY_BYTES,
    body: messageInput.openapi({
      example: { to: 'Ada Lee <ada@example.com>', content: contentExample, variables: { first_name: 'Ada' } },
    }),
    status: 202,
    reply: messageSchema,
    handle: ({ application, caller, projectId, headers, body: { sendAt, ...body } }) =>
      application.messages.send(projectId, {
        ...body,
        sendAt: sendAt?.in(caller.project.timeZone, new Date()),
        idempotencyKey: headers['idempotency-key'],
      }),
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
