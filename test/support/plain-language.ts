import { parseSync } from 'oxc-parser';

/** One word or phrase to avoid, and what to write in its place. */
interface Avoided {
  readonly pattern: RegExp;
  readonly instead: string;
}

/** The only list of them. Help texts, pages and comments are held against it. */
const AVOIDED: readonly Avoided[] = [
  { pattern: /\bwho(m|ever|mever)\b/i, instead: 'the noun: recipients, subscribers, the caller' },
  { pattern: /\b(some|no|any|every)body\b/i, instead: 'the noun: no recipient, every subscriber, the caller' },
  { pattern: /\b(those|people|one) who\b|\bthose to\b/i, instead: 'the noun: recipients that, subscribers that' },
  { pattern: /(?<!\bthere )\b(is|are) none\b/i, instead: 'is not a ..., there is no ...' },
  { pattern: /(?<!\b(?:or|some\w+|any\w+|no\w+|every\w+|nothing|what|who|where) )\belse\b(?! if\b)/i, instead: 'otherwise' },
];

/** Where a word to avoid has another meaning: the words around it, and the file. */
const EXCEPTIONS: readonly { readonly path: RegExp; readonly text: RegExp }[] = [
  // The Unix user that the embedded PostgreSQL runs as.
  { path: /embedded(-program)?\.ts$|postgresql\.md$|0001-own-launcher/, text: /`nobody`/g },
];

/** Faults in a text of the project, such as `"whom": write the noun`. @param path of its file, for exceptions */
export function languageFaults(text: string, path = ''): string[] {
  const judged = EXCEPTIONS.filter((one) => one.path.test(path)).reduce((rest, one) => rest.replace(one.text, ''), text);
  return AVOIDED.flatMap(({ pattern, instead }) => {
    const found = pattern.exec(judged);
    return found === null ? [] : [`"${found[0]}": write ${instead}`];
  });
}

/** Faults in the comments of a source file, each with its line. */
export function commentFaults(path: string, text: string): string[] {
  return parseSync(path, text).comments.flatMap(({ value, start }) =>
    languageFaults(value.replace(/\n\s*\*/g, ' '), path).map(
      (fault) => `${path}:${text.slice(0, start).split('\n').length} ${fault}`,
    ),
  );
}

/** Faults in the prose of a page: outside of code blocks. */
export function pageFaults(path: string, text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ''));
  return prose.split('\n').flatMap((line, index) => languageFaults(line, path).map((fault) => `${path}:${index + 1} ${fault}`));
}
