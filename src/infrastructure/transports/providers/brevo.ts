import { createHash } from 'node:crypto';
import type { TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { base64, type Mailbox, type MessageFields, readFields } from './mime-fields.ts';
import { fieldOf, jsonBody, MessageNotConvertible, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'brevo' }>;

const IDEMPOTENCY_MS = 30 * 60_000;

export const BREVO_RULES: readonly ProviderRule[] = [
  {
    // The message was accepted by an earlier call with the same idempotency key, whose answer was lost.
    name: 'accepted-before',
    code: /^duplicate_parameter$/,
    outcome: 'submitted',
    fault: 'none',
    examples: ['400 {"code":"duplicate_parameter","message":"Duplicate idempotencyKey"}'],
  },
  {
    name: 'credits',
    code: /^(?:not_enough_credits|too_many_requests)$/,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '402 {"code":"not_enough_credits","message":"You do not have enough credits to send this message."}',
      '429 {"code":"too_many_requests","message":"Too many requests"}',
    ],
  },
  {
    name: 'sender',
    status: /^400$/,
    text: /sender/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '400 {"code":"invalid_parameter","message":"valid sender email required"}',
      '400 {"code":"invalid_parameter","message":"Sending has been rejected because the sender you used news@example.com is not valid. Validate your sender or authenticate your domain"}',
    ],
  },
  {
    name: 'recipient-address',
    status: /^400$/,
    text: /\b(?:in|to) (?:to|email)\b|recipient|blacklisted/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: ['400 {"code":"invalid_parameter","message":"email is not valid in to"}'],
  },
  {
    name: 'account',
    code: /^(?:unauthorized|permission_denied|account_under_validation|method_not_allowed)$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '401 {"code":"unauthorized","message":"Key not found"}',
      '403 {"code":"permission_denied","message":"Unable to send email. Your SMTP account is not yet activated."}',
      '401 {"code":"unauthorized","message":"We have detected you are using an unrecognised IP address"}',
    ],
  },
  {
    name: 'message',
    status: /^4(?:00|13)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: ['400 {"code":"missing_parameter","message":"subject is missing"}'],
  },
];

/** Brevo, `POST /v3/smtp/email`: fields; a second call with the same idempotency key within 30 minutes sends nothing. */
export function brevo(settings: Settings): Provider<MessageFields> {
  const origin = settings.endpoint ?? 'https://api.brevo.com';
  const base = `${new URL(origin).pathname.replace(/\/$/, '')}/v3`;
  const headers = { 'api-key': settings.apiKey, 'content-type': 'application/json', accept: 'application/json' };
  return {
    kind: 'brevo',
    origin,
    capabilities: {
      batchSize: 1,
      content: 'fields',
      keepsHeaders: true,
      keepsMessageId: false,
      givesMessageId: true,
      repeatSafeMs: IDEMPOTENCY_MS,
    },
    maxMessageBytes: 15_000_000,
    secrets: [settings.apiKey],
    repeatable: true,
    prepare: async (message) => {
      const fields = await readFields(message);
      if (fields.attachments.some(({ contentId }) => contentId !== undefined))
        throw new MessageNotConvertible('Brevo takes no inline images. Link them, or send by the SMTP relay of Brevo.');
      if (fields.replyTo.length > 1) throw new MessageNotConvertible('Brevo takes one Reply-To address.');
      return fields;
    },
    call: ([fields]) => ({ method: 'POST', path: `${base}/smtp/email`, headers, body: jsonBody(fields && bodyOf(fields)) }),
    read: (answer) => {
      const id = textOf(fieldOf(readJson(answer.text), 'messageId'));
      if (answer.status === 201 && id !== '') return [acceptedAttempt(answer.status, id)];
      return [refusedAttempt(BREVO_RULES, answer, replyOf(answer))];
    },
    check: {
      call: () => ({ method: 'GET', path: `${base}/account`, headers }),
      read: (answer) =>
        answer.status === 200 && textOf(fieldOf(readJson(answer.text), 'email')) !== ''
          ? undefined
          : refusedAttempt(BREVO_RULES, answer, replyOf(answer)).reply,
    },
  };
}

function replyOf({ status, text }: HttpAnswer): ProviderReply | undefined {
  const body = readJson(text);
  const code = textOf(fieldOf(body, 'code'));
  return code === '' ? undefined : { status, code, text: textOf(fieldOf(body, 'message')) };
}

function bodyOf(fields: MessageFields): unknown {
  const [replyTo] = fields.replyTo;
  const headers = fields.headers.map(({ name, value }) => [name, value]);
  if (fields.messageId !== undefined) headers.push(['idempotencyKey', uuidOf(`${fields.messageId} ${fields.to.address}`)]);
  return {
    sender: person(fields.from),
    to: [person(fields.to)],
    ...(replyTo !== undefined && { replyTo: person(replyTo) }),
    subject: fields.subject,
    textContent: fields.text,
    htmlContent: fields.html,
    headers: Object.fromEntries(headers),
    ...(fields.attachments.length > 0 && {
      attachment: fields.attachments.map(({ name, content }) => ({ name, content: base64(content) })),
    }),
  };
}

const person = ({ name, address: email }: Mailbox): unknown => (name === '' ? { email } : { email, name });

/** Brevo wants a UUID (RFC 9562, version 8: by a hash of one's own). */
function uuidOf(key: string): string {
  const hash = createHash('sha256').update(key).digest('hex');
  const variant = (8 + (Number.parseInt(hash[16] ?? '0', 16) % 4)).toString(16);
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `${variant}${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join('-');
}
