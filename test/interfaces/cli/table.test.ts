import { describe, expect, it } from 'vitest';
import { parseMoment } from '../../../src/domain/shared/moment.ts';
import { type Column, renderFields, renderTable } from '../../../src/interfaces/cli/table.ts';
import { textWidth } from '../../../src/interfaces/cli/text.ts';

interface Row {
  readonly name: string;
  readonly count?: number;
}
const columns: readonly Column<Row>[] = [
  { title: 'list', value: (row) => row.name },
  { title: 'subscribers', value: (row) => row.count },
];

describe('a table', () => {
  it('puts text to the left and figures to the right', () => {
    expect(renderTable(columns, [{ name: 'News', count: 12_345 }, { name: 'Weekly' }])).toBe(
      ['list    subscribers', '──────  ───────────', 'News         12,345', 'Weekly            –'].join('\n'),
    );
  });

  it('stays aligned with wide characters and emoji', () => {
    const lines = renderTable(columns, [
      { name: '田中さん', count: 1 },
      { name: 'Ünï 🎉', count: 20 },
      { name: 'plain', count: 300 },
    ]).split('\n');
    expect(new Set(lines.map(textWidth)).size).toBe(1);
  });

  it('says that there is nothing', () => expect(renderTable(columns, [])).toBe('(none)'));

  it('cuts the widest text until it fits the terminal, and never a figure', () => {
    const text = renderTable(columns, [{ name: 'a very long name of a list', count: 1_000_000 }], { width: 30 });
    expect(text.split('\n').every((line) => textWidth(line) <= 30)).toBe(true);
    expect(text).toContain('…');
    expect(text).toContain('1,000,000');
  });

  it('cuts nothing in a file', () => {
    expect(renderTable(columns, [{ name: 'x'.repeat(300), count: 1 }])).toContain('x'.repeat(300));
  });

  it('lets no cell steer the terminal or begin a row', () => {
    expect(renderTable(columns, [{ name: 'a\nb\u001b[2Jc' }]).split('\n')).toHaveLength(3);
  });

  it('says dates and booleans in words', () => {
    const row = { at: new Date('2026-11-22T05:03:59Z'), on: true };
    expect(
      renderTable(
        [
          { title: 'at', value: (one: typeof row) => one.at },
          { title: 'on', value: (one) => one.on },
        ],
        [row],
      ),
    ).toContain('2026-11-22 05:03 UTC  yes');
  });
});

describe('the fields of one thing', () => {
  it('stand under each other, without those that have no value', () => {
    const fields = [
      ['name', 'News'],
      ['archived', undefined],
      ['subscribers', 1_200],
      ['reply-to', ''],
    ] as const;
    expect(renderFields(fields)).toBe(['name         News', 'subscribers  1,200'].join('\n'));
  });

  it.each([
    ['Europe/Berlin', '2026-07-29 00:30 +02:00'],
    ['America/New_York', '2026-07-28 18:30 -04:00'],
    ['Asia/Kathmandu', '2026-07-29 04:15 +05:45'],
    ['UTC', '2026-07-28 22:30 UTC'],
    [undefined, '2026-07-28 22:30 UTC'],
  ])('has its times by the clocks of %s, as options take them', (timeZone, shown) => {
    const time = new Date('2026-07-28T22:30:00Z');
    expect(renderFields([['launched', time]], { timeZone })).toBe(`launched  ${shown}`);
    expect(renderTable([{ title: 'At', value: () => time }], [{}], { timeZone }).split('\n')[2]).toBe(shown);
    expect(parseMoment(shown).in('Asia/Tokyo', time)).toEqual(time);
  });

  it('has a time of each half of the hour that comes twice told apart', () => {
    const at = (time: string) => renderFields([['', new Date(time)]], { timeZone: 'Europe/Berlin' }).trim();
    expect([at('2026-10-25T00:30:00Z'), at('2026-10-25T01:30:00Z')]).toEqual([
      '2026-10-25 02:30 +02:00',
      '2026-10-25 02:30 +01:00',
    ]);
  });
});
