import type { Attempt, TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { base64, type MessageFields, mailboxText, readFields } from './mime-fields.ts';
import { fieldOf, jsonBody, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'postmark' }>;

export const POSTMARK_RULES: readonly ProviderRule[] = [
  {
    name: 'inactive-recipient',
    code: /^406$/,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '422 {"ErrorCode":406,"Message":"You tried to send to a recipient that has been marked as inactive. Found inactive addresses: reader@example.com."}',
    ],
  },
  {
    name: 'recipient-address',
    code: /^300$/,
    text: /'(?:To|Cc|Bcc)'|recipient/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: ['422 {"ErrorCode":300,"Message":"Error parsing \'To\': Illegal email domain \'+\' in address \'user@+\'."}'],
  },
  {
    name: 'author-address',
    code: /^300$/,
    text: /'From'|sender/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: ['422 {"ErrorCode":300,"Message":"Invalid \'From\' address: \'news@\'."}'],
  },
  {
    name: 'sender-signature',
    code: /^40[01]$/,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '422 {"ErrorCode":400,"Message":"The \'From\' address you supplied (news@example.com) is not a Sender Signature on your account."}',
      '422 {"ErrorCode":401,"Message":"The Sender Signature for news@example.com has not been confirmed."}',
    ],
  },
  {
    name: 'credits',
    code: /^(?:405|429)$/,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '422 {"ErrorCode":405,"Message":"You are not allowed to send: you ran out of credits."}',
      '429 {"ErrorCode":429,"Message":"Rate limit exceeded."}',
    ],
  },
  {
    name: 'account',
    code: /^(?:10|100|412|413|12\d\d)$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '401 {"ErrorCode":10,"Message":"The Server Token you provided in the X-Postmark-Server-Token request header was invalid."}',
      '503 {"ErrorCode":100,"Message":"The Postmark API is offline for maintenance."}',
      '422 {"ErrorCode":412,"Message":"While your account is pending approval, all recipient addresses must share the same domain as the From address."}',
      '422 {"ErrorCode":1235,"Message":"The \'MessageStream\' provided does not exist on this server."}',
    ],
  },
  {
    name: 'message',
    code: /^(?:300|402|403|409|410|411)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: [
      '422 {"ErrorCode":300,"Message":"Invalid metadata content. Field names are limited to 20 characters."}',
      '422 {"ErrorCode":411,"Message":"The attachment type \'exe\' is not allowed."}',
    ],
  },
  {
    name: 'error-in-success',
    status: /^200$/,
    outcome: 'deferred',
    fault: 'unknown',
    examples: ['200 {"ErrorCode":451,"Message":"Helpful explanation from Postmark."}'],
  },
];

const MOST_BATCH = 500;

/** Postmark: fields; up to 500 messages in one call, each with its own result. */
export function postmark(settings: Settings, { batches }: { readonly batches: boolean }): Provider<MessageFields> {
  const origin = settings.endpoint ?? 'https://api.postmarkapp.com';
  const base = new URL(origin).pathname.replace(/\/$/, '');
  const headers = {
    'x-postmark-server-token': settings.serverToken,
    'content-type': 'application/json',
    accept: 'application/json',
  };
  return {
    kind: 'postmark',
    origin,
    capabilities: {
      batchSize: batches ? MOST_BATCH : 1,
      content: 'fields',
      keepsHeaders: true,
      keepsMessageId: true,
      givesMessageId: true,
      repeatSafeMs: undefined,
    },
    maxMessageBytes: 10_000_000,
    secrets: [settings.serverToken],
    repeatable: false,
    prepare: readFields,
    call: (messages) => {
      const bodies = messages.map((fields) => bodyOf(fields, settings.messageStream));
      return bodies.length === 1
        ? { method: 'POST', path: `${base}/email`, headers, body: jsonBody(bodies[0]) }
        : { method: 'POST', path: `${base}/email/batch`, headers, body: jsonBody(bodies) };
    },
    read: (answer, messages) => {
      const body = readJson(answer.text);
      if (answer.status === 200 && Array.isArray(body) && body.length === messages.length)
        return body.map((result: unknown) => attemptOf(answer, result));
      return messages.map(() => attemptOf(answer, messages.length === 1 || answer.status !== 200 ? body : undefined));
    },
    check: {
      call: () => ({ method: 'GET', path: `${base}/server`, headers }),
      read: (answer) =>
        answer.status === 200 && textOf(fieldOf(readJson(answer.text), 'ID')) !== ''
          ? undefined
          : refusedAttempt(POSTMARK_RULES, answer, replyOf(answer, readJson(answer.text))).reply,
    },
  };
}

function attemptOf(answer: HttpAnswer, result: unknown): Attempt {
  const id = textOf(fieldOf(result, 'MessageID'));
  if (answer.status === 200 && fieldOf(result, 'ErrorCode') === 0 && id !== '') return acceptedAttempt(answer.status, id);
  return refusedAttempt(POSTMARK_RULES, answer, replyOf(answer, result));
}

function replyOf({ status }: HttpAnswer, result: unknown): ProviderReply | undefined {
  const code = textOf(fieldOf(result, 'ErrorCode'));
  return code === '' || code === '0' ? undefined : { status, code, text: textOf(fieldOf(result, 'Message')) };
}

function bodyOf(fields: MessageFields, messageStream: string | undefined): unknown {
  // Without the second header Postmark writes a Message-ID of its own.
  const identity =
    fields.messageId === undefined
      ? []
      : [
          { Name: 'Message-ID', Value: fields.messageId },
          { Name: 'X-PM-KeepID', Value: 'true' },
        ];
  return {
    From: mailboxText(fields.from),
    To: mailboxText(fields.to),
    ReplyTo: fields.replyTo.length === 0 ? undefined : fields.replyTo.map(mailboxText).join(', '),
    Subject: fields.subject,
    TextBody: fields.text,
    HtmlBody: fields.html,
    Headers: [...fields.headers.map(({ name, value }) => ({ Name: name, Value: value })), ...identity],
    Attachments: fields.attachments.map(({ name, type, content, contentId }) => ({
      Name: name,
      ContentType: type,
      Content: base64(content),
      ContentID: contentId === undefined ? undefined : `cid:${contentId}`,
    })),
    TrackOpens: false,
    TrackLinks: 'None',
    MessageStream: messageStream,
  };
}
