import { DomainError, InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { parseSlug, slugOf } from '../shared/slug.ts';
import { isWithin, parseDomain } from './domain-name.ts';

/** What a caller says about a project. */
export interface ProjectProfile {
  readonly name: string;
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens; made from the name when absent. Never changes: scripts rely on it. */
  readonly slug: string;
  /** Domain of Message-ID, List-Id and return paths; kept as A-labels (`xn--...`). */
  readonly senderDomain: string;
  /** Further domains that authors may have beside `senderDomain`, each with its subdomains; `*` is any domain. */
  readonly authorDomains: readonly string[];
  /** Origin of tracked links when it is not the instance's public URL; without a slash at its end. */
  readonly trackingBaseUrl: string | null;
  /** Shown in the footer of marketing mail (CAN-SPAM section 5(a)(5)); may be empty until the first launch. */
  readonly postalAddress: string;
  /** IANA name; days and hours of reports are cut by it. */
  readonly timeZone: string;
  /** BCP 47; the language of public pages for subscribers without one. */
  readonly defaultLanguage: string;
  /** Days for which content and variables of transactional messages are kept; outcomes stay. */
  readonly keepMessagesDays: number;
  /** Days for which individual opens and clicks are kept; counters stay. */
  readonly keepEventsDays: number;
}

/** `name` and `senderDomain` are needed, the rest has defaults: UTC, `en`, no address. */
export type NewProject = Pick<ProjectProfile, 'name' | 'senderDomain'> & ProjectChanges & { readonly slug?: string | undefined };

/** What may change later; `trackingBaseUrl: null` goes back to the instance's own. Absent stays as it is. */
export interface ProjectChanges {
  readonly name?: string | undefined;
  readonly senderDomain?: string | undefined;
  readonly authorDomains?: readonly string[] | undefined;
  readonly trackingBaseUrl?: string | null | undefined;
  readonly postalAddress?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly defaultLanguage?: string | undefined;
  /** Default 30. */
  readonly keepMessagesDays?: number | undefined;
  /** Default 365. */
  readonly keepEventsDays?: number | undefined;
}

export interface ProjectState extends ProjectProfile {
  readonly id: Id;
  /** Sending domains whose keys were found in the DNS. Empty: mail is not signed, and `authorDomains` decides. */
  readonly verifiedDomains: readonly string[];
  readonly createdAt: Date;
  /** Grows with every change. */
  readonly version: number;
}

/** One tenant: its own audience, keys, author domain and time zone. */
export class Project implements ProjectState {
  readonly id!: Id;
  readonly name!: string;
  readonly slug!: string;
  readonly senderDomain!: string;
  readonly authorDomains!: readonly string[];
  readonly trackingBaseUrl!: string | null;
  readonly postalAddress!: string;
  readonly timeZone!: string;
  readonly defaultLanguage!: string;
  readonly keepMessagesDays!: number;
  readonly keepEventsDays!: number;
  readonly verifiedDomains!: readonly string[];
  readonly createdAt!: Date;
  readonly version!: number;

  constructor(state: ProjectState) {
    Object.assign(this, state);
  }

  /** @throws InvalidInput with a pointer to the field at fault. */
  static create(id: Id, wish: NewProject, now: Date): Project {
    return new Project({
      id,
      name: parseName(wish.name),
      slug: wish.slug === undefined ? slugFrom(wish.name) : parseSlug(wish.slug),
      senderDomain: parseDomain(wish.senderDomain, '/senderDomain'),
      authorDomains: parseAuthorDomains(wish.authorDomains ?? []),
      trackingBaseUrl: wish.trackingBaseUrl == null ? null : parseBaseUrl(wish.trackingBaseUrl),
      postalAddress: parsePostalAddress(wish.postalAddress ?? ''),
      timeZone: parseTimeZone(wish.timeZone ?? 'UTC'),
      defaultLanguage: parseLanguage(wish.defaultLanguage ?? 'en'),
      keepMessagesDays: parseDays(wish.keepMessagesDays ?? KEEP_MESSAGES_DAYS, '/keepMessagesDays'),
      keepEventsDays: parseDays(wish.keepEventsDays ?? KEEP_EVENTS_DAYS, '/keepEventsDays'),
      verifiedDomains: [],
      createdAt: now,
      version: 1,
    });
  }

  /** @throws InvalidInput with a pointer to the field at fault; then nothing has changed. */
  change(changes: ProjectChanges): void {
    Object.assign(this, {
      ...(changes.name !== undefined && { name: parseName(changes.name) }),
      ...(changes.senderDomain !== undefined && { senderDomain: parseDomain(changes.senderDomain, '/senderDomain') }),
      ...(changes.authorDomains !== undefined && { authorDomains: parseAuthorDomains(changes.authorDomains) }),
      ...(changes.trackingBaseUrl === null && { trackingBaseUrl: null }),
      ...(typeof changes.trackingBaseUrl === 'string' && { trackingBaseUrl: parseBaseUrl(changes.trackingBaseUrl) }),
      ...(changes.postalAddress !== undefined && { postalAddress: parsePostalAddress(changes.postalAddress) }),
      ...(changes.timeZone !== undefined && { timeZone: parseTimeZone(changes.timeZone) }),
      ...(changes.defaultLanguage !== undefined && { defaultLanguage: parseLanguage(changes.defaultLanguage) }),
      ...(changes.keepMessagesDays !== undefined && {
        keepMessagesDays: parseDays(changes.keepMessagesDays, '/keepMessagesDays'),
      }),
      ...(changes.keepEventsDays !== undefined && { keepEventsDays: parseDays(changes.keepEventsDays, '/keepEventsDays') }),
    });
  }

  /**
   * Once the project has verified sending domains, its authors must be of one of them: other mail would not be signed.
   * @param address already parsed: its domain is in A-labels and lower case. @throws AuthorRefused, AuthorUnverified
   */
  requireAuthor(address: string, pointer = '/content/author/address'): void {
    if (this.verifiedDomains.length > 0) {
      if (this.signingDomain(address) === undefined) throw new AuthorUnverified(address, this.verifiedDomains, pointer);
      return;
    }
    const domain = domainOf(address);
    const allowed = [this.senderDomain, ...this.authorDomains];
    if (!allowed.some((own) => own === ANY_DOMAIN || isWithin(domain, own))) throw new AuthorRefused(address, allowed, pointer);
  }

  /** The verified domain that signs for this author: its own, or the nearest one above it (relaxed alignment of RFC 9989). */
  signingDomain(address: string): string | undefined {
    const domain = domainOf(address);
    const own = this.verifiedDomains.filter((name) => isWithin(domain, name));
    return own.toSorted((a, b) => b.length - a.length)[0];
  }
}

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/** The project's mail is signed and reported for its own domains: an author of another domain would fail DMARC. */
export class AuthorRefused extends DomainError {
  readonly code = 'project.author_refused';
  readonly kind = 'invalid';
  constructor(address: string, domains: readonly string[], pointer: string) {
    super(
      `The author ${address} is outside the project's domains (${domains.join(', ')}). Use an address there, or allow the domain: ` +
        'pennypost project update --author-domain <domain>, or authorDomains of PATCH /v1/project.',
      pointer,
    );
  }
}

/** The project has sending domains, and the author belongs to another one. */
export class AuthorUnverified extends DomainError {
  readonly code = 'project.author_unverified';
  readonly kind = 'invalid';
  constructor(address: string, domains: readonly string[], pointer: string) {
    super(
      `The domain of the author ${address} is not a verified sending domain of the project (${domains.join(', ')}). ` +
        'Use an address there, or add the domain: pennypost domain create <domain>, or POST /v1/domains.',
      pointer,
    );
  }
}

const ANY_DOMAIN = '*';
const MOST_AUTHOR_DOMAINS = 50;

function parseAuthorDomains(texts: readonly string[]): readonly string[] {
  if (texts.length > MOST_AUTHOR_DOMAINS)
    throw new InvalidInput(`A project may have ${MOST_AUTHOR_DOMAINS} author domains.`, '/authorDomains');
  return [...new Set(texts.map((text, at) => (text === ANY_DOMAIN ? text : parseDomain(text, `/authorDomains/${at}`))))];
}

/** A month answers "what did my receipt say?"; a year of events serves every comparison with the year before. */
const KEEP_MESSAGES_DAYS = 30;
const KEEP_EVENTS_DAYS = 365;

function parseDays(days: number, pointer: string): number {
  if (!Number.isInteger(days) || days < 1 || days > 3_650)
    throw new InvalidInput('A number of days from 1 to 3,650 is expected.', pointer);
  return days;
}

function parseName(text: string): string {
  const name = text.normalize('NFC').trim();
  if (name.length < 1 || name.length > 100 || hasControl(name)) {
    throw new InvalidInput('A project needs a name of 1 to 100 characters, on one line.', '/name');
  }
  return name;
}

function slugFrom(name: string): string {
  const slug = slugOf(name);
  if (slug === undefined)
    throw new InvalidInput(`No slug can be made from "${name.slice(0, 60)}". Give one: a-z, 0-9 and hyphens.`, '/slug');
  return slug;
}

function parseBaseUrl(text: string): string {
  const url = URL.parse(text.trim());
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new InvalidInput(
      'The tracking base URL must be like https://links.example.com, without query, fragment or password.',
      '/trackingBaseUrl',
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function parsePostalAddress(text: string): string {
  const address = text.normalize('NFC').replaceAll('\r\n', '\n').trim();
  if (address.length > 500 || hasControl(address.replaceAll('\n', ' '))) {
    throw new InvalidInput(
      'The postal address may have 500 characters, and no control characters except line breaks.',
      '/postalAddress',
    );
  }
  return address;
}

/** The canonical IANA name. Offsets (`+01:00`) are refused: PostgreSQL reads their sign the other way round (POSIX). */
function parseTimeZone(text: string): string {
  try {
    if (/^[A-Za-z]/.test(text)) return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new InvalidInput(`"${text.slice(0, 60)}" is not an IANA time zone such as Europe/Berlin.`, '/timeZone');
}

function parseLanguage(text: string): string {
  try {
    const [tag] = Intl.getCanonicalLocales(text);
    if (tag !== undefined) return tag;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new InvalidInput(`"${text.slice(0, 60)}" is not a language tag (BCP 47) such as en or de-AT.`, '/defaultLanguage');
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
