/**
 * What every log line goes through: errors become words in one way, and a line that comes again and again is said once in a while
 * with how often it came.
 */
import { inspect } from 'node:util';
import type { Log } from '../application/log.ts';
import { DomainError } from '../domain/shared/errors.ts';

const LONGEST_REASON = 2_000;
/** A repeated line is summed up after this time, then after twice as long, and so on. */
const FIRST_SUM_MS = 10_000;
const LAST_SUM_MS = 300_000;
/** Different lines remembered at most; beyond, each is said. */
const MOST_KNOWN = 1_000;

type Level = keyof Log;

interface Known {
  readonly level: Level;
  readonly message: string;
  /** As they came last. */
  facts: object;
  repeated: number;
  withinMs: number;
}

/** Any thrown value as one line: its message, its code, and its cause if that says more. */
export function wordsOf(reason: unknown): string {
  return words(reason, 0).slice(0, LONGEST_REASON);
}

function words(reason: unknown, depth: number): string {
  if (typeof reason === 'string') return reason;
  if (!hasMessage(reason)) return inspect(reason, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
  const code = 'code' in reason && typeof reason.code === 'string' ? reason.code : undefined;
  const parts = reason instanceof AggregateError ? reason.errors : [];
  const inner = depth > 4 ? [] : [...parts, ...(reason.cause === undefined ? [] : [reason.cause])];
  const own = reason.message || (parts.length > 0 ? `${parts.length} errors` : (code ?? nameOf(reason)));
  const named =
    nameOf(reason) === 'Error' || own.startsWith(nameOf(reason)) || reason instanceof DomainError
      ? own
      : `${nameOf(reason)}: ${own}`;
  const said = code === undefined || named.includes(code) ? named : `${named} (${code})`;
  const causes = new Set(inner.map((cause) => words(cause, depth + 1)).filter((cause) => !contains(said, cause)));
  return causes.size === 0 ? said : `${said}; caused by: ${[...causes].join('; ')}`;
}

/** Drivers wrap an error in another with the same words. */
function contains(said: string, cause: string): boolean {
  return said.includes(cause) || said.includes(cause.replace(/^\w+: | \(\w+\)$/g, ''));
}

const nameOf = (error: { readonly name?: unknown }): string =>
  typeof error.name === 'string' && error.name !== '' ? error.name : 'Error';

function hasMessage(reason: unknown): reason is { message: string; name?: unknown; cause?: unknown } {
  return typeof reason === 'object' && reason !== null && 'message' in reason && typeof reason.message === 'string';
}

/** A log that writes readable lines to `inner`, and repeated lines once in a while with their number. */
export function readableLog(inner: Log): Log {
  const known = new Map<string, Known>();
  const say = (level: Level, facts: object, message: string): void => {
    if (!('reason' in facts)) {
      inner[level](facts, message);
      return;
    }
    const key = keyOf(level, facts, message);
    const before = known.get(key);
    if (before !== undefined) {
      before.facts = facts;
      before.repeated += 1;
      return;
    }
    inner[level](readable(level, facts), message);
    if (known.size >= MOST_KNOWN) return;
    const first: Known = { level, message, facts, repeated: 0, withinMs: FIRST_SUM_MS };
    known.set(key, first);
    setTimeout(() => sumUp(key, first), first.withinMs).unref();
  };
  const sumUp = (key: string, line: Known): void => {
    const { level, message, facts, repeated, withinMs } = line;
    if (repeated === 0) {
      known.delete(key);
      return;
    }
    inner[level]({ ...readable(level, facts), repeated, withinMs }, message);
    line.repeated = 0;
    line.withinMs = Math.min(2 * withinMs, LAST_SUM_MS);
    setTimeout(() => sumUp(key, line), line.withinMs).unref();
  };
  return {
    info: (facts, message) => say('info', facts, message),
    warn: (facts, message) => say('warn', facts, message),
    error: (facts, message) => say('error', facts, message),
  };
}

/**
 * Numbers in a reason and in the other facts do not make a line another one; ids do. While a server is away only the reason counts:
 * each request and each job would say the same.
 */
function keyOf(level: Level, facts: object & { reason?: unknown }, message: string): string {
  const reason = wordsOf(facts.reason).replace(/\d+/g, '#');
  const away = facts.reason instanceof DomainError && facts.reason.kind === 'unavailable';
  const others = away ? [] : Object.entries(facts).filter(([name, value]) => name !== 'reason' && typeof value === 'string');
  return JSON.stringify([level, message, reason, others]);
}

/** An internal error is logged with the place where it happened. */
function readable(level: Level, facts: object & { reason?: unknown }): object {
  const { reason } = facts;
  const ours = level === 'error' && reason instanceof Error && !(reason instanceof DomainError);
  return { ...facts, reason: wordsOf(reason), ...(ours && reason.stack !== undefined ? { stack: reason.stack } : {}) };
}
