import { type FilterImplOptions, filters, type Liquid, Tokenizer, TypeGuards } from 'liquidjs';
import { lineIndex } from './liquid-regions.ts';

/** A syntax error in a part as the author wrote it. */
export interface SyntaxProblem {
  readonly line: number | undefined;
  readonly message: string;
}

/** liquidjs parses and renders by recursion; 5,000 nested tags end in a stack overflow. */
const DEPTH_LIMIT = 100;
/** Tags and outputs in one part; liquidjs' parser shifts an array for each, so its time grows with their square. */
const TOKEN_LIMIT = 10_000;
/** Names, values, filters and operators in one tag: 300 comparisons joined by `or`. */
const PIECES_LIMIT = 1_000;
/** The same in all tags of a part. */
const ALL_PIECES_LIMIT = 100_000;
/** Brackets in brackets, which are read by recursion too. */
const BRACKET_LIMIT = 50;

const BLOCKS = new Set(['if', 'unless', 'case', 'for', 'tablerow', 'capture']);
const PIECE = /"[^"]*"|'[^']*'|[\w-]+|[^\s\w]/g;

export type FilterHandler = Extract<FilterImplOptions, (...values: never[]) => unknown>;

/** What makes a template too large to be read at all; looked for before liquidjs parses it, in one pass. */
export function tooMuch(engine: Liquid, source: string): SyntaxProblem | undefined {
  const lineOf = lineIndex(source);
  const spent = { tokens: 0, pieces: 0, depth: 0 };
  for (const token of new Tokenizer(source).readTopLevelTokens(engine.options)) {
    const isTag = TypeGuards.isTagToken(token);
    if (!isTag && !TypeGuards.isOutputToken(token)) continue;
    const many = isTag && token.name === 'liquid';
    // Each line of `{% liquid %}` is a tag.
    const statements = many ? token.args.split('\n') : [token.content];
    let line = many
      ? lineOf(token.begin) + token.getText().slice(0, token.getText().indexOf(token.args)).split('\n').length - 1
      : 0;
    for (const statement of statements) {
      const message = refuse(statement.trim(), isTag, spent);
      if (message !== undefined) return { line: many ? line : lineOf(token.begin), message };
      line += 1;
    }
  }
  return undefined;
}

function refuse(statement: string, isTag: boolean, spent: { tokens: number; pieces: number; depth: number }): string | undefined {
  spent.tokens += 1;
  if (spent.tokens > TOKEN_LIMIT) return `there are more than ${TOKEN_LIMIT} tags and outputs; use a loop`;
  const name = isTag ? (/^[\w#]*/.exec(statement)?.[0] ?? '') : '';
  if (BLOCKS.has(name)) spent.depth += 1;
  else if (name.startsWith('end') && BLOCKS.has(name.slice(3))) spent.depth -= 1;
  if (spent.depth > DEPTH_LIMIT) return `tags are nested more than ${DEPTH_LIMIT} deep`;
  if (name === '#') return undefined;
  let pieces = 0;
  let brackets = 0;
  for (const [piece] of statement.matchAll(PIECE)) {
    pieces += 1;
    if (piece === '(' || piece === '[') brackets += 1;
    else if (piece === ')' || piece === ']') brackets -= 1;
    if (pieces > PIECES_LIMIT) return `one tag contains more than ${PIECES_LIMIT} names, values and operators; split it`;
    if (brackets > BRACKET_LIMIT) return `brackets are nested more than ${BRACKET_LIMIT} deep`;
  }
  spent.pieces += pieces;
  return spent.pieces > ALL_PIECES_LIMIT
    ? `the tags hold more than ${ALL_PIECES_LIMIT} names, values and operators; use a loop`
    : undefined;
}

/** Elements and characters of one list, lists inside it counted as often as they would be printed. */
const LIST_LIMIT = 1_000_000;

/**
 * liquidjs counts a list that is pushed into a list as one element. Pushed into itself 30 times it prints a billion: every list
 * that a filter is given is weighed with all that is in it.
 */
export function boundLists(engine: Liquid): void {
  for (const [name, filter] of Object.entries(engine.filters)) {
    engine.registerFilter(name, typeof filter === 'function' ? bounded(filter) : { ...filter, handler: bounded(filter.handler) });
  }
}

/** A filter of liquidjs by its name. */
export function filterNamed(name: string): FilterHandler {
  const found = filters[name];
  if (typeof found !== 'function') throw new Error(`liquidjs has no plain filter ${name}.`);
  return found;
}

export function bounded(handler: FilterHandler): FilterHandler {
  return function (...values): unknown {
    for (const value of values) if (Array.isArray(value)) weigh(value);
    return handler.apply(this, values);
  };
}

/** @throws RangeError for a list that is larger than any message @returns the room that is left */
export function weigh(value: unknown, room = LIST_LIMIT): number {
  let left = room - 1;
  if (typeof value === 'string') left -= value.length;
  else if (Array.isArray(value)) for (const element of value) left = weigh(element, left);
  if (left < 0) throw new RangeError(`a list has more than ${LIST_LIMIT} elements and characters`);
  return left;
}
