import { createHash } from 'node:crypto';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;

/** A header field as it stands, without the line break at its end. */
export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

const HEADER_END = Buffer.from('\r\n\r\n');

/** Where the body begins; a message without one is all header. */
export function bodyStart(content: Buffer): number {
  const end = content.indexOf(HEADER_END);
  return end < 0 ? content.length : end + 4;
}

/** The fields of a header in their order. Octets outside ASCII pass as they are, in latin1. */
export function headerFields(content: Buffer, end: number): readonly HeaderField[] {
  return content
    .toString('latin1', 0, end)
    .split(/\r\n(?![ \t])/)
    .flatMap((field) => {
      const colon = field.indexOf(':');
      return colon < 0 ? [] : [{ name: field.slice(0, colon).trimEnd().toLowerCase(), value: field.slice(colon + 1) }];
    });
}

/** RFC 6376 section 3.4.2. */
export const relaxedHeader = ({ name, value }: HeaderField): string =>
  `${name}:${value
    .replaceAll('\r\n', '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '')}`;

const LINE_BREAK = Buffer.from('\r\n');

/** SHA-256 of the body from `from` on in the relaxed form of RFC 6376 section 3.4.4, in base64. */
export function bodyHash(content: Buffer, from: number): string {
  const body = withoutBlankLines(relaxed(content, from));
  const hash = createHash('sha256');
  if (body.length > 0) hash.update(body).update(LINE_BREAK);
  return hash.digest('base64');
}

/**
 * The body with single blanks, none of them before a line break. Bytes are copied in runs, and not at all where nothing is to change:
 * octet by octet takes twice as long.
 */
function relaxed(content: Buffer, from: number): Buffer {
  const end = content.length;
  let target: Buffer | undefined;
  let to = 0;
  let run = from;
  for (let at = from; at < end; at += 1) {
    const octet = content[at]!;
    if (octet > SPACE || (octet !== SPACE && octet !== TAB)) continue;
    if (octet === SPACE && content[at + 1]! > SPACE) continue;
    let next = at + 1;
    while (next < end && (content[next] === SPACE || content[next] === TAB)) next += 1;
    const last = next === end || (content[next] === RETURN && content[next + 1] === LINE_FEED);
    target ??= Buffer.allocUnsafe(end - from);
    to += content.copy(target, to, run, at);
    if (!last) target[to++] = SPACE;
    run = next;
    at = next - 1;
  }
  if (target === undefined) return content.subarray(from);
  to += content.copy(target, to, run, end);
  return target.subarray(0, to);
}

function withoutBlankLines(body: Buffer): Buffer {
  let end = body.length;
  while (end >= 2 && body[end - 2] === RETURN && body[end - 1] === LINE_FEED) end -= 2;
  return body.subarray(0, end);
}
