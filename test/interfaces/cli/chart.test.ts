import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderChart } from '../../../src/interfaces/cli/chart.ts';
import { textWidth } from '../../../src/interfaces/cli/text.ts';

const days = (values: readonly number[]) =>
  values.map((value, at) => ({ label: `2026-11-${String(at + 1).padStart(2, '0')}`, value }));

describe('a daily chart', () => {
  it('shows the most at its scale, every value above zero, and empty days as gaps', () => {
    expect(renderChart('opens a day', days([0, 1, 600, 1_200]), { height: 2 })).toBe(
      ['opens a day', '1,200 │         ██', '      │   ▁▁ ██ ██', '    0 └────────────', '       2026-11-01 2026-11-04'].join(
        '\n',
      ),
    );
  });

  it('is flat when nothing happened', () => {
    expect(
      renderChart('opens a day', days([0, 0]), { height: 1 })
        .split('\n')
        .slice(0, 3),
    ).toEqual(['opens a day', '  │', '0 └──────']);
  });

  it('says that there is nothing', () => expect(renderChart('opens a day', [])).toBe('opens a day\n(none)'));

  it('adds neighbours up where there are more days than columns, and says so', () => {
    const text = renderChart('opens a day', days(new Array<number>(100).fill(1)), { columns: 40 });
    expect(text.split('\n')[0]).toBe('opens a day (3 days a bar)');
    expect(text).toContain('3 │');
  });

  it('fits the terminal', () => {
    const series = fc.array(fc.nat(5_000_000), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(series, fc.integer({ min: 40, max: 200 }), (values, columns) => {
        const lines = renderChart('opens', days(values), { columns }).split('\n').slice(1);
        return lines.every((line) => textWidth(line) <= columns);
      }),
    );
  });
});
