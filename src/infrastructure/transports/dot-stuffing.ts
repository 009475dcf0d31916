const DOT = 46;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const LINE_FEED_DOT = Buffer.from('\n.');
const CARRIAGE_RETURN_DOT = Buffer.from('\r.');
const CRLF = Buffer.from('\r\n');

/** The content has a line end that is no CRLF right before a dot: the start of an SMTP smuggling sequence (CVE-2023-51764 to 51766). */
export class StrayLineEnd extends Error {
  constructor(offset: number) {
    super(
      `The message has a bare CR or LF before a dot at byte ${offset}; every line must end with CRLF (RFC 5321 section 2.3.8).`,
    );
    this.name = 'StrayLineEnd';
  }
}

/**
 * The content as it goes over the wire after DATA (RFC 5321 section 4.5.2): a dot at the start of a line is doubled, and the last
 * line ends with CRLF. Returns the same bytes, not a copy, where nothing has to change, which is nearly always: our own
 * composer writes such dots as `=2E`.
 * @throws StrayLineEnd
 */
export function dotStuffed(message: Uint8Array): Buffer {
  const content = asBuffer(message);
  const dots = dotsAtLineStart(content);
  if (dots.length === 0) return terminated(content);
  const pieces: Buffer[] = [];
  let start = 0;
  for (const dot of dots) {
    // The dot stands at the end of one piece and at the start of the next.
    pieces.push(content.subarray(start, dot + 1));
    start = dot;
  }
  pieces.push(content.subarray(start));
  return terminated(Buffer.concat(pieces));
}

/**
 * The content as it goes over the wire in a chunk (RFC 3030): as it is, the last line ended with CRLF. A relay passes it on after
 * DATA, so that what would be the start of a smuggling sequence there is refused here as well.
 * @throws StrayLineEnd
 */
export function endedByLine(message: Uint8Array): Buffer {
  const content = asBuffer(message);
  dotsAtLineStart(content);
  return terminated(content);
}

export const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function dotsAtLineStart(content: Buffer): number[] {
  const strayReturn = content.indexOf(CARRIAGE_RETURN_DOT);
  if (strayReturn >= 0) throw new StrayLineEnd(strayReturn);
  const dots: number[] = content[0] === DOT ? [0] : [];
  for (let at = content.indexOf(LINE_FEED_DOT); at >= 0; at = content.indexOf(LINE_FEED_DOT, at + 2)) {
    if (content[at - 1] !== CARRIAGE_RETURN) throw new StrayLineEnd(at);
    dots.push(at + 1);
  }
  return dots;
}

function terminated(content: Buffer): Buffer {
  const ends = content.length >= 2 && content.at(-1) === LINE_FEED && content.at(-2) === CARRIAGE_RETURN;
  return ends ? content : Buffer.concat([content, CRLF]);
}
