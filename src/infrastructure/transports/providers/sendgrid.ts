import type { TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { base64, type Mailbox, type MessageFields, readFields } from './mime-fields.ts';
import { fieldOf, jsonBody, MessageNotConvertible, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'sendgrid' }>;

export const SENDGRID_RULES: readonly ProviderRule[] = [
  {
    name: 'credits',
    text: /credits exceeded|limit exceeded|too many requests/i,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '401 {"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}',
      '429 {"errors":[{"field":null,"message":"too many requests"}]}',
    ],
  },
  {
    name: 'sender-identity',
    text: /sender identity|from (?:address|email)/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '403 {"errors":[{"message":"The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.","field":"from","help":null}]}',
    ],
  },
  {
    name: 'recipient-address',
    status: /^400$/,
    code: /^personalizations\.\d+\.(?:to|cc|bcc)/,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '400 {"errors":[{"message":"Does not contain a valid address.","field":"personalizations.0.to.0.email","help":""}]}',
    ],
  },
  {
    name: 'author-address',
    status: /^400$/,
    code: /^(?:from|reply_to)\b/,
    outcome: 'rejected',
    fault: 'sender',
    examples: ['400 {"errors":[{"message":"Does not contain a valid address.","field":"from.email","help":""}]}'],
  },
  {
    name: 'message',
    status: /^4(?:00|13)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: [
      '400 {"errors":[{"message":"The attachment content must be base64 encoded.","field":"attachments.0.content","help":""}]}',
      '413 {"errors":[{"message":"The JSON payload is too large.","field":null}]}',
    ],
  },
  {
    name: 'credentials',
    status: /^40[13]$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '401 {"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked","field":null,"help":null}]}',
      '403 {"errors":[{"message":"access forbidden","field":null,"help":null}]}',
    ],
  },
];

/** SendGrid, Web API v3: fields, one message in each call. */
export function sendgrid(settings: Settings): Provider<MessageFields> {
  const origin = settings.endpoint ?? (settings.region === 'eu' ? 'https://api.eu.sendgrid.com' : 'https://api.sendgrid.com');
  const base = new URL(origin).pathname.replace(/\/$/, '');
  const headers = { authorization: `Bearer ${settings.apiKey}`, 'content-type': 'application/json', accept: 'application/json' };
  return {
    kind: 'sendgrid',
    origin,
    capabilities: {
      batchSize: 1,
      content: 'fields',
      keepsHeaders: true,
      keepsMessageId: true,
      givesMessageId: true,
      repeatSafeMs: undefined,
    },
    maxMessageBytes: 20_000_000,
    secrets: [settings.apiKey],
    repeatable: false,
    prepare: async (message) => {
      const fields = await readFields(message);
      const names = fields.headers.map(({ name }) => name.toLowerCase());
      const twice = names.find((name, at) => names.indexOf(name) !== at);
      if (twice !== undefined) throw new MessageNotConvertible(`SendGrid takes the header ${twice} once only.`);
      return fields;
    },
    call: ([fields]) => ({ method: 'POST', path: `${base}/v3/mail/send`, headers, body: jsonBody(fields && bodyOf(fields)) }),
    read: (answer) => {
      const id = answer.header('x-message-id') ?? '';
      // Accepted answers have no body; the status alone says so, but only beside the id it is SendGrid that says it.
      if (answer.status === 202 && (id !== '' || answer.text === '')) return [acceptedAttempt(answer.status, id)];
      return [refusedAttempt(SENDGRID_RULES, answer, replyOf(answer))];
    },
    check: {
      call: () => ({ method: 'GET', path: `${base}/v3/scopes`, headers }),
      read: (answer) => {
        const scopes = fieldOf(readJson(answer.text), 'scopes');
        if (answer.status !== 200 || !Array.isArray(scopes)) return refusedAttempt(SENDGRID_RULES, answer, replyOf(answer)).reply;
        return scopes.includes('mail.send') ? undefined : 'The API key lacks the permission "Mail Send".';
      },
    },
  };
}

function replyOf({ status, text }: HttpAnswer): ProviderReply | undefined {
  const errors = fieldOf(readJson(text), 'errors');
  const [first]: unknown[] = Array.isArray(errors) ? errors : [];
  const message = textOf(fieldOf(first, 'message'));
  return message === '' ? undefined : { status, code: textOf(fieldOf(first, 'field')), text: message };
}

function bodyOf(fields: MessageFields): unknown {
  const headers =
    fields.messageId === undefined ? fields.headers : [...fields.headers, { name: 'Message-ID', value: fields.messageId }];
  const [replyTo, ...more] = fields.replyTo;
  return {
    personalizations: [{ to: [address(fields.to)] }],
    from: address(fields.from),
    ...(replyTo !== undefined &&
      (more.length === 0 ? { reply_to: address(replyTo) } : { reply_to_list: fields.replyTo.map(address) })),
    subject: fields.subject,
    // In this order: SendGrid refuses HTML before text.
    content: [
      ...(fields.text ? [{ type: 'text/plain', value: fields.text }] : []),
      ...(fields.html ? [{ type: 'text/html', value: fields.html }] : []),
    ],
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    attachments:
      fields.attachments.length === 0
        ? undefined
        : fields.attachments.map(({ name, type, content, contentId }) => ({
            filename: name,
            type,
            content: base64(content),
            ...(contentId === undefined ? { disposition: 'attachment' } : { disposition: 'inline', content_id: contentId }),
          })),
    // Clicks and opens are tracked by our own links.
    tracking_settings: {
      click_tracking: { enable: false, enable_text: false },
      open_tracking: { enable: false },
      subscription_tracking: { enable: false },
    },
  };
}

const address = ({ name, address: email }: Mailbox): unknown => (name === '' ? { email } : { email, name });
