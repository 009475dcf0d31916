import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTES_OCTETS, mergeAttributes, parseAttributes } from '../../../src/domain/audience/attributes.ts';
import { parseEvidence } from '../../../src/domain/audience/consent.ts';
import { List } from '../../../src/domain/audience/list.ts';
import { Subscriber } from '../../../src/domain/audience/subscriber.ts';
import { erasureMark, erasureMarker, parseReason, parseScope } from '../../../src/domain/audience/suppression.ts';
import { parseEmailAddress } from '../../../src/domain/shared/email-address.ts';

const project = '01a20000-0000-7000-8000-000000000001';
const id = '01a20000-0000-7000-8000-000000000002';
const now = new Date('2026-03-01T10:00:00Z');
const later = new Date('2026-03-02T10:00:00Z');
const ada = (wish = {}): Subscriber => Subscriber.create(project, id, parseEmailAddress('Ada@example.com'), wish, now);

describe('attributes', () => {
  it('are any JSON object', () => {
    const value = { first_name: 'Ada', plan: { seats: 3, tags: ['a', null, true] } };
    expect(parseAttributes(value)).toEqual(value);
  });

  it.each([null, 'x', 7, [], new Date(0)])('are not %j', (value) => {
    expect(() => parseAttributes(value)).toThrow('JSON object');
  });

  it('of 10 MB are refused, with the size in the message', () => {
    expect(() => parseAttributes({ note: 'x'.repeat(10_000_000) })).toThrow(/65,536 bytes.*10,000,011/);
  });

  it('have 64 kB counted in UTF-8', () => {
    const room = ATTRIBUTES_OCTETS - '{"a":""}'.length;
    expect(parseAttributes({ a: 'x'.repeat(room) })).toBeDefined();
    expect(() => parseAttributes({ a: 'x'.repeat(room + 1) })).toThrow('bytes');
    expect(() => parseAttributes({ a: 'ü'.repeat(room / 2 + 1) })).toThrow('bytes');
  });

  it.each([
    [{ '': 1 }],
    [{ 'a\nb': 1 }],
    [{ ['x'.repeat(101)]: 1 }],
    [JSON.parse('{"__proto__": {"admin": true}}')],
    [{ a: JSON.parse('{"__proto__": 1}') }],
  ])('refuse the name in %j', (value) => {
    expect(() => parseAttributes(value)).toThrow('needs a name');
  });

  it('refuse what JSON cannot say, with a pointer to it', () => {
    expect(() => parseAttributes({ a: { 'b/c': [1, Number.NaN] } })).toThrow(
      expect.objectContaining({ pointer: '/attributes/a/b~1c/1' }),
    );
    expect(() => parseAttributes({ a: 1n })).toThrow('JSON value');
  });

  it('refuse deep nesting instead of breaking the stack', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 50_000; level++) deep = [deep];
    expect(() => parseAttributes({ deep })).toThrow('nested');
  });

  it('lose NUL and lone surrogates, which PostgreSQL cannot store', () => {
    expect(parseAttributes({ a: 'x\0y', b: ['\ud800z'] })).toEqual({ a: 'xy', b: ['\ufffdz'] });
  });

  it('of any JSON come back as they were, or are refused as invalid', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        try {
          const parsed = parseAttributes(value);
          expect(JSON.stringify(parsed)).not.toContain('\\u0000');
          expect(parseAttributes(parsed)).toEqual(parsed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'input.invalid' });
        }
      }),
    );
  });

  it('are changed one by one: a value replaces, null removes, absent stays', () => {
    expect(mergeAttributes({ a: 1, b: 2, c: 3 }, { b: null, c: { d: 1 } })).toEqual({ a: 1, c: { d: 1 } });
  });

  it('cannot grow over the limit by small changes', () => {
    const half = { a: 'x'.repeat(40_000) };
    expect(() => mergeAttributes(half, { b: 'x'.repeat(40_000) })).toThrow('bytes');
  });
});

describe('a subscriber', () => {
  it('keeps the address as written and its key', () => {
    expect(ada()).toMatchObject({ address: 'Ada@example.com', emailKey: 'ada@example.com', status: 'active', attributes: {} });
  });

  it('changes only what is named', () => {
    const subscriber = ada({ attributes: { a: 1 }, locale: 'de-at', timeZone: 'europe/vienna' });
    expect(subscriber).toMatchObject({ locale: 'de-AT', timeZone: 'Europe/Vienna' });
    subscriber.change({ attributes: { b: 2 }, locale: null }, later);
    expect(subscriber).toMatchObject({ attributes: { a: 1, b: 2 }, locale: null, timeZone: 'Europe/Vienna', updatedAt: later });
  });

  it('is left as it was by a change with one wrong part', () => {
    const subscriber = ada({ attributes: { a: 1 } });
    expect(() => subscriber.change({ attributes: { a: 2 }, timeZone: '+01:00' }, later)).toThrow('IANA');
    expect(() => subscriber.change({ locale: 'not a tag' }, later)).toThrow('BCP 47');
    expect(subscriber).toMatchObject({ attributes: { a: 1 }, updatedAt: now });
  });

  it('keeps nothing but its id when erased', () => {
    const subscriber = ada({ attributes: { a: 1 }, locale: 'de', timeZone: 'Europe/Vienna' });
    subscriber.erase(later);
    expect(subscriber).toMatchObject({
      id,
      status: 'erased',
      address: null,
      emailKey: null,
      locale: null,
      timeZone: null,
      attributes: {},
      erasedAt: later,
    });
  });
});

describe('a list', () => {
  it.each([
    ['Weekly News', 'weekly-news'],
    ['Größe & Maß', 'grosse-mass'],
    ['ニュース', 'list'],
    ['--- 2026 ---', '2026'],
  ])('named %s is called %s by scripts', (name, slug) => {
    expect(List.create(project, id, { name }, now).slug).toBe(slug);
  });

  it.each([
    { name: '' },
    { name: 'a\nb' },
    { name: 'x'.repeat(201) },
    { name: 'a', slug: 'A b' },
    { name: 'a', description: 'x'.repeat(2_001) },
  ])('is refused as %j', (wish) => {
    expect(() => List.create(project, id, wish, now)).toThrow(expect.objectContaining({ code: 'input.invalid' }));
  });

  it('takes nobody when archived', () => {
    const list = List.create(project, id, { name: 'News' }, now);
    list.archive(later);
    expect(() => list.checkOpen()).toThrow('archived');
    list.restore(later);
    expect(() => list.checkOpen()).not.toThrow();
  });
});

describe('a suppression', () => {
  it('has a scope and a reason out of a fixed set; erased cannot be asked for', () => {
    expect(parseScope(`list:${id.toUpperCase()}`)).toBe(`list:${id}`);
    for (const text of ['', 'list:', 'list:x', 'stream']) expect(() => parseScope(text)).toThrow('scope');
    expect(parseReason('complaint')).toBe('complaint');
    for (const text of ['erased', 'x']) expect(() => parseReason(text)).toThrow('reason');
  });

  it('of an erased address holds a keyed hash, never the address', () => {
    const key = Buffer.alloc(32, 1);
    const mark = erasureMark(key, 'ada@example.com');
    expect(mark).toMatch(/^erased:[0-9a-f]{64}$/);
    expect(erasureMarker(key)('ada@example.com')).toBe(mark);
    expect(erasureMark(Buffer.alloc(32, 2), 'ada@example.com')).not.toBe(mark);
    expect(erasureMark(key, 'bob@example.com')).not.toBe(mark);
  });
});

describe('evidence of a consent', () => {
  it('needs a source and cannot lie in the future', () => {
    expect(parseEvidence({ source: ' form ' }, now)).toMatchObject({ source: 'form', at: now });
    expect(() => parseEvidence({ source: ' ' }, now)).toThrow(expect.objectContaining({ pointer: '/consent/source' }));
    expect(() => parseEvidence({ source: 'form', at: later }, now)).toThrow('future');
    expect(() => parseEvidence({ source: 'form', at: new Date(Number.NaN) }, now)).toThrow('future');
    expect(() => parseEvidence({ source: 'form', ip: 'x' }, now)).toThrow('IP');
  });
});
