import { RenderFailed } from '../../domain/campaign/index.ts';

/**
 * Header fields as octets that any server takes: RFC 5322 folding at 76, RFC 2047 encoded words of 75 or shorter that never
 * split a code point, nothing over 998, no CR, LF or NUL out of a value. All functions return text without the final CRLF.
 */

/** RFC 5322 2.1.1 says 78; RFC 2047 section 2 says 76 for lines with encoded words. */
const FOLD = 76;
const ENCODED_WORD = 75;
const LINE_LIMIT = 998;

/** Controls (C0, DEL, C1 with U+0085) and the line and paragraph separators. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const PRINTABLE = /^[\x20-\x7e]*$/;
/** What a Q-encoded word may hold as itself anywhere, phrases included (RFC 2047 section 5 (3)). */
const Q_LITERAL = /[A-Za-z0-9!*+\-/]/;
const ATOMS = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]+$/;

/** Line breaks and control characters become one space; blanks at the ends go. For values that come out of a template. */
export const collapse = (value: string): string => value.replace(CONTROLS, ' ').trim();

/** True when nothing in the value could end a header line or is invisible in it. */
export const isClean = (value: string): boolean => !CONTROL.test(value);

/**
 * An unstructured field (Subject, free text): plain ASCII is folded, anything else goes out in encoded words, and so does
 * ASCII that would be mistaken for an encoded word or has no blank to fold at.
 * @param value collapsed before
 */
export function unstructured(name: string, value: string): string {
  if (PRINTABLE.test(value) && !value.includes('=?')) {
    const line = `${name}: ${value}`;
    if (line.length <= FOLD) return line;
    const folded = fold(line);
    if (folded.every((part) => part.length <= FOLD)) return folded.join('\r\n');
  }
  return `${name}:${encodedWords(value, name.length + 1)}`;
}

/**
 * A field whose text must arrive as it is: folded at blanks, never encoded.
 * @throws RenderFailed when a piece without blanks is longer than 998 octets
 */
export function structured(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (line.length <= FOLD) return line;
  const folded = fold(line);
  if (folded.some((part) => part.length > LINE_LIMIT)) {
    throw new RenderFailed(
      `The header ${name} has ${line.length} characters without a space to fold it at; the limit is 998 (RFC 5322).`,
    );
  }
  return folded.join('\r\n');
}

/** `Name <address>` with the name as atoms, quoted string or encoded words. */
export function mailbox(field: string, name: string | undefined, address: string): string {
  const display = name === undefined ? '' : collapse(name);
  if (display === '') return `${field}: <${address}>`;
  const phrase = ` ${phraseOf(display)}`;
  if (PRINTABLE.test(display) && !display.includes('=?') && display.length <= 60) {
    const line = `${field}:${phrase} <${address}>`;
    return line.length <= FOLD ? line : `${field}:${phrase}\r\n <${address}>`;
  }
  return `${field}:${encodedWords(display, field.length + 1)}\r\n <${address}>`;
}

/** Several mailboxes in one field, each on a line of its own. */
export function mailboxes(
  field: string,
  list: readonly { readonly name?: string | undefined; readonly address: string }[],
): string {
  return list
    .map(({ name, address }, index) => (index === 0 ? mailbox(field, name, address) : mailbox('', name, address).slice(1)))
    .join(',\r\n');
}

function phraseOf(display: string): string {
  return ATOMS.test(display) ? display : `"${display.replace(/["\\]/g, '\\$&')}"`;
}

/** Cuts before blanks that stand between two other characters; a piece without such a blank stays whole. */
function fold(line: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let cut = -1;
  // The blank behind the colon is no place to fold: the first line would hold nothing but the name.
  for (let index = line.indexOf(':') + 2; index < line.length; index += 1) {
    if (line.charCodeAt(index) === 0x20 && line.charCodeAt(index - 1) !== 0x20 && line.charCodeAt(index + 1) !== 0x20) {
      if (index - start > FOLD && cut > start) {
        parts.push(line.slice(start, cut));
        start = cut;
      }
      cut = index;
    }
  }
  if (line.length - start > FOLD && cut > start) {
    parts.push(line.slice(start, cut));
    start = cut;
  }
  parts.push(line.slice(start));
  return parts;
}

/** ` =?utf-8?...?=` as often as needed, joined by folds; `used` columns of the first line are taken. */
function encodedWords(value: string, used: number): string {
  const text = value.toWellFormed();
  const bytes = Buffer.byteLength(text);
  let quoted = 0;
  for (const octet of Buffer.from(text)) quoted += octet === 0x20 || Q_LITERAL.test(String.fromCharCode(octet)) ? 1 : 3;
  const base64 = quoted > Math.ceil(bytes / 3) * 4;
  const frame = '=?utf-8?Q?'.length + '?='.length;
  const words: string[] = [];
  let room = Math.min(ENCODED_WORD, FOLD - used - 1) - frame;
  let word = '';
  let size = 0;
  const flush = (): void => {
    words.push(base64 ? `=?utf-8?B?${Buffer.from(word).toString('base64')}?=` : `=?utf-8?Q?${word}?=`);
    word = '';
    size = 0;
    room = ENCODED_WORD - frame;
  };
  // A field name that leaves no room for one code point gets its first word on the next line.
  const fresh = room < 16;
  if (fresh) room = ENCODED_WORD - frame;
  for (const character of text) {
    const piece = base64 ? character : quote(character);
    const grown = base64 ? Math.ceil((size + Buffer.byteLength(character)) / 3) * 4 : size + piece.length;
    if (grown > room && word !== '') flush();
    word += piece;
    size += base64 ? Buffer.byteLength(character) : piece.length;
  }
  if (word !== '') flush();
  return `${fresh ? '\r\n ' : ' '}${words.join('\r\n ')}`;
}

function quote(character: string): string {
  if (character === ' ') return '_';
  if (Q_LITERAL.test(character)) return character;
  let out = '';
  for (const octet of Buffer.from(character)) out += `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** RFC 5322 3.3, in UTC: `Sun, 22 Nov 2026 05:02:00 +0000`. */
export function dateTime(date: Date): string {
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${time} +0000`;
}
