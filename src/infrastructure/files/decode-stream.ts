import { isAscii } from 'node:buffer';
import { ImportUnreadable } from '../../domain/audience/index.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { decoderFor } from './encodings.ts';
import { accentedWords, type Guess, guessEncoding } from './guess-encoding.ts';

/** Known when the first byte beyond ASCII was seen. */
export interface Decoded {
  /** A label of the Encoding Standard. */
  encoding: string;
  /** A warning for the user that imports the file. */
  note: string | undefined;
}

/** The sample begins at the first byte beyond ASCII, wherever that is, and ends when it has told enough. */
const SAMPLE_OCTETS = 2 * 1024 * 1024;
const SAMPLE_WORDS = 1_000;
/** Words of each piece after the sample that are kept to check the guess at the end. Fewer are not conclusive. */
const WORDS_A_PIECE = 50;
const WORDS_KEPT = 5_000;
const WORDS_THAT_TELL = 20;

const UTF_32 = 'The file is in UTF-32, which is not supported. Save it as UTF-8.';

/**
 * Bytes in any encoding as UTF-8. A byte order mark decides; then what the caller states; then zero bytes (UTF-16); then
 * whether the bytes are UTF-8; at last a guess by their letters. Until a byte beyond ASCII comes there is nothing to decide.
 * @throws InvalidInput for an unknown encoding, and while reading ImportUnreadable when the encoding is unclear
 */
export function decodeStream(
  raw: Buffer,
  rest: AsyncGenerator<Uint8Array>,
  stated: string | undefined,
): { readonly pieces: AsyncGenerator<Uint8Array>; readonly decoded: Decoded } {
  const label = markedEncoding(raw) ?? (stated === undefined ? unicodeByZeros(raw) : encodingNamed(stated));
  const decoded: Decoded = { encoding: label ?? 'utf-8', note: undefined };
  const pieces = joined(raw, rest);
  // Japanese in seven bits: everything is ASCII, and escape sequences say what it stands for.
  if (label === undefined && (raw.includes('\x1b$B') || raw.includes('\x1b$@'))) {
    decoded.encoding = 'iso-2022-jp';
    decoded.note = assumed('iso-2022-jp');
    return { pieces: converted(pieces, 'iso-2022-jp', decoded), decoded };
  }
  if (label === undefined) return { pieces: recognised(pieces, decoded), decoded };
  return { pieces: label === 'utf-8' ? withoutMark(pieces) : converted(pieces, label, decoded), decoded };
}

const assumed = (label: string): string =>
  `The file does not state its encoding; it was read as ${label}. If letters look wrong, state the encoding.`;

function markedEncoding(raw: Buffer): string | undefined {
  const [a, b, c, d] = raw;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    throw new ImportUnreadable(UTF_32);
  }
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
}

/** By where the zero bytes of Latin letters stand. */
function unicodeByZeros(raw: Buffer): string | undefined {
  const sample = raw.subarray(0, 4_096);
  const zeros: [number, number, number, number] = [0, 0, 0, 0];
  for (let index = 0; index < sample.length; index++) if (sample[index] === 0) zeros[index & 3]! += 1;
  const many = sample.length / 8;
  const [first, second, third, fourth] = zeros;
  if (second > many && third > many && first > many !== fourth > many) throw new ImportUnreadable(UTF_32);
  const [even, odd] = [first + third, second + fourth];
  if (odd > many && even * 8 < odd) return 'utf-16le';
  return even > many && odd * 8 < even ? 'utf-16be' : undefined;
}

function encodingNamed(text: string): string {
  if (/^u(tf|cs)[-_ ]?(32|4)/i.test(text.trim())) throw new InvalidInput(UTF_32, '/encoding');
  try {
    const { encoding } = decoderFor(text);
    if (encoding !== 'x-user-defined') return encoding;
    throw new RangeError('It encodes bytes, not letters.');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InvalidInput(
      `"${text.slice(0, 40)}" is not a known encoding. Try utf-8, windows-1252, windows-1250, macintosh, cp850 or utf-16le.`,
      '/encoding',
    );
  }
}

async function* joined(raw: Buffer, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (raw.length > 0) yield raw;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* withoutMark(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const piece of pieces) {
    const marked = first && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf;
    first = false;
    yield marked ? piece.subarray(3) : piece;
  }
}

async function* converted(pieces: AsyncGenerator<Uint8Array>, label: string, decoded: Decoded): AsyncGenerator<Uint8Array> {
  const decoder = decoderFor(label);
  let looked = label.startsWith('utf-16');
  for await (const piece of pieces) {
    if (!looked && !isAscii(piece)) {
      looked = true;
      const { whole, broken } = utf8Sequences(piece);
      if (whole >= 3 && broken === 0) {
        decoded.note = `The file was read as ${label}, as stated, but its bytes are valid UTF-8. If letters look wrong, import it without an encoding.`;
      }
    }
    yield Buffer.from(decoder.decode(piece, { stream: true }));
  }
  yield Buffer.from(decoder.decode());
}

async function* recognised(pieces: AsyncGenerator<Uint8Array>, decoded: Decoded): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { value, done } = await pieces.next();
      if (done === true) return;
      if (isAscii(value)) {
        yield value;
        continue;
      }
      const at = value.findIndex((byte) => byte > 0x7f);
      if (at > 0) yield value.subarray(0, at);
      const sample = await gather(value.subarray(at), pieces);
      const label = await decide(sample);
      if (label === undefined) {
        yield sample;
        yield* pieces;
        return;
      }
      decoded.encoding = label;
      decoded.note = assumed(label);
      yield* guessed(sample, pieces, label);
      return;
    }
  } finally {
    await pieces.return(undefined);
  }
}

async function gather(first: Uint8Array, pieces: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const parts = [first];
  let length = first.byteLength;
  let words = countUpTo(accentedWords(first), SAMPLE_WORDS);
  while (length < SAMPLE_OCTETS && words < SAMPLE_WORDS) {
    const { value, done } = await pieces.next();
    if (done === true) break;
    parts.push(value);
    length += value.byteLength;
    words += countUpTo(accentedWords(value), SAMPLE_WORDS);
  }
  return Buffer.concat(parts);
}

/** Undefined for UTF-8. @throws ImportUnreadable when two readings are about as likely */
async function decide(sample: Uint8Array): Promise<string | undefined> {
  const { whole, broken } = utf8Sequences(sample);
  // Some damaged rows do not make another encoding of it: the rows show them.
  if (whole >= 8 * broken) return undefined;
  if (whole * 2 > broken) {
    throw new ImportUnreadable(
      'The file is partly in UTF-8 and partly in another encoding. Save it as UTF-8 throughout, or state the encoding that most of it has.',
      '/encoding',
    );
  }
  const guess = await guessEncoding(new Set(accentedWords(sample)));
  if (guess !== undefined && guess.rival === undefined) return guess.label;
  throw new ImportUnreadable(unclear(guess), '/encoding');
}

function unclear(guess: Guess | undefined): string {
  const how =
    guess?.rival === undefined
      ? ''
      : ` One letter would be "${guess.readings[0]}" in ${guess.label} and "${guess.readings[1]}" in ${guess.rival}.`;
  return `The encoding of the file is unclear.${how} Save the file as UTF-8, or state its encoding, such as windows-1252.`;
}

async function* guessed(sample: Uint8Array, pieces: AsyncGenerator<Uint8Array>, label: string): AsyncGenerator<Uint8Array> {
  const decoder = decoderFor(label);
  const known = new Set(accentedWords(sample));
  const later = new Set<string>();
  yield Buffer.from(decoder.decode(sample, { stream: true }));
  for await (const piece of pieces) {
    let kept = 0;
    for (const word of accentedWords(piece)) {
      if (kept++ >= WORDS_A_PIECE || later.size >= WORDS_KEPT) break;
      if (!known.has(word)) later.add(word);
    }
    yield Buffer.from(decoder.decode(piece, { stream: true }));
  }
  yield Buffer.from(decoder.decode());
  const again = later.size < WORDS_THAT_TELL ? undefined : await guessEncoding(later, label);
  if (again === undefined || again.rival !== undefined || again.same) return;
  throw new ImportUnreadable(
    `The beginning of the file reads as ${label}, later rows read as ${again.label}. Save it as UTF-8, or state its encoding.`,
    '/encoding',
  );
}

function countUpTo(words: Iterator<string>, most: number): number {
  let count = 0;
  while (count < most && words.next().done !== true) count += 1;
  return count;
}

/** How many characters beyond ASCII are whole in UTF-8, and how many bytes belong to none. A cut at the end counts for nothing. */
function utf8Sequences(bytes: Uint8Array): { readonly whole: number; readonly broken: number } {
  let [whole, broken] = [0, 0];
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    const length = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
    const rest = bytes.subarray(at + 1, at + length);
    if (length === 0 || !rest.every((byte) => byte >= 0x80 && byte <= 0xbf)) {
      broken += 1;
      at += 1;
    } else {
      if (rest.length === length - 1) whole += 1;
      at += length;
    }
  }
  return { whole, broken };
}
