import { join } from 'node:path';
import type { Transport, TransportSettings } from '../../domain/delivery/index.ts';
import { HostGuard, type Lookup } from '../network/host-guard.ts';
import { HttpClient } from '../network/http-client.ts';
import { fixedToken, RefreshedTokens } from './access-tokens.ts';
import { DirectoryTransport } from './directory.ts';
import { HttpTransport } from './http-transport.ts';
import { amazonSes } from './providers/amazon-ses.ts';
import { brevo } from './providers/brevo.ts';
import { mailgun } from './providers/mailgun.ts';
import { postmark } from './providers/postmark.ts';
import type { Provider } from './providers/provider.ts';
import { resend } from './providers/resend.ts';
import { sendgrid } from './providers/sendgrid.ts';
import { sparkpost } from './providers/sparkpost.ts';
import { createSmtpTransport, type SmtpTransportOptions } from './smtp.ts';
import type { SmtpAuth } from './smtp-handshake.ts';
import type { SmtpEvent } from './smtp-pool.ts';

/** What does not belong to one transport but to the process that uses it. */
export interface TransportContext {
  /** Most connections or parallel calls. */
  readonly slots: number;
  /** Messages that wait go together in one call where the provider takes batches: for campaigns. Default: false. */
  readonly batches?: boolean | undefined;
  /** Allows hosts of this machine and its network: for settings of the operator, not of a project. */
  readonly allowsPrivateHosts: boolean;
  /** Parent of the directories of transports of the kind `directory`. */
  readonly emlDir: string;
  /** The name sent in EHLO where the settings have none. */
  readonly ehloName?: SmtpTransportOptions['name'];
  readonly onEvent?: ((event: SmtpEvent) => void) | undefined;
  /** Default: 1,000 doubling to 30,000 milliseconds, each with full jitter. */
  readonly backoff?: { readonly minimum: number; readonly maximum: number } | undefined;
  /** Milliseconds that `close` gives to messages under way. Default: 30,000. */
  readonly closeTimeout?: number | undefined;
  /** Milliseconds from a call to the end of its answer. Default: 60,000. */
  readonly answerTimeout?: number | undefined;
  /** Default: the resolver of the system. */
  readonly lookup?: Lookup | undefined;
  readonly clock?: { monotonic(): number } | undefined;
  /** 0 to 1, for the jitter. */
  readonly random?: (() => number) | undefined;
}

/** The transport for these settings. Nothing is connected before the first message or `verify`. */
export function createTransport(settings: TransportSettings, context: TransportContext): Transport {
  const batches = { batches: context.batches ?? false };
  switch (settings.kind) {
    case 'smtp':
      return smtpTransport(settings, context);
    case 'amazon_ses':
      return httpTransport(amazonSes(settings), context);
    case 'mailgun':
      return httpTransport(mailgun(settings), context);
    case 'sparkpost':
      return httpTransport(sparkpost(settings), context);
    case 'postmark':
      return httpTransport(postmark(settings, batches), context);
    case 'sendgrid':
      return httpTransport(sendgrid(settings), context);
    case 'brevo':
      return httpTransport(brevo(settings), context);
    case 'resend':
      return httpTransport(resend(settings, batches), context);
    case 'directory':
      return new DirectoryTransport({ directory: join(context.emlDir, settings.path), slots: context.slots });
  }
}

const MONOTONIC = (): number => performance.now();
const BACKOFF = { minimum: 1_000, maximum: 30_000 };
const CLOSE_TIMEOUT_MS = 30_000;

function httpTransport<M>(provider: Provider<M>, context: TransportContext): Transport {
  const client = new HttpClient({
    origin: new URL(provider.origin).origin,
    connections: context.slots,
    guard: guardOf(context),
    answerTimeout: context.answerTimeout,
  });
  return new HttpTransport(provider, client, {
    slots: context.slots,
    backoff: context.backoff ?? BACKOFF,
    closeTimeout: context.closeTimeout ?? CLOSE_TIMEOUT_MS,
    monotonic: monotonicOf(context),
    random: context.random ?? Math.random,
  });
}

function smtpTransport(settings: Extract<TransportSettings, { kind: 'smtp' }>, context: TransportContext): Transport {
  const { host, port, tls, chunking, name, certificate, privateKey, authority } = settings;
  const guard = guardOf(context);
  return createSmtpTransport({
    host,
    port,
    security: tls,
    chunking,
    auth: authOf(settings, context, guard),
    maxConnections: context.slots,
    name: name ?? context.ehloName,
    tls: { cert: certificate, key: privateKey, ca: authority },
    // The host of the operator is left to nodemailer, whose resolver keeps what it found for a while.
    resolve: context.allowsPrivateHosts ? undefined : (wanted) => guard.resolve(wanted),
    onEvent: context.onEvent,
    backoff: context.backoff,
    closeTimeout: context.closeTimeout,
    clock: context.clock,
    random: context.random,
  });
}

function authOf(
  { user, password, accessToken, refreshToken, tokenUrl, clientId, clientSecret }: Extract<TransportSettings, { kind: 'smtp' }>,
  context: TransportContext,
  guard: HostGuard,
): SmtpAuth | undefined {
  if (user === undefined) return undefined;
  if (password !== undefined) return { user, pass: password };
  if (accessToken !== undefined) return { user, tokens: fixedToken(accessToken) };
  if (refreshToken === undefined || tokenUrl === undefined || clientId === undefined) return undefined;
  const tokens = new RefreshedTokens({ tokenUrl, clientId, clientSecret, refreshToken, guard, monotonic: monotonicOf(context) });
  return { user, tokens };
}

const guardOf = ({ allowsPrivateHosts, lookup }: TransportContext): HostGuard =>
  new HostGuard({ allowsPrivate: allowsPrivateHosts, lookup });

function monotonicOf({ clock }: TransportContext): () => number {
  return clock === undefined ? MONOTONIC : () => clock.monotonic();
}
