import { isIP } from 'node:net';
import { isLoopbackHost, type TransportSettings } from '../../domain/delivery/index.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { nearestName } from '../../domain/shared/nearest-name.ts';
import type { SmtpPeer } from './smtp-handshake.ts';

/** What an SMTP URL says. */
export interface SmtpUrl extends Pick<SmtpPeer, 'host' | 'port' | 'security' | 'auth'> {
  /** `?name=`: the name sent in EHLO. */
  readonly name: string | undefined;
  /** `?chunking=no`: DATA only. */
  readonly chunking: boolean;
}

const ENCODE = 'Percent-encode @ : / ? # and % in user and password (%40 %3A %2F %3F %23 %25).';
const notEncoded = (what: string): string =>
  `The user or password in ${what.replace(/^The/, 'the')} is not percent-encoded. ${ENCODE}`;
const PARAMETERS = ['tls', 'name', 'chunking'];
const TLS = ['required', 'offered', 'none'] as const;
type Tls = (typeof TLS)[number];
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOST_NAME = new RegExp(`^(?=.{4,255}$)${LABEL}(?:\\.${LABEL})+$`);
const LITERAL = /^\[(?:IPv6:([^\]]+)|([^\]]+))\]$/i;

/**
 * Reads `smtp://user:password@host:587?tls=required&name=mail.example.com&chunking=no`. Never repeats the URL in an error: it can hold a password.
 * @param what how errors call it
 * @throws InvalidInput that says what is wrong and what to write instead
 */
export function parseSmtpUrl(text: string, what = 'The SMTP URL'): SmtpUrl {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'smtp:' && url.protocol !== 'smtps:') || url.hostname === '')
    throw new InvalidInput(`${what} must look like smtp://user:password@host:587 or smtps://host:465. ${ENCODE}`);
  if (url.hash !== '' || `${url.pathname}${url.search}`.includes('@')) throw new InvalidInput(notEncoded(what));
  if (url.pathname !== '' && url.pathname !== '/')
    throw new InvalidInput(`${what} has a path; which SMTP URLs do not have. Remove it.`);
  const parameters = parametersOf(url, what);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const implicit = url.protocol === 'smtps:';
  const auth = credentialsOf(url, what);
  const tls = tlsOf(parameters.get('tls'), what);
  if (implicit && tls !== undefined && tls !== 'required')
    throw new InvalidInput(`${what} says tls=${tls}, but smtps:// always uses TLS. Write smtp://, or remove tls=.`);
  if (tls === 'offered' && auth !== undefined && !isLoopbackHost(host))
    throw new InvalidInput(
      `${what} has tls=offered with a password: an attacker on the network could remove the offer and read the password. Remove tls= (TLS is then required), or write tls=none for a trusted network.`,
    );
  return {
    host,
    port: url.port === '' ? (implicit ? 465 : 587) : Number(url.port),
    security: implicit ? 'implicit' : (tls ?? defaultSecurity(host, auth)),
    auth,
    name: nameOf(parameters.get('name'), what),
    chunking: chunkingOf(parameters.get('chunking'), what),
  };
}

/** The settings of a transport that the URL stands for. */
export const smtpSettings = ({ security, auth, ...url }: SmtpUrl): Extract<TransportSettings, { kind: 'smtp' }> => ({
  ...url,
  kind: 'smtp',
  tls: security,
  user: auth?.user,
  password: auth?.pass,
  accessToken: undefined,
  tokenUrl: undefined,
  clientId: undefined,
  clientSecret: undefined,
  refreshToken: undefined,
  certificate: undefined,
  privateKey: undefined,
  authority: undefined,
});

/** A password leaves this machine only under TLS: without that it could be read, or the offer of STARTTLS be removed on the way. */
export const defaultSecurity = (host: string, auth: SmtpPeer['auth']): 'required' | 'offered' =>
  auth !== undefined && !isLoopbackHost(host) ? 'required' : 'offered';

/** A name that servers accept in EHLO: with a dot, or an address in brackets (RFC 5321 section 4.1.3). */
export function isEhloName(name: string): boolean {
  const literal = LITERAL.exec(name);
  if (literal === null) return HOST_NAME.test(name) && isIP(name) === 0;
  return literal[1] === undefined ? isIP(literal[2] ?? '') === 4 : isIP(literal[1]) === 6;
}

function parametersOf(url: URL, what: string): URLSearchParams {
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      const meant = nearestName(name, PARAMETERS);
      const hint = meant === undefined ? '' : ` Did you mean ${meant}=?`;
      throw new InvalidInput(`${what} has the unknown parameter ${shown(name)}.${hint} It may have tls=, name= and chunking=.`);
    }
    if (url.searchParams.getAll(name).length > 1) throw new InvalidInput(`${what} has the parameter ${name}= more than once.`);
  }
  return url.searchParams;
}

function tlsOf(value: string | null, what: string): Tls | undefined {
  if (value === null) return undefined;
  const tls = TLS.find((known) => known === value);
  if (tls === undefined) throw new InvalidInput(`${what} says tls=${shown(value)}; it can be required, offered or none.`);
  return tls;
}

function chunkingOf(value: string | null, what: string): boolean {
  if (value === null || value === 'yes') return true;
  if (value === 'no') return false;
  throw new InvalidInput(`${what} says chunking=${shown(value)}; it can be yes or no.`);
}

function nameOf(value: string | null, what: string): string | undefined {
  if (value === null) return undefined;
  if (isEhloName(value)) return value;
  throw new InvalidInput(
    `${what} says name=${shown(value)}; it must be a full host name such as mail.example.com, or an address such as [192.0.2.1].`,
  );
}

function credentialsOf({ username, password }: URL, what: string): SmtpPeer['auth'] {
  if (username === '' && password === '') return undefined;
  try {
    return { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  } catch {
    throw new InvalidInput(notEncoded(what));
  }
}

const shown = (value: string): string => JSON.stringify(value.slice(0, 60));

/** The server of a setting; none where it is not set. */
export const smtpHosts = (url: string | undefined): readonly string[] => (url === undefined ? [] : [parseSmtpUrl(url).host]);
