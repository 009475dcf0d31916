import { isUtf8 } from 'node:buffer';
import type { OutgoingMessage, TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { fieldOf, jsonBody, MessageNotConvertible, type Provider, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'sparkpost' }>;

export const SPARKPOST_RULES: readonly ProviderRule[] = [
  {
    name: 'none-accepted',
    status: /^200$/,
    outcome: 'rejected',
    fault: 'recipient',
    examples: ['200 {"results":{"id":"12345678901234567890","total_accepted_recipients":0,"total_rejected_recipients":1}}'],
  },
  {
    name: 'limit',
    text: /limit|quota|too many/i,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '420 {"errors":[{"message":"Exceed Sending Limit (hourly)","code":"2101"}]}',
      '429 {"errors":[{"message":"Too many requests"}]}',
    ],
  },
  {
    name: 'suppressed',
    text: /suppress|message generation rejected/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '400 {"errors":[{"message":"Message generation rejected","description":"recipient address suppressed due to customer policy","code":"1902"}]}',
    ],
  },
  {
    name: 'recipient-address',
    text: /recipient|invalid email address|address\.email/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '400 {"errors":[{"message":"At least one valid recipient is required","code":"5002"}]}',
      '422 {"errors":[{"message":"invalid data format/type","description":"Error validating email address in recipient","code":"1300"}]}',
    ],
  },
  {
    name: 'sending-domain',
    text: /sending domain|unconfigured|unverified/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '400 {"errors":[{"message":"Invalid domain","description":"Unconfigured Sending Domain <example.com>","code":"7001"}]}',
    ],
  },
  {
    name: 'credentials',
    status: /^40[13]$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: ['401 {"errors":[{"message":"Unauthorized."}]}', '403 {"errors":[{"message":"Forbidden."}]}'],
  },
  {
    name: 'message',
    status: /^4(?:00|22)$/,
    outcome: 'rejected',
    fault: 'message',
    examples: ['422 {"errors":[{"message":"substitution language syntax error in template content","code":"3000"}]}'],
  },
];

/** SparkPost, `content.email_rfc822`: the composed message as it is, unless it contains SparkPost's own template language. */
export function sparkpost(settings: Settings): Provider<OutgoingMessage> {
  const origin = settings.endpoint ?? (settings.region === 'eu' ? 'https://api.eu.sparkpost.com' : 'https://api.sparkpost.com');
  const path = `${new URL(origin).pathname.replace(/\/$/, '')}/api/v1/transmissions`;
  const headers = { authorization: settings.apiKey, 'content-type': 'application/json', accept: 'application/json' };
  // Clicks and opens are tracked by our own links.
  const options = { open_tracking: false, click_tracking: false };
  return {
    kind: 'sparkpost',
    origin,
    capabilities: {
      batchSize: 1,
      content: 'mime',
      keepsHeaders: true,
      keepsMessageId: false,
      givesMessageId: true,
      repeatSafeMs: undefined,
    },
    maxMessageBytes: 20_000_000,
    secrets: [settings.apiKey],
    repeatable: false,
    prepare: (message) => {
      // JSON has no bytes, and what is not UTF-8 would arrive as another text.
      if (!isUtf8(message.content)) throw new MessageNotConvertible('SparkPost takes messages in UTF-8 only.');
      if (Buffer.from(message.content).includes('{{'))
        throw new MessageNotConvertible('The message contains "{{", which SparkPost would replace by its own template language.');
      return message;
    },
    call: ([message]) => ({
      method: 'POST',
      path,
      headers,
      body: jsonBody({
        options,
        recipients: [{ address: { email: message?.envelope.to } }],
        content: { email_rfc822: Buffer.from(message?.content ?? []).toString('utf8') },
      }),
    }),
    read: (answer) => {
      const results = fieldOf(readJson(answer.text), 'results');
      const accepted = fieldOf(results, 'total_accepted_recipients');
      const id = textOf(fieldOf(results, 'id'));
      if (answer.status === 200 && id !== '' && accepted === 1) return [acceptedAttempt(answer.status, id)];
      return [refusedAttempt(SPARKPOST_RULES, answer, replyOf(answer))];
    },
    check: {
      // A transmission without recipients and content: a key that may only send is enough for the answer that they are missing.
      call: () => ({ method: 'POST', path, headers, body: jsonBody({}) }),
      read: (answer) => {
        const reply = replyOf(answer);
        if (/^4(?:00|22)$/.test(String(answer.status)) && reply !== undefined) return undefined;
        return refusedAttempt(SPARKPOST_RULES, answer, reply).reply;
      },
    },
  };
}

function replyOf({ status, text }: HttpAnswer): ProviderReply | undefined {
  const body = readJson(text);
  const errors = fieldOf(body, 'errors');
  const [first]: unknown[] = Array.isArray(errors) ? errors : [];
  const words = [fieldOf(first, 'message'), fieldOf(first, 'description')].map(textOf).filter((part) => part !== '');
  if (words.length > 0) return { status, code: textOf(fieldOf(first, 'code')), text: words.join(': ') };
  const rejected = fieldOf(fieldOf(body, 'results'), 'total_rejected_recipients');
  return rejected === 1 ? { status, code: '', text: 'The recipient was rejected.' } : undefined;
}
