import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dotStuffed, StrayLineEnd } from '../../src/infrastructure/transports/dot-stuffing.ts';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import { decodeReplyText, ReplyReader } from '../../src/infrastructure/transports/smtp-replies.ts';
import { startFaultSink } from '../support/fault-sink.ts';

const unstuffed = (wire: string): string => wire.replace(/(^|\r\n)\./g, '$1');

describe('dot-stuffing', () => {
  const line = fc.array(fc.constantFrom('.', '..', 'a', ' ', '=2E'), { maxLength: 4 }).map((parts) => parts.join(''));
  const content = fc.array(line, { minLength: 1, maxLength: 20 }).map((lines) => `${lines.join('\r\n')}\r\n`);

  it('doubles every dot that starts a line and nothing else', () => {
    fc.assert(
      fc.property(content, (text) => {
        const wire = dotStuffed(Buffer.from(text)).toString();
        expect(unstuffed(wire)).toBe(text);
        expect(wire.split('\r\n')).not.toContain('.');
        expect(wire.endsWith('\r\n')).toBe(true);
      }),
    );
  });

  it('returns the same bytes where nothing has to change', () => {
    const same = Buffer.from('Subject: a\r\n\r\na. b.\r\n');
    expect(dotStuffed(same)).toBe(same);
  });

  it('ends the last line where the content does not', () => {
    expect(dotStuffed(Buffer.from('a\r\n.b')).toString()).toBe('a\r\n..b\r\n');
    expect(dotStuffed(Buffer.from('a\r\n.\r')).toString()).toBe('a\r\n..\r\r\n');
    expect(dotStuffed(Buffer.alloc(0)).toString()).toBe('\r\n');
  });

  it.each(['a\n.\r\nMAIL FROM:<x@y>', 'a\n.\nb', 'a\r.\rb', 'a\n.\r\nb', 'a\r.\r\nb', '\n.'])(
    'refuses the smuggling sequence in %j',
    (text) => {
      expect(() => dotStuffed(Buffer.from(`${text}\r\n`))).toThrow(StrayLineEnd);
    },
  );

  it('leaves one message at the sink, byte for byte, whatever it is made of', async () => {
    const sink = await startFaultSink({ keepRaw: true });
    const transport = createSmtpTransport({ url: sink.url, maxConnections: 1 });
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        const before = sink.accepted;
        const envelope = { from: 'b@example.com', to: 'a@example.net', smtputf8: false };
        const attempt = await transport.submit({ envelope, content: Buffer.from(text) });
        expect(attempt.outcome).toBe('submitted');
        expect(sink.accepted).toBe(before + 1);
        expect(sink.messages.at(-1)?.raw?.toString()).toBe(text);
      }),
    );
    await transport.close();
    await sink.close();
  });
});

describe('the reader of replies', () => {
  const read = (chunks: Buffer[]): { replies: [number, string][]; complaint: string | undefined } => {
    const reader = new ReplyReader();
    const replies: [number, string][] = [];
    let complaint: string | undefined;
    for (const chunk of chunks) {
      complaint ??= reader.push(chunk, (code, text) => {
        replies.push([code, text]);
        return true;
      });
    }
    return { replies, complaint };
  };
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '-', '2', '5', '0', '.', '\t', 'é'), maxLength: 12 });
  const reply = fc.record({ code: fc.integer({ min: 200, max: 599 }), lines: fc.array(text, { minLength: 1, maxLength: 5 }) });

  it('finds the same replies however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(reply, { maxLength: 6 }),
        fc.constantFrom('\r\n', '\n'),
        fc.integer({ min: 1, max: 9 }),
        (replies, lineEnd, size) => {
          const wire = Buffer.from(
            replies
              .map(({ code, lines }) =>
                lines.map((line, at) => `${code}${at < lines.length - 1 ? '-' : ' '}${line}${lineEnd}`).join(''),
              )
              .join(''),
          );
          const pieces = Array.from({ length: Math.ceil(wire.length / size) }, (_, at) =>
            wire.subarray(at * size, (at + 1) * size),
          );
          const found = read(pieces);
          expect(found.complaint).toBeUndefined();
          expect(found).toEqual(read([wire]));
          expect(found.replies.map(([code]) => code)).toEqual(replies.map(({ code }) => code));
          expect(found.replies.map(([, words]) => decodeReplyText(words))).toEqual(replies.map(({ lines }) => lines.join(' ')));
        },
      ),
    );
  });

  it('says a repeated status once', () => {
    const wire = Buffer.from('550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist\r\n');
    expect(read([wire]).replies).toEqual([[550, '5.1.1 The account does not exist']]);
  });

  it('reads a reply without text, and skips an empty line', () => {
    expect(read([Buffer.from('250\r\n\r\n250 \r\n')]).replies).toEqual([
      [250, ''],
      [250, ''],
    ]);
  });

  it('keeps a line without a code inside a reply as text', () => {
    expect(read([Buffer.from('250-a\r\nb\r\n250 c\r\n')]).replies).toEqual([[250, 'a b c']]);
  });

  it.each(['2500 Ok\r\n', '25 Ok\r\n', '150 Ok\r\n', '650 Ok\r\n', 'EHLO\r\n', '\u0000\u0001\r\n', '250_Ok\r\n'])(
    'complains about %j',
    (wire) => {
      expect(read([Buffer.from(wire)]).complaint).toMatch(/not an SMTP reply/);
    },
  );

  it('gives up on a line or a reply without end', () => {
    const endless = Array.from({ length: 20 }, () => Buffer.alloc(64 * 1024, 'x'));
    expect(read([Buffer.from('250 '), ...endless]).complaint).toMatch(/1 MB/);
    const lines = Array.from({ length: 1100 }, () => Buffer.from(`250-${'x'.repeat(1000)}\r\n`));
    expect(read(lines).complaint).toMatch(/1 MB/);
  });

  it('leaves bytes that are no UTF-8 as they are', () => {
    expect(decodeReplyText('\u00e9t\u00e9')).toBe('été');
    expect(decodeReplyText('\u00c3\u00a9')).toBe('é');
  });
});
