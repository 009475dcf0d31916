import { ImportUnreadable } from '../../domain/audience/index.ts';
import { cleanUp } from '../../domain/shared/clean-up.ts';
import { type Decoded, decodeStream } from './decode-stream.ts';

/** Enough to see the encoding, the format and the header. */
const HEAD_OCTETS = 64 * 1024;
/** A parser's own buffers grow with what it is given at once. */
const PIECE_OCTETS = 256 * 1024;

/** Files that are not text, by their first bytes. */
const FOREIGN: readonly { readonly bytes: readonly number[]; readonly what: string }[] = [
  { bytes: [0x1f, 0x8b], what: 'a gzip archive. Unpack it first' },
  { bytes: [0x42, 0x5a, 0x68], what: 'a bzip2 archive. Unpack it first' },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'an xz archive. Unpack it first' },
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], what: 'a Zstandard archive. Unpack it first' },
  { bytes: [0x37, 0x7a, 0xbc, 0xaf], what: 'a 7-Zip archive. Unpack it first' },
  { bytes: [0x50, 0x4b, 0x03, 0x04], what: 'an Excel workbook or a zip archive. Save it as CSV (UTF-8), or unpack it first' },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], what: 'an old Excel workbook. Save it as CSV (UTF-8) first' },
  { bytes: [0x25, 0x50, 0x44, 0x46], what: 'a PDF. Export the data as CSV first' },
];

/** Text that is neither CSV nor JSON Lines, by how it begins. */
const FOREIGN_TEXT: readonly { readonly begins: RegExp; readonly what: string }[] = [
  { begins: /^\{\\rtf/, what: 'a text document (RTF). Save it as plain text or CSV first' },
  {
    begins: /^<(!doctype|html|table|head|meta|\?xml|div)\b/i,
    what: 'a web page or XML, which some programs export as .xls. Open it in a spreadsheet and save it as CSV (UTF-8)',
  },
  { begins: /^BEGIN:VCARD/i, what: 'a file of vCards. Export the contacts as CSV instead' },
];

/**
 * A source as UTF-8 without a byte order mark, whose beginning can be looked at before it is read. UTF-8 passes as it is,
 * also where it is broken: the rows show the damage, with their lines.
 */
export class TextSource implements AsyncIterable<Buffer> {
  /** The first 64 kB, or all of a shorter source. */
  readonly head: Buffer;
  /** The encoding, as far as it is known: what is ASCII only so far counts as UTF-8. */
  readonly decoded: Readonly<Decoded>;
  private readonly bytes: AsyncIterator<Uint8Array>;
  private readonly taken: () => number;

  private constructor(bytes: AsyncIterator<Uint8Array>, head: Buffer, decoded: Decoded, taken: () => number) {
    this.bytes = bytes;
    this.head = head;
    this.decoded = decoded;
    this.taken = taken;
  }

  /** @throws ImportUnreadable for an empty file and for what is no text; InvalidInput for an unknown encoding */
  static async open(source: AsyncIterable<Uint8Array>, encoding: string | undefined): Promise<TextSource> {
    const iterator = source[Symbol.asyncIterator]();
    let taken = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          const { value, done } = await iterator.next();
          if (done === true) return;
          taken += value.byteLength;
          yield value;
        }
      } finally {
        await iterator.return?.();
      }
    }
    const bytes = counted();
    try {
      const raw = await take(bytes);
      const found = FOREIGN.find((kind) => kind.bytes.every((byte, index) => raw[index] === byte));
      if (found !== undefined) throw new ImportUnreadable(`The file is ${found.what}.`);
      const { pieces, decoded } = decodeStream(raw, bytes, encoding);
      const head = await take(pieces);
      if (head.length === 0) throw new ImportUnreadable('The file is empty.');
      const begin = head.toString('utf8', 0, 1_024).trimStart();
      const foreign = FOREIGN_TEXT.find(({ begins }) => begins.test(begin));
      if (foreign !== undefined) throw new ImportUnreadable(`The file is ${foreign.what}.`);
      return new TextSource(pieces, head, decoded, () => taken);
    } catch (error) {
      return cleanUp(error, () => bytes.return(undefined));
    }
  }

  /** Bytes taken from the source, before any conversion. */
  get bytesRead(): number {
    return this.taken();
  }

  /** From the beginning, in pieces of at most 256 kB; leaving the loop ends the source. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      yield this.head;
      for (;;) {
        const { value, done } = await this.bytes.next();
        if (done === true) return;
        for (let at = 0; at < value.byteLength; at += PIECE_OCTETS) {
          yield Buffer.from(value.buffer, value.byteOffset + at, Math.min(PIECE_OCTETS, value.byteLength - at));
        }
      }
    } finally {
      await this.bytes.return?.();
    }
  }

  /** Ends the source unread. */
  async close(): Promise<void> {
    await this.bytes.return?.();
  }
}

async function take(bytes: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const taken: Uint8Array[] = [];
  for (let length = 0; length < HEAD_OCTETS; ) {
    const { value, done } = await bytes.next();
    if (done === true) break;
    taken.push(value);
    length += value.byteLength;
  }
  return Buffer.concat(taken);
}
