import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileOptions, FileRow } from '../../../src/application/audience/subscriber-files.ts';
import { StreamedSubscriberFiles } from '../../../src/infrastructure/files/subscriber-files.ts';
import { pieces } from './support.ts';

async function read(content: string | Buffer, options: FileOptions = {}, size = 5) {
  const file = await new StreamedSubscriberFiles().open(pieces(content, size), options);
  const rows: FileRow[] = [];
  for await (const batch of file.batches) rows.push(...batch);
  return { columns: file.header?.cells, rows, bytes: file.bytesRead() };
}
const cells = async (content: string | Buffer, options: FileOptions = {}, size = 5): Promise<unknown> => {
  const { columns, rows } = await read(content, options, size);
  return [columns, ...rows.map((row) => ('cells' in row ? row.cells : row))];
};
const refused = (content: string | Buffer, options: FileOptions = {}) => expect(read(content, options)).rejects;

describe('a CSV file', () => {
  const people = 'email,name\nada@example.com,Äda\n';
  const expected = [
    ['email', 'name'],
    ['ada@example.com', 'Äda'],
  ];
  const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

  it.each([
    ['UTF-8', Buffer.from(people)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${people}`)],
    ['UTF-16 LE with a byte order mark', Buffer.from(`\ufeff${people}`, 'utf16le')],
    ['UTF-16 BE with a byte order mark', utf16be(`\ufeff${people}`)],
    ['UTF-16 LE without', Buffer.from(people, 'utf16le')],
    ['UTF-16 BE without', utf16be(people)],
  ])('is read as %s', async (_, content) => {
    for (const size of [1, 3, 1_000]) expect(await cells(content, {}, size)).toEqual(expected);
  });

  it('is read in a stated encoding', async () => {
    expect(await cells(Buffer.from(people, 'latin1'), { encoding: 'windows-1252' })).toEqual(expected);
    await refused(people, { encoding: 'klingon' }).toMatchObject({ code: 'input.invalid', pointer: '/encoding' });
  });

  it('with broken bytes names the rows that hold them', async () => {
    const whole = Array.from({ length: 10 }, (_, index) => `m${index}@example.com,Müller\n`).join('');
    const { rows } = await read(
      Buffer.concat([Buffer.from(`email,name\n${whole}a@example.com,`), Buffer.from([0xe4]), Buffer.from('\nb@example.com,B\n')]),
    );
    expect(rows.slice(9)).toMatchObject([
      { line: 11, cells: ['m9@example.com', 'Müller'] },
      { line: 12, cells: ['a@example.com', '\ufffd'] },
      { line: 13 },
    ]);
  });

  it.each([',', ';', '\t', '|'])('is divided by %j', async (delimiter) => {
    const file = `"e,m;a\ti|l"${delimiter}b${delimiter}c\n1${delimiter}2${delimiter}"${delimiter}"\n`;
    expect(await cells(file)).toEqual([
      ['e,m;a\ti|l', 'b', 'c'],
      ['1', '2', delimiter],
    ]);
  });

  it('may state its delimiter, in the call or in Excel’s own first line', async () => {
    expect(await cells('a;b:c\n1:2\n', { delimiter: ':' })).toEqual([
      ['a;b', 'c'],
      ['1', '2'],
    ]);
    expect(await cells('a,b\tc\n1\t2\n', { delimiter: 'tab' })).toEqual([
      ['a,b', 'c'],
      ['1', '2'],
    ]);
    const { columns, rows } = await read('sep=;\r\na,x;b\r\n1;2\r\n');
    expect(columns).toEqual(['a,x', 'b']);
    expect(rows).toEqual([{ line: 3, cells: ['1', '2'] }]);
    await refused('a\n', { delimiter: '"' }).toMatchObject({ pointer: '/delimiter' });
  });

  it.each([
    ['sep=;\na,x;b\n1;2\n', ['a,x', 'b']],
    ['"sep=;"\r\na,x;b\r\n1;2\r\n', ['a,x', 'b']],
    ['sep=,,,\na,b,c;d,e\n1,2,3,4\n', ['a', 'b', 'c;d', 'e']],
    ['SEP=|\ra;x|b\r1|2\r', ['a;x', 'b']],
    ['sep=\t\na,x\tb\n1\t2\n', ['a,x', 'b']],
    ['sep=\\t\na,x\tb\n1\t2\n', ['a,x', 'b']],
    ['sep=^\na,x^b\n1^2\n', ['a,x', 'b']],
    ['\ufeffsep=:\na,x:b\n1:2\n', ['a,x', 'b']],
    ['sep=;,,\na,b;x,c\n1,2,3\n', ['a', 'b;x', 'c']],
  ])('%j names its delimiter in the first line', async (content, columns) => {
    expect((await read(content)).columns).toEqual(columns);
    const delimiter = content.includes('\t') || content.includes('\\t') ? 'tab' : undefined;
    if (delimiter !== undefined) expect((await read(content, { delimiter })).columns).toEqual(columns);
  });

  it.each([
    ['a@x.example, "Ann Lee", "Oslo, Norway"', ['a@x.example', 'Ann Lee', 'Oslo, Norway']],
    ['a@x.example,\u00a0"Ann Lee",\t"Oslo, ""N"""', ['a@x.example', 'Ann Lee', 'Oslo, "N"']],
    ['a@x.example,  Peter "Pete" M, x', ['a@x.example', 'Peter "Pete" M', 'x']],
    ['a@x.example,"Ann" Lee,"x', undefined],
  ])('with blanks before quotation marks is read as it was meant: %j', async (row, expected) => {
    const content = `email,name,city\n${row}\n`;
    if (expected === undefined) await refused(content).toMatchObject({ message: expect.stringContaining('never closed') });
    else expect(((await cells(content)) as unknown[])[1]).toEqual(expected);
  });

  it('has no rows where there are only delimiters, and counts their lines', async () => {
    const { columns, rows } = await read(';;\n\nemail;name;\na;b;\n;;\n ;\u00a0;\u200b\nc;d;\n;;;;;;\n');
    expect(columns).toEqual(['email', 'name', '']);
    expect(rows).toEqual([
      { line: 4, cells: ['a', 'b', ''] },
      { line: 7, cells: ['c', 'd', ''] },
    ]);
  });

  it('of one column needs no delimiter', async () => {
    expect(await cells('email\r\na@example.com\r\n\r\nb@example.com')).toEqual([['email'], ['a@example.com'], ['b@example.com']]);
  });

  it('names the line on which each row begins, whatever the line ends and the lines inside quotes', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const file = ['', 'email,note', 'a,"one', '', 'three"', '', '', 'b,x', 'c,"d', 'e"', 'f,g'].join(end);
      for (const size of [1, 4, 1_000]) {
        const { rows } = await read(file, {}, size);
        expect(rows.map(({ line }) => line)).toEqual([3, 8, 9, 11]);
      }
    }
    expect((await read('email\na\r\nb\rc\nd')).rows.map((row) => [row.line, 'cells' in row && row.cells[0]])).toEqual([
      [2, 'a'],
      [3, 'b'],
      [4, 'c'],
      [5, 'd'],
    ]);
  });

  it('takes quotation marks inside unquoted cells as text, and loses no row behind them', async () => {
    expect(await cells('email,name\na,Peter "Pete" M\nb,"x"y\nc,z\n')).toEqual([
      ['email', 'name'],
      ['a', 'Peter "Pete" M'],
      ['b', '"x"y'],
      ['c', 'z'],
    ]);
  });

  it('is read back as it was written, in any pieces', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'ü', '😀', '"', ',', ';', '\n', '\r', ' ', "'") });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { maxLength: 8 }), fc.integer({ min: 1, max: 40 }), async (rows, size) => {
        const file = [['email', 'note'], ...rows]
          .map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(','))
          .join('\r\n');
        const filled = rows.filter((row) => row.some((text) => text.trim() !== ''));
        expect(await cells(file, {}, size)).toEqual([['email', 'note'], ...filled]);
      }),
    );
  });

  it.each([
    ['', 'empty'],
    ['\n\n', 'no header row'],
    [Buffer.from([0x1f, 0x8b, 8, 0]), 'gzip'],
    [Buffer.from([0x50, 0x4b, 3, 4, 0]), 'Excel'],
    ['[{"email":"a"}]', 'JSON array'],
    ['email,x\na,1\nb,"2\nc,3\n', 'line 3 .* never closed'],
    [`email,${'x,'.repeat(6_000)}y\n`, '6,002 columns'],
  ])('%j is refused', async (content, message) => {
    await refused(content).toMatchObject({ code: 'import.unreadable', message: expect.stringMatching(message) });
  });
});

describe('JSON Lines', () => {
  it('are recognised, and read with their lines', async () => {
    const { columns, rows } = await read('{"email":"a"}\r\n\n {"email":"ü😀"} \n7\n{"email":\n{"last":1}');
    expect(columns).toBeUndefined();
    expect(rows.map(({ line }) => line)).toEqual([1, 3, 4, 5, 6]);
    expect(rows[1]).toMatchObject({ record: { email: 'ü😀' } });
    expect(rows[2]).toMatchObject({ problem: expect.stringContaining('one JSON object') });
    expect(rows[3]).toMatchObject({ problem: expect.stringContaining('not valid JSON') });
  });

  it('with broken bytes name the line', async () => {
    const { rows } = await read(
      Buffer.concat([Buffer.from('{"name":"äöüßéèêë"}\n{"email":"'), Buffer.from([0xff]), Buffer.from('"}\n{"email":"b"}')]),
    );
    expect(rows).toMatchObject([{ line: 1 }, { line: 2, record: { email: '\ufffd' } }, { line: 3, record: { email: 'b' } }]);
  });
});

describe('a bomb', () => {
  /** Endless, and counts what was taken; `ended` tells whether it was let go of. */
  function endless(head: string, body: string) {
    const state = { bytes: 0, ended: false };
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield Buffer.from(head);
        for (const piece = Buffer.alloc(64 * 1024, body); ; state.bytes += piece.length) yield piece;
      } finally {
        state.ended = true;
      }
    }
    return { source: source(), state };
  }

  it.each([
    ['a gigabyte of one line', 'email,x\n', 'x', {}, 'more than 1 MB'],
    ['a quotation mark that is never closed', 'email,x\na,"', 'x\n', {}, 'more than 1 MB'],
    ['a million columns', 'email,', 'x,', {}, 'more than 1 MB'],
    ['a row of nothing but delimiters', 'email\n', ',', {}, 'line 2'],
    ['a gigabyte of zero bytes', 'email\n', '\0', {}, 'more than 1 MB'],
    ['an endless line in UTF-16', '\ufeff', 'x', { encoding: 'utf-16le' }, 'more than 1 MB'],
  ] as const)('%s is given up after two megabytes, and its source is ended', async (_, head, body, options, message) => {
    const { source, state } = endless(head, body);
    await expect(
      (async () => {
        const file = await new StreamedSubscriberFiles().open(source, options);
        for await (const batch of file.batches) expect(batch.length).toBeLessThan(10);
      })(),
    ).rejects.toMatchObject({ code: 'import.unreadable', message: expect.stringContaining(message) });
    expect(state.ended).toBe(true);
    expect(state.bytes).toBeLessThan(4 * 1024 * 1024);
  });

  it('of one long line of JSON is one bad row; a line without end is given up', async () => {
    const long = `{"email":"${'x'.repeat(10 * 1024 * 1024)}"}`;
    const { rows } = await read(`{"email":"a"}\n${long}\n{"email":"b"}\n${long}`, {}, 65_536);
    expect(rows).toMatchObject([
      { line: 1, record: { email: 'a' } },
      { line: 2, problem: expect.stringContaining('more than 1 MB'), text: expect.stringMatching(/^.{500}$/) },
      { line: 3, record: { email: 'b' } },
      { line: 4, problem: expect.stringContaining('more than 1 MB') },
    ]);
    const { source, state } = endless('{"email":"', 'x');
    const all = async (): Promise<void> => {
      const file = await new StreamedSubscriberFiles().open(source, {});
      for await (const batch of file.batches) expect(batch).toEqual([]);
    };
    await expect(all()).rejects.toMatchObject({ message: expect.stringContaining('Line 1 has more than 16 MB') });
    expect([state.ended, state.bytes < 20 * 1024 * 1024]).toEqual([true, true]);
  });

  it('ends its source when it is closed unread', async () => {
    const { source, state } = endless('email\n', 'a@example.com\n');
    const file = await new StreamedSubscriberFiles().open(source, {});
    await file.close();
    expect(state.ended).toBe(true);
  });
});
