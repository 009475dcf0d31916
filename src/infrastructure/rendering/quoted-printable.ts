/**
 * Quoted-printable (RFC 2045 section 6.7) in pieces that can be laid side by side: every piece starts at column 0 and leaves
 * the output at column 0, by a hard line break or a soft one (`=CRLF`). So no line state travels between static bytes that
 * were encoded once per plan and values that are encoded once per message. Lines are 76 octets or shorter.
 *
 * Beyond the RFC: a dot at column 0 is written `=2E`, so that the body never needs dot-stuffing, and `From ` at column 0 as
 * `=46rom `, so that an mbox on the way leaves it alone. Line ends of any kind become CRLF; lone surrogates become U+FFFD.
 */

/** Most octets that `encodePiece` can write for a text of that many UTF-16 units: 9 for three octets as `=XX`, and soft breaks. */
export const encodedBound = (units: number): number => units * 10 + 8;

/** Octets per line before the soft break's `=`. */
const ROOM = 75;

const LITERAL = 0;
/** Literal too, but in HTML. */
const MARKUP = 1;
const HEX = 2;
const BLANK = 3;
const BREAK = 4;

const CLASS = Uint8Array.from({ length: 128 }, (_, code) => classOf(String.fromCharCode(code)));

function classOf(character: string): number {
  if (character === ' ' || character === '\t') return BLANK;
  if (character === '\r' || character === '\n') return BREAK;
  if ('&<>"\''.includes(character)) return MARKUP;
  return character > ' ' && character <= '~' && character !== '=' ? LITERAL : HEX;
}

const HEX_DIGIT = Buffer.from('0123456789ABCDEF', 'latin1');
/** The same five that liquidjs escapes, written the same way, so that both ways to render agree. */
const ENTITY: Readonly<Record<number, Uint8Array>> = {
  38: Buffer.from('&amp;', 'latin1'),
  60: Buffer.from('&lt;', 'latin1'),
  62: Buffer.from('&gt;', 'latin1'),
  34: Buffer.from('&#34;', 'latin1'),
  39: Buffer.from('&#39;', 'latin1'),
};

/**
 * Writes `text` as one piece and returns the position behind it. The caller has made sure of `encodedBound(text.length)` octets.
 * @param html escape `& < > " '` as HTML on the way
 */
export function encodePiece(target: Uint8Array, start: number, text: string, html: boolean): number {
  let position = start;
  let column = 0;
  const length = text.length;
  const plain = html ? LITERAL : MARKUP;
  for (let index = 0; index < length; index += 1) {
    let code = text.charCodeAt(index);
    if (column > 0) {
      // Most of what is encoded are runs of letters (a token has 93). What is special at column 0 cannot come here.
      const end = Math.min(length - 1, index + ROOM - 1 - column);
      const begun = index;
      while (code < 128 && CLASS[code]! <= plain && index < end) {
        target[position] = code;
        position += 1;
        index += 1;
        code = text.charCodeAt(index);
      }
      column += index - begun;
    }
    if (code < 128) {
      let kind = CLASS[code]!;
      if (kind === MARKUP) {
        if (html) {
          const entity = ENTITY[code]!;
          if (column + entity.length > ROOM) {
            position = softBreak(target, position);
            column = 0;
          }
          for (let at = 0; at < entity.length; at += 1) target[position + at] = entity[at]!;
          position += entity.length;
          column += entity.length;
          continue;
        }
        kind = LITERAL;
      }
      if (kind === LITERAL) {
        if (column >= ROOM) {
          position = softBreak(target, position);
          column = 0;
        }
        if (column === 0 && (code === 0x2e || (code === 0x46 && text.startsWith('From ', index)))) {
          position = hex(target, position, code);
          column = 3;
          continue;
        }
        target[position] = code;
        position += 1;
        column += 1;
        continue;
      }
      if (kind === BREAK) {
        if (code === 0x0d && text.charCodeAt(index + 1) === 0x0a) index += 1;
        target[position] = 0x0d;
        target[position + 1] = 0x0a;
        position += 2;
        column = 0;
        continue;
      }
      // A blank before a hard break would be lost on the way; before a soft break it is safe.
      const next = kind === BLANK ? text.charCodeAt(index + 1) : 0;
      if (kind === BLANK && next !== 0x0a && next !== 0x0d) {
        if (column >= ROOM) {
          position = softBreak(target, position);
          column = 0;
        }
        target[position] = code;
        position += 1;
        column += 1;
        continue;
      }
      if (column + 3 > ROOM) {
        position = softBreak(target, position);
        column = 0;
      }
      position = hex(target, position, code);
      column += 3;
      continue;
    }
    let point = code;
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = text.charCodeAt(index + 1);
      if (code < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        point = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        index += 1;
      } else {
        point = 0xfffd;
      }
    }
    // A code point stays on one line: some readers decode line by line.
    const width = point < 0x800 ? 6 : point < 0x10000 ? 9 : 12;
    if (column + width > ROOM) {
      position = softBreak(target, position);
      column = 0;
    }
    if (point < 0x800) {
      position = hex(target, position, 0xc0 | (point >> 6));
    } else {
      if (point < 0x10000) {
        position = hex(target, position, 0xe0 | (point >> 12));
      } else {
        position = hex(target, position, 0xf0 | (point >> 18));
        position = hex(target, position, 0x80 | ((point >> 12) & 0x3f));
      }
      position = hex(target, position, 0x80 | ((point >> 6) & 0x3f));
    }
    position = hex(target, position, 0x80 | (point & 0x3f));
    column += width;
  }
  return column === 0 ? position : softBreak(target, position);
}

/** One piece as bytes of its own, for text that is the same in every message. */
export function encodeStatic(text: string): Uint8Array {
  const target = Buffer.allocUnsafe(encodedBound(text.length));
  return Buffer.from(target.subarray(0, encodePiece(target, 0, text, false)));
}

function softBreak(target: Uint8Array, position: number): number {
  target[position] = 0x3d;
  target[position + 1] = 0x0d;
  target[position + 2] = 0x0a;
  return position + 3;
}

function hex(target: Uint8Array, position: number, octet: number): number {
  target[position] = 0x3d;
  target[position + 1] = HEX_DIGIT[octet >> 4]!;
  target[position + 2] = HEX_DIGIT[octet & 15]!;
  return position + 3;
}
