import { spawnSync } from 'node:child_process';
import { simpleParser } from 'mailparser';
import { afterAll, describe, expect, it } from 'vitest';
import type { Content, OwnFields } from '../../src/domain/campaign/index.ts';
import { type AttachmentInput, parseAttachments } from '../../src/domain/delivery/index.ts';
import { createRenderer } from '../../src/infrastructure/rendering/renderer.ts';
import { content, recipient, transactional } from './support.ts';

const renderer = createRenderer();
afterAll(() => renderer.close());

const PYTHON = `
import sys, json, email, email.policy
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
leaf = [part for part in message.walk() if not part.is_multipart()]
print(json.dumps({
  'tree': [part.get_content_type() for part in message.walk()],
  'to': [[str(one.display_name), one.addr_spec] for one in message['to'].addresses],
  'cc': [[str(one.display_name), one.addr_spec] for one in message['cc'].addresses] if message['cc'] else [],
  'from': str(message['from']), 'reply_to': str(message['reply-to']), 'names': [name for name, _ in message.items()],
  'defects': [str(defect) for part in message.walk() for defect in part.defects],
  'files': [{'name': part.get_filename(), 'type': part.get_content_type(), 'disposition': part.get_content_disposition(),
             'id': part['content-id'], 'hex': part.get_payload(decode=True).hex()} for part in leaf if part.get_filename()],
}))
`;

interface PythonReading {
  readonly tree: readonly string[];
  readonly to: readonly (readonly [string, string])[];
  readonly cc: readonly (readonly [string, string])[];
  readonly from: string;
  readonly reply_to: string;
  readonly names: readonly string[];
  readonly defects: readonly string[];
  readonly files: readonly { name: string; type: string; disposition: string; id: string | null; hex: string }[];
}

const hasPython = spawnSync('python3', ['-c', 'import email']).status === 0;

async function composed(own: Partial<OwnFields>, given: Partial<Content> = {}): Promise<Buffer> {
  const plan = await renderer.compile(content({ footer: 'none', ...given }), transactional());
  const fields = { to: [{ address: 'ann@example.org' }], cc: [], headers: {}, files: [], ...own };
  const message = plan.compose(recipient({ own: fields }));
  const bytes = Buffer.from(message.bytes);
  message.release();
  expect(
    bytes
      .toString('latin1')
      .split('\r\n')
      .filter((line) => line.length > 998 || /[\r\n\0]/.test(line)),
  ).toEqual([]);
  return bytes;
}

const inPython = (bytes: Buffer): PythonReading =>
  JSON.parse(spawnSync('python3', ['-c', PYTHON], { input: bytes, encoding: 'utf8' }).stdout) as PythonReading;

const file = (name: string, given: Partial<AttachmentInput> = {}): AttachmentInput => ({
  name,
  type: 'application/pdf',
  content: Buffer.from(`%PDF of ${name}`).toString('base64'),
  ...given,
});
const LOGO = file('logo.png', { type: 'image/png', contentId: 'logo', content: 'iVBORw0KGgo=' });
const everyByte = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 256)).toString('base64');

const SHAPES: readonly (readonly [string, Partial<Content>, readonly AttachmentInput[], readonly string[]])[] = [
  ['a text with a file', { kind: 'text' }, [file('a.pdf')], ['multipart/mixed', 'text/plain', 'application/pdf']],
  [
    'HTML with a picture in it',
    {},
    [LOGO],
    ['multipart/related', 'multipart/alternative', 'text/plain', 'text/html', 'image/png'],
  ],
  [
    'HTML with a picture and two files',
    {},
    [file('a.pdf', { content: everyByte }), LOGO, file('b.ics', { type: 'text/calendar; method=REQUEST' })],
    [
      'multipart/mixed',
      'multipart/related',
      'multipart/alternative',
      'text/plain',
      'text/html',
      'image/png',
      'application/pdf',
      'text/calendar',
    ],
  ],
];

const NAMES = [
  'invoice.pdf',
  'quoted "name".pdf',
  '100 %',
  'Rechnung für Łukasz.pdf',
  '請求書'.repeat(100),
  `${'a'.repeat(290)}.pdf`,
  "it's; a=b.pdf",
  '😀.pdf',
];

describe('a message with files', () => {
  const filesIn = async (bytes: Buffer) =>
    (await simpleParser(bytes, { skipImageLinks: true })).attachments.map((one) => [
      one.filename,
      one.contentType,
      one.content.toString('base64'),
    ]);

  describe.each(SHAPES)('%s', (_, given, inputs, tree) => {
    const source = inputs.includes(LOGO) ? '<p>Hello <img src="cid:logo" alt="Logo"></p>' : 'Hello';
    const bytes = () => composed({ files: parseAttachments(inputs) }, { ...given, source });
    const expected = tree.filter((type) => !/^multipart|text\/(plain|html)$/.test(type));

    it('is read by mailparser', async () => {
      const parsed = await simpleParser(await bytes(), { skipImageLinks: true });
      expect(parsed.text).toContain('Hello');
      expect(parsed.attachments.map((one) => one.contentType)).toEqual(expected);
      for (const input of inputs) {
        const found = parsed.attachments.find((one) => one.filename === input.name);
        expect(found?.content.toString('base64')).toBe(input.content);
        expect(found?.cid).toBe(input.contentId);
        expect(found?.contentDisposition).toBe(input.contentId === undefined ? 'attachment' : 'inline');
      }
    });

    it.skipIf(!hasPython)("is read by Python's email", async () => {
      const parsed = inPython(await bytes());
      expect(parsed).toMatchObject({ tree, defects: [] });
      for (const input of inputs)
        expect(parsed.files).toContainEqual({
          name: input.name,
          type: input.type.split(';')[0],
          disposition: input.contentId === undefined ? 'attachment' : 'inline',
          id: input.contentId === undefined ? null : `<${input.contentId}>`,
          hex: Buffer.from(input.content, 'base64').toString('hex'),
        });
    });
  });

  it('keeps every file name, as mailparser reads it', async () => {
    const inputs = NAMES.map((name) => file(name));
    const found = await filesIn(await composed({ files: parseAttachments(inputs) }));
    expect(found).toEqual(inputs.map((input) => [input.name, input.type, input.content]));
  });

  it.skipIf(!hasPython)("keeps every file name, as Python's email reads it", async () => {
    // mailparser takes what looks like an encoded word for one, against RFC 2231.
    const names = [...NAMES, '=?utf-8?q?trick?=.pdf'];
    const { files, defects } = inPython(await composed({ files: parseAttachments(names.map((name) => file(name))) }));
    expect([files.map(({ name }) => name), defects]).toEqual([names, []]);
  });

  it.each([
    ['a line break in its name', { name: 'a"\r\nX: y.txt' }, '/attachments/0/name'],
    ['a line separator in its name', { name: 'a\u2028b.txt' }, '/attachments/0/name'],
    ['a NUL in its name', { name: 'a\0.txt' }, '/attachments/0/name'],
    ['a directory in its name', { name: '../../x' }, '/attachments/0/name'],
    ['a name that reads backwards', { name: 'invoice\u202efdp.exe' }, '/attachments/0/name'],
    ['the name of a program', { name: 'invoice.pdf.EXE ' }, '/attachments/0/name'],
    ['no name', { name: ' ' }, '/attachments/0/name'],
    ['a line break in its type', { type: 'text/plain\r\nX: y' }, '/attachments/0/type'],
    ['a type that is a message', { type: 'message/rfc822' }, '/attachments/0/type'],
    ['no type', { type: 'pdf' }, '/attachments/0/type'],
    ['content that is not base64', { content: 'not base64!' }, '/attachments/0/content'],
    ['content without its padding', { content: 'YQ' }, '/attachments/0/content'],
    ['no content', { content: '' }, '/attachments/0/content'],
    ['more than 5 MB', { content: Buffer.alloc(5_000_001).toString('base64') }, '/attachments/0/content'],
    ['an angle bracket in its contentId', { contentId: 'a>b' }, '/attachments/0/contentId'],
    ['a line break in its contentId', { contentId: 'a\r\nX: y' }, '/attachments/0/contentId'],
  ])('is refused with %s', (_, given, pointer) => {
    expect(() => parseAttachments([file('a.pdf', given)])).toThrow(expect.objectContaining({ code: 'input.invalid', pointer }));
  });

  it('is refused with more than 7 MB, 20 files, or one contentId for two', () => {
    const big = file('big.bin', { content: Buffer.alloc(4_000_000).toString('base64') });
    expect(() => parseAttachments([big, big])).toThrow('The files have 8 MB together; a message takes 7 MB.');
    expect(() => parseAttachments(Array.from({ length: 21 }, () => file('a.pdf')))).toThrow('A message has at most 20 files');
    expect(() => parseAttachments([LOGO, LOGO])).toThrow('Two files have the contentId "logo".');
  });
});

describe('a message to several', () => {
  const own = {
    to: [{ address: 'ann@example.org', name: 'Lee, Ann' }, { address: 'bo@example.org' }],
    cc: [{ address: 'cy@example.org', name: 'Ünï "Çö" 日本語'.repeat(4) }],
    author: { address: 'shop@example.com', name: 'Shop' },
    replyTo: { address: 'help@example.com' },
    headers: { 'X-Order': '4711', 'X-Shop': 'Oslo' },
  };

  it('names them in To and Cc, and has the fields of the message in place of those of the content', async () => {
    const bytes = await composed(own, {
      headers: { 'x-shop': 'Bergen', 'X-Kept': 'yes' },
      replyTo: { address: 'old@example.com' },
    });
    const parsed = await simpleParser(bytes);
    const people = (field: typeof parsed.to) =>
      [field]
        .flat()
        .flatMap((one) => one?.value ?? [])
        .map(({ name, address }) => [name, address]);
    expect(people(parsed.to)).toEqual([
      ['Lee, Ann', 'ann@example.org'],
      ['', 'bo@example.org'],
    ]);
    expect(people(parsed.cc)).toEqual([[own.cc[0]?.name, 'cy@example.org']]);
    expect([parsed.from?.text, parsed.replyTo?.text]).toEqual(['"Shop" <shop@example.com>', 'help@example.com']);
    expect(['x-order', 'x-shop', 'x-kept'].map((name) => parsed.headers.get(name))).toEqual(['4711', 'Oslo', 'yes']);
    expect(parsed.headerLines.filter(({ key }) => key === 'x-shop')).toHaveLength(1);
  });

  it.skipIf(!hasPython)("is read the same by Python's email", async () => {
    // Python 3.11 puts a blank between encoded words of one name: here is one word.
    const cc = [{ address: 'cy@example.org', name: 'Ünï "Çö"' }];
    const parsed = inPython(await composed({ ...own, cc }));
    expect(parsed).toMatchObject({
      to: [
        ['Lee, Ann', 'ann@example.org'],
        ['', 'bo@example.org'],
      ],
      cc: [['Ünï "Çö"', 'cy@example.org']],
      from: 'Shop <shop@example.com>',
      reply_to: 'help@example.com',
      defects: [],
    });
    for (const name of ['From', 'Reply-To', 'To', 'Cc', 'Subject', 'Date', 'Message-ID'])
      expect(parsed.names.filter((one) => one === name)).toHaveLength(1);
  });
});
