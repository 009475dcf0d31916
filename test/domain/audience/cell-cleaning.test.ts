import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_RULES, addressOf, CELL_RULES, cleanCell, holdsAddress } from '../../../src/domain/audience/cell-cleaning.ts';

describe('the cleaning of cells', () => {
  it.each(CELL_RULES)('has a rule that makes $cleaned of $found', ({ found, cleaned }) => {
    expect(cleanCell(found)).toBe(cleaned);
  });

  it.each(ADDRESS_RULES)('has a rule that finds $cleaned in $found', ({ found, cleaned }) => {
    expect(addressOf(found).address).toBe(cleaned);
  });

  it.each([
    '\u200bann@example.com',
    'ann@example.com\u00a0',
    '\u202aann@example.com\u202c',
    '\u2066ann@example.com\u2069',
    '\ufeffann@example.com',
    'ann\u00ad@example.com',
    'ann@exam\u200bple.com',
    '\tann@example.com\r\n',
    '\0ann@example.com\0',
    '\u2800ann@example.com\u3164',
    'ann@example.com\ufe0f',
    '="ann@example.com"',
    'ann@example.com\x1a',
    'MAILTO:ann@example.com',
    'smtp:ann@example.com',
    '<ann@example.com>',
    '<mailto:ann@example.com>',
    '"Lee, Ann" <ann@example.com>',
    '"Ann Lee" <ann@example.com>;',
    'Ann\u200b Lee < ann@example.com >',
    "'ann@example.com'",
    "'ann@example.com",
    '`ann@example.com`',
    '«ann@example.com»',
    'ann@example.com.',
    'ann@example.com,',
    ' ; ann@example.com ;',
    'ann@example.com:',
    'e-mail: ann@example.com',
  ])('finds the address in %j', (cell) => {
    expect(addressOf(cell)).toMatchObject({ address: 'ann@example.com', key: 'ann@example.com' });
    expect(holdsAddress(cell)).toBe(true);
  });

  it.each([
    'ann@example.com, bob@example.com',
    'ann@example.com; bob@example.com',
    'ann@example.com bob@example.com',
    'Ann <ann@example.com> <bob@example.com>',
    '"ann@example.com" <bob@example.com>',
    'Bob <bob@example.com> ann@example.com',
    'ann @example.com',
    'ann@exam ple.com',
    'ann@example..com',
    'mailto:ann@example.com,bob@example.com',
    'ann',
    '@',
    '',
  ])('refuses %j, which is not one address', (cell) => {
    expect(() => addressOf(cell)).toThrow(expect.objectContaining({ code: 'input.invalid' }));
    expect(holdsAddress(cell)).toBe(false);
  });

  it.each(['NULL', 'null', '\\N', '#N/A', '#REF!', ' ', '\u200b', '""'])('takes %j for an empty cell', (cell) => {
    expect(cleanCell(cell)).toBe('');
  });

  it.each(['Null', 'Ann "Pete" Lee', '"Pete" and "Mary"', 'O’Brien', '-', 'a\u200db', '5"'])('leaves %j as it is', (cell) => {
    expect(cleanCell(cell)).toBe(cell);
  });

  it('cleans what is clean no further, whatever it is', () => {
    const unit = fc.constantFrom('a', 'B', ' ', '"', '\u200b', '\u00a0', '\0', '@', '.', 'ü', '😀', '<', '>', '\t', '\u202e');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        const once = cleanCell(text);
        expect(once).toBe(once.trim());
        if (!once.includes('"')) expect(cleanCell(once)).toBe(once);
      }),
    );
  });

  it('never takes longer than a second for a hostile cell', () => {
    for (const text of [
      '<'.repeat(50_000),
      `${'a@'.repeat(25_000)}`,
      `${'('.repeat(50_000)}@`,
      `${' '.repeat(50_000)}x`,
      `${'"'.repeat(50_000)}x`,
      `${','.repeat(50_000)}x`,
    ])
      expect(holdsAddress(text)).toBe(false);
  });
});
