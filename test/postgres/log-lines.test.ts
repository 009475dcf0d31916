import { DriverException } from '@mikro-orm/core';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { queueTrouble } from '../../src/infrastructure/jobs/pg-boss.ts';
import { readableLog, wordsOf } from '../../src/infrastructure/log-lines.ts';
import { DatabaseUnavailable } from '../../src/infrastructure/postgres/errors.ts';

const withCode = (message: string, code: string, name?: string): Error =>
  Object.assign(new Error(message), { code, ...(name === undefined ? {} : { name }) });

describe('words of an error', () => {
  it.each([
    ['a text', 'plain words', 'plain words'],
    ['an error', new Error('it broke'), 'it broke'],
    ['a kind of error', new TypeError('x is not a function'), 'TypeError: x is not a function'],
    ['one with a code', withCode('getaddrinfo failed', 'ENOTFOUND'), 'getaddrinfo failed (ENOTFOUND)'],
    [
      'one whose words hold its code',
      withCode('connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED'),
      'connect ECONNREFUSED 127.0.0.1:1',
    ],
    ['one without words', withCode('', 'ECONNREFUSED'), 'ECONNREFUSED'],
    ['one with a cause', new Error('outer', { cause: new Error('inner') }), 'outer; caused by: inner'],
    ['one of the domain', new DatabaseUnavailable('x.'), 'The database cannot be used now: x. (database.unavailable)'],
    [
      'several at once',
      new AggregateError([withCode('connect ECONNREFUSED ::1:1', 'ECONNREFUSED'), withCode('no route', 'EHOSTUNREACH')]),
      'AggregateError: 2 errors; caused by: connect ECONNREFUSED ::1:1; no route (EHOSTUNREACH)',
    ],
    ['one that a driver wrapped', new DriverException(new Error('it broke')), 'DriverException: it broke'],
    ['what the job queue emits', { ...new Error(''), message: 'it broke', queue: 'bulk.wake', worker: 'w' }, 'it broke'],
    ['an object', { status: 503, body: { detail: 'no' } }, "{ status: 503, body: { detail: 'no' } }"],
    ['nothing', undefined, 'undefined'],
    ['a number', 7, '7'],
  ])('are those of %s', (_what, reason, expected) => {
    expect(wordsOf(reason)).toBe(expected);
  });

  it('say the state of the server, and never end', () => {
    const refused = Object.assign(new pg.DatabaseError('cannot execute UPDATE in a read-only transaction', 0, 'error'), {
      code: '25006',
    });
    expect(wordsOf(refused)).toContain('cannot execute UPDATE in a read-only transaction (25006)');
    const circle = new Error('a');
    circle.cause = circle;
    expect(wordsOf(circle)).toBe('a');
    expect(wordsOf(new Error('x'.repeat(10_000))).length).toBe(2_000);
  });
});

describe('a log', () => {
  let lines: { readonly level: string; readonly facts: Record<string, unknown>; readonly message: string }[];
  const log = () =>
    readableLog({
      info: (facts, message) => lines.push({ level: 'info', facts: { ...facts }, message }),
      warn: (facts, message) => lines.push({ level: 'warn', facts: { ...facts }, message }),
      error: (facts, message) => lines.push({ level: 'error', facts: { ...facts }, message }),
    });
  beforeEach(() => {
    lines = [];
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  it('says a line that repeats at once and then once in a while, with how often it came', () => {
    const one = log();
    for (let time = 0; time < 400; time += 1) {
      one.warn({ reason: new Error(`connect ECONNREFUSED 127.0.0.1:${5_000 + time}`) }, 'the job queue reported an error');
      vi.advanceTimersByTime(100);
    }
    expect(lines.length).toBeLessThan(6);
    expect(lines[0]?.facts.reason).toBe('connect ECONNREFUSED 127.0.0.1:5000');
    vi.advanceTimersByTime(300_000);
    const repeated = lines.reduce((sum, { facts }) => sum + (typeof facts.repeated === 'number' ? facts.repeated : 0), 0);
    expect(repeated).toBe(399);
    const said = lines.length;
    vi.advanceTimersByTime(3_600_000);
    expect(lines).toHaveLength(said);
    one.warn({ reason: new Error('connect ECONNREFUSED 127.0.0.1:1') }, 'the job queue reported an error');
    expect(lines).toHaveLength(said + 1);
  });

  it('keeps lines apart that differ in words, in level, in message or in an id', () => {
    const one = log();
    for (let twice = 0; twice < 2; twice += 1) {
      one.warn({ reason: 'a' }, 'm');
      one.warn({ reason: 'b' }, 'm');
      one.error({ reason: 'a' }, 'm');
      one.warn({ reason: 'a' }, 'n');
      one.warn({ reason: 'a', campaign: 'x' }, 'm');
      one.warn({ reason: 'a', campaign: 'y' }, 'm');
    }
    expect(lines).toHaveLength(6);
  });

  it('sums up what every request says while the database is away, and no fault of ours', () => {
    const one = log();
    for (const id of ['1', '2', '3']) {
      one.error({ id, reason: new DatabaseUnavailable('x.') }, 'a request failed');
      one.error({ id, reason: new TypeError('x') }, 'a request failed');
    }
    expect(lines.map(({ facts }) => facts.reason)).toEqual([
      'The database cannot be used now: x. (database.unavailable)',
      'TypeError: x',
      'TypeError: x',
      'TypeError: x',
    ]);
    expect(lines.map(({ facts }) => typeof facts.stack)).toEqual(['undefined', 'string', 'string', 'string']);
  });

  it('says once what every poller of the job queue says while the database is away', () => {
    const said = log();
    for (const queue of ['bulk.wake', 'transactional.send', 'background.tend']) {
      for (let poller = 0; poller < 5; poller += 1) {
        const message = `the database system is starting up (Queue: ${queue}, Worker: ${crypto.randomUUID()})`;
        const plain = { ...withCode('', '57P03'), message, stack: 'x', queue };
        said.warn(
          { reason: queueTrouble(poller % 2 === 0 ? withCode(message, '57P03') : plain) },
          'the job queue reported an error',
        );
      }
    }
    expect(lines.map(({ facts }) => facts)).toEqual([
      { reason: 'The database cannot be used now: the database system is starting up (57P03). (database.unavailable)' },
    ]);
    vi.advanceTimersByTime(10_000);
    expect(lines.map(({ facts }) => facts.repeated)).toEqual([undefined, 14]);
  });

  it('keeps what the job queue emits and what is no fault of the database as it is', () => {
    expect(wordsOf(queueTrouble(new Error('Queue x does not exist')))).toBe('Queue x does not exist');
    expect(wordsOf(queueTrouble(new Error('outer', { cause: new Error('inner') })))).toBe('outer; caused by: inner');
    expect(wordsOf(queueTrouble({ status: 'odd' }))).toBe("{ status: 'odd' }");
  });

  it('says lines without a reason as they are, each time', () => {
    const one = log();
    one.info({ port: 1 }, 'listening');
    one.info({ port: 1 }, 'listening');
    expect(lines).toEqual([
      { level: 'info', facts: { port: 1 }, message: 'listening' },
      { level: 'info', facts: { port: 1 }, message: 'listening' },
    ]);
  });
});
