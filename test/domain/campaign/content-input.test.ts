import { describe, expect, it } from 'vitest';
import { type ContentInput, parseContent } from '../../../src/domain/campaign/content-input.ts';
import { aContent } from '../../support/builders-delivery.ts';

/** The way in that every face uses; it asks nothing of the store. */
const parse = (given: Partial<ContentInput> = {}) =>
  parseContent({
    kind: 'html',
    source: '<p>Hello</p>',
    subject: 'Hello',
    author: { address: 'hello@example.com' },
    ...given,
  });

const refused = (given: Partial<ContentInput>): string | undefined => {
  try {
    parse(given);
  } catch (error) {
    if (error instanceof Error && 'pointer' in error) return String(error.pointer);
    throw error;
  }
  return undefined;
};

describe('content as it is given', () => {
  it('comes out with its defaults', () => {
    expect(parse()).toEqual({
      ...aContent({ author: { name: undefined, address: 'hello@example.com' } }),
      text: undefined,
      preheader: undefined,
      replyTo: undefined,
    });
  });

  it.each([
    ['an empty source', { source: ' \n ' }, '/content/source'],
    ['a source of more than 1,000,000 characters', { source: 'x'.repeat(1_000_001) }, '/content/source'],
    ['a text part of more than 250,000 characters', { text: 'x'.repeat(250_001) }, '/content/text'],
    ['a subject of more than 2,000 characters', { subject: 'x'.repeat(2_001) }, '/content/subject'],
    ['a preheader of more than 2,000 characters', { preheader: 'x'.repeat(2_001) }, '/content/preheader'],
    ['a name of more than 320 characters', { author: { name: 'x'.repeat(321), address: 'a@b.example' } }, '/content/author/name'],
    ['defaults of more than 256 kB', { defaults: { a: 'x'.repeat(256 * 1024) } }, '/content/defaults'],
    ['an empty subject', { subject: '  ' }, '/content/subject'],
    ['an author who is no address', { author: { address: 'hello' } }, '/content/author/address'],
    ['two authors', { author: { address: 'a@example.com, b@example.com' } }, '/content/author/address'],
    ['an address for answers that is none', { replyTo: { address: 'a@b@c' } }, '/content/replyTo/address'],
    ['a NUL in the source', { source: 'a\0b' }, '/content/source'],
    ['a NUL in the text part', { text: 'a\0b' }, '/content/text'],
    ['a NUL in the preheader', { preheader: 'a\0b' }, '/content/preheader'],
    ['a header value of 901 characters', { headers: { 'X-Long': 'x'.repeat(901) } }, '/content/headers/X-Long'],
    ['a header name with a space', { headers: { 'X Bad': '1' } }, '/content/headers/X Bad'],
    ['a header name with a colon', { headers: { 'X:Bad': '1' } }, '/content/headers/X:Bad'],
    ['an empty header name', { headers: { '': '1' } }, '/content/headers/'],
    // A receiver removes the first dot of a line: `.Bcc` would arrive as `Bcc`.
    ...['.From', '.List-Unsubscribe', '.Bcc', '..Bcc', '-X', '_X', '!X', '~X', 'X"', 'X(a)', 'X@a', 'X/a', 'X{', 'X ', ' X'].map(
      (name) =>
        [
          `the header name ${JSON.stringify(name)}`,
          { headers: { [name]: '1' } },
          `/content/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        ] as [string, Partial<ContentInput>, string],
    ),
    ['two header names that differ in case only', { headers: { 'X-A': '1', 'x-a': '2' } }, '/content/headers/x-a'],
    ['a header name that a pointer must escape', { headers: { 'X/~ä': '1' } }, '/content/headers/X~1~0ä'],
  ])('is refused for %s, with a pointer', (_, given, pointer) => {
    expect(refused(given)).toBe(pointer);
  });

  const owned = [
    'From',
    'TO',
    'bcc',
    'Cc',
    'Sender',
    'Reply-To',
    'Date',
    'Message-ID',
    'Subject',
    'MIME-Version',
    'Content-Type',
  ].concat([
    ...['Content-Transfer-Encoding', 'DKIM-Signature', 'List-Unsubscribe', 'List-Unsubscribe-Post', 'List-Id', 'Feedback-ID'],
    ...['Return-Path', 'Received', 'Auto-Submitted', 'Precedence', 'X-Pennypost-Possible-Repeat', 'Delivered-To'],
    ...['Resent-Bcc', 'Content-ID', 'Errors-To', 'Return-Receipt-To', 'ARC-Seal', 'X-Pennypost-Anything', 'Apparently-To'],
  ]);
  it.each(owned)('may not bring %s: the engine writes it', (name) => {
    expect(refused({ headers: { [name]: 'x' } })).toBe(`/content/headers/${name}`);
  });

  it.each(['X-SMTPAPI', 'x-msys-api', 'X-MC-BccAddress'])('may not bring %s: a provider reads recipients from it', (name) => {
    expect(refused({ headers: { [name]: '{"to":["a@example.org"]}' } })).toBe(`/content/headers/${name}`);
  });

  it('may bring other header fields', () => {
    expect(parse({ headers: { 'X-Campaign': 'spring', 'List-Help': '<https://example.com/help>' } }).headers).toEqual({
      'X-Campaign': 'spring',
      'List-Help': '<https://example.com/help>',
    });
  });

  it('loses lone surrogates, which no UTF-8 can hold', () => {
    const content = parse({
      source: 'a\ud800',
      subject: 's\udfff',
      defaults: { name: '\ud800', deep: ['\0'] },
      author: { name: 'A\ud800', address: 'a@example.com' },
    });
    expect(content).toMatchObject({
      source: 'a\ufffd',
      subject: 's\ufffd',
      defaults: { name: '\ufffd', deep: [''] },
      author: { name: 'A\ufffd' },
    });
  });
});

describe('an attempt to inject a header', () => {
  const fields: Readonly<Record<string, (text: string) => Partial<ContentInput>>> = {
    subject: (subject) => ({ subject }),
    "the author's name": (name) => ({ author: { name, address: 'a@example.com' } }),
    "the author's address": (text) => ({ author: { address: `a@example.com${text}` } }),
    'the name for answers': (name) => ({ replyTo: { name, address: 'a@example.com' } }),
    'the address for answers': (text) => ({ replyTo: { address: `${text}a@example.com` } }),
    "a header's value": (value) => ({ headers: { 'X-Test': value } }),
    "a header's name": (name) => ({ headers: { [`X-Test${name}`]: 'x' } }),
  };
  const ends = {
    CRLF: '\r\n',
    LF: '\n',
    CR: '\r',
    NEL: '\u0085',
    'line separator': '\u2028',
    'paragraph separator': '\u2029',
    NUL: '\0',
    VT: '\v',
    FF: '\f',
    ESC: '\u001b',
    DEL: '\u007f',
  };

  for (const [field, give] of Object.entries(fields)) {
    it.each(Object.entries(ends))(`by ${field} and %s is refused`, (_, end) => {
      expect(refused(give(`x${end}Bcc: evil@example.org`))).toMatch(/^\/content\//);
    });
  }

  it('by percent signs stays the text that it is', () => {
    const text = 'x%0d%0aBcc: evil@example.org';
    const content = parse({ subject: text, author: { name: text, address: 'a@example.com' }, headers: { 'X-Test': text } });
    expect([content.subject, content.author.name, content.headers['X-Test']]).toEqual([text, text, text]);
  });
});
