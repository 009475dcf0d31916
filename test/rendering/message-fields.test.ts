import fc from 'fast-check';
import MailComposer from 'nodemailer/lib/mail-composer/index.js';
import { describe, expect, it } from 'vitest';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { type MessageFields, mailboxText, readFields } from '../../src/infrastructure/transports/providers/mime-fields.ts';
import { composed, content, marketing, part, recipient, transactional } from './support.ts';

const envelope = { from: 'b@example.com', to: 'ann@example.org', smtputf8: false };

/** Composed by another program, with parts that pennypost's own composer does not write. */
async function fieldsOf(mail: ConstructorParameters<typeof MailComposer>[0]): Promise<MessageFields> {
  const bytes = await new MailComposer({ from: 'news@example.com', ...mail, newline: '\r\n' }).compile().build();
  return readFields({ envelope, content: bytes });
}

const lines = fc
  .array(
    fc.string({ unit: fc.constantFrom('a', 'Z', '9', ' ', '=', '.', 'ä', '日', '😀', '<', '&', '-', '\t'), maxLength: 120 }),
    { maxLength: 6 },
  )
  // A part ends where the line before the boundary ends.
  .map((parts) => `begin\n${parts.join('\n')}\nend`);
const name = fc
  .string({ unit: fc.constantFrom('a', 'B', 'ü', '日', ' ', ',', '"', '\\', '(', "'"), minLength: 1, maxLength: 20 })
  .map((text) => `N${text}n`.replace(/ +/g, ' '));
const word = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', '_'), minLength: 1, maxLength: 30 });

const byContent = (one: { content: string }, other: { content: string }): number => one.content.localeCompare(other.content);

describe('a message taken apart', () => {
  it('of our own composer has its parts and headers as another reader finds them', async () => {
    const plan = await createRenderer().compile(
      content({
        source: '<p>Hello {{ word }}</p>',
        defaults: { word: '' },
        subject: 'News for {{ word }}',
        replyTo: { name: 'Desk, Ü', address: 'desk@example.com' },
      }),
      marketing(),
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 40 }), async (word) => {
        const to = recipient({ variables: { word } });
        const read = composed(plan, to);
        const message = plan.compose(to);
        const fields = await readFields({ envelope, content: Buffer.from(message.bytes) });
        message.release();
        expect(fields.html).toBe(part(read, 'text/html'));
        expect(fields.text).toBe(part(read, 'text/plain'));
        expect(fields.replyTo).toEqual([{ name: 'Desk, Ü', address: 'desk@example.com' }]);
        expect(fields.messageId).toBe(`<${to.messageId}>`);
        const custom = read.headers.filter(([header]) => /^(?:List-|Precedence|Feedback-ID|X-|Auto-)/i.test(header));
        expect(fields.headers.map(({ name: header, value }) => [header, value])).toEqual(custom);
        expect(custom.map(([header]) => header)).toEqual(
          expect.arrayContaining(['List-Unsubscribe', 'List-Unsubscribe-Post', 'List-Id']),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('has text, HTML, subject, names and headers as they were composed', async () => {
    await fc.assert(
      fc.asyncProperty(lines, lines, name, name, name, word, async (text, html, subject, from, to, header) => {
        const fields = await fieldsOf({
          from: { name: from, address: 'news@example.com' },
          to: [{ name: to, address: 'ann@example.org' }],
          replyTo: [{ name: from, address: 'reply@example.com' }, 'other@example.com'],
          subject,
          text,
          html,
          messageId: '<1@example.com>',
          headers: {
            'X-Test': header,
            'List-Unsubscribe': `<https://t.example.com/u/${header}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
          },
        });
        expect(fields.text).toBe(text);
        expect(fields.html).toBe(html);
        expect(fields.subject).toBe(subject);
        expect(fields.from).toEqual({ name: from, address: 'news@example.com' });
        expect(fields.to).toEqual({ name: to, address: 'ann@example.org' });
        expect(fields.replyTo.map(({ address }) => address)).toEqual(['reply@example.com', 'other@example.com']);
        expect(fields.messageId).toBe('<1@example.com>');
        expect(fields.headers).toEqual([
          { name: 'X-Test', value: header },
          { name: 'List-Unsubscribe', value: `<https://t.example.com/u/${header}>` },
          { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it('of our own composer has its files byte for byte, whatever their type, and only one recipient', async () => {
    const plan = await createRenderer().compile(
      content({ source: '<p>See <img src="cid:logo@example.com"></p>' }),
      transactional(),
    );
    const types = [
      'application/pdf',
      'text/plain',
      'text/html',
      'text/csv',
      'text/calendar',
      'message/rfc822',
      'application/octet-stream',
    ];
    const file = fc.record({ type: fc.constantFrom(...types), name, bytes: fc.uint8Array({ minLength: 1, maxLength: 2_000 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 4 }),
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        async (files, image) => {
          const given = [
            ...files.map((one) => ({ ...one, contentId: undefined })),
            { type: 'image/png', name: 'logo.png', bytes: image, contentId: 'logo@example.com' },
          ];
          const own = {
            to: [{ name: 'Ann', address: 'ann@example.org' }],
            cc: [{ name: '', address: 'copy@example.org' }],
            headers: { 'X-Order': '42' },
            files: given,
          };
          const message = plan.compose(recipient({ own }));
          const fields = await readFields({ envelope, content: Buffer.from(message.bytes) });
          message.release();
          const found = fields.attachments.map((one) => ({ ...one, content: one.content.toString('hex') }));
          const wanted = given.map(({ bytes, ...one }) => ({ ...one, content: Buffer.from(bytes).toString('hex') }));
          expect(found.sort(byContent)).toEqual(wanted.sort(byContent));
          expect(fields.html).toContain('cid:logo@example.com');
          expect(fields.to).toEqual({ name: 'Ann', address: 'ann@example.org' });
          expect(fields.headers).toContainEqual({ name: 'X-Order', value: '42' });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('has attachments and inline images byte for byte, with their names and types', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 5_000 }),
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        name,
        async (file, image, given) => {
          const filename = `${given.replace(/["\\]/g, '')}.pdf`;
          const fields = await fieldsOf({
            subject: 'Files',
            text: 'See the file.',
            html: '<p>See <img src="cid:logo@example.com"></p>',
            attachments: [
              { filename, content: Buffer.from(file), contentType: 'application/pdf' },
              { filename: 'notes.txt', content: Buffer.from(file), contentType: 'text/plain' },
              { filename: 'logo.png', content: Buffer.from(image), contentType: 'image/png', cid: 'logo@example.com' },
            ],
          });
          expect(fields.html).toBe('<p>See <img src="cid:logo@example.com"></p>');
          const found = fields.attachments.map((one) => ({ ...one, content: one.content.toString('hex') }));
          expect(found).toHaveLength(3);
          expect(found).toEqual(
            expect.arrayContaining([
              { name: filename, type: 'application/pdf', content: Buffer.from(file).toString('hex'), contentId: undefined },
              { name: 'notes.txt', type: 'text/plain', content: Buffer.from(file).toString('hex'), contentId: undefined },
              { name: 'logo.png', type: 'image/png', content: Buffer.from(image).toString('hex'), contentId: 'logo@example.com' },
            ]),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is refused without an author and without a body', async () => {
    await expect(readFields({ envelope, content: Buffer.from('Subject: x\r\n\r\nHello.\r\n') })).rejects.toThrow('no author');
    const empty = Buffer.from(
      'From: a@example.com\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n',
    );
    await expect(readFields({ envelope, content: empty })).rejects.toThrow('neither HTML nor text');
  });

  it('has no header that ends a line or another recipient', async () => {
    const fields = await readFields({
      envelope,
      content: Buffer.from(
        'From: "A\\r\\nBcc: x@y.z" <a@example.com>\r\nTo: other@example.org, third@example.org\r\nBcc: hidden@example.org\r\nX-Long: one\r\n two\r\nDKIM-Signature: v=1\r\n\r\nHello.\r\n',
      ),
    });
    expect(fields.to).toEqual({ name: '', address: 'ann@example.org' });
    expect(fields.headers).toEqual([{ name: 'X-Long', value: 'one two' }]);
    expect(JSON.stringify(fields)).not.toContain('hidden@example.org');
  });

  it('writes a mailbox whose name has quotes and commas so that a parser finds one address', async () => {
    await fc.assert(
      fc.asyncProperty(name, async (given) => {
        const text = mailboxText({ name: given, address: 'ann@example.org' });
        const { to } = await readFields({
          envelope,
          content: Buffer.from(`From: a@example.com\r\nTo: ${text}\r\n\r\nHello.\r\n`),
        });
        expect(to.address).toBe('ann@example.org');
      }),
      { numRuns: 40 },
    );
  });
});
