import { TextDecoder } from 'node:util';
import { ImportUnreadable } from '../../domain/audience/index.ts';
import { cleanUp } from '../../domain/shared/clean-up.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';

/** Enough to see the encoding, the format and the header. */
const HEAD_OCTETS = 64 * 1024;
/** A parser's own buffers grow with what it is given at once. */
const PIECE_OCTETS = 256 * 1024;

/** What no reader of text can make sense of, by its first bytes. */
const FOREIGN: readonly { readonly bytes: readonly number[]; readonly what: string }[] = [
  { bytes: [0x1f, 0x8b], what: 'a gzip archive. Unpack it first' },
  { bytes: [0x50, 0x4b, 0x03, 0x04], what: 'an Excel workbook or a zip archive. Save it as CSV (UTF-8), or unpack it first' },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], what: 'an old Excel workbook. Save it as CSV (UTF-8) first' },
  { bytes: [0x25, 0x50, 0x44, 0x46], what: 'a PDF. Export the data as CSV first' },
];

/**
 * A source as UTF-8 without a byte order mark, whose beginning can be looked at before it is read. UTF-8 passes as it is,
 * also where it is broken: the rows show the damage, with their lines.
 */
export class TextSource implements AsyncIterable<Buffer> {
  /** The first 64 kB, or all of a shorter source. */
  readonly head: Buffer;
  /** Bytes taken from the source, before any conversion. */
  bytesRead = 0;
  private readonly bytes: AsyncIterator<Uint8Array>;

  private constructor(bytes: AsyncIterator<Uint8Array>, head: Buffer) {
    this.bytes = bytes;
    this.head = head;
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
      refuseForeign(raw);
      const label = encoding ?? recognise(raw);
      const pieces = decoded(raw, bytes, label);
      const text = new TextSource(pieces, await take(pieces));
      if (text.head.length === 0) throw new ImportUnreadable('The file is empty.');
      Object.defineProperty(text, 'bytesRead', { get: () => taken });
      return text;
    } catch (error) {
      return cleanUp(error, () => bytes.return(undefined));
    }
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

function refuseForeign(raw: Buffer): void {
  const found = FOREIGN.find(({ bytes }) => bytes.every((byte, index) => raw[index] === byte));
  if (found !== undefined) throw new ImportUnreadable(`The file is ${found.what}.`);
}

/** By the byte order mark; without one, by where the zero bytes of Latin letters stand in UTF-16. */
function recognise(raw: Buffer): string {
  if (raw[0] === 0xff && raw[1] === 0xfe) return 'utf-16le';
  if (raw[0] === 0xfe && raw[1] === 0xff) return 'utf-16be';
  const sample = raw.subarray(0, 4_096);
  const zeros = [0, 0];
  for (let index = 0; index < sample.length; index++) if (sample[index] === 0) zeros[index & 1]! += 1;
  const [even, odd] = zeros as [number, number];
  const many = sample.length / 8;
  if (odd > many && even * 8 < odd) return 'utf-16le';
  if (even > many && odd * 8 < even) return 'utf-16be';
  return 'utf-8';
}

async function* decoded(raw: Buffer, rest: AsyncGenerator<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  try {
    if (/^utf-?8$/i.test(label)) {
      yield raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf ? raw.subarray(3) : raw;
      yield* rest;
      return;
    }
    const decoder = decoderFor(label);
    yield Buffer.from(decoder.decode(raw, { stream: true }));
    for await (const piece of rest) yield Buffer.from(decoder.decode(piece, { stream: true }));
    yield Buffer.from(decoder.decode());
  } finally {
    await rest.return(undefined);
  }
}

function decoderFor(label: string): TextDecoder {
  try {
    return new TextDecoder(label);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InvalidInput(`"${label.slice(0, 40)}" is not a known encoding. Try utf-8, utf-16le or windows-1252.`, '/encoding');
  }
}
