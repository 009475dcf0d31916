/** One accepted message, for one recipient. */
export interface SunkMessage {
  /** ISO 8601, when the final dot was read. */
  readonly time: string;
  /** Counted from 1. */
  readonly connection: number;
  readonly from: string;
  readonly to: string;
  readonly messageId: string | undefined;
  /** As on the wire, without the final dot line. */
  readonly bytes: number;
  /** Those that were asked for and are there, by lower-case name. */
  readonly headers: Record<string, string>;
  /** Without dot-stuffing; only on request. */
  readonly raw?: Buffer;
}

const END_OF_HEADERS = Buffer.from('\r\n\r\n');

/**
 * @param content as it came over the wire, without the final dot line
 * @param stuffed it came after DATA, where dots at the start of a line are doubled
 */
export function readSunkMessage(
  content: Buffer,
  names: readonly string[],
  keepRaw: boolean,
  stuffed: boolean,
): Omit<SunkMessage, 'connection' | 'from' | 'to'> {
  const end = content.indexOf(END_OF_HEADERS);
  const head = content.toString('latin1', 0, end < 0 ? content.length : end + 2);
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = headerOf(head, name);
    if (value !== undefined) headers[name.toLowerCase()] = value;
  }
  return {
    time: new Date().toISOString(),
    messageId: headerOf(head, 'Message-ID'),
    bytes: content.length,
    headers,
    ...(keepRaw ? { raw: stuffed ? unstuffed(content) : Buffer.from(content) } : {}),
  };
}

function headerOf(head: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|\\n)${name}:[ \\t]*((?:[^\\r\\n]|\\r?\\n[ \\t])*)`, 'i').exec(head)?.[1];
  return found?.replace(/\r?\n/g, '').trim();
}

function unstuffed(content: Buffer): Buffer {
  return Buffer.from(content.toString('latin1').replace(/(^|\r\n)\./g, '$1'), 'latin1');
}
