import { z } from 'zod';
import { type AttachmentInput, MESSAGE_STATES, type MessageSearch } from '../../../domain/delivery/index.ts';
import { DomainError } from '../../../domain/shared/errors.ts';
import { content, flag, id, json, named, pageFields, project, strict, text, time } from '../../input-parts.ts';
import { refusal } from '../../input-refusal.ts';
import type { CallerTransaction } from '../../unit-of-work.ts';
import type { BatchOptions } from './accept-batch.ts';
import type { AcceptOptions } from './accept-message.ts';
import type { MailboxInput, SendInput } from './message-input.ts';

const messageState = z.enum(MESSAGE_STATES);
const oneMailbox = z.union([z.string(), strict<MailboxInput>({ name: z.string().optional(), address: z.string() })]);
const recipients = z.union([...oneMailbox.options, z.array(oneMailbox).readonly()]);
const attachment = strict<AttachmentInput>({
  name: z.string(),
  type: z.string(),
  content: z.string(),
  contentId: z.string().optional(),
});
const message = strict<SendInput>({
  to: recipients,
  cc: recipients.optional(),
  bcc: recipients.optional(),
  from: oneMailbox.optional(),
  replyTo: oneMailbox.optional(),
  headers: z.record(z.string(), z.string()).optional(),
  attachments: z.array(attachment).readonly().optional(),
  template: named('template').optional(),
  content: content.optional(),
  variables: json.optional(),
  missingVariables: z.enum(['refuse', 'empty']).optional(),
  stream: z.string().optional(),
  tags: z.array(z.string()).readonly().optional(),
  metadata: json.optional(),
  sendAt: time.optional(),
  unsubscribe: flag,
  idempotencyKey: text.optional(),
});
const transaction = z.custom<CallerTransaction>(
  (value) => typeof Object(value).query === 'function',
  'An open transaction is expected, as pgTransaction(), kyselyTransaction(), mikroOrmTransaction() or drizzleTransaction() gives it.',
);
/** One message of many: what is wrong with it stops no other. A face may have found that before. */
const batched = z.unknown().transform((value) => {
  if (value instanceof DomainError) return value;
  const result = message.safeParse(value);
  return result.success ? result.data : refusal('messages.sendBatch', value, result.error.issues);
});

/** What the verbs of messages take, argument by argument. */
export const MESSAGE_INPUTS = {
  send: [project, message, strict<AcceptOptions>({ transaction: transaction.optional() }).optional()],
  sendBatch: [
    project,
    z.array(batched).readonly(),
    strict<BatchOptions>({ transaction: transaction.optional(), idempotencyKey: text.optional() }).optional(),
  ],
  list: [
    project,
    strict<MessageSearch>({
      ...pageFields,
      recipient: z.string().optional(),
      state: messageState.optional(),
      tag: z.string().optional(),
      stream: z.string().optional(),
      since: time.optional(),
      until: time.optional(),
    }).optional(),
  ],
  get: [project, id('message')],
  cancel: [project, id('message')],
} as const;
