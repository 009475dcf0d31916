/** One header field, unfolded and with its encoded words (RFC 2047) made readable; in the order of the message. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Headers past this are cut off: a list of messages must stay cheap, whatever was sent. */
const HEADER_BYTES = 64 * 1024;
const ENCODED_WORDS = /=\?[^?\s]{1,60}\?[bq]\?[^?\s]*\?=(?:\s*=\?[^?\s]{1,60}\?[bq]\?[^?\s]*\?=)*/gi;
const ENCODED_WORD = /=\?([^?\s]{1,60})\?([bq])\?([^?\s]*)\?=/gi;

/** Reads only the header of a message, which costs microseconds where parsing the whole costs milliseconds. */
export function readHeaders(raw: Uint8Array): readonly HeaderField[] {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, Math.min(raw.byteLength, HEADER_BYTES));
  const end = bytes.indexOf('\r\n\r\n');
  const text = bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  const fields: HeaderField[] = [];
  for (const line of text.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.push({ name: line.slice(0, colon).trim(), value: decodeEncodedWords(line.slice(colon + 1).trim()) });
  }
  return fields;
}

/** The first field of that name (case does not matter), or an empty text. */
export function headerValue(fields: readonly HeaderField[], name: string): string {
  const wanted = name.toLowerCase();
  return fields.find((field) => field.name.toLowerCase() === wanted)?.value ?? '';
}

/** Makes encoded words readable; what cannot be decoded stays as it was written. */
export function decodeEncodedWords(value: string): string {
  if (!value.includes('=?')) return value;
  return value.replace(ENCODED_WORDS, (run) => {
    // Senders split characters over neighbouring words, so bytes are joined before they are decoded (RFC 2047 forbids it, mail has it).
    const parts: { charset: string; bytes: Buffer }[] = [];
    for (const [, charset = '', encoding = '', text = ''] of run.matchAll(ENCODED_WORD)) {
      const name = charset.replace(/\*.*$/, '').toLowerCase();
      const bytes = encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : decodeQ(text);
      const last = parts.at(-1);
      if (last?.charset === name) last.bytes = Buffer.concat([last.bytes, bytes]);
      else parts.push({ charset: name, bytes });
    }
    if (parts.some((part) => !isKnownCharset(part.charset))) return run;
    return parts.map((part) => new TextDecoder(part.charset).decode(part.bytes)).join('');
  });
}

function decodeQ(text: string): Buffer {
  return Buffer.from(
    text.replace(/_/g, ' ').replace(/=([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

function isKnownCharset(charset: string): boolean {
  try {
    return new TextDecoder(charset).encoding !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
