import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImportColumns } from '../../../src/domain/audience/import-columns.ts';

const opened = (columns: readonly string[], map = {}, sample: readonly (readonly string[])[] = []) =>
  new ImportColumns({ cells: columns, line: 1, sample }, map);
const read = (columns: readonly string[], cells: readonly string[], map = {}) => {
  const { email, attributes, left, ...rest } = opened(columns, map, [cells]).readCells(cells, 2);
  return { email: email.address, attributes: JSON.parse(attributes) as unknown, ...rest };
};
const readLine = (record: Record<string, unknown>, map = {}) => {
  const { email, attributes, left, ...rest } = new ImportColumns(undefined, map).readRecord(record, 1);
  return { email: email.address, attributes: JSON.parse(attributes) as unknown, ...rest };
};
/** The warnings after these rows. */
const warned = (columns: readonly string[], ...rows: readonly (readonly string[])[]) => {
  const importing = opened(columns, {}, rows);
  for (const [index, row] of rows.entries()) importing.readCells(row, index + 2);
  return importing.warnings.all();
};

describe('the columns of a CSV file', () => {
  it.each(['email', 'E-Mail', 'e_mail', 'EMAIL ADDRESS', 'Mail', ' E-Mail-Adresse ', 'Courriel'])(
    'find the address in "%s"',
    (column) => {
      expect(read(['id', column], ['7', 'ada@example.com']).email).toBe('ada@example.com');
    },
  );

  it('find names, locale and time zone; other columns become attributes that Liquid can name', () => {
    const columns = [
      'Email',
      'First Name',
      'Nachname',
      'Prénom 2',
      'locale',
      'Time Zone',
      'Company Name',
      'Größe',
      '2nd line',
      '',
    ];
    const cells = [' ada@example.com ', 'Ada', 'Lovelace', 'x', 'de-at', 'europe/vienna', 'Engines, Ltd', 'XL', 'y', 'lost'];
    expect(read(columns, cells)).toEqual({
      email: 'ada@example.com',
      locale: 'de-AT',
      timeZone: 'Europe/Vienna',
      attributes: {
        first_name: 'Ada',
        last_name: 'Lovelace',
        prénom_2: 'x',
        company_name: 'Engines, Ltd',
        größe: 'XL',
        _2nd_line: 'y',
      },
    });
  });

  it('leave empty and missing cells out', () => {
    expect(read(['email', 'a', 'b', 'locale'], ['ada@example.com', ' ']).attributes).toEqual({});
  });

  it('follow a stated map before anything recognised', () => {
    const map = { Kontakt: 'email', mail: 'old_mail', City: '-', Sprache: 'locale', Zone: 'time_zone', Vorname: 'given' };
    const columns = ['Kontakt', 'mail', 'City', 'Sprache', 'Zone', 'Vorname'];
    expect(read(columns, ['ada@example.com', 'x', 'London', 'de', 'UTC', 'Ada'], map)).toEqual({
      email: 'ada@example.com',
      locale: 'de',
      timeZone: 'UTC',
      attributes: { old_mail: 'x', given: 'Ada' },
    });
  });

  it.each([
    [['name', 'city'], {}, /No column has a name that means e-mail address.*Columns seen: "name", "city"/],
    [['ada@example.com', 'Ada'], {}, /no header row: line 1 already holds an e-mail address.*1=email/],
    [['email', 'mail'], {}, /columns 1 \("email"\) and 2 \("mail"\) both look like the e-mail address.*2=-/],
    [['Email', 'First name', 'Email'], {}, /columns 1 .* and 3 .* 3=- \(by position\)/],
    [['email', 'em\0ail'], {}, /Column 2 of the header \(line 1\) holds a zero byte/],
    [['email', 'a', 'b'], { a: 'x', b: 'x' }, /columns 2 \("a"\) and 3 \("b"\) the same meaning \(the attribute x\)/],
    [['email'], { 2: '-' }, /column "2" that the file does not have/],
    [['email'], { nmae: 'name' }, /column "nmae" that the file does not have\. Columns seen: "email"/],
  ] as const)('%j with the map %j are refused', (columns, map, message) => {
    expect(() => opened(columns, map)).toThrow(
      expect.objectContaining({ code: 'import.unreadable', message: expect.stringMatching(message) }),
    );
  });

  it('refuse a map to a name that is none', () => {
    expect(() => opened(['email', 'a/b'], { 'a/b': '__proto__' })).toThrow(expect.objectContaining({ pointer: '/map/a~1b' }));
  });

  it.each([
    [['', 'Ada'], /address is missing/],
    [['nonsense', 'Ada'], /"@" is missing/],
    [['ada@example.com', 'Ada', 'x'], /3 cells, the header has 2/],
    [['a\ufffda@example.com', 'Ada'], /broken characters/],
  ])('reject the row %j', (cells, message) => {
    expect(() => read(['email', 'name'], cells)).toThrow(message);
  });

  it('take a row with empty surplus cells', () => {
    expect(read(['email'], ['ada@example.com', '', ' ']).email).toBe('ada@example.com');
  });

  it.each([
    ['Français', 'fr'],
    ['German', 'de'],
    ['german', 'de'],
    ['Portuguese', 'pt'],
    ['Brazilian Portuguese', 'pt-BR'],
    ['Português (Brasil)', 'pt-BR'],
    ['pt_BR', 'pt-BR'],
    ['en-gb.UTF-8', 'en-GB'],
    ['English - United Kingdom', 'en-GB'],
    ['English (US)', 'en-US'],
    ['Deutsch (Österreich)', 'de-AT'],
    ['Englisch', 'en'],
    ['allemand', 'de'],
    ['ger', 'de'],
    ['日本語', 'ja'],
    ['русский', 'ru'],
    ['Chinese (Simplified)', 'zh'],
    ['ESPAÑOL', 'es'],
    ['castellano', 'es'],
  ])('read the language %s as %s', (cell, locale) => {
    expect(read(['email', 'Sprache'], ['ada@example.com', cell]).locale).toBe(locale);
  });

  it.each([
    ['language', '-'],
    ['language', 'n/a'],
    ['language', 'Klingonisch'],
    ['language', 'deutschland'],
    ['language', '7'],
    ['language', 'x'.repeat(3_000)],
    ['tz', 'Mars'],
    ['tz', 'GMT+1'],
    ['tz', '(UTC+01:00) Berlin'],
    ['tz', '+01:00'],
    ['tz', '3600'],
    ['name', 'x'.repeat(70_000)],
    ['name', 'M\ufffdller'],
  ])('leave the %s %.20j out with one warning, and take the person', (column, cell) => {
    const rows = [
      ['ada@example.com', ''],
      ['bob@example.com', cell],
      ['eve@example.com', cell],
    ];
    expect(read(['email', column], rows[1]!)).toEqual({ email: 'bob@example.com', locale: null, timeZone: null, attributes: {} });
    expect(warned(['email', column], ...rows)).toEqual([
      { column, message: expect.stringContaining('left out'), rows: 2, line: 3 },
    ]);
  });

  it('name no address in a warning', () => {
    expect(JSON.stringify(warned(['email', 'lang'], ['ada@example.com', 'eve@example.com']))).not.toContain('eve');
  });

  it('never cost the file: odd, equal and long names are kept as they can be, with a warning', () => {
    const long = 'How likely are you to recommend us to a friend or a colleague, and what would have to change for you to do it?';
    const columns = ['#', 'Email', 'a b', 'a-b', 'A B', 'Vorname', 'First name', 'lang', 'Language', '!!!', long, ''];
    const cells = ['k7', 'ada@example.com', '1', '2', '3', 'Ada', 'Augusta', 'en', 'de', 'x', '9', 'lost'];
    const { attributes, locale } = read(columns, cells);
    expect(locale).toBe('en');
    expect(attributes).toEqual({
      a_b: '1',
      a_b_2: '2',
      a_b_3: '3',
      first_name: 'Ada',
      first_name_2: 'Augusta',
      language: 'de',
      [Object.keys(attributes as object).find((name) => name.startsWith('how_likely'))!]: '9',
    });
    expect(Object.keys(attributes as object).every((name) => name.length <= 100)).toBe(true);
    expect(warned(columns, cells).map(({ column }) => column)).toEqual(['#', 'a-b', 'A B', 'First name', '!!!']);
  });

  it('can be mapped by position, also where two have one name', () => {
    const columns = ['Email', 'First name', 'Email'];
    expect(read(columns, ['a@example.com', 'Ada', 'b@example.com'], { 3: '-' }).email).toBe('a@example.com');
    expect(read(columns, ['a@example.com', 'Ada', 'b@example.com'], { 3: 'email', 1: 'old' })).toMatchObject({
      email: 'b@example.com',
      attributes: { first_name: 'Ada', old: 'a@example.com' },
    });
    expect(read(['3', 'b', 'email'], ['x', 'y', 'a@example.com'], { 3: 'n' }).attributes).toEqual({ n: 'x', b: 'y' });
    expect(read(['E-Mail', 'Note'], ['a@example.com', 'x'], { NOTE: '-' }).attributes).toEqual({});
  });

  it('take the one of two addresses that has values', () => {
    expect(read(['Email', 'E-mail'], ['', 'a@example.com']).email).toBe('a@example.com');
  });

  it.each([
    [
      ['Name', 'Kontakt'],
      [
        ['Ada', 'ada@example.com'],
        ['Bob', ''],
      ],
      /column 2 \("Kontakt"\) holds addresses\. Choose it with a map: 2=email/,
    ],
    [["What's your email address?", 'Other'], [['ada@example.com', '']], /column 1 .* 1=email/],
    [
      ['Chef', 'Vertretung'],
      [['a@example.com', 'b@example.com']],
      /Columns 1 and 2 hold addresses. Choose one with a map, such as 1=email/,
    ],
  ])('%j propose the column whose cells are addresses', (columns, sample, message) => {
    expect(() => opened(columns, {}, sample)).toThrow(message);
  });

  it('may be absent: a bare list is read, and other files by position', () => {
    const bare = opened(['ada@example.com'], {}, [['bob@example.com']]);
    expect([bare.headerIsRow, bare.names]).toEqual([true, ['1']]);
    expect(bare.readCells(['ada@example.com'], 1).email.address).toBe('ada@example.com');
    const wide = opened(['Ada', 'ada@example.com', 'x'], { 2: 'email', 1: 'first_name' });
    expect(JSON.parse(wide.readCells(['Ada', 'ada@example.com', 'x'], 1).attributes)).toEqual({ first_name: 'Ada' });
    expect(wide.warnings.all().map(({ message }) => message)).toEqual([
      expect.stringContaining('Column 3 has no name'),
      expect.stringContaining('no header row: column 2'),
    ]);
  });

  it('of any names and cells give a person or a reason', () => {
    const known = fc.constantFrom('email', 'constructor', '__proto__', 'toString', 'locale', '=1', 'tz');
    fc.assert(
      fc.property(
        fc.array(fc.oneof(known, fc.string()), { maxLength: 6 }),
        fc.array(fc.string(), { maxLength: 7 }),
        (columns, cells) => {
          try {
            expect(read(['mail', ...columns], ['ada@example.com', ...cells]).email).toBe('ada@example.com');
          } catch (error) {
            expect(['import.unreadable', 'input.invalid']).toContain((error as { code?: string }).code);
          }
        },
      ),
    );
  });
});

describe('a line of JSON', () => {
  it('keeps attribute names as they are, and takes entries of `attributes` beside the rest', () => {
    expect(
      readLine({
        email: 'ada@example.com',
        firstName: 'Ada',
        language: 'de',
        attributes: { plan: { seats: 3 }, old: null },
        empty: null,
      }),
    ).toEqual({
      email: 'ada@example.com',
      locale: 'de',
      timeZone: null,
      attributes: { firstName: 'Ada', plan: { seats: 3 } },
    });
  });

  it('follows a map', () => {
    expect(readLine({ contact: 'ada@example.com', secret: 1 }, { contact: 'email', secret: '-' })).toMatchObject({
      email: 'ada@example.com',
      attributes: {},
    });
  });

  it.each([
    [{ name: 'Ada' }, /address is missing. The row has: name/],
    [{}, /The row has: nothing/],
    [{ email: 7 }, /text is expected as email/],
    [
      { email: 'ada@example.com', ...Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`a${at}`, 1])) },
      /500 attributes/,
    ],
  ])('%j is rejected', (record, message) => {
    expect(() => readLine(record)).toThrow(message);
  });

  it.each([
    { attributes: [1] },
    { attributes: 'x' },
    JSON.parse('{"__proto__":{"a":1}}'),
    JSON.parse('{"__proto__":"a"}'),
    { attributes: { 'a\nb': 1 } },
    { 'a\nb': 'x' },
    { locale: 7 },
    { timeZone: { a: 1 } },
    { locale: 'Klingon' },
    { deep: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) },
    { big: 'x'.repeat(70_000) },
  ])('leaves out what cannot be stored with one warning: %.60j', (record: object) => {
    const importing = new ImportColumns(undefined, {});
    const person = importing.readRecord(
      { email: 'ada@example.com', kept: 1, ...record, ...JSON.parse(JSON.stringify(record)) },
      7,
    );
    expect(person).toMatchObject({ locale: null, timeZone: null, attributes: '{"kept":1}' });
    expect(importing.warnings.all()).toEqual([
      { column: expect.any(String), message: expect.stringContaining('left out'), rows: 1, line: 7 },
    ]);
  });

  it('takes the address from the likeliest key', () => {
    expect(readLine({ work_email: 'w@example.com', email: 'ada@example.com', mail: 'm@example.com' })).toMatchObject({
      email: 'ada@example.com',
      attributes: { work_email: 'w@example.com', mail: 'm@example.com' },
    });
  });
});

describe('what a file has too much of, or not at all', () => {
  const names = Array.from({ length: 600 }, (_, index) => `c${index}`);

  it('costs no CSV file: columns behind the first 500 are left out, but not what says who left', () => {
    const importing = opened(['email', ...names, 'status']);
    const { attributes, left } = importing.readCells(['a@example.com', ...names, 'unsubscribed'], 2);
    expect([Object.keys(JSON.parse(attributes)).length, left?.because]).toEqual([500, 'unsubscribe']);
    expect(importing.warnings.all()).toEqual([
      expect.objectContaining({ column: 'c499', message: expect.stringContaining('column 501 and 100 more were left out') }),
    ]);
  });

  it('is said with the key that holds an address, where no key is called so', () => {
    const read = () => new ImportColumns(undefined, {}).readRecord({ id: 7, contact: 'ada@example.com' }, 1);
    expect(read).toThrow('The row has: id, contact. "contact" holds one. Choose it with a map: contact=email.');
  });
});
