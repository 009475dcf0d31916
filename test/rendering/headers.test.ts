import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import { RenderFailed } from '../../src/domain/campaign/index.ts';
import { mailbox, structured, unstructured } from '../../src/infrastructure/rendering/headers.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { composed, content, marketing, recipient, transactional, value } from './support.ts';

const renderer = createRenderer();
const subjectOf = async (field: string): Promise<string | undefined> => (await simpleParser(`${field}\r\n\r\n`)).subject;

describe('a subject', () => {
  it('arrives as it was written, in any script, folded at 76', async () => {
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc
        .array(fc.constantFrom('日本語😀', 'word', ' ', '  ', '=?utf-8?q?x?=', 'é', '=', '_', '?', '👨‍👩‍👧'), { maxLength: 60 })
        .map((all) => all.join('')),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const written = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ').trim();
        const field = unstructured('Subject', written);
        for (const line of field.split('\r\n')) {
          expect(line.length).toBeLessThanOrEqual(76);
          expect(line).toMatch(/^[\x20-\x7e]*$/);
          expect(line.trim()).not.toBe('');
        }
        for (const word of field.match(/=\?[^?]+\?[QB]\?[^?]*\?=/g) ?? []) expect(word.length).toBeLessThanOrEqual(75);
        if (written !== '') expect(await subjectOf(field)).toBe(written.toWellFormed());
      }),
      { numRuns: 300 },
    );
  });

  it('is encoded when 1,200 characters have no blank to fold at', () => {
    const lines = unstructured('Subject', 'x'.repeat(1200)).split('\r\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(76);
  });

  it('stays plain ASCII where it can', () => {
    expect(unstructured('Subject', 'Spring is here')).toBe('Subject: Spring is here');
  });

  it('loses line breaks that come out of a value, and adds no header', async () => {
    const plan = await renderer.compile(content({ subject: 'Hi {{ name }}', defaults: { name: 'you' } }), marketing());
    for (const breaker of ['\r\n', '\n', '\r', '\u0085', '\u2028', '\0', '%0d%0a']) {
      const read = composed(plan, recipient({ variables: { name: `Ann${breaker}Bcc: evil@example.com` } }));
      expect(read.headers.map(([name]) => name)).not.toContain('Bcc');
      expect(await subjectOf(`Subject: ${value(read.headers, 'Subject')}`)).toMatch(/^Hi Ann( |%0d%0a)Bcc: evil@example\.com$/);
    }
  });

  it('that a value blows up fails this recipient only', async () => {
    const plan = await renderer.compile(content({ subject: '{{ name }}', defaults: { name: 'you' } }), marketing());
    expect(() => plan.compose(recipient({ variables: { name: 'x'.repeat(65_536) } }))).toThrow(RenderFailed);
    expect(value(composed(plan, recipient()).headers, 'Subject')).toBe('you');
  });
});

describe('a display name', () => {
  it('arrives as it was written', async () => {
    for (const name of [
      'Acme',
      'Acme, Inc.',
      'O"Neil \\ Co',
      'Ünï, Çö',
      '日本語'.repeat(30),
      'a@b.example',
      '=?utf-8?q?x?=',
      `${'Long '.repeat(15)}Name`,
    ]) {
      const field = mailbox('From', name, 'news@example.com');
      expect(Math.max(...field.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(76);
      const { from } = await simpleParser(`${field}\r\n\r\n`);
      expect(from?.value).toEqual([{ name, address: 'news@example.com' }]);
    }
  });
});

describe('a structured header', () => {
  it('is folded, never encoded, and refused when it cannot be folded under 998', () => {
    const references = Array.from({ length: 40 }, (_, index) => `<message-${index}@mail.example.com>`).join(' ');
    const field = structured('References', references);
    expect(Math.max(...field.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(78);
    expect(field.replaceAll('\r\n', '')).toBe(`References: ${references}`);
    expect(() => structured('X-Long', 'x'.repeat(1500))).toThrow(RenderFailed);
  });
});

describe('the header of a message', () => {
  it('has each field once, with the one-click headers of RFC 8058 on marketing mail', async () => {
    const plan = await renderer.compile(
      content({ replyTo: { address: 'help@example.com' }, headers: { 'X-Batch': '7' }, subject: 'Grüße' }),
      marketing(),
    );
    const { headers } = composed(plan, recipient());
    expect(Object.fromEntries(headers)).toMatchObject({
      From: 'Acme <news@example.com>',
      'Reply-To': '<help@example.com>',
      To: '<ann@example.org>',
      Subject: '=?utf-8?B?R3LDvMOfZQ==?=',
      Date: 'Sun, 22 Nov 2026 05:02:09 +0000',
      'Message-ID': '<0123456789abcdef0123456789abcdef@example.com>',
      'List-Unsubscribe': `<${recipient().unsubscribeUrl}>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      'List-Id': '<news.example.com>',
      Precedence: 'bulk',
      'X-Batch': '7',
      'MIME-Version': '1.0',
    });
    expect(new Set(headers.map(([name]) => name)).size).toBe(headers.length);
  });

  it('says of transactional mail that a machine wrote it, and has no List-Unsubscribe', async () => {
    const plan = await renderer.compile(content({ kind: 'text', source: 'Your code is 1234.' }), transactional());
    const { headers, parts } = composed(plan, recipient({ unsubscribeUrl: '' }));
    expect(value(headers, 'Auto-Submitted')).toBe('auto-generated');
    expect(headers.map(([name]) => name)).not.toContain('List-Unsubscribe');
    expect(parts).toEqual([{ type: 'text/plain', body: 'Your code is 1234.\n' }]);
  });

  it('keeps the date of each message apart', async () => {
    const plan = await renderer.compile(content(), marketing());
    expect(value(composed(plan, recipient()).headers, 'Date')).toContain('05:02:09');
    expect(value(composed(plan, recipient({ date: new Date('2026-02-01T23:59:00Z') })).headers, 'Date')).toBe(
      'Sun, 01 Feb 2026 23:59:00 +0000',
    );
  });

  it('carries an international address raw, only where SMTPUTF8 was found', async () => {
    const plan = await renderer.compile(content(), marketing());
    const to = recipient({ address: 'пётр@xn--e1afmkfd.example', smtputf8: true });
    const message = plan.compose(to);
    expect(Buffer.from(message.bytes).toString('utf8')).toContain('To: <пётр@xn--e1afmkfd.example>\r\n');
    message.release();
    expect(() => plan.compose({ ...to, smtputf8: false })).toThrow(/SMTPUTF8/);
  });

  it('with a line that begins with a dot is never composed, because the transport would not double the dot', async () => {
    const plan = await renderer.compile(content(), marketing({ staticHeaders: ['.Bcc: <evil@example.com>'] }));
    expect(() => plan.compose(recipient())).toThrow('A line of the header begins with a dot.');
  });

  it('refuses an address, id or unsubscribe address that would end the line', async () => {
    const plan = await renderer.compile(content(), marketing());
    for (const broken of [
      { address: 'a@b.example\r\nBcc: evil@example.com' },
      { address: 'a@b.example>, <evil@example.com' },
      { address: 'a\0@b.example' },
      { address: 'nobody' },
      { messageId: 'a@b\r\nX: y' },
      { messageId: 'a>b@c' },
      { unsubscribeUrl: 'https://t.example.com/u/\r\nX: y' },
      { unsubscribeUrl: `https://t.example.com/u/${'x'.repeat(1000)}` },
      { date: new Date(Number.NaN) },
    ]) {
      expect(() => plan.compose(recipient(broken))).toThrow(RenderFailed);
    }
  });
});
