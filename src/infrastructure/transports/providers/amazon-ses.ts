import { AwsV4Signer } from 'aws4fetch';
import type { OutgoingMessage, TransportSettings } from '../../../domain/delivery/index.ts';
import type { HttpAnswer } from '../../network/http-client.ts';
import { fieldOf, jsonBody, type Provider, type ProviderCall, readJson, textOf } from './provider.ts';
import { acceptedAttempt, type ProviderReply, type ProviderRule, refusedAttempt } from './provider-rule.ts';

type Settings = Extract<TransportSettings, { kind: 'amazon_ses' }>;

export const AMAZON_SES_RULES: readonly ProviderRule[] = [
  {
    name: 'rate-or-quota',
    code: /^(?:TooManyRequests|Throttling|LimitExceeded)/,
    outcome: 'deferred',
    fault: 'quota',
    examples: [
      '429 {"__type":"TooManyRequestsException","message":"Maximum sending rate exceeded."}',
      '400 {"__type":"ThrottlingException","message":"Rate exceeded"}',
      '400 {"__type":"LimitExceededException","message":"Daily message quota exceeded."}',
    ],
  },
  {
    name: 'sending-paused',
    code: /^(?:AccountSuspended|SendingPaused|AccountSendingPaused|ConfigurationSetSendingPaused)/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '400 {"__type":"SendingPausedException","message":"Email sending is disabled for your account."}',
      '400 {"__type":"AccountSuspendedException","message":"Account is suspended"}',
    ],
  },
  {
    name: 'not-verified',
    text: /not verified|verification (?:status|failed)/i,
    outcome: 'rejected',
    fault: 'sender',
    examples: [
      '400 {"__type":"MessageRejected","message":"Email address is not verified. The following identities failed the check in region US-EAST-1: to@example.com"}',
    ],
  },
  {
    name: 'return-path',
    code: /^MailFromDomainNotVerified/,
    outcome: 'rejected',
    fault: 'sender',
    examples: ['400 {"__type":"MailFromDomainNotVerifiedException","message":"The MAIL FROM domain has no MX record."}'],
  },
  {
    name: 'recipient-address',
    code: /^(?:BadRequest|InvalidParameterValue|ValidationError)/,
    text: /illegal address|local address contains|domain (?:contains|name)|missing final '@domain'|address .{0,40}(?:invalid|malformed)/i,
    outcome: 'rejected',
    fault: 'recipient',
    examples: [
      '400 {"__type":"BadRequestException","message":"Local address contains control or whitespace"}',
      '400 {"__type":"BadRequestException","message":"Missing final \'@domain\'"}',
    ],
  },
  {
    name: 'message',
    code: /^(?:MessageRejected|BadRequest|InvalidParameterValue|ValidationError)/,
    outcome: 'rejected',
    fault: 'message',
    examples: [
      '400 {"__type":"MessageRejected","message":"Transaction failed: Expected disposition, got null"}',
      '400 {"__type":"BadRequestException","message":"Message length is more than 41943040 bytes long: \'52428800\'."}',
    ],
  },
  {
    name: 'configuration',
    code: /^(?:NotFound|ConfigurationSetDoesNotExist)/,
    outcome: 'deferred',
    fault: 'transport',
    examples: ['404 {"__type":"NotFoundException","message":"Configuration set <news> does not exist."}'],
  },
  {
    name: 'credentials',
    status: /^(?:400|401|403)$/,
    outcome: 'deferred',
    fault: 'transport',
    examples: [
      '403 {"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}',
      '403 {"__type":"InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided."}',
      '403 {"__type":"AccessDeniedException","message":"User is not authorized to perform: ses:SendRawEmail on resource"}',
      '403 {"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}',
    ],
  },
];

/** Amazon SES, API v2: the composed message, of which SES replaces Message-ID and Date, in a call with Signature Version 4. */
export function amazonSes(settings: Settings): Provider<OutgoingMessage> {
  const origin = settings.endpoint ?? `https://email.${settings.region}.amazonaws.com`;
  return {
    kind: 'amazon_ses',
    origin,
    capabilities: {
      batchSize: 1,
      content: 'mime',
      keepsHeaders: true,
      keepsMessageId: false,
      givesMessageId: true,
      repeatSafeMs: undefined,
    },
    maxMessageBytes: 30_000_000,
    secrets: [settings.secretAccessKey, ...(settings.sessionToken === undefined ? [] : [settings.sessionToken])],
    repeatable: false,
    prepare: (message) => message,
    call: ([message]) =>
      signed(settings, origin, 'POST', '/v2/email/outbound-emails', {
        Destination: { ToAddresses: [message?.envelope.to] },
        Content: { Raw: { Data: Buffer.from(message?.content ?? []).toString('base64') } },
        ConfigurationSetName: settings.configurationSet,
      }),
    read: (answer) => {
      const id = textOf(fieldOf(readJson(answer.text), 'MessageId'));
      return [
        answer.status === 200 && id !== ''
          ? acceptedAttempt(answer.status, id)
          : refusedAttempt(AMAZON_SES_RULES, answer, replyOf(answer)),
      ];
    },
    check: {
      call: () => signed(settings, origin, 'GET', '/v2/email/account', undefined),
      read: (answer) => {
        const reply = replyOf(answer);
        // A user that may only send proves with this refusal that its signature is right.
        if (reply?.code.startsWith('AccessDenied') === true) return undefined;
        const enabled = fieldOf(readJson(answer.text), 'SendingEnabled');
        if (answer.status !== 200 || typeof enabled !== 'boolean') return refusedAttempt(AMAZON_SES_RULES, answer, reply).reply;
        return enabled ? undefined : 'Sending is disabled for this account in this region.';
      },
    },
  };
}

function replyOf(answer: HttpAnswer): ProviderReply | undefined {
  const body = readJson(answer.text);
  // `MessageRejected`, `MessageRejected:http://internal.amazon.com/...`, `com.amazonaws.sesv2#MessageRejected`
  const type = answer.header('x-amzn-errortype') ?? textOf(fieldOf(body, '__type'));
  const code = type.replace(/:.*$/, '').replace(/^.*#/, '');
  if (code === '') return undefined;
  return { status: answer.status, code, text: textOf(fieldOf(body, 'message') ?? fieldOf(body, 'Message')) };
}

async function signed(
  { region, accessKeyId, secretAccessKey, sessionToken }: Settings,
  origin: string,
  method: 'GET' | 'POST',
  path: string,
  payload: unknown,
): Promise<ProviderCall> {
  const body = payload === undefined ? undefined : jsonBody(payload);
  const url = new URL(`${origin}${path}`);
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: 'ses',
    region,
  });
  const { headers } = await signer.sign();
  return { method, path: url.pathname, headers: Object.fromEntries(headers), body };
}
