import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatCounted,
  formatSeconds,
  formatShare,
  oneLine,
  pad,
  textWidth,
  truncate,
} from '../../../src/interfaces/cli/text.ts';

/** Any code points, lone surrogates and control characters included. */
const anything = fc.array(fc.oneof(fc.nat(0x9f), fc.nat(0x10ffff))).map((points) => String.fromCodePoint(...points));

describe('the width of a text in a terminal', () => {
  it.each([
    ['plain', 5],
    ['Jürgen', 6],
    ['e\u0301', 1],
    ['田中さん', 8],
    ['한국어', 6],
    ['ｱｲｳ', 3],
    ['ＡＢ', 4],
    ['🎉', 2],
    ['👨‍👩‍👧', 2],
    ['👍🏽', 2],
    ['🇩🇪🇫🇷', 4],
    ['1️⃣', 2],
    ['❤️', 2],
    ['❤', 1],
    ['שלום', 4],
    ['नमस्ते', 3],
    ['\u200b', 0],
    ['\u001b[31mred\u001b[0m', 3],
    ['', 0],
  ])('of %s is %i', (text, width) => expect(textWidth(text)).toBe(width));
});

describe('a text from a stranger', () => {
  it.each([
    ['an escape sequence', 'a\u001b[2Jb', 'ab'],
    ['a title that it would set', 'a\u001b]0;owned\u0007b', 'ab'],
    ['line ends and tabs', 'a\r\n\tb\u2028c', 'a b c'],
    ['a bell', 'a\u0007b', 'a\ufffdb'],
    ['a turned direction', 'a\u202eb', 'a\ufffdb'],
  ])('loses %s', (_name, text, expected) => expect(oneLine(text)).toBe(expected));

  it('never brings a control character to the terminal', () => {
    fc.assert(fc.property(anything, (text) => !/[\p{Control}\u202a-\u202e\u2066-\u2069]/u.test(oneLine(text))));
  });
});

describe('a text that is cut', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'ü', '田', '🎉', '👨‍👩‍👧', 'e\u0301', ' ') });

  it('fits', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 20 }), (value, columns) => textWidth(truncate(value, columns)) <= columns),
    );
  });

  it('stays as it is when it fits already', () => {
    fc.assert(fc.property(text, (value) => truncate(value, textWidth(value)) === value));
  });

  it('is filled up to exactly the width, on either side', () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('left', 'right'),
        (value, align) => textWidth(pad(value, textWidth(value) + 3, align)) === textWidth(value) + 3,
      ),
    );
  });

  it('is not cut inside a character', () => expect(truncate('👨‍👩‍👧👨‍👩‍👧', 3)).toBe('👨‍👩‍👧…'));
});

describe('figures', () => {
  it('count with separators', () => expect(formatCount(1_234_567)).toBe('1,234,567'));

  it.each([
    [1, 3, '33.3 %'],
    [0, 10, '0.0 %'],
    [10, 10, '100.0 %'],
    [9_999, 10_000, '> 99.9 %'],
    [1, 10_000, '< 0.1 %'],
    [0, 0, '–'],
  ])('share %i of %i as %s', (part, whole, expected) => expect(formatShare(part, whole)).toBe(expected));

  it.each([
    [0.04, '0.0 s'],
    [9.94, '9.9 s'],
    [42, '42 s'],
    [59.6, '1:00'],
    [187, '3:07'],
    [3_723, '1:02:03'],
  ])('say %d seconds as %s', (seconds, expected) => expect(formatSeconds(seconds)).toBe(expected));
});

describe('a number with what it counts', () => {
  it.each([
    [0, '0 people'],
    [1, '1 person'],
    [2, '2 people'],
    [12_345, '12,345 people'],
  ])('of %i is %s', (count, shown) => {
    expect(formatCounted(count, 'person', 'people')).toBe(shown);
  });
});
