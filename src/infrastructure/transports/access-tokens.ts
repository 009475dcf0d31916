import type { SMTPConnectionCustomAuthContext } from 'nodemailer/lib/smtp-connection/index.js';
import type { HostGuard } from '../network/host-guard.ts';
import { HttpClient } from '../network/http-client.ts';
import { fieldOf, readJson, textOf } from './providers/provider.ts';

/** OAuth 2.0 access tokens for AUTH XOAUTH2. */
export interface AccessTokens {
  /** @throws Error that says what is wrong, without credentials */
  current(): Promise<string>;
  /** The server refused the current token; the next one is another, where there can be one. */
  forget(): void;
  close(): Promise<void>;
}

export const fixedToken = (token: string): AccessTokens => ({
  current: async () => token,
  forget: () => undefined,
  close: async () => undefined,
});

export interface RefreshOptions {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly refreshToken: string;
  readonly guard: HostGuard;
  /** A monotonic clock, in milliseconds. */
  readonly monotonic: () => number;
}

/** A token is renewed this long before it ends. */
const MARGIN_MS = 60_000;
const DEFAULT_LIFE_S = 3_600;

/** Refreshes access tokens (RFC 6749 section 6) when they end. Connections that open together share one refresh. */
export class RefreshedTokens implements AccessTokens {
  private readonly options: RefreshOptions;
  private readonly client: HttpClient;
  private token: Promise<string> | undefined;
  private until = 0;

  constructor(options: RefreshOptions) {
    this.options = options;
    this.client = new HttpClient({
      origin: new URL(options.tokenUrl).origin,
      connections: 1,
      guard: options.guard,
      answerTimeout: 30_000,
    });
  }

  current(): Promise<string> {
    if (this.token === undefined || this.options.monotonic() >= this.until) {
      this.until = Number.POSITIVE_INFINITY;
      this.token = this.refresh().catch((error) => {
        this.forget();
        throw error;
      });
    }
    return this.token;
  }

  forget(): void {
    this.token = undefined;
  }

  close(): Promise<void> {
    return this.client.destroy('the transport is closing');
  }

  private async refresh(): Promise<string> {
    const { tokenUrl, clientId, clientSecret, refreshToken, monotonic } = this.options;
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: clientId });
    if (clientSecret !== undefined) form.set('client_secret', clientSecret);
    const answer = await this.client.request({
      method: 'POST',
      path: new URL(tokenUrl).pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: Buffer.from(form.toString()),
    });
    const body = readJson(answer.text);
    const token = textOf(fieldOf(body, 'access_token'));
    if (answer.status !== 200 || !/^[!-~]+$/.test(token)) {
      // RFC 6749 section 5.2: a word such as invalid_grant; the description could repeat what was sent.
      const word = textOf(fieldOf(body, 'error')).slice(0, 40);
      throw new Error(`no access token from ${tokenUrl}: ${answer.status} ${word}`.trim());
    }
    const seconds = Number(fieldOf(body, 'expires_in'));
    this.until = monotonic() + (seconds > 0 ? seconds : DEFAULT_LIFE_S) * 1_000 - MARGIN_MS;
    return token;
  }
}

/**
 * The name of our XOAUTH2 for nodemailer. Under its own name nodemailer would take the first mechanism of the server instead, and
 * send the token as a password.
 */
export const BY_TOKEN = 'XOAUTH2-TOKEN';

/** AUTH XOAUTH2 (Google, Microsoft): one command, or a challenge with the error, which an empty line ends. */
export async function authenticateByToken({ auth, authMethods, sendCommand }: SMTPConnectionCustomAuthContext): Promise<void> {
  if (!authMethods.includes('XOAUTH2'))
    throw new Error('the server does not offer AUTH XOAUTH2, but an access token is configured');
  const { user, pass } = auth.credentials;
  const response = Buffer.from(`user=${user}\u0001auth=Bearer ${pass}\u0001\u0001`).toString('base64');
  const first = await sendCommand(`AUTH XOAUTH2 ${response}`);
  const last = first.status === 334 ? await sendCommand('') : first;
  if (last.status !== 235) throw new Error(`Invalid login: ${last.response}`);
}
