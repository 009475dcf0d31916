import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImportColumns } from '../../../src/domain/audience/import-columns.ts';

const read = (columns: readonly string[], cells: readonly string[], map = {}) => {
  const { email, attributes, ...rest } = new ImportColumns(columns, map).readCells(cells);
  return { email: email.address, attributes: JSON.parse(attributes) as unknown, ...rest };
};
const readLine = (record: Record<string, unknown>, map = {}) => {
  const { email, attributes, ...rest } = new ImportColumns(undefined, map).readRecord(record);
  return { email: email.address, attributes: JSON.parse(attributes) as unknown, ...rest };
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
    [['name', 'city'], {}, /No column holds e-mail addresses.*Columns seen: "name", "city"/],
    [['ada@example.com', 'Ada'], {}, /first row holds an e-mail address/],
    [['email', 'mail'], {}, /"email" and "mail" both mean email/],
    [['email', 'first name', 'vorname'], {}, /"first name" and "vorname" both mean the attribute first_name/],
    [['email', 'a b', 'a-b'], {}, /both mean the attribute a_b/],
    [['email', 'email'], {}, /both mean email/],
    [['email', '!!!'], {}, /No attribute can be named/],
    [['email'], { nmae: 'name' }, /column "nmae" that the file does not have\. Columns seen: "email"/],
  ] as const)('%j with the map %j are refused', (columns, map, message) => {
    expect(() => new ImportColumns(columns, map)).toThrow(
      expect.objectContaining({ code: 'import.unreadable', message: expect.stringMatching(message) }),
    );
  });

  it('refuse a map to a name that is none', () => {
    expect(() => new ImportColumns(['email', 'a/b'], { 'a/b': '__proto__' })).toThrow(
      expect.objectContaining({ pointer: '/map/a~1b' }),
    );
  });

  it.each([
    [['', 'Ada'], /address is missing/],
    [['nonsense', 'Ada'], /"@" is missing/],
    [['ada@example.com', 'Ada', 'x'], /3 cells, the header has 2/],
    [['ada@example.com', 'x'.repeat(70_000)], /65,536 bytes/],
  ])('reject the row %j', (cells, message) => {
    expect(() => read(['email', 'name'], cells)).toThrow(message);
  });

  it('take a row with empty surplus cells', () => {
    expect(read(['email'], ['ada@example.com', '', ' ']).email).toBe('ada@example.com');
  });

  it('reject a locale or a time zone that is none', () => {
    expect(() => read(['email', 'language'], ['ada@example.com', 'not a tag'])).toThrow('BCP 47');
    expect(() => read(['email', 'tz'], ['ada@example.com', 'Mars'])).toThrow('IANA');
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
    [{ email: 'ada@example.com', attributes: [1] }, /JSON object/],
    [JSON.parse('{"email":"ada@example.com","__proto__":{"a":1}}'), /needs a name/],
    [{ email: 'ada@example.com', attributes: { 'a\nb': 1 } }, /needs a name/],
  ])('%j is rejected', (record, message) => {
    expect(() => readLine(record)).toThrow(message);
  });
});
