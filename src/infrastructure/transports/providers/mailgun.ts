import { randomBytes } from 'node:crypto';
import type { OutgoingMessage, TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { fieldOf, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'mailgun' }>;

export const MAILGUN_RULES: readonly ProviderRule[] = [
  {
    name: 'recipient-address',
    status: /^400$/,
    text: /^'?to'? parameter|recipient/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: ['400 {"message":"\'to\' parameter is not a valid address. please check documentation"}'],
  },
  {
    name: 'sender-address',
    status: /^400$/,
    text: /^'?from'? parameter|sender/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: ['400 {"message":"\'from\' parameter is not a valid address. please check documentation"}'],
  },
  {
    name: 'domain-not-verified',
    status: /^40[03]$/,
    text: /unverified|requires DNS configuration/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '403 {"message":"Domain mg.example.com is not allowed to send: The domain is unverified and requires DNS configuration. Log in to your control panel to view required DNS records."}',
    ],
  },
  {
    name: 'limit',
    text: /limit|quota|too many/i,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '403 {"message":"Domain mg.example.com is not allowed to send: Sending limit exceeded for domain (100/hour)"}',
      '429 {"message":"Too Many Requests"}',
    ],
  },
  {
    name: 'account',
    status: /^(?:400|401|403|404)$/,
    text: /not allowed to send|disabled|forbidden|free accounts|sandbox|domain not found|invalid private key/i,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '403 {"message":"Domain mg.example.com is not allowed to send: Domain is disabled"}',
      '403 {"message":"Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients in Account Settings."}',
      '404 {"message":"Domain not found: mg.example.com"}',
      '401 {"message":"Invalid private key"}',
    ],
  },
  {
    name: 'message',
    status: /^4(?:00|13)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: ['400 {"message":"MIME message could not be parsed"}', '413 {"message":"Message exceeds the maximum size"}'],
  },
];

/** Mailgun, `messages.mime`: the composed message as it is. */
export function mailgun(settings: Settings): Provider<OutgoingMessage> {
  const origin = settings.endpoint ?? (settings.region === 'eu' ? 'https://api.eu.mailgun.net' : 'https://api.mailgun.net');
  const base = `${new URL(origin).pathname.replace(/\/$/, '')}/v3/${encodeURIComponent(settings.domain)}`;
  const authorization = `Basic ${Buffer.from(`api:${settings.apiKey}`).toString('base64')}`;
  return {
    kind: 'mailgun',
    origin,
    capabilities: {
      batchSize: 1,
      content: 'mime',
      keepsHeaders: true,
      keepsMessageId: true,
      givesMessageId: true,
      repeatSafeMs: undefined,
    },
    maxMessageBytes: 25_000_000,
    secrets: [settings.apiKey, authorization.slice('Basic '.length)],
    repeatable: false,
    prepare: (message) => message,
    call: ([message]) => {
      // Clicks and opens are tracked by our own links.
      const fields = { to: message?.envelope.to ?? '', 'o:tracking': 'no' };
      const { type, body } = multipart(fields, Buffer.from(message?.content ?? []));
      return { method: 'POST', path: `${base}/messages.mime`, headers: { authorization, 'content-type': type }, body };
    },
    read: (answer) => {
      const id = textOf(fieldOf(readJson(answer.text), 'id'));
      return [
        answer.status === 200 && id !== ''
          ? acceptedAttempt(answer.status, id)
          : refusedAttempt(MAILGUN_RULES, answer, replyOf(answer)),
      ];
    },
    check: {
      // A request without a message: a key that may only send is enough for the answer that fields are missing.
      call: () => {
        const { type, body } = multipart({ 'o:testmode': 'yes' }, undefined);
        return { method: 'POST', path: `${base}/messages`, headers: { authorization, 'content-type': type }, body };
      },
      read: (answer) => {
        const reply = replyOf(answer);
        if (answer.status === 400 && reply !== undefined && /parameter is missing|need at least one/i.test(reply.text))
          return undefined;
        return refusedAttempt(MAILGUN_RULES, answer, reply).reply;
      },
    },
  };
}

function replyOf({ status, text }: HttpAnswer): ProviderReply | undefined {
  const message = textOf(fieldOf(readJson(text), 'message'));
  return message === '' ? undefined : { status, code: '', text: message };
}

/** `multipart/form-data` (RFC 7578) with the composed message as a file. */
function multipart(fields: Readonly<Record<string, string>>, message: Buffer | undefined): { type: string; body: Buffer } {
  const boundary = `pennypost-${randomBytes(18).toString('base64url')}`;
  const parts: Buffer[] = Object.entries(fields).map(([name, value]) =>
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`),
  );
  if (message !== undefined)
    parts.push(
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="message"; filename="message.eml"\r\nContent-Type: message/rfc822\r\n\r\n`,
      ),
      message,
      Buffer.from('\r\n'),
    );
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
  };
}
