import { type AddressInfo, connect, createServer } from 'node:net';
import fc from 'fast-check';
import nodemailer from 'nodemailer';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeEncodedWords } from '../../../src/infrastructure/inbox/headers.ts';
import { type Inbox, type InboxOptions, startInbox } from '../../../src/infrastructure/inbox/inbox.ts';

const open: Inbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((inbox) => inbox.close()));
});

async function anInbox(options: InboxOptions = {}): Promise<Inbox> {
  const inbox = await startInbox(options);
  open.push(inbox);
  return inbox;
}

type Mail = Parameters<ReturnType<typeof nodemailer.createTransport>['sendMail']>[0];

async function send(inbox: Inbox, ...mails: Mail[]): Promise<void> {
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: inbox.port,
    ignoreTLS: true,
    pool: true,
    maxConnections: 1,
  });
  for (const mail of mails)
    await transport.sendMail({ from: 'Ann <ann@example.org>', to: 'bob@example.org', text: 'Hello', ...mail });
  transport.close();
}

/** Speaks lines to the inbox in one write and returns everything it answers until it hangs up. */
function speak(inbox: Inbox, lines: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(inbox.port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (heard === '') socket.write(lines);
      heard += text;
    });
    socket.on('end', () => resolve(heard)).on('error', reject);
  });
}

/** The same in several writes, cut at the given places. */
function speakInPieces(inbox: Inbox, lines: string, cuts: readonly number[]): Promise<void> {
  const places = [...new Set(cuts.map((cut) => cut % lines.length))].sort((one, other) => one - other);
  const pieces = [0, ...places].map((from, index) => lines.slice(from, places[index] ?? lines.length));
  return new Promise((resolve, reject) => {
    const socket = connect(inbox.port, '127.0.0.1').setNoDelay();
    const next = (): void => {
      const piece = pieces.shift();
      if (piece !== undefined) socket.write(piece, 'latin1', () => setImmediate(next));
    };
    socket.once('data', next).on('end', resolve).on('error', reject).resume();
  });
}

describe('the development inbox', () => {
  it('listens on a free port of loopback and says where', async () => {
    const inbox = await anInbox();
    expect(inbox.url).toBe(`smtp://127.0.0.1:${inbox.port}`);
  });

  it('names the port that it cannot have', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(startInbox({ port })).rejects.toThrow(`127.0.0.1:${port}: the port is in use. Choose another port`);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('offers PIPELINING, 8BITMIME and SMTPUTF8, and neither STARTTLS nor AUTH', async () => {
    const heard = await speak(await anInbox(), 'EHLO me.example\r\nQUIT\r\n');
    for (const extension of ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE']) expect(heard).toContain(extension);
    expect(heard).not.toMatch(/STARTTLS|AUTH/);
  });

  it('keeps the message octet for octet, dot-stuffing undone, with its envelope', async () => {
    const inbox = await anInbox();
    const message = 'Subject: dots\r\n\r\n..one\r\n.\u00e4\r\nlast\r\n';
    const stuffed = message.replace(/^\./gm, '..');
    await speak(
      inbox,
      `EHLO me\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<eve@b\u00fccher.example>\r\nDATA\r\n${stuffed}.\r\nQUIT\r\n`,
    );
    expect(inbox.raw('1')?.toString('utf8')).toBe(message);
    expect((await inbox.get('1'))?.envelope).toEqual({ from: '', to: ['bob@example.org', 'eve@xn--bcher-kva.example'] });
  });

  it('removes the first dot of every line as a server does, however the octets arrive', async () => {
    const inbox = await anInbox();
    const lines = fc.array(
      fc
        .array(fc.constantFrom('.', '.', 'a', '\r', ' ', 'Bcc: x', 'long '.repeat(30)), { maxLength: 5 })
        .map((all) => all.join('')),
      { maxLength: 8 },
    );
    const whole = fc
      .tuple(fc.array(lines, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(), { maxLength: 12 }))
      .filter(([messages]) => messages.every((message) => message.every((line) => line !== '.' && !line.endsWith('\r'))));
    await fc.assert(
      fc.asyncProperty(whole, async ([messages, cuts]) => {
        const before = inbox.received();
        const data = messages
          .map((message) => `MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n${[...message, '.'].join('\r\n')}\r\n`)
          .join('');
        await speakInPieces(inbox, `EHLO me\r\n${data}QUIT\r\n`, cuts);
        messages.forEach((message, index) => {
          const raw = inbox.raw(String(before + index + 1))?.toString('latin1');
          expect(raw).toBe(message.map((line) => `${line.replace(/^\./, '')}\r\n`).join(''));
        });
      }),
      { numRuns: 25 },
    );
  });

  it('lists newest first, in pages, from the headers alone', async () => {
    const inbox = await anInbox();
    await send(
      inbox,
      { subject: 'first' },
      { subject: 'second', from: { name: 'J\u00fcrgen "J" \u00d6l', address: 'j@example.org' } },
      { subject: '日本語😀'.repeat(30) },
    );
    const page = inbox.list({ limit: 2 });
    expect(page.items.map(({ subject }) => subject)).toEqual(['日本語😀'.repeat(30), 'second']);
    expect(page.items[1]?.from).toEqual({ name: 'J\u00fcrgen "J" \u00d6l', address: 'j@example.org' });
    const rest = inbox.list({ limit: 2, after: page.next });
    expect(rest.items.map(({ subject }) => subject)).toEqual(['first']);
    expect(rest.next).toBeUndefined();
  });

  it('finds by subject, author and recipient, without case', async () => {
    const inbox = await anInbox();
    await send(
      inbox,
      { subject: 'Apples' },
      { subject: 'Pears', to: 'CAROL@example.org' },
      { subject: 'Plums', from: 'dora@example.org' },
    );
    const found = (search: string) => inbox.list({ search }).items.map(({ subject }) => subject);
    expect(found('aPPle')).toEqual(['Apples']);
    expect(found('carol')).toEqual(['Pears']);
    expect(found('DORA')).toEqual(['Plums']);
    expect(found('zebra')).toEqual([]);
  });

  it('counts everything, keeps the newest, and never shows another message under an old id', async () => {
    const inbox = await anInbox({ keep: 3 });
    await send(inbox, ...[1, 2, 3, 4, 5].map((number) => ({ subject: `no ${number}`, to: `p${number % 2}@Example.org` })));
    expect(inbox.received()).toBe(5);
    expect(inbox.recipients()).toBe(2);
    expect(inbox.list().items.map(({ subject }) => subject)).toEqual(['no 5', 'no 4', 'no 3']);
    expect(await inbox.get('2')).toBeUndefined();
    inbox.clear();
    expect([inbox.received(), inbox.recipients(), inbox.list().items]).toEqual([0, 0, []]);
    await send(inbox, { subject: 'after' });
    expect(inbox.list().items.map(({ id }) => id)).toEqual(['6']);
    expect(await inbox.get('5')).toBeUndefined();
  });

  it('gives up the oldest when the octets are too many', async () => {
    const inbox = await anInbox({ keepBytes: 25_000 });
    await send(inbox, ...[1, 2, 3].map((number) => ({ subject: `no ${number}`, text: 'x'.repeat(10_000) })));
    expect(inbox.list().items.map(({ subject }) => subject)).toEqual(['no 3', 'no 2']);
    expect(inbox.received()).toBe(3);
  });

  it('tells its listeners of every message until they leave', async () => {
    const inbox = await anInbox();
    const heard: string[] = [];
    const leave = inbox.onMessage(({ envelope }) => heard.push(...envelope.to));
    await send(inbox, { to: 'one@example.org' });
    leave();
    await send(inbox, { to: 'two@example.org' });
    expect(heard).toEqual(['one@example.org']);
  });

  it('outlives a client that leaves in the middle of a message', async () => {
    const inbox = await anInbox();
    await new Promise<void>((resolve) => {
      const socket = connect(inbox.port, '127.0.0.1');
      socket.on('data', (data) => {
        if (data.includes('220 ')) socket.write('EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n');
        if (data.includes('354')) socket.write('Subject: half', () => socket.resetAndDestroy());
      });
      socket.on('close', () => resolve());
    });
    await send(inbox, { subject: 'whole' });
    expect(inbox.list().items.map(({ subject }) => subject)).toEqual(['whole']);
  });
});

describe('a message in the inbox', () => {
  it('is taken apart: parts as sent, pictures put in, links and files found', async () => {
    const inbox = await anInbox();
    await send(inbox, {
      subject: 'Parts',
      text: 'the text part',
      html: '<a href="https://a.example/?x=1&amp;y=2">one <b>two</b></a><a href=\'https://b.example\'><img alt="Pic" src="cid:pic"></a><a href="#top">x</a>',
      headers: { 'List-Unsubscribe': '<https://u.example/u/t>, <mailto:u@example.org>' },
      attachments: [
        { filename: 'Überblick.pdf', content: Buffer.from('%PDF') },
        { cid: 'pic', filename: 'pic.gif', contentType: 'image/gif', content: Buffer.from('GIF89a') },
      ],
    });
    const message = await inbox.get('1');
    expect(message?.text?.trim()).toBe('the text part');
    expect(message?.html).toContain('src="data:image/gif;base64,');
    expect(message?.links).toEqual([
      { url: 'https://a.example/?x=1&y=2', label: 'one two' },
      { url: 'https://b.example', label: 'Pic' },
      { url: 'https://u.example/u/t', label: 'List-Unsubscribe' },
      { url: 'mailto:u@example.org', label: 'List-Unsubscribe' },
    ]);
    expect(message?.attachments.map(({ name, size }) => ({ name, size }))).toEqual([{ name: 'Überblick.pdf', size: 4 }]);
  });

  it('has no HTML when none was sent, and then shows the links of its text', async () => {
    const inbox = await anInbox();
    await send(inbox, { text: 'see https://a.example/x?y=z and <https://b.example>' });
    const message = await inbox.get('1');
    expect(message?.html).toBeUndefined();
    expect(message?.links.map(({ url }) => url)).toEqual(['https://a.example/x?y=z', 'https://b.example']);
  });

  it.each([
    ['nothing at all', ''],
    ['no header', '\r\nbody\r\n'],
    ['a broken header', 'Subject\r\n: x\r\nFrom: <<<>\r\n\r\nx\r\n'],
    ['an unknown charset', 'Subject: =?x-none?q?=41?=\r\nContent-Type: text/plain; charset=x-none\r\n\r\nx\r\n'],
    ['bad multipart', 'Content-Type: multipart/mixed; boundary=a\r\n\r\n--b\r\n'],
  ])('that has %s can still be listed and opened', async (_name, text) => {
    const inbox = await anInbox();
    await speak(inbox, `EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n${text}.\r\nQUIT\r\n`);
    expect(inbox.list().items).toHaveLength(1);
    expect((await inbox.get('1'))?.envelope.to).toEqual(['b@example.org']);
  });
});

describe('encoded words (RFC 2047)', () => {
  it.each([
    ['=?utf-8?q?J=C3=BCrgen_=C3=96l?=', 'Jürgen Öl'],
    ['=?UTF-8?B?5pel5pys?= =?UTF-8?B?6Kqe?=', '日本語'],
    ['=?utf-8?b?5g==?=\t=?utf-8?b?l6U=?= x', '日 x'],
    ['=?iso-8859-1*de?q?=FC?= and =?utf-8?q?=C3=BC?=', 'ü and ü'],
    ['plain =?nonsense', 'plain =?nonsense'],
    ['=?x-none?q?a?=', '=?x-none?q?a?='],
  ])('%s reads %s', (written, read) => expect(decodeEncodedWords(written)).toBe(read));

  it('read as they were meant, wherever the octets are split', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.nat(20), (text, size) => {
        const bytes = Buffer.from(text.toWellFormed());
        const words: string[] = [];
        for (let at = 0; at < bytes.length; at += size + 1)
          words.push(`=?utf-8?b?${bytes.toString('base64', at, at + size + 1)}?=`);
        expect(decodeEncodedWords(words.join(' '))).toBe(text.toWellFormed().replace(/^\ufeff/, ''));
      }),
    );
  });
});
