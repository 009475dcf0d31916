import { type Template, TypeGuards, type Value } from 'liquidjs';
import type { Frame, Read } from './frame.ts';
import { toText } from './message-sink.ts';

/**
 * Liquid's commonest expressions as closures: a path, perhaps with `default` and a few string filters behind it, and the
 * conditions of `if`. liquidjs evaluates each through a dozen generators (about 1 us); a closure takes some tens of
 * nanoseconds. Whatever these do not know, at compile time or by the type of a value, is left to liquidjs itself, so that the
 * language stays whole and means the same.
 */

/** Answered when a value is of a kind that only liquidjs should judge: a list, an object, a function. */
export const ASK_LIQUID = Symbol('ask liquidjs');

/** Properties that liquidjs computes. */
const COMPUTED = new Set(['size', 'first', 'last']);

const isPrimitive = (value: unknown): boolean => value === null || (typeof value !== 'object' && typeof value !== 'function');

/** What a template may not reach directly: names that it sets itself. */
export interface Names {
  readonly frame: Frame;
  readonly locals: ReadonlySet<string>;
}

/** The names along a path, or undefined where it is more than names. */
export function plainPath(token: unknown): string[] | undefined {
  if (!TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return undefined;
  const path: string[] = [];
  for (const prop of token.props) {
    if (!TypeGuards.isWordToken(prop) && !TypeGuards.isQuotedToken(prop)) return undefined;
    if (COMPUTED.has(prop.content)) return undefined;
    path.push(prop.content);
  }
  return path;
}

type Filter = (value: unknown) => unknown;

const STRING_FILTERS: Readonly<Record<string, (text: string) => string>> = {
  upcase: (text) => text.toUpperCase(),
  downcase: (text) => text.toLowerCase(),
  capitalize: (text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase(),
  strip: (text) => text.trim(),
};

function compileFilter(filter: Value['filters'][number]): Filter | undefined {
  const plain = STRING_FILTERS[filter.name];
  if (plain !== undefined && filter.args.length === 0) return (value) => plain(toText(value));
  const [argument] = filter.args;
  if (filter.args.length !== 1 || Array.isArray(argument) || !TypeGuards.isQuotedToken(argument)) return undefined;
  const literal = argument.content;
  switch (filter.name) {
    case 'default':
      return (value) => (value === '' || value === false || value === null || value === undefined ? literal : value);
    case 'append':
      return (value) => toText(value) + literal;
    case 'prepend':
      return (value) => literal + toText(value);
    default:
      return undefined;
  }
}

/** A closure for what an output or the like prints, escaping left out; undefined when only liquidjs can tell. */
export function compileValue(value: Value, names: Names): { readonly read: Read; readonly constant: boolean } | undefined {
  const tokens = value.initial.postfix;
  const path = tokens.length === 1 ? plainPath(tokens[0]) : undefined;
  if (path === undefined || names.locals.has(path[0] ?? '')) return undefined;
  const filters: Filter[] = [];
  for (const filter of value.filters) {
    // The engine appends its escape under a name like `[object Function]`.
    if (filter.name.startsWith('[') || filter.name === 'raw') continue;
    const compiled = compileFilter(filter);
    if (compiled === undefined) return undefined;
    filters.push(compiled);
  }
  const base = names.frame.reader(path);
  const constant = names.frame.constant(path) !== undefined;
  const read = (): unknown => {
    const found = base();
    return isPrimitive(found) ? found : ASK_LIQUID;
  };
  const [first, ...more] = filters;
  if (first === undefined) return { read, constant };
  return {
    constant,
    read: () => {
      let result = read();
      if (result === ASK_LIQUID) return result;
      result = first(result);
      for (const filter of more) result = filter(result);
      return result;
    },
  };
}

/** True when the engine escapes what this output prints. */
export const isEscaped = (value: Value): boolean => value.filters.at(-1)?.name.startsWith('[') === true;

type Operand = { readonly read: Read } | { readonly literal: 'nil' | 'empty' | 'blank' };

const truthy = (value: unknown): boolean => value !== false && value !== null && value !== undefined;

/** A closure for a condition of `if`; answers ASK_LIQUID where the values are no primitives. */
export function compileCondition(value: Value, names: Names): Read | undefined {
  if (value.filters.length > 0) return undefined;
  const stack: Operand[] = [];
  for (const token of value.initial.postfix) {
    if (TypeGuards.isOperatorToken(token)) {
      const right = stack.pop();
      const left = token.operator === 'not' ? undefined : stack.pop();
      const read = right === undefined ? undefined : combine(token.operator, left, right);
      if (read === undefined) return undefined;
      stack.push({ read });
    } else {
      const operand = compileOperand(token, names);
      if (operand === undefined) return undefined;
      stack.push(operand);
    }
  }
  const [result] = stack;
  return stack.length === 1 && result !== undefined && 'read' in result ? result.read : undefined;
}

function compileOperand(token: unknown, names: Names): Operand | undefined {
  if (TypeGuards.isLiteralToken(token)) {
    if (token.literal === 'true' || token.literal === 'false') return constantly(token.literal === 'true');
    return { literal: token.literal === 'empty' ? 'empty' : token.literal === 'blank' ? 'blank' : 'nil' };
  }
  if (TypeGuards.isQuotedToken(token) || TypeGuards.isNumberToken(token)) return constantly(token.content);
  const path = plainPath(token);
  if (path === undefined || names.locals.has(path[0] ?? '')) return undefined;
  const base = names.frame.reader(path);
  return {
    read: () => {
      const found = base();
      return isPrimitive(found) ? found : ASK_LIQUID;
    },
  };
}

const constantly = (value: unknown): Operand => ({ read: () => value });

function combine(operator: string, left: Operand | undefined, right: Operand): Read | undefined {
  if (!('read' in right)) {
    if (left === undefined || !('read' in left) || (operator !== '==' && operator !== '!=')) return undefined;
    const test = LITERAL_TESTS[right.literal];
    const read = left.read;
    return () => {
      const value = read();
      return value === ASK_LIQUID ? value : test(value) === (operator === '==');
    };
  }
  const readRight = right.read;
  if (operator === 'not') return () => lift(readRight(), null, (value) => !truthy(value));
  const decide = BINARY[operator];
  if (decide === undefined || left === undefined || !('read' in left)) return undefined;
  const readLeft = left.read;
  return () => lift(readLeft(), readRight(), decide);
}

function lift(left: unknown, right: unknown, decide: (left: unknown, right: unknown) => boolean): unknown {
  return left === ASK_LIQUID || right === ASK_LIQUID ? ASK_LIQUID : decide(left, right);
}

const LITERAL_TESTS: Readonly<Record<'nil' | 'empty' | 'blank', (value: unknown) => boolean>> = {
  nil: (value) => value === null || value === undefined,
  empty: (value) => value === '',
  blank: (value) =>
    value === false || value === null || value === undefined || (typeof value === 'string' && value.trim() === ''),
};

type Ordered = string | number;
const BINARY: Readonly<Record<string, (left: unknown, right: unknown) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '>': (left, right) => (left as Ordered) > (right as Ordered),
  '<': (left, right) => (left as Ordered) < (right as Ordered),
  '>=': (left, right) => (left as Ordered) >= (right as Ordered),
  '<=': (left, right) => (left as Ordered) <= (right as Ordered),
  contains: (left, right) => typeof left === 'string' && left.includes(String(right)),
  and: (left, right) => truthy(left) && truthy(right),
  or: (left, right) => truthy(left) || truthy(right),
};

/** The text between Liquid, or undefined for anything else. */
export function staticText(template: Template): string | undefined {
  return TypeGuards.isHTMLToken(template.token) ? template.token.getContent() : undefined;
}
