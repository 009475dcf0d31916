import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What the fake does with a request. `cut` resets the connection, `hang` never answers, `drip` sends one byte of the body a millisecond. */
export type FakeAnswer =
  | 'cut'
  | 'hang'
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly drip?: boolean;
      /** Announces a longer body than it sends, and resets. */
      readonly cutInside?: boolean;
    };

export interface FakeProvider {
  readonly url: string;
  /** In the order in which their bodies were complete. */
  readonly requests: FakeRequest[];
  /** Connections that were accepted. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/** An HTTP server on loopback. @param answer may wait */
export async function startFakeProvider(
  answer: (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>,
): Promise<FakeProvider> {
  const requests: FakeRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((incoming, response) => {
    void serve(incoming, response, async (request) => {
      requests.push(request);
      return answer(request);
    });
  });
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The fake provider has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    connections: () => connections,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  answer: (request: FakeRequest) => Promise<FakeAnswer>,
): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
  } catch {
    return;
  }
  const { method = '', url: path = '', headers } = incoming;
  const what = await answer({ method, path, headers, body: Buffer.concat(chunks) });
  if (what === 'hang') return;
  if (what === 'cut') return void incoming.socket.resetAndDestroy();
  const body = Buffer.from(what.body ?? '');
  if (what.cutInside === true) {
    response.writeHead(what.status, { 'content-length': String(body.length + 10), ...what.headers });
    response.write(body, () => incoming.socket.resetAndDestroy());
    return;
  }
  response.writeHead(what.status, { 'content-type': 'application/json', 'content-length': String(body.length), ...what.headers });
  if (what.drip === true) drip(response, body);
  else response.end(body);
}

function drip(response: ServerResponse, body: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at >= body.length) response.end();
    else response.write(body.subarray(at, at + 1));
    at += 1;
    if (at > body.length || response.destroyed) clearInterval(timer);
  }, 1);
  response.on('close', () => clearInterval(timer));
}

/** What a request hands over: the recipient, and the message or the JSON that stands for it. */
export interface FakeMessage {
  readonly to: string;
  readonly content: string;
}

/** How one provider speaks. */
export interface Dialect {
  readonly kind: string;
  /** Settings without the endpoint, as a user gives them. */
  readonly settings: Readonly<Record<string, string>>;
  /** A credential that must not appear in replies. */
  readonly secret: string;
  authorised(request: FakeRequest): boolean;
  /** Undefined for a request that is no hand-over, such as that of `verify`. */
  messages(request: FakeRequest): FakeMessage[] | undefined;
  accepts(ids: readonly string[]): FakeAnswer;
  /** The answer to `verify` with the right credentials. */
  readonly verified: FakeAnswer;
  readonly unauthorised: FakeAnswer;
  /** An answer of each class to one message. */
  readonly refusals: Readonly<Record<'recipient' | 'sender' | 'message' | 'quota' | 'transport', FakeAnswer>>;
}

const json = (status: number, value: unknown, headers: Record<string, string> = {}): FakeAnswer => ({
  status,
  headers,
  body: JSON.stringify(value),
});
const parsed = (request: FakeRequest) => JSON.parse(request.body.toString());
const bareAddress = (text: string): string => /<([^<>]*)>$/.exec(text)?.[1] ?? text;
const SECRET = 'hush-hush-0123456789';
const down = json(503, { message: 'maintenance' });

export const DIALECTS: readonly Dialect[] = [
  {
    kind: 'amazon_ses',
    settings: { region: 'eu-west-1', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: SECRET, configurationSet: 'news' },
    secret: SECRET,
    authorised: (request) =>
      signatureOf(request, 'eu-west-1', SECRET) === /Signature=(\w+)$/.exec(String(request.headers.authorization))?.[1],
    messages: (request) => {
      if (request.method !== 'POST') return undefined;
      const { Destination, Content } = parsed(request);
      return [{ to: Destination.ToAddresses[0], content: Buffer.from(Content.Raw.Data, 'base64').toString() }];
    },
    accepts: ([id]) => json(200, { MessageId: id }),
    verified: json(200, { SendingEnabled: true }),
    unauthorised: json(
      403,
      { message: `The request signature does not match ${SECRET}.` },
      { 'x-amzn-errortype': 'InvalidSignatureException' },
    ),
    refusals: {
      recipient: json(
        400,
        { message: 'Local address contains control or whitespace' },
        { 'x-amzn-errortype': 'BadRequestException' },
      ),
      sender: json(
        400,
        { message: 'Email address is not verified.' },
        { 'x-amzn-errortype': 'MessageRejected:http://internal/' },
      ),
      message: json(400, { message: 'Transaction failed: Expected disposition' }, { 'x-amzn-errortype': 'MessageRejected' }),
      quota: json(
        429,
        { message: 'Maximum sending rate exceeded.' },
        { 'x-amzn-errortype': 'TooManyRequestsException', 'retry-after': '3600' },
      ),
      transport: json(400, { message: 'Sending is disabled' }, { 'x-amzn-errortype': 'SendingPausedException' }),
    },
  },
  {
    kind: 'mailgun',
    settings: { apiKey: SECRET, domain: 'mg.example.com' },
    secret: SECRET,
    authorised: ({ headers }) => headers.authorization === `Basic ${Buffer.from(`api:${SECRET}`).toString('base64')}`,
    messages: (request) => {
      if (request.path !== '/v3/mg.example.com/messages.mime') return undefined;
      const boundary = /boundary=(.+)$/.exec(String(request.headers['content-type']))?.[1] ?? '';
      const parts = Object.fromEntries(
        request.body
          .toString()
          .split(`--${boundary}`)
          .slice(1, -1)
          .map((part) => {
            const end = part.indexOf('\r\n\r\n');
            return [/name="([^"]+)"/.exec(part.slice(0, end))?.[1] ?? '', part.slice(end + 4, -2)];
          }),
      );
      return [{ to: parts.to ?? '', content: parts.message ?? '' }];
    },
    accepts: ([id]) => json(200, { id: `<${id}@mg.example.com>`, message: 'Queued. Thank you.' }),
    verified: json(400, { message: 'from parameter is missing' }),
    unauthorised: { status: 401, headers: { 'content-type': 'text/plain' }, body: `Forbidden ${SECRET}` },
    refusals: {
      recipient: json(400, { message: "'to' parameter is not a valid address. please check documentation" }),
      sender: json(403, {
        message: 'Domain mg.example.com is not allowed to send: The domain is unverified and requires DNS configuration.',
      }),
      message: json(400, { message: 'message is not a valid MIME message' }),
      quota: json(429, { message: 'Too Many Requests' }, { 'retry-after': '3600' }),
      transport: json(403, { message: 'Domain mg.example.com is not allowed to send: Domain is disabled' }),
    },
  },
  {
    kind: 'sparkpost',
    settings: { apiKey: SECRET },
    secret: SECRET,
    authorised: ({ headers }) => headers.authorization === SECRET,
    messages: (request) => {
      const { recipients, content } = parsed(request);
      return recipients === undefined ? undefined : [{ to: recipients[0].address.email, content: content.email_rfc822 }];
    },
    accepts: ([id]) => json(200, { results: { id, total_accepted_recipients: 1, total_rejected_recipients: 0 } }),
    verified: json(422, { errors: [{ message: 'required field is missing', description: 'content is required', code: '1400' }] }),
    unauthorised: json(401, { errors: [{ message: `Unauthorized. ${SECRET}` }] }),
    refusals: {
      recipient: json(400, { errors: [{ message: 'At least one valid recipient is required', code: '5002' }] }),
      sender: json(400, {
        errors: [{ message: 'Invalid domain', description: 'Unconfigured Sending Domain <example.com>', code: '7001' }],
      }),
      message: json(422, { errors: [{ message: 'substitution language syntax error in template content', code: '3000' }] }),
      quota: json(420, { errors: [{ message: 'Exceed Sending Limit (hourly)', code: '2101' }] }, { 'retry-after': '3600' }),
      transport: json(503, { errors: [{ message: 'Service unavailable' }] }),
    },
  },
  {
    kind: 'postmark',
    settings: { serverToken: SECRET, messageStream: 'broadcast' },
    secret: SECRET,
    authorised: ({ headers }) => headers['x-postmark-server-token'] === SECRET,
    messages: (request) => {
      if (request.method !== 'POST') return undefined;
      return [parsed(request)].flat().map((one) => ({ to: bareAddress(one.To), content: JSON.stringify(one) }));
    },
    accepts: (ids) => {
      const results = ids.map((id) => ({ ErrorCode: 0, Message: 'OK', MessageID: id }));
      return json(200, results.length === 1 ? results[0] : results);
    },
    verified: json(200, { ID: 1, Name: 'Production' }),
    unauthorised: json(401, { ErrorCode: 10, Message: `The Server Token ${SECRET} was invalid.` }),
    refusals: {
      recipient: json(422, { ErrorCode: 406, Message: 'You tried to send to a recipient that has been marked as inactive.' }),
      sender: json(422, {
        ErrorCode: 400,
        Message: "The 'From' address you supplied is not a Sender Signature on your account.",
      }),
      message: json(422, { ErrorCode: 411, Message: "The attachment type 'exe' is not allowed." }),
      quota: json(429, { ErrorCode: 429, Message: 'Rate limit exceeded.' }, { 'retry-after': '3600' }),
      transport: json(503, { ErrorCode: 100, Message: 'The Postmark API is offline for maintenance.' }),
    },
  },
  {
    kind: 'sendgrid',
    settings: { apiKey: SECRET },
    secret: SECRET,
    authorised: ({ headers }) => headers.authorization === `Bearer ${SECRET}`,
    messages: (request) => {
      if (request.method !== 'POST') return undefined;
      return [{ to: parsed(request).personalizations[0].to[0].email, content: request.body.toString() }];
    },
    accepts: ([id]) => ({ status: 202, headers: { 'x-message-id': id ?? '' }, body: '' }),
    verified: json(200, { scopes: ['mail.send'] }),
    unauthorised: json(401, {
      errors: [{ message: `The provided authorization grant ${SECRET} is invalid, expired, or revoked` }],
    }),
    refusals: {
      recipient: json(400, {
        errors: [{ message: 'Does not contain a valid address.', field: 'personalizations.0.to.0.email' }],
      }),
      sender: json(403, { errors: [{ message: 'The from address does not match a verified Sender Identity.', field: 'from' }] }),
      message: json(400, {
        errors: [{ message: 'The attachment content must be base64 encoded.', field: 'attachments.0.content' }],
      }),
      quota: json(429, { errors: [{ message: 'too many requests' }] }, { 'retry-after': '3600' }),
      transport: json(403, { errors: [{ message: 'access forbidden' }] }),
    },
  },
  {
    kind: 'brevo',
    settings: { apiKey: SECRET },
    secret: SECRET,
    authorised: ({ headers }) => headers['api-key'] === SECRET,
    messages: (request) => {
      if (request.method !== 'POST') return undefined;
      return [{ to: parsed(request).to[0].email, content: request.body.toString() }];
    },
    accepts: ([id]) => json(201, { messageId: `<${id}@smtp-relay.mailin.fr>` }),
    verified: json(200, { email: 'owner@example.com' }),
    unauthorised: json(401, { code: 'unauthorized', message: `Key not found: ${SECRET}` }),
    refusals: {
      recipient: json(400, { code: 'invalid_parameter', message: 'email is not valid in to' }),
      sender: json(400, { code: 'invalid_parameter', message: 'valid sender email required' }),
      message: json(400, { code: 'missing_parameter', message: 'subject is missing' }),
      quota: json(429, { code: 'too_many_requests', message: 'Too many requests' }, { 'retry-after': '3600' }),
      transport: json(403, { code: 'permission_denied', message: 'Your SMTP account is not yet activated.' }),
    },
  },
  {
    kind: 'resend',
    settings: { apiKey: SECRET },
    secret: SECRET,
    authorised: ({ headers }) => headers.authorization === `Bearer ${SECRET}`,
    messages: (request) => {
      const messages = [parsed(request)].flat();
      if (messages[0]?.to === undefined) return undefined;
      return messages.map((one) => ({ to: bareAddress(one.to[0]), content: JSON.stringify(one) }));
    },
    accepts: (ids) => json(200, ids.length === 1 ? { id: ids[0] } : { data: ids.map((id) => ({ id })) }),
    verified: json(422, { statusCode: 422, name: 'missing_required_field', message: 'Missing `from` field.' }),
    unauthorised: json(401, { statusCode: 401, name: 'validation_error', message: `API key ${SECRET} is invalid` }),
    refusals: {
      recipient: json(422, { statusCode: 422, name: 'validation_error', message: 'Invalid `to` field.' }),
      sender: json(403, { statusCode: 403, name: 'validation_error', message: 'The example.com domain is not verified.' }),
      message: json(422, { statusCode: 422, name: 'invalid_attachment', message: 'Attachment must have a `content`.' }),
      quota: json(
        429,
        { statusCode: 429, name: 'rate_limit_exceeded', message: 'Too many requests.' },
        { 'retry-after': '3600' },
      ),
      transport: json(403, { statusCode: 403, name: 'invalid_api_key', message: 'API key is invalid' }),
    },
  },
];

/** An API that accepts, but for recipients whose local part begins with `550`, `451` or `reset-at-dot`, as the SMTP sink reads them. */
export function startScriptedProvider(dialect: Dialect): Promise<FakeProvider & { readonly accepted: FakeMessage[] }> {
  const accepted: FakeMessage[] = [];
  const answer = (request: FakeRequest): FakeAnswer => {
    if (!dialect.authorised(request)) return dialect.unauthorised;
    const messages = dialect.messages(request);
    if (messages === undefined) return dialect.verified;
    const [first] = messages;
    if (first?.to.startsWith('550') === true) return dialect.refusals.recipient;
    if (first?.to.startsWith('451') === true) return down;
    if (first?.to.startsWith('reset-at-dot') === true) return 'cut';
    accepted.push(...messages);
    return dialect.accepts(messages.map((_, at) => `id-${accepted.length}-${at}`));
  };
  return startFakeProvider(answer).then((fake) => ({ ...fake, accepted }));
}

/** Signature Version 4, computed here a second time from the request as it arrived. */
function signatureOf({ method, path, headers, body }: FakeRequest, region: string, secret: string): string {
  const header = String(headers.authorization);
  const names = /SignedHeaders=([^,]+)/.exec(header)?.[1] ?? '';
  const date = String(headers['x-amz-date']);
  const sha = (value: string | Buffer): string => createHash('sha256').update(value).digest('hex');
  const hmac = (key: string | Buffer, value: string): Buffer => createHmac('sha256', key).update(value).digest();
  const lines = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [method, path, '', lines.join(''), names, String(headers['x-amz-content-sha256'] ?? sha(body))].join('\n');
  const scope = `${date.slice(0, 8)}/${region}/ses/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date.slice(0, 8)), region), 'ses'), 'aws4_request');
  return hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha(canonical)].join('\n')).toString('hex');
}
