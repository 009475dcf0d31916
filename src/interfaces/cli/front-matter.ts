/**
 * The YAML between the two lines of `---`, as people write it: without quotation marks. YAML gives ` #`, `: `, `{`, `*`, `!`, `01`
 * and others a meaning of their own, and would cut or change a text without a word. Each such value is refused with its line and
 * the way to write it.
 */
import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml';

export interface FrontMatter {
  readonly values: unknown;
  has(key: unknown): boolean;
  /** The line of the file of a key at the top. */
  lineOf(key: unknown): number;
}

export type Fault = (line: number, message: string) => Error;

/** Keys at the top whose values hold no text of the author's: a comment may stand behind them. */
const WITHOUT_TEXT = new Set(['kind', 'lists', 'exclude_lists', 'schedule', 'footer', 'layout', 'track_opens', 'track_clicks']);

/** Keys at the top whose values are one line of text. */
const ONE_LINE = new Set(['name', 'subject', 'preheader']);

/** The first line of the YAML is the second of the file. */
const FIRST_LINE = 2;

export function readFrontMatter(yaml: string, fault: Fault): FrontMatter {
  const counter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: counter, prettyErrors: false });
  const lines = yaml.split('\n');
  const lineAt = (offset: number): number => counter.linePos(offset).line - 1 + FIRST_LINE;
  const [error] = document.errors;
  if (error !== undefined) throw explained(error.message, lineAt(error.pos[0]), lines, fault);
  const changed = changedValue(document, yaml);
  if (changed !== undefined) throw fault(lineAt(changed.offset), changed.message);
  if (!isMap(document.contents))
    throw fault(FIRST_LINE, 'names and values such as "subject: News" are expected between the lines of "---".');
  const map: YAMLMap = document.contents;
  return {
    values: document.toJS(),
    has: (key) => map.has(key),
    lineOf(key) {
      const pair = map.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      return pair !== undefined && isScalar(pair.key) && pair.key.range ? lineAt(pair.key.range[0]) : FIRST_LINE;
    },
  };
}

const ENTRY = /^\s*(?:- )?["']?([\w-]+)["']?[ \t]*:[ \t]+(\S.*)$/;

/** What YAML cannot read: the value to quote, or else what YAML says. */
function explained(message: string, line: number, lines: readonly string[], fault: Fault): Error {
  for (let index = Math.min(line - FIRST_LINE, lines.length - 1); index >= 0; index -= 1) {
    const [, key = '', written = ''] = ENTRY.exec(lines[index] ?? '') ?? [];
    if (key === '' || /^[|>][-+\d]*\s*(?:#|$)/.test(written)) continue;
    // A list or map may go on in the next line; `[Sale] now` is neither.
    if (/^[[{](?!\{)/.test(written) && !ONE_LINE.has(key) && !/^\[[^\]]*\]\s*[^\s#]/.test(written)) continue;
    if (parseDocument(`key: ${written}`).errors.length > 0) return fault(index + FIRST_LINE, inQuotes(key, written));
  }
  const text = (lines[line - FIRST_LINE] ?? '').trim();
  const glued = /^([\w-]+):(\S.*)$/.exec(text);
  if (glued !== null) return fault(line, `a space is missing after "${glued[1]}:". Write: ${glued[1]}: ${glued[2]}`);
  if (text !== '' && !/[:[\]{}"',-]/.test(text.slice(0, 40)) && /implicit/i.test(message))
    return fault(
      line,
      `"${text.slice(0, 60)}" is not of the form "name: value". If the content begins here, add a line of "---" before it.`,
    );
  return fault(line, `the YAML cannot be read: ${message.split('\n')[0]}.`);
}

/** The advice of every fault of this kind. */
function inQuotes(key: string, written: string): string {
  const text = written.trim();
  const quoted = /["\\]/.test(text) ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
  return `"${key}": YAML would change this value. Put it in quotes: ${key}: ${quoted}`;
}

interface Changed {
  readonly offset: number;
  readonly message: string;
}

/** The first value that YAML reads without complaint, and otherwise than it is written. */
function changedValue(document: Document, yaml: string): Changed | undefined {
  let found: Changed | undefined;
  visit(document, {
    Alias(_key, node) {
      found = { offset: node.range?.[0] ?? 0, message: aliasAdvice(yaml, node.range?.[0] ?? 0) };
      return visit.BREAK;
    },
    Pair(_key, pair, ancestors) {
      const [top] = [...ancestors.filter(isPair), pair];
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const range = isScalar(pair.key) ? pair.key.range : undefined;
      const free = top !== undefined && isScalar(top.key) && WITHOUT_TEXT.has(String(top.key.value));
      if (!range || !changes(pair, yaml, free)) return undefined;
      found = { offset: range[0], message: inQuotes(key, restOfLine(yaml, range[1])) };
      return visit.BREAK;
    },
  });
  return found;
}

const restOfLine = (yaml: string, from: number): string =>
  /^["']?[ \t]*:[ \t]*(.*)/.exec(yaml.slice(from, from + 3_000))?.[1] ?? '';

function changes(pair: Pair, yaml: string, free: boolean): boolean {
  const { value } = pair;
  const range = isScalar(pair.key) ? pair.key.range : undefined;
  const rest = range ? restOfLine(yaml, range[1]) : '';
  // `subject: #1 in sales` is nothing and a comment; `!Sale` and `&more` are names of YAML's own; `{{ name }}` a map in a map.
  if (!free && /^#/.test(rest)) return true;
  if (/^\{\{/.test(rest) || (/^[!&]/.test(rest) && !isCollection(value))) return true;
  return isScalar(value) && value.type === 'PLAIN' && changesPlain(value, yaml, free);
}

function changesPlain(scalar: Scalar, yaml: string, free: boolean): boolean {
  const { source = '', value, range } = scalar;
  if (!free && (typeof value === 'string' || value === null) && range && /^[ \t]+#/.test(yaml.slice(range[1], range[1] + 200)))
    return true;
  // `01234`, `1.50`, `+49`, `1e3`, `True`: another text as soon as it is a number or a truth value.
  return !free && (typeof value === 'number' || typeof value === 'boolean') && String(value) !== source;
}

function aliasAdvice(yaml: string, offset: number): string {
  const begin = yaml.lastIndexOf('\n', offset) + 1;
  const [, key, written] = ENTRY.exec(yaml.slice(begin).split('\n')[0] ?? '') ?? [];
  const plain = 'aliases (*name) are not supported.';
  return key === undefined || written === undefined ? `${plain} Write the value out.` : `${plain} ${inQuotes(key, written)}`;
}
