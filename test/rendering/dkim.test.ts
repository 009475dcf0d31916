import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordOf } from '../../src/domain/access/domains/dkim-key.ts';
import { DkimSigner } from '../../src/infrastructure/dkim/signer.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { testKeys, verdicts } from '../support/dkim.ts';
import { content, marketing, recipient } from './support.ts';

/** Signatures as an independent verifier, mailauth, judges them. */

const AT = new Date('2026-11-28T10:00:00Z');
let signer: DkimSigner;
let records: Map<string, string>;
beforeAll(async () => {
  const keys = await testKeys();
  signer = new DkimSigner('example.com', keys);
  records = new Map(keys.map((key) => [`${key.selector}._domainkey.example.com`, recordOf(key)]));
});

const HEADER = 'From: a@example.com\r\nTo: b@example.org\r\nSubject: Hi\r\n';
const message = (body: string, header = HEADER): Buffer => Buffer.from(`${header}\r\n${body}`);
const sign = async (plain: Uint8Array): Promise<Buffer> => Buffer.from(await signer.sign(plain, AT));
const judged = async (signed: Uint8Array) => (await verdicts(signed, records)).map(({ result }) => result);
const signatureLines = (signed: Buffer): string[] => {
  const text = signed.toString('latin1');
  return text.slice(0, text.indexOf('\r\nFrom:')).split('\r\n');
};

describe('a signed message', () => {
  it('has one signature per key in front of it, and is otherwise unchanged', async () => {
    const plain = message('Hello\r\n');
    const before = Buffer.from(plain);
    const signed = await sign(plain);
    expect(plain.equals(before)).toBe(true);
    expect(signed.subarray(-plain.length).equals(plain)).toBe(true);
    expect(await verdicts(signed, records)).toEqual([
      {
        result: 'pass',
        algorithm: 'rsa-sha256',
        domain: 'example.com',
        selector: 'r1',
        signed: ['from', 'to', 'subject'],
      },
      {
        result: 'pass',
        algorithm: 'ed25519-sha256',
        domain: 'example.com',
        selector: 'e1',
        signed: ['from', 'to', 'subject'],
      },
    ]);
  });

  it('says when it was signed, with lines under 78 characters, without l= and x=', async () => {
    const lines = signatureLines(await sign(message('Hello\r\n')));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(78);
    expect(lines.join('')).toContain(` t=${AT.getTime() / 1_000};`);
    expect(lines.join('\n')).not.toMatch(/\b[lx]=/);
    expect(lines.filter((line) => !/^(DKIM-Signature: |\s\S)/.test(line))).toEqual([]);
  });

  it.each([
    ['an empty body', ''],
    ['a body of blank lines', '\r\n\r\n\r\n'],
    ['a body of blanks', '  \t \r\n \r\n'],
    ['blank lines at the end', 'Hello\r\n\r\n\r\n'],
    ['blanks and tabs in and behind lines', 'a \t b\t\r\n  c  \r\n\td\r\n \r\nx\r\n'],
    ['no line break at its end', 'Hello'],
    ['octets of 8 bits', 'Grüße, 日本\r\n'],
    ['lines that begin with dots', '.\r\n..a\r\n'],
  ])('is valid with %s', async (_what, body) => {
    expect(await judged(await sign(message(body)))).toEqual(['pass', 'pass']);
  });

  it.each([
    ['a long folded header', `${HEADER}References: ${'<a@b>\r\n '.repeat(60)}<c@d>\r\n`],
    ['tabs and blanks in the header', 'FROM  :\t a@example.com \r\nsubject:  \r\n\t x  \t y \r\nTo:\r\n b@example.org\r\n'],
    ['the case of names', 'fRoM: a@example.com\r\nSUBJECT: x\r\nmessage-id: <1@example.com>\r\n'],
    ['a header of 8 bits', 'From: a@example.com\r\nTo: <grüße@example.org>\r\n'],
    ['an empty field', `${HEADER}Reply-To:\r\n`],
    ['fields that stand twice', `${HEADER}To: c@example.org\r\nSubject: once more\r\n`],
  ])('is valid with %s', async (_what, header) => {
    expect(await judged(await sign(message('Hello\r\n', header)))).toEqual(['pass', 'pass']);
  });

  it('is valid whatever it is made of', async () => {
    const octet = fc.constantFrom(' ', '\t', '\r\n', '\r\n', 'a', '.', '=', ':', ';', 'é', '"');
    const value = fc.array(fc.constantFrom(' ', '\t', '\r\n ', '\r\n\t', 'b', ';', ':', 'ü', '='), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.array(octet, { maxLength: 200 }), value, value, async (body, subject, list) => {
        // A value of blanks alone would end the header where it is folded.
        const header = `From: a@example.com\r\nSubject: x${subject.join('')}x\r\nList-Id: y${list.join('')}y\r\n`;
        expect(await judged(await sign(message(body.join(''), header)))).toEqual(['pass', 'pass']);
      }),
      { numRuns: 300 },
    );
  });

  it('is valid of a domain as long as they come', async () => {
    const domain = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example`;
    const keys = await testKeys();
    const published = new Map(keys.map((key) => [`${key.selector}._domainkey.${domain}`, recordOf(key)]));
    const signed = await new DkimSigner(domain, keys).sign(message('Hello\r\n'), AT);
    expect((await verdicts(signed, published)).map(({ result }) => result)).toEqual(['pass', 'pass']);
  });
});

describe('a signature', () => {
  it.each([
    ['the body is changed', (text: string) => text.replace('Hello', 'Hallo')],
    ['the subject is changed', (text: string) => text.replace('Subject: Hi', 'Subject: Ho')],
    ['another author is added', (text: string) => text.replace('From: a', 'From: mallory@example.net\r\nFrom: a')],
    ['another author is added behind the first', (text: string) => text.replace('\r\nTo:', '\r\nFrom: m@example.net\r\nTo:')],
    ['a recipient is removed', (text: string) => text.replace('To: b@example.org\r\n', '')],
    ['its time is changed', (text: string) => text.replaceAll(/t=\d+/g, 't=1')],
  ])('does not survive when %s', async (_what, change) => {
    const signed = (await sign(message('Hello\r\n'))).toString('latin1');
    const changed = change(signed);
    expect(changed).not.toBe(signed);
    // For another body, mailauth says neutral.
    const results = await judged(Buffer.from(changed, 'latin1'));
    expect(results.map((result) => (result === 'neutral' ? 'fail' : result))).toEqual(['fail', 'fail']);
  });

  it('survives what relays may do: other blanks, a line more at the end, fields that it does not name', async () => {
    const signed = (await sign(message('Hello  you\r\n'))).toString('latin1');
    const relayed = `Received: from a by b\r\n${signed.replace('Subject: Hi', 'SUBJECT:\r\n Hi ').replace('  you', ' you ')}\r\n`;
    expect(await judged(Buffer.from(relayed, 'latin1'))).toEqual(['pass', 'pass']);
  });
});

describe('a composed newsletter', () => {
  it('is covered in all that RFC 8058 and receivers ask for', async () => {
    const plan = await createRenderer().compile(
      content({
        source: '<p>Hello {{ first_name }}</p>',
        defaults: { first_name: 'you' },
        replyTo: { address: 'reply@example.com' },
      }),
      marketing({ staticHeaders: ['List-Id: <news.example.com>', 'Feedback-ID: a:b:marketing:acme1', 'Precedence: bulk'] }),
    );
    const composed = plan.compose(recipient({ variables: { first_name: 'Ünï' } }));
    const signed = await sign(composed.bytes);
    composed.release();
    const found = await verdicts(signed, records);
    expect(found.map(({ result }) => result)).toEqual(['pass', 'pass']);
    for (const { signed: names } of found)
      expect(names).toEqual([
        ...['from', 'to', 'reply-to', 'subject', 'date', 'message-id', 'mime-version', 'content-type'],
        ...['list-id', 'list-unsubscribe', 'list-unsubscribe-post', 'feedback-id'],
      ]);
    // The transport does not look for dots again.
    expect(signed.toString('latin1')).not.toMatch(/^\.|\n\./);
  });
});
