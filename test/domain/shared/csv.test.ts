import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvRow } from '../../../src/domain/shared/csv.ts';

describe('a row of CSV', () => {
  it('quotes every cell and doubles quotation marks', () => {
    expect(csvRow(['a', 'b"c', 'd,e\r\nf', 7, null, undefined])).toBe('"a","b""c","d,e\r\nf","7","",""\r\n');
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '  =1', '=HYPERLINK("http://x","y")', '＝1'])(
    'disarms %j, which a spreadsheet would run',
    (cell) => {
      expect(csvRow([cell])).toBe(`"'${cell.replaceAll('"', '""')}"\r\n`);
      expect(csvRow([cell], { raw: true })).toBe(`"${cell.replaceAll('"', '""')}"\r\n`);
    },
  );

  it('never lets a cell out of its quotes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', 'a', "'") }), { minLength: 1 }),
        (cells) => {
          const row = csvRow(cells, { raw: true });
          const read = [...row.matchAll(/"((?:[^"]|"")*)"(,|\r\n$)/g)].map((match) => match[1]!.replaceAll('""', '"'));
          expect(read).toEqual(cells);
        },
      ),
    );
  });
});
