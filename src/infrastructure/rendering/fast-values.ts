import { Drop, type Template, TypeGuards, type Value } from 'liquidjs';
import { type Frame, own, type Read } from './frame.ts';
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

/** The same closure, answering ASK_LIQUID for what is no primitive. */
const primitive =
  (read: Read): Read =>
  () => {
    const value = read();
    return value === null || (typeof value !== 'object' && typeof value !== 'function') ? value : ASK_LIQUID;
  };

/** Where names lead in one place of a template. */
export interface Names {
  readonly frame: Frame;
  /** What the template sets itself by assign, capture and the like; only liquidjs knows their values. */
  readonly assigned: ReadonlySet<string>;
  /** The loops around this place, outermost first. */
  readonly loops: readonly Loop[];
}

/** A running `for`: the element at hand, and what `forloop` shows. */
export class Loop {
  readonly variable: string;
  element: unknown;
  drop: LoopDrop;
  private readonly name: string;

  constructor(variable: string, collection: string) {
    this.variable = variable;
    this.name = `${variable}-${collection}`;
    this.drop = new LoopDrop(0, this.name);
  }

  begin(length: number): void {
    this.drop = new LoopDrop(length, this.name);
  }
}

/** The object `forloop`, as liquidjs makes it for its own loops (it does not export the class). */
class LoopDrop extends Drop {
  i = 0;
  readonly length: number;
  readonly name: string;
  constructor(length: number, name: string) {
    super();
    this.length = length;
    this.name = name;
  }
  index0(): number {
    return this.i;
  }
  index(): number {
    return this.i + 1;
  }
  first(): boolean {
    return this.i === 0;
  }
  last(): boolean {
    return this.i === this.length - 1;
  }
  rindex(): number {
    return this.length - this.i;
  }
  rindex0(): number {
    return this.length - this.i - 1;
  }
  override valueOf(): string {
    return JSON.stringify(this);
  }
}

type LoopFact = 'index' | 'index0' | 'first' | 'last' | 'rindex' | 'rindex0';
const isLoopFact = (name: string | undefined): name is LoopFact =>
  name === 'index' || name === 'index0' || name === 'first' || name === 'last' || name === 'rindex' || name === 'rindex0';

/** A closure for the value at a path of names; undefined when only liquidjs can follow it. */
export function compilePath(token: unknown, names: Names): { readonly read: Read; readonly path: readonly string[] } | undefined {
  if (!TypeGuards.isPropertyAccessToken(token) || token.variable !== undefined) return undefined;
  const path: string[] = [];
  for (const prop of token.props) {
    if (!TypeGuards.isWordToken(prop) && !TypeGuards.isQuotedToken(prop)) return undefined;
    path.push(prop.content);
  }
  const [root = '', ...rest] = path;
  const innermost = names.loops.at(-1);
  if (root === 'forloop' && innermost !== undefined) {
    const [fact] = rest;
    return rest.length === 1 && isLoopFact(fact) ? { path, read: () => innermost.drop[fact]() } : undefined;
  }
  if (path.some((name) => COMPUTED.has(name))) return undefined;
  const loop = names.loops.findLast((candidate) => candidate.variable === root);
  if (loop !== undefined) return { path, read: () => rest.reduce(own, loop.element) };
  return names.assigned.has(root) ? undefined : { path, read: names.frame.reader(path) };
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

interface CompiledValue {
  readonly read: Read;
  /** The same in every message. */
  readonly constant: boolean;
  /** The name, where it is one name and nothing is done to its value. */
  readonly plain?: string | undefined;
}

/** A closure for what an output or the like prints, escaping left out; undefined when only liquidjs can tell. */
export function compileValue(value: Value, names: Names): CompiledValue | undefined {
  const tokens = value.initial.postfix;
  const found = tokens.length === 1 ? compilePath(tokens[0], names) : undefined;
  if (found === undefined) return undefined;
  const filters: Filter[] = [];
  for (const filter of value.filters) {
    // The engine appends its escape under a name like `[object Function]`.
    if (filter.name.startsWith('[') || filter.name === 'raw') continue;
    const compiled = compileFilter(filter);
    if (compiled === undefined) return undefined;
    filters.push(compiled);
  }
  const inLoop = names.loops.some((loop) => loop.variable === found.path[0]);
  const constant = !inLoop && names.frame.constant(found.path) !== undefined;
  const read = primitive(found.read);
  const [first, ...more] = filters;
  if (first === undefined) return { read, constant, plain: inLoop || found.path.length > 1 ? undefined : found.path[0] };
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
  const found = compilePath(token, names);
  return found === undefined ? undefined : { read: primitive(found.read) };
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
