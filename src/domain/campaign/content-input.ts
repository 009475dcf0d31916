import { hasControl } from '../shared/control-characters.ts';
import { mailboxParts, parseEmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';
import { storableJson } from '../shared/json.ts';
import type { Content, ContentKind, Mailbox } from './content.ts';
import { headerFaults } from './header-fields.ts';

/** Content as a caller gives it: strings not yet checked. */
export interface ContentInput {
  readonly kind: ContentKind;
  readonly source: string;
  readonly text?: string | undefined;
  readonly subject: string;
  readonly preheader?: string | undefined;
  readonly author: { readonly name?: string | undefined; readonly address: string };
  readonly replyTo?: { readonly name?: string | undefined; readonly address: string } | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly defaults?: Readonly<Record<string, unknown>> | undefined;
  readonly footer?: 'project' | 'none' | undefined;
  readonly layout?: 'default' | 'none' | undefined;
}

/** Characters. A message with more could not be sent, and listings and backups would carry it. */
const CONTENT_LIMITS = { source: 1_000_000, text: 250_000, subject: 2_000, preheader: 2_000, name: 320 } as const;
const DEFAULTS_LIMIT = 256 * 1024;
/** Receivers refuse header sections of some hundred kilobytes. */
const HEADERS_LIMIT = 50;

/** Checks everything about content that can be told without rendering it. @throws InvalidInput with a pointer under `/content`. */
export function parseContent(input: ContentInput): Content {
  for (const field of ['source', 'text', 'subject', 'preheader'] as const)
    refuseLong(input[field], CONTENT_LIMITS[field], `/content/${field}`);
  if (input.source.trim() === '') throw new InvalidInput('The source is empty. Write some content.', '/content/source');
  if (input.subject.trim() === '') throw new InvalidInput('The subject is empty.', '/content/subject');
  if (hasControl(input.subject))
    throw new InvalidInput('The subject contains a line break or control character.', '/content/subject');
  return {
    kind: input.kind,
    source: storable(input.source, '/content/source'),
    text: input.text === undefined ? undefined : storable(input.text, '/content/text'),
    subject: input.subject.toWellFormed(),
    preheader: input.preheader === undefined ? undefined : storable(input.preheader, '/content/preheader'),
    author: parseMailbox(input.author, '/content/author'),
    replyTo: input.replyTo === undefined ? undefined : parseMailbox(input.replyTo, '/content/replyTo'),
    headers: parseHeaders(input.headers ?? {}, '/content/headers'),
    defaults: parseDefaults(input.defaults ?? {}),
    footer: input.footer ?? 'project',
    layout: input.layout ?? 'default',
  };
}

function refuseLong(text: string | undefined, limit: number, pointer: string): void {
  if (text === undefined || text.length <= limit) return;
  throw new InvalidInput(`The ${pointer.split('/').at(-1)} has ${text.length} characters; ${limit} is the limit.`, pointer);
}

function parseDefaults(defaults: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const parsed = storableJson(defaults, '/content/defaults');
  if (Buffer.byteLength(JSON.stringify(parsed)) > DEFAULTS_LIMIT)
    throw new InvalidInput('The defaults are larger than 256 kB.', '/content/defaults');
  return parsed;
}

/** No mail may hold a NUL (RFC 5322 section 2.3), and no database stores one. */
function storable(text: string, pointer: string): string {
  if (text.includes('\0')) throw new InvalidInput('The text contains a NUL character. Remove it.', pointer);
  return text.toWellFormed();
}

/** A name that is written with the address counts where none is given beside it. @throws InvalidInput */
export function parseMailbox(given: { name?: string | undefined; address: string }, pointer: string): Mailbox {
  const parts = mailboxParts(given.address);
  const input = { name: given.name ?? parts.name, address: parts.address };
  if (input.name !== undefined && hasControl(input.name)) {
    throw new InvalidInput('The name contains a line break or control character.', `${pointer}/name`);
  }
  refuseLong(input.name, CONTENT_LIMITS.name, `${pointer}/name`);
  return { name: input.name?.toWellFormed(), address: parseEmailAddress(input.address, `${pointer}/address`).address };
}

/** @throws InvalidInput for names that are reserved or invalid, and for values that would break the header */
export function parseHeaders(headers: Readonly<Record<string, string>>, pointer: string): Readonly<Record<string, string>> {
  if (Object.keys(headers).length > HEADERS_LIMIT)
    throw new InvalidInput(`There are more than ${HEADERS_LIMIT} header fields.`, pointer);
  for (const [name, { message }] of headerFaults(headers))
    throw new InvalidInput(message, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.toWellFormed()]));
}
