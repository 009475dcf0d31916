import { InvalidInput } from './errors.ts';

/** An address that was checked once, at the border; code inside does not check again. */
export interface EmailAddress {
  /** As written, with the domain as A-labels in lower case and the local part in NFC: what stands in RCPT and To. */
  readonly address: string;
  /** What makes two addresses the same person: NFC, lower case, A-label. `B@Bücher.example` has `b@xn--bcher-kva.example`. */
  readonly key: string;
  /** Lower-case A-labels (RFC 5890). */
  readonly domain: string;
  /** The local part is not ASCII: every hop must offer SMTPUTF8 (RFC 6531). */
  readonly smtputf8: boolean;
}

/** RFC 5321 section 4.5.3.1: octets. A path may have 256, of which the angle brackets take two. */
const LOCAL_OCTETS = 64;
const ADDRESS_OCTETS = 254;
const DOMAIN_OCTETS = 255;

/** RFC 5322 section 3.2.3 `dot-atom`, with the non-ASCII characters that RFC 6532 adds to `atext`. */
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\u{10FFFF}-]+";
const DOT_ATOM = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`, 'u');
const PLAIN =
  /^([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads one bare address (RFC 5321 `Mailbox`, RFC 6531). Spaces around it are dropped; a name, comments, groups, routes,
 * quoted local parts and address literals are refused: parsers disagree on them, and the mail then goes to another address
 * (GHSA-mm7p-fcc7-pg87). A domain in Unicode becomes A-labels (UTS-46, non-transitional: `faß` stays `faß`) and needs a dot.
 * @param pointer JSON pointer to the field, for the error
 * @throws InvalidInput that says what to do
 */
export function parseEmailAddress(text: string, pointer?: string): EmailAddress {
  const written = text.replace(/^[ \u00a0]+|[ \u00a0]+$/g, '');
  // Nearly every address is plain ASCII without A-labels: no URL parser, no normalisation.
  const plain = written.length <= ADDRESS_OCTETS ? PLAIN.exec(written) : null;
  if (plain !== null && plain[1]!.length <= LOCAL_OCTETS && !/xn--/i.test(plain[2]!)) {
    const domain = plain[2]!.toLowerCase();
    return { address: `${plain[1]!}@${domain}`, key: `${plain[1]!.toLowerCase()}@${domain}`, domain, smtputf8: false };
  }

  const refuse = (reason: string): InvalidInput =>
    new InvalidInput(`${quoted(written)} is not a valid e-mail address: ${reason}`, pointer);
  if (written === '') throw new InvalidInput('An e-mail address is required.', pointer);
  if (/[\p{Cc}\u2028\u2029]/u.test(written)) throw refuse('it contains a line break or another control character. Remove it.');
  if (!written.isWellFormed() || written.includes('\ufffd'))
    throw refuse('it contains broken characters. Check the encoding of the source.');
  if (/[<>]/.test(written)) throw refuse('names, angle brackets and routes are not accepted. Write name@example.com.');
  if (/[()]/.test(written)) throw refuse('comments in parentheses are not accepted. Remove them.');
  if (written.includes('"')) throw refuse('quoted local parts are not accepted. Write the address without quotation marks.');
  if (/[:;]/.test(written) && !written.includes('['))
    throw refuse('groups, routes and "mailto:" are not accepted. Write one address.');
  if (written.includes(',')) throw refuse('it contains a comma. Write one address only.');
  if (/[\p{Cf}\p{Z}]/u.test(written.slice(0, written.lastIndexOf('@')))) {
    throw refuse('it contains a space or an invisible character before the "@". Write one address only, without a name.');
  }

  const at = written.lastIndexOf('@');
  if (at < 0) throw refuse('the "@" is missing.');
  const local = written.slice(0, at).normalize('NFC');
  if (local === '') throw refuse('the part before the "@" is missing.');
  if (local.includes('@')) throw refuse('it has more than one "@".');
  if (octets(local) > LOCAL_OCTETS) throw refuse(`the part before the "@" has more than ${LOCAL_OCTETS} octets.`);
  if (!DOT_ATOM.test(local))
    throw refuse('the part before the "@" has a dot at its start or end, two in a row, or a character that needs quoting.');

  const domain = parseDomain(written.slice(at + 1), refuse);
  const address = `${local}@${domain}`;
  if (octets(address) > ADDRESS_OCTETS) throw refuse(`it has more than ${ADDRESS_OCTETS} octets.`);
  // Lower case can leave NFC (İ becomes i and a combining dot), so it is normalised once more.
  const key = `${local.toLowerCase().normalize('NFC')}@${domain}`;
  return { address, key, domain, smtputf8: /[^\0-\x7f]/.test(local) };
}

/** Mailbox as people write and copy it: `Ada Lee <ada@example.com>`, `"Lee, Ada" <ada@example.com>` or the address alone. */
const NAMED = /^\s*(?:"([^"\p{Cc}]*)"|([^<>"\p{Cc}]*?))\s*<([^<>\p{Cc}]*)>\s*$/u;

/** The parts of a mailbox (RFC 5322 `name-addr`), unchecked; without angle brackets all of it is the address. */
export function mailboxParts(text: string): { readonly name?: string; readonly address: string } {
  const match = NAMED.exec(text);
  if (match === null) return { address: text.trim() };
  const name = match[1] ?? match[2] ?? '';
  return { ...(name !== '' && { name }), address: match[3] ?? '' };
}

/** The same as `parseEmailAddress` where people write the address themselves: a name before it is left out. @throws InvalidInput */
export function parseAddressee(text: string, pointer?: string): EmailAddress {
  return parseEmailAddress(mailboxParts(text).address, pointer);
}

/** Lower-case A-labels of a mailable domain. The URL parser does UTS-46; what it lets pass for hosts is refused here. */
function parseDomain(text: string, refuse: (reason: string) => InvalidInput): string {
  if (text === '') throw refuse('the domain after the "@" is missing.');
  if (text.startsWith('[') || text.endsWith(']'))
    throw refuse('an address literal in brackets is not accepted. Write a domain name.');
  if (text.length > DOMAIN_OCTETS) throw refuse(`the domain has more than ${DOMAIN_OCTETS} octets.`);
  // The URL parser would decode %41 and cut at "/", "?", "#" and ":": ASCII may be letters, digits, hyphens and dots only.
  const odd = /[^A-Za-z0-9.\-\u0080-\u{10FFFF}]/u.exec(text);
  if (odd !== null) throw refuse(`${quoted(odd[0])} is not allowed in a domain.`);
  const domain = URL.parse(`http://${text}`)?.hostname;
  if (domain === undefined) throw refuse('the domain is not a valid (internationalised) name.');
  if (domain.endsWith('.')) throw refuse('the domain ends in a dot. Remove it.');
  const labels = domain.split('.');
  if (labels.length < 2) throw refuse('the domain has no dot. Write it in full, such as example.com.');
  if (domain.length > DOMAIN_OCTETS) throw refuse(`the domain has more than ${DOMAIN_OCTETS} octets.`);
  if (/^\d/.test(labels.at(-1)!)) throw refuse('an IP address is not accepted. Write a domain name.');
  for (const label of labels) {
    if (!LABEL.test(label))
      throw refuse(
        label === ''
          ? 'the domain has two dots in a row.'
          : `${quoted(label)} in the domain is not a host name label of 1 to 63 letters, digits and inner hyphens.`,
      );
    if (label.startsWith('xn--') && !isALabel(label))
      throw refuse(`${quoted(label)} in the domain is not a valid internationalised label.`);
  }
  return domain;
}

/** An `xn--` label must be what UTS-46 makes of the name that it stands for (RFC 5891 section 5.4), or it names nothing. */
function isALabel(label: string): boolean {
  const digits = label.slice('xn--'.length);
  const unicode = decodePunycode(digits);
  return (
    unicode !== undefined && /[^\0-\x7f]/.test(unicode) && URL.parse(`http://${unicode}.example`)?.hostname === `${label}.example`
  );
}

/** RFC 3492 section 6.2. Undefined when the digits are not punycode. */
function decodePunycode(digits: string): string | undefined {
  const basic = digits.lastIndexOf('-');
  const output = basic > 0 ? Array.from(digits.slice(0, basic), (letter) => letter.codePointAt(0)!) : [];
  let code = 128;
  let bias = 72;
  let position = 0;
  for (let index = basic > 0 ? basic + 1 : 0; index < digits.length; ) {
    const before = position;
    for (let weight = 1, k = 36; ; k += 36) {
      const digit = digits.charCodeAt(index++);
      const value = digit >= 97 && digit <= 122 ? digit - 97 : digit >= 48 && digit <= 57 ? digit - 22 : 36;
      if (value >= 36) return undefined;
      position += value * weight;
      const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (value < threshold) break;
      weight *= 36 - threshold;
    }
    const length = output.length + 1;
    let delta = Math.floor((position - before) / (before === 0 ? 700 : 2));
    delta += Math.floor(delta / length);
    let k = 0;
    for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
    bias = k + Math.floor((36 * delta) / (delta + 38));
    code += Math.floor(position / length);
    if (code > 0x10ffff) return undefined;
    position %= length;
    output.splice(position++, 0, code);
  }
  return String.fromCodePoint(...output);
}

const octets = (text: string): number => new TextEncoder().encode(text).length;

/** For messages: one line, at most 80 characters, nothing that a terminal would obey. */
function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  return `"${shown.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd')}"`;
}
