/** One word or phrase that is not written anywhere, and what to write in its place. */
interface Avoided {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** The only list of them. Texts, pages and comments are held against it. */
const AVOIDED: readonly Avoided[] = [
  { pattern: /\bwho(m|ever|mever)\b/i, instead: 'the noun: recipients, subscribers, the caller' },
  { pattern: /\b(some|no|any|every)body\b/i, instead: 'the noun: no recipient, every subscriber, the caller' },
  { pattern: /\b(those|people|one) (who|to)\b/i, instead: 'the noun: recipients that, subscribers that' },
  { pattern: /\b(is|are) none\b/i, instead: 'is not a ..., there is no ...' },
  { pattern: /(?<!\b(?:or|some\w+|any\w+|no\w+|every\w+|nothing|what|who|where) )\belse\b(?! if\b)/i, instead: 'otherwise' },
];

/** Faults in a text of the project, such as `whom: write the noun`. */
export function languageFaults(text: string): string[] {
  return AVOIDED.flatMap(({ pattern, instead }) => {
    const found = pattern.exec(text);
    return found === null ? [] : [`"${found[0]}": write ${instead}`];
  });
}
