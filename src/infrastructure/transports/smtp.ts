import type { ConnectionOptions } from 'node:tls';
import type { SmtpTimeouts } from './session-host.ts';
import type { SmtpAuth, SmtpPeer } from './smtp-handshake.ts';
import { type SmtpEvent, SmtpTransport } from './smtp-pool.ts';
import { defaultSecurity, parseSmtpUrl, type SmtpUrl } from './smtp-url.ts';

/** Where to hand mail over: one URL, or its parts. */
export type SmtpAddress =
  | {
      /**
       * `smtp://user:password@host:587` or `smtps://host` (TLS from the first byte; default port 465, otherwise 587). User and
       * password percent-encoded. `?tls=required` refuses to go on without STARTTLS, which is the default with a password and a
       * host that is not this machine; `?tls=offered`, otherwise the default, uses it where it is offered, and then it must succeed;
       * `?tls=none` never uses it. `?name=` is the name for EHLO;
       * `?chunking=no` keeps to DATA where CHUNKING is offered. Other parameters are refused.
       */
      readonly url: string;
    }
  | {
      readonly host: string;
      /** Default: 465 with implicit TLS, otherwise 587. */
      readonly port?: number | undefined;
      /** Default: required with `auth` and a host that is not this machine, otherwise offered. */
      readonly security?: SmtpPeer['security'] | undefined;
      readonly auth?: SmtpAuth | undefined;
      /** Send several messages at once by BDAT (RFC 3030) where the server offers it beside PIPELINING. Default: true. */
      readonly chunking?: boolean | undefined;
    };

export type SmtpTransportOptions = SmtpAddress & {
  /** Default: 10. */
  readonly maxConnections?: number | undefined;
  /** Then QUIT and a new connection. Default: 1,000; many relays close after some hundred. */
  readonly messagesPerConnection?: number | undefined;
  /** The name sent in EHLO where the URL has none. Default: the machine's full name, or its address literal. */
  readonly name?: string | (() => Promise<string | undefined>) | undefined;
  /** Resolves the host for each connection, and may refuse it. Default: nodemailer does. */
  readonly resolve?: SmtpPeer['resolve'];
  /** Certificates, ciphers and so on, as for `tls.connect`. */
  readonly tls?: ConnectionOptions | undefined;
  /** Milliseconds for connection, greeting and TLS together. Default: 30,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds; default: RFC 5321 section 4.5.3.2, and 30 s of idleness. */
  readonly timeouts?: Partial<SmtpTimeouts> | undefined;
  /** Milliseconds. Default: 1,000 doubling to 30,000, each with full jitter. */
  readonly backoff?: { readonly minimum: number; readonly maximum: number } | undefined;
  /** Milliseconds that `close` gives to what is on the wire. Default: 30,000. */
  readonly closeTimeout?: number | undefined;
  /** Hears of connections that fail, without addresses or credentials. */
  readonly onEvent?: ((event: SmtpEvent) => void) | undefined;
  readonly clock?: { monotonic(): number } | undefined;
  /** 0 to 1, for the jitter. */
  readonly random?: (() => number) | undefined;
};

const MINUTE = 60_000;
const RFC_5321_TIMEOUTS: SmtpTimeouts = {
  command: 5 * MINUTE,
  data: 2 * MINUTE,
  block: 3 * MINUTE,
  dot: 10 * MINUTE,
  idle: MINUTE / 2,
};

/**
 * Hands messages over by SMTP (RFC 5321): kept-alive connections, PIPELINING (RFC 2920), CHUNKING (RFC 3030), STARTTLS, AUTH, SIZE, 8BITMIME,
 * SMTPUTF8. Nothing is connected before the first message or `verify`.
 * @throws InvalidInput when the URL is not one of an SMTP server
 */
export function createSmtpTransport(options: SmtpTransportOptions): SmtpTransport {
  const timeouts = { ...RFC_5321_TIMEOUTS, ...options.timeouts };
  const address = 'url' in options ? parseSmtpUrl(options.url) : { ...partsOf(options), name: undefined };
  return new SmtpTransport({
    peer: {
      ...address,
      name: naming(address.name, options),
      tls: options.tls ?? {},
      resolve: options.resolve,
      connectTimeout: options.connectTimeout ?? MINUTE / 2,
      commandTimeout: timeouts.command,
    },
    maxConnections: options.maxConnections ?? 10,
    messagesPerConnection: options.messagesPerConnection ?? 1000,
    chunking: address.chunking,
    timeouts,
    backoff: options.backoff ?? { minimum: 1000, maximum: MINUTE / 2 },
    closeTimeout: options.closeTimeout ?? MINUTE / 2,
    monotonic: options.clock === undefined ? () => performance.now() : () => options.clock?.monotonic() ?? 0,
    random: options.random ?? Math.random,
    onEvent: options.onEvent ?? (() => undefined),
  });
}

type PeerAddress = Pick<SmtpUrl, 'host' | 'port' | 'security' | 'auth' | 'chunking'>;

function partsOf({ host, port, security, auth, chunking = true }: Exclude<SmtpAddress, { url: string }>): PeerAddress {
  const chosen = security ?? defaultSecurity(host, auth);
  return { host, port: port ?? (chosen === 'implicit' ? 465 : 587), security: chosen, auth, chunking };
}

/** The URL's name comes first: it is the setting that was made for this server. */
function naming(own: string | undefined, { name }: SmtpTransportOptions): SmtpPeer['name'] {
  return async () => own ?? (typeof name === 'function' ? name() : name);
}
