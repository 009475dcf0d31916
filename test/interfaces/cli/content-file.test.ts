import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ContentFileInvalid, mailboxOf, parseContentFile } from '../../../src/interfaces/cli/content-file.ts';

const front = (...lines: readonly string[]): string =>
  ['---', 'subject: News', 'author: Shop <shop@example.org>', ...lines, '---', '<mjml><mj-body></mj-body></mjml>', ''].join('\n');

function faultOf(path: string, text: string): string {
  try {
    parseContentFile(path, text);
  } catch (error) {
    if (error instanceof ContentFileInvalid) return error.message;
    throw error;
  }
  return 'no fault';
}

describe('a content file', () => {
  it('holds everything that a campaign says', () => {
    const file = parseContentFile(
      'november.mjml',
      [
        '---',
        'name: November letter',
        'subject: "{{ first_name }}, news"',
        'preheader: Look',
        `author: '"Books, Harbour" <hello@example.org>'`,
        'reply_to: { name: Shop, address: shop@example.org }',
        'lists: [harbour-letter, friends]',
        'exclude_lists: gone',
        'schedule: 2026-12-01T08:00:00+01:00',
        'defaults: { first_name: reader, seats: 2 }',
        'headers: { X-Season: winter }',
        'footer: none',
        'track_opens: false',
        'text: |',
        '  In plain words.',
        '---',
        '<mjml>',
      ].join('\r\n'),
    );
    expect(file.schedule?.in('UTC', new Date(0))).toEqual(new Date('2026-12-01T07:00:00Z'));
    expect(file).toMatchObject({
      name: 'November letter',
      lists: ['harbour-letter', 'friends'],
      excludeLists: ['gone'],
      trackOpens: false,
      trackClicks: undefined,
      offset: 16,
      content: {
        kind: 'mjml',
        source: '<mjml>',
        text: 'In plain words.\n',
        subject: '{{ first_name }}, news',
        preheader: 'Look',
        author: { name: 'Books, Harbour', address: 'hello@example.org' },
        replyTo: { name: 'Shop', address: 'shop@example.org' },
        headers: { 'X-Season': 'winter' },
        defaults: { first_name: 'reader', seats: 2 },
        footer: 'none',
      },
    });
  });

  it.each([
    ['x.mjml', 'anything', 'mjml'],
    ['x.html', 'anything', 'html'],
    ['x.md', '\n<mjml>', 'mjml'],
    ['x.md', '<!doctype html><p>x', 'html'],
    ['x.md', '<p>x', 'html'],
    ['x.md', 'Dear {{ first_name }},', 'markdown'],
    ['x.markdown', '# News', 'markdown'],
    ['x.md', '<p align="center">Logo</p>\n\n# News', 'markdown'],
    ['x.md', '<html><body># News</body></html>', 'html'],
    ['x.txt', '# News', 'text'],
    ['x.txt', '< 3 tea', 'text'],
    ['standard input', '<MJML>', 'mjml'],
  ])('%s with "%s" is %s', (path, source, kind) => {
    expect(parseContentFile(path, front().replace(/<mjml>.*/s, source)).content.kind).toBe(kind);
  });

  it('says its kind itself when it wants to', () => {
    expect(parseContentFile('x.mjml', front('kind: html')).content.kind).toBe('html');
  });

  it('leaves the content as it is, later lines of dashes included', () => {
    const source = 'one\n---\ntwo\n';
    expect(parseContentFile('x.txt', front().replace(/<mjml>.*/s, source)).content.source).toBe(source);
  });

  it('gives back what was written, whatever it is', () => {
    const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((one) => one.trim() !== '');
    fc.assert(
      fc.property(
        text,
        text,
        fc.dictionary(
          fc.string({ minLength: 1, maxLength: 9 }).filter((name) => name !== '__proto__'),
          fc.oneof(fc.string(), fc.integer(), fc.boolean()),
        ),
        (subject, name, defaults) => {
          const yaml = stringify({ subject, name, author: 'a@example.org', defaults });
          fc.pre(!yaml.split(/\r?\n/).some((line) => line.trim() === '---'));
          const file = parseContentFile('x.txt', `---\n${yaml}---\nHello`);
          expect(file.content.subject).toBe(subject);
          expect(file.name).toBe(name);
          expect(file.content.defaults).toEqual(defaults);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a text without quotation marks', () => {
  const write = (key: string, value: string): string => `---\n# a comment of the author\nname: x\n${key}: ${value}\n---\nHello`;
  const inSubject = (value: string): string => write('author: a@b.example\nsubject', value);
  const inDefaults = (value: string): string => write('author: a@b.example\nsubject: x\ndefaults:\n  greeting', value);

  it.each([
    'Issue #4 is here',
    'News: autumn',
    '{{ first_name }}, hi',
    '{{ first_name }}',
    '"Best" of',
    "'Best' of",
    '@home',
    '*Sale* now',
    '*sale',
    '%50 off',
    '!Sale now',
    '!important',
    '&more',
    '& more',
    '- 20 percent',
    '? who',
    '#1 in sales',
    '[Sale] now',
    '> big',
    '| bar',
    '\u0060code\u0060',
    "'tis the season",
    '"not closed',
    'News, now: go',
    'the end:',
    ', and',
    '] x',
    "it's #1",
    '01234',
    '1.50',
    '+49',
    '1e3',
    '0x1F',
    '.inf',
    'True',
    'NULL # x',
  ])('is refused with its line when YAML would change it: %s', (value) => {
    const quoted = /["\\]/.test(value) ? `'${value.replaceAll("'", "''")}'` : `"${value}"`;
    expect(faultOf('x.md', inSubject(value))).toMatch(/^x\.md, line 5: .*"subject": .*quot/);
    expect(faultOf('x.md', inSubject(value))).toContain(`subject: ${quoted}`);
    expect(faultOf('x.md', inDefaults(value))).toContain(`greeting: ${quoted}`);
    expect(faultOf('x.md', inDefaults(value))).toMatch(/^x\.md, line 7: /);
    // The advice is right.
    expect(parseContentFile('x.md', inSubject(quoted)).content.subject).toBe(value);
    expect(parseContentFile('x.md', inDefaults(quoted)).content.defaults).toEqual({ greeting: value });
  });

  it.each([
    'Hello {{ first_name }}',
    '50% off',
    "Tom's & Jerry's",
    'a, b',
    'C# is',
    'https://example.com/#top',
    '12:30',
    '2026-11-28',
    'yes',
    'no',
    'on',
    'off',
    '“Best” of',
    '=x',
    '(new)',
    '🎉 hi',
    'a "b" c',
    'one\ttwo',
    '-5 degrees',
    'Q&A',
    'a{b}',
  ])('arrives as it was typed: %s', (value) => {
    expect(parseContentFile('x.md', inSubject(value)).content.subject).toBe(value);
    expect(parseContentFile('x.md', inDefaults(value)).content.defaults).toEqual({ greeting: value });
  });

  it.each(['2026', 'true', 'null', '', '[x]', '{ a: b }'])(
    'that is none for YAML is refused where a text belongs: %s',
    (value) => {
      expect(faultOf('x.md', inSubject(value))).toBe('x.md, line 5: "subject": a text is expected; put it in quotation marks.');
    },
  );

  it('leaves numbers, truth values, lists and comments what they are where no text is meant', () => {
    const file = parseContentFile(
      'x.md',
      [
        '---',
        'author: a@b.example',
        'subject: "Issue #4" # quoted',
        'lists: [a, b] # both',
        'footer: none # ours',
        'track_opens: off',
        'track_clicks: Yes',
        'defaults: { seats: 2, ratio: 1.5, vip: true, tags: [a, b], nothing: null }',
        '---',
        'Hello',
      ].join('\n'),
    );
    expect(file).toMatchObject({ lists: ['a', 'b'], trackOpens: false, trackClicks: true });
    expect(file.content).toMatchObject({
      subject: 'Issue #4',
      footer: 'none',
      defaults: { seats: 2, ratio: 1.5, vip: true, tags: ['a', 'b'], nothing: null },
    });
  });

  it('has its lines counted as the file has them, with a byte order mark and any kind of line end', () => {
    for (const end of ['\n', '\r\n', '\r'])
      expect(faultOf('x.md', `\ufeff${inSubject('News: autumn').replaceAll('\n', end)}`)).toContain('x.md, line 5: "subject"');
  });

  it('ends at a line of dashes at its very beginning only', () => {
    const file = parseContentFile('x.md', '---\nsubject: x\nauthor: a@b.example\ntext: |\n  one\n  ---\n  two\n--- \nHello');
    expect(file.content).toMatchObject({ text: 'one\n---\ntwo\n', source: 'Hello' });
  });

  it.each([
    ['subject:News', 'line 2: a space is missing after "subject:". Write: subject: News'],
    ['subject: x\n\nDear reader', 'line 4: "Dear reader" is not of the form "name: value"'],
  ])('is told from other faults: %j', (text, message) => {
    expect(faultOf('x.md', `---\n${text}\nauthor: a@b.example\n---\nHello`)).toContain(message);
  });
});

describe('a fault in a content file', () => {
  it.each([
    [
      'no front matter',
      '<mjml>',
      'x.mjml, line 1: the file must begin with "---", then subject and author, then "---" and the content.',
    ],
    ['no end', '---\nsubject: x\n', 'x.mjml, line 1: the front matter does not end: add a second line of "---" after it.'],
    [
      'no content',
      '---\nsubject: x\nauthor: a@b.example\n---\n \n',
      'x.mjml, line 4: no content follows the front matter. Write it after the second line of "---".',
    ],
    ['bad YAML', front('defaults: { a: 1', 'footer: none'), 'x.mjml, line 5: the YAML cannot be read: '],
    ['a key twice', front('subject: Again'), 'x.mjml, line 4: the YAML cannot be read: Map keys must be unique'],
    [
      'an unknown key',
      front('name: x', 'sujet: y'),
      'x.mjml, line 5: "sujet" is not a field of the front matter. Fields: kind, name, subject',
    ],
    [
      'a key in capitals',
      front().replace('subject:', 'Subject:'),
      '"Subject" is not a field of the front matter. Fields: kind, name, subject',
    ],
    ['a missing key', front().replace('subject: News\n', ''), 'x.mjml, line 1: "subject" is missing.'],
    ['no text', front('preheader: 5'), 'x.mjml, line 4: "preheader": a text is expected; put it in quotation marks.'],
    ['no list', front('lists: { a: 1 }'), 'x.mjml, line 4: "lists": a list of ids or slugs is expected.'],
    ['no footer', front('name: x', 'footer: off'), 'x.mjml, line 5: "footer": one of project and none is expected.'],
    [
      'no time',
      front('schedule: next week'),
      'x.mjml, line 4: schedule: "next week" is not a time. Write it like 2026-11-22T10:00:00+01:00, like 2026-11-22 10:00 or tomorrow 10:00 for',
    ],
    [
      'no day',
      front('schedule: 2026-02-30 10:00'),
      'x.mjml, line 4: schedule: "2026-02-30 10:00" is not a time: there is no such day',
    ],
    ['nothing but text', '---\nhello\n---\nx', 'x.mjml, line 2: names and values such as "subject: News" are expected'],
    ['aliases', front('defaults: &a { b: 1 }', 'headers: *a'), 'x.mjml, line 5: aliases (*name) are not supported.'],
  ])('names its line: %s', (_name, text, message) => {
    expect(faultOf('x.mjml', text)).toContain(message);
  });

  it('is a wrong input with its own code', () => {
    expect(new ContentFileInvalid('x', 1, 'y')).toMatchObject({ code: 'content.file_invalid', kind: 'invalid' });
  });
});

describe('an author', () => {
  it.each([
    ['a@example.org', { address: 'a@example.org' }],
    ['Ada <a@example.org>', { name: 'Ada', address: 'a@example.org' }],
    ['  Ada Lovelace   <a@example.org> ', { name: 'Ada Lovelace', address: 'a@example.org' }],
    ['"Lovelace, Ada" <a@example.org>', { name: 'Lovelace, Ada', address: 'a@example.org' }],
    ['<a@example.org>', { address: 'a@example.org' }],
    ['Ada a@example.org', { address: 'Ada a@example.org' }],
  ])('is read from "%s"', (written, mailbox) => expect(mailboxOf(written)).toEqual(mailbox));
});
