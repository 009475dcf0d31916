import { createHash } from 'node:crypto';
import type { Attempt, TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { base64, type MessageFields, mailboxText, readFields } from './mime-fields.ts';
import { fieldOf, jsonBody, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'resend' }>;

const IDEMPOTENCY_MS = 24 * 3_600_000;
const MOST_BATCH = 100;

export const RESEND_RULES: readonly ProviderRule[] = [
  {
    // The first call with this key is still under way, or had other content: whether it was accepted is not known.
    name: 'idempotency',
    code: /^(?:concurrent_idempotent_requests|invalid_idempotent_request)$/,
    outcome: 'in_doubt',
    fault: 'transport',
    examples: [
      '409 {"statusCode":409,"name":"concurrent_idempotent_requests","message":"Same idempotency key used while original request is still in progress."}',
      '409 {"statusCode":409,"name":"invalid_idempotent_request","message":"Same idempotency key used with a different request payload."}',
    ],
  },
  {
    name: 'limit',
    code: /^(?:rate_limit_exceeded|daily_quota_exceeded|monthly_quota_exceeded)$/,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '429 {"statusCode":429,"name":"rate_limit_exceeded","message":"Too many requests. You can only make 2 requests per second."}',
      '429 {"statusCode":429,"name":"daily_quota_exceeded","message":"You have reached your daily email sending quota."}',
    ],
  },
  {
    name: 'credentials',
    code: /^(?:missing_api_key|restricted_api_key|invalid_api_key|suspended_api_key)$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '401 {"statusCode":401,"name":"missing_api_key","message":"Missing API Key"}',
      '403 {"statusCode":403,"name":"invalid_api_key","message":"API key is invalid"}',
    ],
  },
  {
    name: 'credentials-text',
    text: /api key|only send testing emails/i,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '400 {"statusCode":400,"message":"API key is invalid","name":"validation_error"}',
      '403 {"statusCode":403,"name":"validation_error","message":"You can only send testing emails to your own email address."}',
    ],
  },
  {
    name: 'sender',
    code: /^(?:validation_error|invalid_from_address|security_error)$/,
    text: /`from`|domain is not verified|not verified|security issue/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '403 {"statusCode":403,"name":"validation_error","message":"The example.com domain is not verified. Please, add and verify your domain."}',
      '422 {"statusCode":422,"name":"invalid_from_address","message":"Invalid `from` field."}',
    ],
  },
  {
    name: 'recipient-address',
    text: /`to`/,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '422 {"statusCode":422,"name":"validation_error","message":"Invalid `to` field. The email address needs to follow the `email@example.com` format."}',
    ],
  },
  {
    name: 'message',
    status: /^4(?:00|22)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: [
      '422 {"statusCode":422,"name":"invalid_attachment","message":"Attachment must have either a `content` or `path`."}',
      '422 {"statusCode":422,"name":"missing_required_field","message":"Missing `subject` field."}',
    ],
  },
];

/**
 * Resend: fields. Alone, each message has its Message-ID and recipient as idempotency key for 24 hours. In batches (up to 100) the key stands for the
 * whole call: it settles a lost answer at once, but not a later submission of one message.
 */
export function resend(settings: Settings, { batches }: { readonly batches: boolean }): Provider<MessageFields> {
  const origin = settings.endpoint ?? 'https://api.resend.com';
  const base = new URL(origin).pathname.replace(/\/$/, '');
  const headers = { authorization: `Bearer ${settings.apiKey}`, 'content-type': 'application/json', accept: 'application/json' };
  return {
    kind: 'resend',
    origin,
    capabilities: {
      batchSize: batches ? MOST_BATCH : 1,
      content: 'fields',
      keepsHeaders: true,
      keepsMessageId: false,
      givesMessageId: true,
      repeatSafeMs: batches ? undefined : IDEMPOTENCY_MS,
    },
    maxMessageBytes: 28_000_000,
    secrets: [settings.apiKey],
    repeatable: true,
    prepare: readFields,
    // The batch endpoint takes no attachments.
    goesAlone: ({ attachments }) => attachments.length > 0,
    call: (messages) => {
      const [first] = messages;
      const alone = messages.length === 1;
      const body = jsonBody(alone ? first && bodyOf(first) : messages.map(bodyOf));
      const key = alone && first?.messageId !== undefined ? `${first.messageId} ${first.to.address}` : undefined;
      return {
        method: 'POST',
        path: alone ? `${base}/emails` : `${base}/emails/batch`,
        headers: { ...headers, 'idempotency-key': digest(key ?? body) },
        body,
      };
    },
    read: (answer, messages) => {
      const body = readJson(answer.text);
      const results = messages.length === 1 ? [body] : fieldOf(body, 'data');
      if (answer.status === 200 && Array.isArray(results) && results.length === messages.length)
        return results.map((result: unknown) => attemptOf(answer, result));
      return messages.map(() => refusedAttempt(RESEND_RULES, answer, replyOf(answer)));
    },
    check: {
      // A request without a message: a key that may only send is enough for the answer that fields are missing.
      call: () => ({ method: 'POST', path: `${base}/emails`, headers, body: jsonBody({}) }),
      read: (answer) => {
        const reply = replyOf(answer);
        const attempt = refusedAttempt(RESEND_RULES, answer, reply);
        return reply !== undefined && attempt.outcome === 'rejected' ? undefined : attempt.reply;
      },
    },
  };
}

function attemptOf(answer: HttpAnswer, result: unknown): Attempt {
  const id = textOf(fieldOf(result, 'id'));
  return id === '' ? refusedAttempt(RESEND_RULES, answer, undefined) : acceptedAttempt(answer.status, id);
}

function replyOf({ status, text }: HttpAnswer): ProviderReply | undefined {
  const body = readJson(text);
  const code = textOf(fieldOf(body, 'name'));
  return code === '' ? undefined : { status, code, text: textOf(fieldOf(body, 'message')) };
}

const digest = (of: string | Uint8Array): string => createHash('sha256').update(of).digest('hex');

function bodyOf(fields: MessageFields): unknown {
  return {
    from: mailboxText(fields.from),
    to: [mailboxText(fields.to)],
    ...(fields.replyTo.length > 0 && { reply_to: fields.replyTo.map(mailboxText) }),
    subject: fields.subject,
    text: fields.text,
    html: fields.html,
    headers: Object.fromEntries(fields.headers.map(({ name, value }) => [name, value])),
    ...(fields.attachments.length > 0 && {
      attachments: fields.attachments.map(({ name, type, content, contentId }) => ({
        filename: name,
        content: base64(content),
        content_type: type,
        content_id: contentId,
      })),
    }),
  };
}
