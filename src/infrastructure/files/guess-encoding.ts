import { ALPHABETS, CANDIDATES, decoderFor, SCRIPTS } from './encodings.ts';

export interface Guess {
  /** The likeliest encoding. */
  readonly label: string;
  /** Another encoding that is nearly as likely and gives different text. Undefined when the guess is certain. */
  readonly rival: string | undefined;
  /** True when `expected` gives the same text as the likeliest encoding. */
  readonly same: boolean;
  /** The first characters in which the two texts differ. */
  readonly readings: readonly [string, string];
}

/** Least ratio of the best score to the next; below it the file is refused. Measured over names of 20 languages. */
const SURE = 1.2;
/** Higher for East Asian encodings, in which nearly any two bytes are a character. */
const SURE_EASTERN = 1.6;
/** Bytes of words that are examined; this takes 0.2 s. */
const WORDS_OCTETS = 16_000;

/**
 * Guesses a legacy encoding from the words of a file that contain bytes above 127. ASCII is the same in all candidates, and in
 * a table it far outnumbers the accents that distinguish them. The detector's score is multiplied by a plausibility: whether
 * the letters form words and belong to one language.
 */
export async function guessEncoding(words: Iterable<string>, expected?: string): Promise<Guess | undefined> {
  const bytes = joined(words);
  if (bytes.length === 0) return undefined;
  const { detectAll } = await import('jschardet');
  const detected = new Map(
    detectAll(bytes, { detectEncodings: [...new Set(CANDIDATES.map((one) => one.detected))], minimumThreshold: 0 }).map(
      ({ encoding, confidence }) => [encoding?.toLowerCase(), confidence],
    ),
  );
  const readings = CANDIDATES.map(({ label, detected: name, share }) => {
    const text = decodeBytes(label, bytes);
    return { label, text, score: ((detected.get(name.toLowerCase()) ?? 0) + 0.002) * share * plausibility(label, text) };
  }).toSorted((one, other) => other.score - one.score);
  const [best] = readings;
  if (best === undefined || best.score === 0) return undefined;
  const usual = readings.filter(({ text }) => text === best.text);
  const label = CANDIDATES.find((one) => usual.some((reading) => reading.label === one.label))!.label;
  const margin = EASTERN.test(best.text) ? SURE_EASTERN : SURE;
  const rival = readings.find(({ text, score }) => text !== best.text && score * margin > best.score);
  const same = usual.some((reading) => reading.label === expected);
  return { label, rival: rival?.label, same, readings: rival === undefined ? ['', ''] : firstDifference(best.text, rival.text) };
}

/** Decodes with `stream`, because without it Node 22 decodes windows-1252 as Latin-1. */
function decodeBytes(label: string, bytes: Uint8Array): string {
  const decoder = decoderFor(label);
  return decoder.decode(bytes, { stream: true }) + decoder.decode();
}

/** Words with a byte above 127 in a piece of a file, one character per byte. Word separators are ASCII in all candidates. */
export function* accentedWords(piece: Uint8Array): Generator<string> {
  const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
  // Letters, "@" to "~" (second bytes of Shift_JIS, Big5 and GBK) and digits belong to words; cell delimiters do not.
  for (const [word] of text.matchAll(/[A-Za-z'.-]*[\x80-\xff][\x30-\x39\x40-\x7b\x7d-\xff'.-]*/g)) yield word;
}

function joined(words: Iterable<string>): Buffer {
  const parts: string[] = [];
  let length = 0;
  for (const word of words) {
    if (length > WORDS_OCTETS) break;
    parts.push(word);
    length += word.length + 1;
  }
  return Buffer.from(parts.join(' '), 'latin1');
}

const EASTERN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** 0 to 1: how well the characters above ASCII form words of a language. */
function plausibility(label: string, text: string): number {
  let sum = 0;
  let count = 0;
  const letters = new Map<string, number>();
  for (const word of text.split(' ')) {
    const foreign = [...word].filter((character) => character > '\x7f');
    const scripts = SCRIPTS.filter((script) => script.letters.test(word)).length;
    const factor = scripts > 1 || (scripts > 0 && EASTERN.test(word)) ? 0.02 : oddCase(word) ? 0.3 : 1;
    for (const [index, character] of [...word].entries()) {
      if (character <= '\x7f') continue;
      sum += factor * characterWeight(label, character, word, index);
      const lower = character.toLowerCase();
      if (/\p{L}/u.test(character)) letters.set(lower, (letters.get(lower) ?? 0) + 1);
    }
    count += foreign.length;
  }
  // Real text has no C1 control characters; ISO encodings have them where others have letters.
  const typed = /[\x80-\x9f]/.test(text) ? 0.02 : 1;
  return count === 0 ? 0 : typed * (sum / count) ** 2 * coverage(letters);
}

/** Share of letters that belong to one language (Latin script) or are common (other scripts). */
function coverage(letters: ReadonlyMap<string, number>): number {
  const shareOf = (known: (letter: string) => boolean, among: (letter: string) => boolean): number => {
    let [found, all] = [0, 0];
    for (const [letter, count] of letters) {
      if (!among(letter)) continue;
      all += count;
      if (known(letter)) found += count;
    }
    return all === 0 ? 1 : found / all;
  };
  const latin = (letter: string): boolean => SCRIPTS[0]!.letters.test(letter);
  const language = Math.max(
    ...ALPHABETS.map(([alphabet, weight]) => weight * shareOf((letter) => alphabet.includes(letter), latin)),
  );
  const frequency = SCRIPTS.map(({ letters: script, common }) =>
    common === undefined
      ? 1
      : shareOf(
          (letter) => common.includes(letter),
          (letter) => script.test(letter),
        ),
  );
  return (0.1 + 0.9 * language) ** 3 * Math.min(1, Math.min(...frequency) / 0.6) ** 2;
}

/** Marks before a word, after it, or in place of one. Inside a word only the apostrophe is allowed. */
const OPENING = /[“„«‘¿¡°–—•]/u;
/** Without two standalone accents that Unicode classifies as letters. */
const LETTER = /[[\p{L}\p{M}]--[ˆˇ]]/v;
const CLOSING = /[”“»’‘…€°ºª®™©–—]/u;

function characterWeight(label: string, character: string, word: string, index: number): number {
  if (/[\p{Cc}\p{Cn}\p{Co}\ufffd]/u.test(character)) return 0;
  if (LETTER.test(character)) return isStray(label, character) ? 0.1 : 1;
  const letters = [...word];
  const before = LETTER.test(letters[index - 1] ?? '');
  const after = LETTER.test(letters[index + 1] ?? '');
  if (character === '’' && before && after) return index <= 2 && /\p{Lu}/u.test(letters[index + 1] ?? '') ? 1 : 0.6;
  if ((OPENING.test(character) && !before) || (CLOSING.test(character) && !after)) return 1;
  if (character === '\u00a0') return 0.8;
  return before && after ? 0.02 : 0.3;
}

/** Chinese characters in Korean and kana in Chinese: typical of text decoded with the wrong encoding. */
const isStray = (label: string, character: string): boolean =>
  (label === 'euc-kr' && /\p{Script=Han}/u.test(character)) ||
  ((label === 'gb18030' || label === 'big5') && /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(character));

/** Upper and lower case mixed as in few names: "MŸller", "OíBrien", "OÕBrien", "лняйбю" for "МОСКВА". */
const oddCase = (word: string): boolean =>
  /\p{Ll}[\p{Lu}--[A-Z]]|[\p{Ll}--[a-z]]\p{Lu}|(?<!\p{L})\p{Lu}[\p{Lu}--[A-Z]][A-Z]?\p{Ll}|^[\p{Ll}&&[\p{Script=Cyrillic}\p{Script=Greek}]]/v.test(
    word,
  );

function firstDifference(one: string, other: string): readonly [string, string] {
  const [a, b] = [one.split(' '), other.split(' ')];
  const at = a.findIndex((word, index) => word !== b[index]);
  const [left, right] = [[...(a[at] ?? '')], [...(b[at] ?? '')]];
  const from = left.findIndex((character, index) => character !== right[index]);
  return [left[from] ?? '', right[from] ?? ''];
}
