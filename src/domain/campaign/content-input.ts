import { parseEmailAddress } from '../shared/email-address.ts';
import { InvalidInput } from '../shared/errors.ts';
import { storableJson } from '../shared/json.ts';
import type { Content, ContentKind, Mailbox } from './content.ts';

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
}

/** Fields that the engine writes itself; a second one would break RFC 5322 section 3.6, or the unsubscribe. */
const OWNED_FIELDS = new Set(
  [
    'from',
    'sender',
    'reply-to',
    'to',
    'cc',
    'bcc',
    'date',
    'message-id',
    'subject',
    'mime-version',
    'return-path',
    'received',
  ].concat([
    'content-type',
    'content-transfer-encoding',
    'content-disposition',
    'dkim-signature',
    'list-unsubscribe',
    'list-unsubscribe-post',
    'list-id',
    'feedback-id',
    'auto-submitted',
    'precedence',
    'x-auto-response-suppress',
    'x-pennypost-possible-repeat',
    // Postfix takes it for a loop and bounces the message.
    'delivered-to',
  ]),
);
const FIELD_NAME = /^[!-9;-~]{1,76}$/;
/** C0, DEL and C1, and the separators that some readers take for line ends. */
const hasControl = (text: string): boolean => /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text);

const SOURCE_LIMIT = 5 * 1024 * 1024;
/** Receivers refuse header sections of some hundred kilobytes. */
const HEADERS_LIMIT = 50;

/** Checks everything about content that can be told without rendering it. @throws InvalidInput with a pointer under `/content`. */
export function parseContent(input: ContentInput): Content {
  if (Buffer.byteLength(input.source) > SOURCE_LIMIT)
    throw new InvalidInput('The source is larger than 5 MB.', '/content/source');
  if (input.source.trim() === '') throw new InvalidInput('The source is empty: there is nothing to send.', '/content/source');
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
    headers: parseHeaders(input.headers ?? {}),
    defaults: storableJson(input.defaults ?? {}, '/content/defaults'),
    footer: input.footer ?? 'project',
  };
}

/** No mail may hold a NUL (RFC 5322 section 2.3), and no database stores one. */
function storable(text: string, pointer: string): string {
  if (text.includes('\0')) throw new InvalidInput('The text contains a NUL character. Remove it.', pointer);
  return text.toWellFormed();
}

function parseMailbox(input: { name?: string | undefined; address: string }, pointer: string): Mailbox {
  if (input.name !== undefined && hasControl(input.name)) {
    throw new InvalidInput('The name contains a line break or control character.', `${pointer}/name`);
  }
  return { name: input.name?.toWellFormed(), address: parseEmailAddress(input.address, `${pointer}/address`).address };
}

function parseHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (Object.keys(headers).length > HEADERS_LIMIT)
    throw new InvalidInput(`More than ${HEADERS_LIMIT} header fields of one's own.`, '/content/headers');
  const parsed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const pointer = `/content/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!FIELD_NAME.test(name))
      throw new InvalidInput(`"${name.slice(0, 40)}" is not a header field name (RFC 5322 section 2.2).`, pointer);
    if (OWNED_FIELDS.has(name.toLowerCase()))
      throw new InvalidInput(`The header field ${name} is written by pennypost itself.`, pointer);
    if (hasControl(value)) throw new InvalidInput(`The value of ${name} contains a line break or control character.`, pointer);
    if (value.length > 900) throw new InvalidInput(`The value of ${name} is longer than 900 characters.`, pointer);
    parsed[name] = value.toWellFormed();
  }
  return parsed;
}
