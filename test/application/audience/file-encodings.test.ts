import { describe, expect, it } from 'vitest';
import { StreamedSubscriberFiles } from '../../../src/infrastructure/files/subscriber-files.ts';
import { pieces } from './support.ts';

/** Bytes of a text in a legacy encoding, by asking the decoder what each byte or pair of bytes stands for. */
function encode(text: string, label: string): Buffer {
  const bytes = new Map<string, readonly number[]>();
  const note = (...code: readonly number[]): void => {
    const decoder = new TextDecoder(label);
    const character = decoder.decode(Uint8Array.from(code), { stream: true }) + decoder.decode();
    if ([...character].length === 1 && !bytes.has(character)) bytes.set(character, code);
  };
  for (let byte = 0; byte < 256; byte++) note(byte);
  if (/jis|gb|big5|euc/.test(label))
    for (let lead = 0x81; lead < 0xff; lead++) for (let trail = 0x40; trail < 0xff; trail++) note(lead, trail);
  return Buffer.from(
    [...text].flatMap((character) => {
      const code = bytes.get(character);
      if (code === undefined) throw new Error(`${label} has no ${character}`);
      return code;
    }),
  );
}

async function read(content: Buffer, encoding?: string, size = 997) {
  const file = await new StreamedSubscriberFiles().open(pieces(content, size), { encoding });
  const rows: string[] = [];
  for await (const batch of file.batches) for (const row of batch) rows.push('cells' in row ? row.cells.join() : 'problem');
  return { rows: [file.header?.cells.join(), ...rows], ...file.encoding() };
}
const asLines = (text: string): string[] => text.trimEnd().split('\n');
const people = (...names: readonly string[]): string =>
  `email,name\n${names.map((name, index) => `p${index}@example.com,${name}\n`).join('')}`;

const GERMAN = people('Jürgen Müller', 'Anna Weiß', 'Bob Smith', 'Käthe Schäfer', 'Özlem Größe');
const FRENCH = people('André Lefèvre', 'Hélène Dupré', 'François', 'Zoé', 'Loïc Château');
const SPANISH = people('José Muñoz', 'Íñigo Peña', 'Begoña García', 'Sofía');
const POLISH = people('Łukasz Wiśniewski', 'Małgorzata Wójcik', 'Paweł Dąbrowski', 'Grażyna');
const CZECH = people('Jiří Dvořák', 'Tomáš Černý', 'Růžena Nováková', 'Žofie');
const CZECH_WORDS =
  'Dvořák Němec Kučera Veselý Horák Pokorný Růžička Řezníček Ondřej Lukáš Šárka Zdeněk Kateřina Vojtěch Líšeň Ústí Děčín Přerov Šimek Čech Jiřina Černý Jiří'.split(
    ' ',
  );
const TURKISH = people('Şükrü Yıldız', 'Ayşe Gökçe', 'Çağrı Doğan', 'İbrahim');
const RUSSIAN = people('Иван Петров', 'Алёна Смирнова', 'Сергей Кузнецов');
const JAPANESE = people('山田太郎', '鈴木ハナコ', '佐藤花子', '伊藤さくら');

describe('the encoding of a file that states none', () => {
  it.each([
    ['windows-1252', GERMAN],
    ['windows-1252', FRENCH],
    ['windows-1252', SPANISH],
    ['windows-1252', people('Müller')],
    ['windows-1252', people('O’Brien', 'Søren Kjær', 'Åsa Sjöström')],
    ['macintosh', GERMAN],
    ['macintosh', FRENCH],
    ['macintosh', SPANISH],
    ['windows-1250', POLISH],
    ['windows-1250', CZECH],
    ['windows-1250', people('Kőszegi Szabó', 'Győző Szűcs', 'Tóth László')],
    ['iso-8859-2', POLISH],
    ['iso-8859-2', CZECH],
    ['iso-8859-15', people('Œuvre à 50 €', 'Hélène Lœb')],
    ['windows-1254', TURKISH],
    ['windows-1251', RUSSIAN],
    ['koi8-r', RUSSIAN],
    ['windows-1253', people('Γιώργος Παπαδόπουλος', 'Μαρία')],
    ['shift_jis', JAPANESE],
    ['big5', people('陳怡君', '林志豪', '黃雅婷', '台北市')],
    ['euc-kr', people('김민준', '이서연', '서울특별시')],
  ])('%s is recognised, and named', async (label, text) => {
    const found = await read(encode(text, label));
    expect(found).toMatchObject({ rows: asLines(text), encoding: label, note: expect.stringContaining(`read as ${label}`) });
  });

  it('is Latin-1 where the bytes are those of windows-1252', async () => {
    expect(await read(Buffer.from(GERMAN, 'latin1'))).toMatchObject({ rows: asLines(GERMAN), encoding: 'windows-1252' });
  });

  it('is seen in the header, too', async () => {
    const text = 'E-Mail;Größe;Straße\na@example.com;XL;Königsallee\n';
    expect((await read(encode(text, 'windows-1252'))).rows[0]).toBe('E-Mail,Größe,Straße');
  });

  it.each(['windows-1252', 'macintosh', 'utf-8'])('is %s although the first accent is in row 50,000', async (label) => {
    const plain = people(...Array.from({ length: 50_000 }, () => 'Bob'));
    const tail = 'x@example.com,Jürgen Müller\ny@example.com,Käthe Weiß\n';
    const { rows, encoding } = await read(
      Buffer.concat([Buffer.from(plain), label === 'utf-8' ? Buffer.from(tail) : encode(tail, label)]),
      undefined,
      65_536,
    );
    expect([encoding, ...rows.slice(-2)]).toEqual([label, ...asLines(tail)]);
  });

  it.each([1, 2, 3, 64, 4_096])('is the same in pieces of %i bytes', async (size) => {
    expect(await read(Buffer.from(GERMAN), undefined, size)).toEqual({
      rows: asLines(GERMAN),
      encoding: 'utf-8',
      note: undefined,
    });
    expect((await read(encode(JAPANESE, 'shift_jis'), undefined, size)).rows).toEqual(asLines(JAPANESE));
  });

  it('is UTF-8 for plain ASCII, and nothing is said about it', async () => {
    expect(await read(Buffer.from(people('Bob')))).toMatchObject({ encoding: 'utf-8', note: undefined });
  });

  it.each(['utf-16le', 'utf-16be'])('may be %s, with or without a byte order mark', async (label) => {
    for (const text of [RUSSIAN, GERMAN, `\ufeff${JAPANESE}`]) {
      const bytes = Buffer.from(text, 'utf16le');
      const found = await read(label === 'utf-16le' ? bytes : bytes.swap16());
      expect(found).toEqual({ rows: asLines(text.replace('\ufeff', '')), encoding: label, note: undefined });
    }
  });

  it('is not guessed where two readings are as likely, and the error shows both', async () => {
    await expect(read(encode(people('山田太郎', '佐藤花子'), 'euc-jp'))).rejects.toMatchObject({
      code: 'import.unreadable',
      pointer: '/encoding',
      message: expect.stringMatching(/encoding of the file is unclear\. One letter would be ".+" in .+ and ".+" in /),
    });
  });

  it('is refused where a file is half one and half the other', async () => {
    const mixed = Buffer.concat([Buffer.from(GERMAN), encode(GERMAN, 'windows-1252')]);
    await expect(read(mixed)).rejects.toMatchObject({ message: expect.stringContaining('partly in UTF-8') });
  });

  it('is checked again at the end, before anybody is changed', async () => {
    const start = encode(
      people(...Array.from({ length: 1_200 }, (_, index) => `Müller ä${'abcdefghijklmnop'[index & 15]}ö${index}`)),
      'windows-1252',
    );
    const rest = encode(people(...CZECH_WORDS), 'windows-1250');
    const filling = Buffer.from(people(...Array.from({ length: 100_000 }, () => 'Bob')));
    await expect(read(Buffer.concat([start, filling, rest]), undefined, 65_536)).rejects.toMatchObject({
      message: expect.stringContaining('later rows read as windows-1250'),
    });
  });
});

describe('a stated encoding', () => {
  it('is used where the guess would differ', async () => {
    expect(await read(encode(GERMAN, 'windows-1252'), 'windows-1250')).toMatchObject({
      encoding: 'windows-1250',
      note: undefined,
    });
    expect((await read(encode(people('Dvořák'), 'iso-8859-2'), 'latin2')).rows[1]).toBe('p0@example.com,Dvořák');
  });

  it('yields to a byte order mark, and is doubted where the bytes are UTF-8', async () => {
    expect(await read(Buffer.from(`\ufeff${GERMAN}`), 'windows-1252')).toMatchObject({
      rows: asLines(GERMAN),
      encoding: 'utf-8',
    });
    expect((await read(Buffer.from(GERMAN), 'windows-1252')).note).toContain('its bytes are valid UTF-8');
  });

  it('that is unknown is refused with what may be said', async () => {
    await expect(read(Buffer.from(GERMAN), 'klingon')).rejects.toMatchObject({ code: 'input.invalid', pointer: '/encoding' });
    await expect(read(Buffer.from(GERMAN), 'UTF-32LE')).rejects.toMatchObject({
      message: expect.stringContaining('Save it as UTF-8'),
    });
  });
});

describe('tables of MS-DOS, which spreadsheets still write', () => {
  /** "Jörg Müller", "Käthe Groß" in code page 850; "Łukasz", "Gdańsk", "Małgorzata", "Łódź" in 852. */
  const WESTERN = Buffer.from('email,name\na@example.com,J\x94rg M\x81ller\nb@example.com,K\x84the Gro\xe1\n', 'latin1');
  const CENTRAL = Buffer.from(
    'email,name\na@example.com,\x9dukasz Gda\xe4sk\nb@example.com,Ma\x88gorzata \x9d\xa2d\xab\n',
    'latin1',
  );

  it('are recognised', async () => {
    expect(await read(WESTERN)).toMatchObject({
      encoding: 'ibm850',
      rows: ['email,name', 'a@example.com,Jörg Müller', 'b@example.com,Käthe Groß'],
    });
    expect(await read(CENTRAL)).toMatchObject({
      encoding: 'ibm852',
      rows: ['email,name', 'a@example.com,Łukasz Gdańsk', 'b@example.com,Małgorzata Łódź'],
    });
  });

  it('may be stated by their usual names', async () => {
    for (const label of ['cp850', 'CP850', 'ibm-850']) expect(await read(WESTERN, label)).toMatchObject({ encoding: 'ibm850' });
  });
});

it('Japanese in seven bits is recognised by its escape sequences', async () => {
  const file = await read(Buffer.from('email,name\na@example.com,\x1b$B;3ED\x1b(B\n', 'latin1'));
  expect([file.encoding, file.rows[1]]).toEqual(['iso-2022-jp', 'a@example.com,山田']);
});

describe('what is no table', () => {
  const utf32 = (text: string, big: boolean): Buffer => {
    const units = Buffer.alloc([...text].length * 4);
    for (const [index, character] of [...text].entries()) {
      if (big) units.writeUInt32BE(character.codePointAt(0)!, index * 4);
      else units.writeUInt32LE(character.codePointAt(0)!, index * 4);
    }
    return units;
  };
  it.each([
    ['UTF-32 LE', utf32(`\ufeff${GERMAN}`, false), 'UTF-32'],
    ['UTF-32 BE', utf32(`\ufeff${GERMAN}`, true), 'UTF-32'],
    ['UTF-32 LE without a mark', utf32(GERMAN, false), 'UTF-32'],
    ['UTF-32 BE without a mark', utf32(GERMAN, true), 'UTF-32'],
    ['a web page named .xls', Buffer.from('\n<html xmlns="x"><table>'), 'web page'],
    ['XML', Buffer.from('<?xml version="1.0"?><Workbook>'), 'web page or XML'],
    ['vCards', Buffer.from('BEGIN:VCARD\r\nVERSION:3.0'), 'vCards'],
    ['RTF', Buffer.from('{\\rtf1\\ansi'), 'RTF'],
    ['Zstandard', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), 'Zstandard'],
  ])('%s is named', async (_, content, message) => {
    await expect(read(content)).rejects.toMatchObject({ code: 'import.unreadable', message: expect.stringContaining(message) });
  });
});
