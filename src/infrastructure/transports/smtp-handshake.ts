import { isIP, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { enhancedCodeOf } from '../../domain/delivery/index.ts';
import { type AccessTokens, authenticateByToken, BY_TOKEN } from './access-tokens.ts';
import type { SmtpExtensions } from './smtp-envelope.ts';
import { decodeReplyText } from './smtp-replies.ts';

/** Several hundred replies. */
const READ_BYTES = 16 * 1024;

/** A password for PLAIN, LOGIN or CRAM-MD5, whichever the server offers, or OAuth 2.0 access tokens for XOAUTH2. */
export type SmtpAuth =
  | { readonly user: string; readonly pass: string; readonly tokens?: undefined }
  | { readonly user: string; readonly pass?: undefined; readonly tokens: AccessTokens };

/** Where and how to connect. */
export interface SmtpPeer {
  readonly host: string;
  readonly port: number;
  /** `implicit`: TLS from the first byte. `required`: STARTTLS or nothing. `offered`: STARTTLS where offered, and then it must succeed. `none`: plain text. */
  readonly security: 'implicit' | 'required' | 'offered' | 'none';
  readonly auth: SmtpAuth | undefined;
  /** The name sent in EHLO, read for each connection; the machine's name where undefined. */
  readonly name: () => Promise<string | undefined>;
  readonly tls: ConnectionOptions;
  /** The addresses of the host, looked up once for each connection, which then goes to one of them. Undefined: nodemailer looks them up. */
  readonly resolve?: ((host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>) | undefined;
  /** Milliseconds for connection, greeting and TLS together. */
  readonly connectTimeout: number;
  /** Milliseconds for each reply of the handshake. */
  readonly commandTimeout: number;
}

export interface OpenedConnection {
  readonly socket: Socket;
  readonly extensions: SmtpExtensions;
  /** What the server says from now on; the bytes are good only during the call. */
  readonly listen: (onBytes: (bytes: Buffer) => void) => void;
}

/** The handshake failed: nothing was said about any message. */
export class SmtpConnectFailed extends Error {
  /** SMTP reply code, where there was a reply. */
  readonly replyCode: number | undefined;
  readonly enhancedCode: string | undefined;
  /** The command of the handshake that failed; undefined before the greeting. */
  readonly step: string | undefined;
  constructor(message: string, reply: string | undefined, step: string | undefined) {
    super(message);
    this.name = 'SmtpConnectFailed';
    this.step = step;
    this.replyCode = reply === undefined ? undefined : Number(reply.slice(0, 3));
    this.enhancedCode = reply === undefined ? undefined : enhancedCodeOf(reply.slice(4));
  }
}

/** `smtp.example.com:587`, never with credentials. */
export const peerName = (peer: Pick<SmtpPeer, 'host' | 'port'>): string =>
  `${peer.host.includes(':') ? `[${peer.host}]` : peer.host}:${peer.port}`;

/**
 * Lets nodemailer connect, greet, secure and authenticate, then takes the socket away from it: what follows is spoken by
 * `SmtpSession`. Relies on six private members of the pinned nodemailer version (`_socket`, `_supportedExtensions`,
 * `_ehloLines`, `_maxAllowedSize`, `_responseQueue`, `_remainder`); each is checked here, and a contract test fails when one moves.
 * @throws SmtpConnectFailed
 */
export async function openConnection(peer: SmtpPeer, signal: AbortSignal): Promise<OpenedConnection> {
  const { name, host, token } = await prepared(peer);
  return new Promise((resolve, reject) => {
    // Where nodemailer has nothing to look up or to encrypt; it may still secure the socket by STARTTLS, and then has another.
    const frugal = peer.security !== 'implicit' && isIP(host) !== 0 ? new FrugalSocket() : undefined;
    const connection = new SMTPConnection({
      socket: frugal?.socket,
      host,
      // The certificate names the host, not the address that it was resolved to.
      servername: isIP(peer.host) === 0 ? peer.host : undefined,
      port: peer.port,
      secure: peer.security === 'implicit',
      requireTLS: peer.security === 'required',
      ignoreTLS: peer.security === 'none',
      name,
      tls: peer.tls,
      customAuth: { [BY_TOKEN]: authenticateByToken },
      connectionTimeout: peer.connectTimeout,
      greetingTimeout: peer.connectTimeout,
      socketTimeout: peer.commandTimeout,
      socketCloseTimeout: 0,
    });
    const abort = (): void => fail(new Error('the transport is closing'));
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', abort);
      connection.close();
      reject(asConnectFailure(error, peer, token));
    };
    const takeOver = (): void => {
      signal.removeEventListener('abort', abort);
      connection.removeListener('error', fail);
      try {
        const opened = socketOf(connection, frugal, takeEarly(connection));
        connection.on('error', (error) => opened.socket.destroy(error));
        resolve(opened);
      } catch (error) {
        connection.on('error', fail);
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    };
    signal.addEventListener('abort', abort);
    connection.on('error', fail);
    connection.connect((error) => {
      if (error !== undefined) return fail(error);
      if (peer.auth === undefined) return takeOver();
      if (!connection.allowsAuth) return fail(new Error('the server does not offer AUTH, but credentials are configured'));
      const { user, pass = token, tokens } = peer.auth;
      connection.login({ user, pass, ...(tokens !== undefined && { method: BY_TOKEN }) }, (refusal) => {
        if (refusal) tokens?.forget();
        if (refusal) fail(refusal);
        else takeOver();
      });
    });
    if (signal.aborted) abort();
  });
}

/** What is asked of others before the connection. @throws SmtpConnectFailed */
async function prepared(peer: SmtpPeer): Promise<{ name: string | undefined; host: string; token: string | undefined }> {
  try {
    const [name, found, token] = await Promise.all([peer.name(), peer.resolve?.(peer.host), peer.auth?.tokens?.current()]);
    // As nodemailer does: IPv6 only where there is no IPv4.
    const first = found?.find(({ family }) => family === 4) ?? found?.[0];
    return { name, host: first?.address ?? peer.host, token };
  } catch (error) {
    throw asConnectFailure(error instanceof Error ? error : new Error(String(error)), peer);
  }
}

/** A socket that reads into one buffer: a stream that allocates for each reply costs 3 us of a message's 40. */
class FrugalSocket {
  readonly socket: Socket;
  private onBytes = (bytes: Buffer): void => void this.socket.emit('data', Buffer.from(bytes));

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.socket = new Socket({
      onread: {
        buffer,
        callback: (length) => {
          this.onBytes(buffer.subarray(0, length));
          return true;
        },
      },
    });
  }

  listen(onBytes: (bytes: Buffer) => void): void {
    this.onBytes = onBytes;
  }
}

/**
 * What came in one segment with the last reply of the handshake, which nodemailer would only look at after this. A reply that
 * was not asked for, nearly always 421, makes the connection useless and says why; the beginning of one is left to the next reader.
 * @returns that beginning, nearly always empty
 */
function takeEarly(connection: SMTPConnection): Buffer {
  const replies: unknown = Reflect.get(connection, '_responseQueue');
  const beginning: unknown = Reflect.get(connection, '_remainder');
  if (!Array.isArray(replies) || typeof beginning !== 'string') throw new Error(MOVED);
  const reply = replies.map(String).find((text) => text.trim() !== '');
  replies.length = 0;
  Reflect.set(connection, '_remainder', '');
  if (reply === undefined) return Buffer.from(beginning, 'latin1');
  const response = decodeReplyText(reply);
  const what = response.startsWith('421') ? 'the server closes the connection' : 'an unexpected reply';
  throw Object.assign(new Error(`${what}: ${response}`), /^[45]/.test(response) ? { response } : {});
}

const MOVED = 'this nodemailer keeps its socket, the EHLO extensions or replies elsewhere; use the pinned version';

function socketOf(connection: SMTPConnection, frugal: FrugalSocket | undefined, early: Buffer): OpenedConnection {
  const socket: unknown = connection._socket;
  const extensions: unknown = Reflect.get(connection, '_supportedExtensions');
  // Nodemailer knows nothing of CHUNKING; absent after HELO.
  const lines: unknown = Reflect.get(connection, '_ehloLines') ?? [];
  const maxSize: unknown = Reflect.get(connection, '_maxAllowedSize');
  if (!(socket instanceof Socket) || !Array.isArray(extensions) || !Array.isArray(lines) || typeof maxSize !== 'number') {
    throw new Error(MOVED);
  }
  // The only listener that would read the replies; those for errors and closing do no harm and free nodemailer's state.
  socket.removeAllListeners('data');
  socket.setTimeout(0);
  return {
    socket,
    listen: (onBytes) => {
      if (early.length > 0) onBytes(early);
      if (frugal?.socket === socket) frugal.listen(onBytes);
      else socket.on('data', onBytes);
    },
    extensions: {
      pipelining: extensions.includes('PIPELINING'),
      chunking: lines.some((line) => /^CHUNKING\b/i.test(String(line))),
      maxSize: extensions.includes('SIZE') ? maxSize : undefined,
      eightBitMime: extensions.includes('8BITMIME'),
      smtputf8: extensions.includes('SMTPUTF8'),
    },
  };
}

function asConnectFailure(
  error: Error & { response?: unknown; command?: unknown },
  peer: SmtpPeer,
  token?: string | undefined,
): SmtpConnectFailed {
  const reply = typeof error.response === 'string' && /^\d{3}(?:[ -]|$)/.test(error.response) ? error.response : undefined;
  const step = typeof error.command === 'string' && error.command !== 'CONN' ? error.command : undefined;
  const where = step === undefined ? '' : ` at ${step}`;
  const message = withoutCredentials(error.message, peer, token);
  const why =
    step === 'STARTTLS' && peer.auth !== undefined
      ? `${message}; without TLS the password is not sent. If the server wants TLS from the first byte, use smtps:// or tls=implicit`
      : message;
  return new SmtpConnectFailed(`No connection to ${peerName(peer)}${where}: ${why}`, reply, step);
}

/** Some servers repeat in their reply the command that they refuse. */
function withoutCredentials(text: string, { auth }: SmtpPeer, token: string | undefined): string {
  const secret = auth?.pass ?? token;
  if (auth === undefined || secret === undefined || secret === '') return text;
  const answers = [`\u0000${auth.user}\u0000${secret}`, `user=${auth.user}\u0001auth=Bearer ${secret}\u0001\u0001`, secret];
  const forms = [...answers.map((plain) => Buffer.from(plain).toString('base64')), secret];
  return forms.reduce((clean, form) => clean.replaceAll(form, '***'), text);
}
