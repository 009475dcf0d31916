/**
 * Reads SMTP replies (RFC 5321 section 4.2) from bytes as they come: split anywhere, several in one chunk, LF alone as line
 * end, lines and continuations far longer than the RFC allows. Where the lines of one reply disagree about the code, the
 * last line decides, as Postfix does.
 */

/** The socket's bytes as latin1; `decodeReplyText` makes text of them where it is shown. */
export type OnReply = (code: number, text: string) => boolean;

/** A reply of 500 lines of 1,000 bytes is odd but legal; a peer that never ends one must not fill the memory. */
const MAX_REPLY_BYTES = 1024 * 1024;
/** More text than that no ledger keeps. */
const MAX_KEPT_TEXT = 4096;
const LINE_FEED = '\n';
const STATUS_PREFIX = /^[245]\.\d{1,3}\.\d{1,3} /;

export class ReplyReader {
  private pending = '';
  private earlierLines: string | undefined;
  private status = '';
  private replyBytes = 0;

  /**
   * @param onReply gets each complete reply; false stops the reading, and the rest of the chunk is forgotten
   * @returns what is wrong, or undefined; after a complaint the connection cannot be used
   */
  push(chunk: Buffer, onReply: OnReply): string | undefined {
    const data = chunk.toString('latin1');
    if (!data.includes(LINE_FEED)) {
      // Left unflattened: looking through the whole line again for every byte would be quadratic.
      this.pending += data;
      return this.pending.length > MAX_REPLY_BYTES ? 'a reply line longer than 1 MB' : undefined;
    }
    const text = this.pending === '' ? data : this.pending + data;
    let start = 0;
    for (let end = text.indexOf(LINE_FEED); end >= 0; end = text.indexOf(LINE_FEED, start)) {
      const line = text.slice(start, end > start && text.charCodeAt(end - 1) === 13 ? end - 1 : end);
      start = end + 1;
      const code = codeOf(line);
      if (code === 0) {
        if (this.earlierLines === undefined) {
          // nodemailer and Postfix skip an empty line as well.
          if (line.trim() === '') continue;
          return `a line that is not an SMTP reply: ${line.slice(0, 100)}`;
        }
        this.keep(line);
      } else if (line.charCodeAt(3) === 45) {
        this.keep(line.slice(4));
      } else {
        const reply = this.finish(line.slice(4));
        if (!onReply(code, reply)) return undefined;
      }
      if (this.replyBytes > MAX_REPLY_BYTES) return 'a reply longer than 1 MB';
    }
    this.pending = text.slice(start);
    return undefined;
  }

  private keep(text: string): void {
    this.replyBytes += text.length + 6;
    if (this.earlierLines === undefined) {
      this.earlierLines = text;
      this.status = STATUS_PREFIX.exec(text)?.[0] ?? '';
    } else if (this.earlierLines.length < MAX_KEPT_TEXT) {
      this.earlierLines += ` ${this.withoutStatus(text)}`;
    }
  }

  private finish(text: string): string {
    if (this.earlierLines === undefined) return text;
    const reply = `${this.earlierLines} ${this.withoutStatus(text)}`;
    this.earlierLines = undefined;
    this.replyBytes = 0;
    return reply;
  }

  /** Servers repeat the status on every line; the displayed text has it once. */
  private withoutStatus(text: string): string {
    return this.status !== '' && text.startsWith(this.status) ? text.slice(this.status.length) : text;
  }
}

/** The code of a reply line, or 0 for any other line: three digits, then the end, a space, a tab or a hyphen. */
function codeOf(line: string): number {
  const separator = line.charCodeAt(3);
  if (line.length > 3 && separator !== 32 && separator !== 45 && separator !== 9) return 0;
  const first = line.charCodeAt(0) - 48;
  const second = line.charCodeAt(1) - 48;
  const third = line.charCodeAt(2) - 48;
  if (!(first >= 2 && first <= 5 && second >= 0 && second <= 9 && third >= 0 && third <= 9)) return 0;
  return first * 100 + second * 10 + third;
}

/** Reply text has no charset (RFC 5321 section 4.2.1); servers that leave ASCII mean UTF-8, or else each byte as it is. */
export function decodeReplyText(latin1: string): string {
  if (!/[\u0080-\u00ff]/.test(latin1)) return latin1;
  const text = Buffer.from(latin1, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? latin1 : text;
}
