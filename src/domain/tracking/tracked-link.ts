/**
 * Link tokens: the second half of a click's address, `/c/<message token>/<link token>`. It holds the link's index in the
 * content and the target itself, with a MAC over (purpose, project, mailing, index, target): no open redirect, and no
 * database between a click and its target. One token serves every message of a mailing and is kept as static bytes.
 */
import { DomainError } from '../shared/errors.ts';
import type { HmacKey } from '../shared/hmac-key.ts';
import type { Id } from '../shared/ids.ts';
import type { KeyFor, TokenSubject } from './token.ts';
import { fromBase64url, STATIC_BYTES, writeStatic } from './token-bytes.ts';

/** A link with a hidden or invalid destination; never tracked and never redirected to. */
export class UnsafeLink extends DomainError {
  readonly code = 'link.unsafe';
  readonly kind = 'invalid';
}

const LABEL = Buffer.from('pennypost/1 link ', 'latin1');
const MAC_BYTES = 16;
const INDEX_BYTES = 2;
/**
 * Longer targets have no token and are sent as they are. As a token 4/3 of it: with the message token the request line stays
 * under the 8,190 octets that common servers read.
 */
export const LONGEST_TRACKED_TARGET = 4_000;
const MAX_TOKEN_CHARACTERS = Math.ceil(((INDEX_BYTES + LONGEST_TRACKED_TARGET + MAC_BYTES) * 4) / 3);

/** The host and port of `https://host:port`, where nothing in it has to be normalised. */
const PLAIN_AUTHORITY = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])(?::\d*)?$/;

/** Nearly every target: nothing in it can be wrong or has to be changed. */
const PLAIN =
  /^https?:\/\/(?:[a-z\d-]+\.)*[a-z][a-z\d-]*(?::\d{1,4})?(?:[/?#][\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x5f\x61-\x7e]*)?$/i;

/** What a Location field cannot carry as it is. The rest stays as written: browsers do with it what they do with the link. */
const ENCODED = /[^\x21-\x7e]+|["<>`]+/gu;

/**
 * The target as a redirect may say it: absolute http or https, ASCII, so that it fits a Location field. It stays as written
 * where it can: a host outside ASCII becomes A-labels, blanks and characters outside ASCII are percent-encoded.
 * @throws UnsafeLink for another scheme, a missing host, user information (`https://bank.example@evil.example`), backslashes
 *   before the query, control characters
 */
export function webLocation(text: string): string {
  const written = text.trim();
  if (PLAIN.test(written) && !/xn--/i.test(written)) return written;
  const unsafe = (why: string): UnsafeLink => new UnsafeLink(`The link "${written.slice(0, 100)}" ${why}.`, '/target');
  for (const character of written) {
    const code = character.codePointAt(0)!;
    if (code < 0x20 || code === 0x7f) throw unsafe('contains a control character; remove it');
  }
  // Browsers repair `https:/x`, `https:\\x` and `\` in a path, each in its own way: only the plain form is unambiguous.
  const [origin, scheme, authority] = /^(https?:\/\/)([^/\\?#]+)/i.exec(written) ?? [];
  if (origin === undefined || scheme === undefined || authority === undefined)
    throw unsafe('is not absolute; write http:// or https:// and a host');
  if (authority.includes('@')) throw unsafe('has user information before its host; remove what stands before the @');
  if (/^[^?#]*\\/.test(written)) throw unsafe('contains a backslash; write / or %5C');
  if (/\s/.test(authority)) throw unsafe('has a blank in its host; remove it');
  const port = /:([^:\]]*)$/.exec(authority)?.[1];
  if (port !== undefined && (!/^\d*$/.test(port) || Number(port) > 65_535))
    throw unsafe('has a port that does not exist; write a number up to 65535, or none');
  const url = URL.parse(written);
  if (url === null || url.hostname === '') throw unsafe('has no valid host');
  const rest = written.slice(origin.length).replace(ENCODED, percentEncoded);
  const location = `${scheme}${PLAIN_AUTHORITY.test(authority) ? authority : url.host}${rest}`;
  return URL.parse(location)?.host === url.host ? location : url.href;
}

function percentEncoded(text: string): string {
  let out = '';
  for (const octet of Buffer.from(text.toWellFormed())) out += `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}

/** The same for a target that a token can hold. @throws UnsafeLink also for more than 4,000 octets */
function linkTarget(text: string): string {
  const location = webLocation(text);
  if (location.length <= LONGEST_TRACKED_TARGET) return location;
  throw new UnsafeLink(`The link "${location.slice(0, 100)}" is longer than ${LONGEST_TRACKED_TARGET} octets.`, '/target');
}

/** Where a link token belongs: `subjectId` is the mailing's id, or the message's own for a transactional one. */
export interface LinkScope {
  readonly kind: TokenSubject['kind'];
  readonly projectId: Id;
  readonly subjectId: Id;
  readonly key: HmacKey;
}

/**
 * @param index of the link in its content, 0 to 65,535
 * @param target as written, merge values filled in; the token holds it as `linkTarget` gives it back
 * @throws UnsafeLink
 */
export function issueLinkToken(scope: LinkScope, index: number, target: string): string {
  const location = Buffer.from(linkTarget(target), 'latin1');
  const bytes = Buffer.alloc(INDEX_BYTES + location.length + MAC_BYTES);
  bytes.writeUInt16BE(index, 0);
  location.copy(bytes, INDEX_BYTES);
  const mac = scope.key.sign(linkHead(scope), bytes.subarray(0, -MAC_BYTES));
  bytes.write(mac.slice(0, MAC_BYTES), bytes.length - MAC_BYTES, 'latin1');
  return bytes.toString('base64url');
}

/**
 * The link, if the token is valid and belongs to the mailing (or transactional message) that the message token names;
 * undefined for everything else, whatever it is.
 * @param subject what `verifyMessageToken` gave for the message token of the same address
 */
export function verifyLinkToken(
  token: string,
  subject: TokenSubject,
  keyFor: KeyFor,
): { readonly index: number; readonly target: string } | undefined {
  if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
  const bytes = fromBase64url(token);
  if (bytes === undefined || bytes.length <= INDEX_BYTES + MAC_BYTES) return undefined;
  const key = keyFor(subject.projectId, subject.keyId);
  if (key === undefined) return undefined;
  const subjectId = subject.kind === 'mailing' ? subject.mailingId : subject.messageId;
  const head = linkHead({ kind: subject.kind, projectId: subject.projectId, subjectId });
  if (!key.verify(bytes.subarray(-MAC_BYTES), 0, head, bytes.subarray(0, -MAC_BYTES))) return undefined;
  return { index: bytes.readUInt16BE(0), target: bytes.toString('latin1', INDEX_BYTES, bytes.length - MAC_BYTES) };
}

/** Fixed widths first, index and target after it: the target is last and alone of open length, so no two links have the same input. */
function linkHead(scope: Omit<LinkScope, 'key'>): Buffer {
  const head = Buffer.alloc(LABEL.length + STATIC_BYTES);
  LABEL.copy(head);
  writeStatic(head, LABEL.length, scope.kind, scope.projectId, scope.subjectId);
  return head;
}
