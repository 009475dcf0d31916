import { describe, expect, it } from 'vitest';
import type { Attempt } from '../../src/domain/delivery/index.ts';
import { CONTENT, MEGABYTES, message, outcomes, useSinks } from '../support/sink-fixture.ts';

const { start, talk, transportTo } = useSinks();

describe('a reply', () => {
  it.each([
    ['split per byte', { chunk: 1 }],
    ['with LF alone', { lineEnd: '\n' }],
    ['of 10 kB in a line', { pad: 10_000 }],
    ['of 500 lines', { lines: 500 }],
    ['of 20 lines, split in sevens, with LF alone', { lines: 20, chunk: 7, lineEnd: '\n' }],
  ])('%s is understood', async (_, replies) => {
    const { transport } = await start({ replies }, { maxConnections: 2 });
    const results = await Promise.all(
      ['a', '550+1', 'b', '451-at-dot+1', 'c'].map((local) => transport.submit(message(`${local}@example.net`))),
    );
    expect(outcomes(results)).toEqual(['submitted', 'rejected', 'submitted', 'deferred', 'submitted']);
    for (const result of results) expect((result as Attempt).reply.length).toBeLessThanOrEqual(500);
  });

  /** Replies to greeting and EHLO, then one text per read. */
  const answering =
    (texts: string[], ehlo = '250-talker\r\n250 PIPELINING\r\n'): Parameters<typeof talk>[0] =>
    (socket, heard) => {
      if (heard === undefined) socket.write('220 talker\r\n');
      else if (heard.startsWith('EHLO')) socket.write(ehlo);
      else if (!heard.startsWith('QUIT')) socket.write(texts.shift() ?? '');
    };

  it('whose lines disagree goes by the last line', async () => {
    const { transport } = await talk(answering(['250-Ok\r\n550 5.1.1 Unknown\r\n250 Ok\r\n554 No\r\n', '250 Ok\r\n']));
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'rejected', code: 550, fault: 'sender' });
  });

  it('that is no SMTP ends the connection', async () => {
    const { transport } = await talk(answering(['HTTP/1.1 400 Bad Request\r\n']));
    const result = await transport.submit(message('a@example.net'));
    expect(result).toMatchObject({ outcome: 'deferred', code: undefined });
    expect((result as Attempt).reply).toContain('HTTP/1.1 400');
  });

  it('that nobody asked for ends the connection before any body', async () => {
    const { talker, transport } = await talk((socket, heard) => {
      if (heard === undefined) socket.write('220 talker\r\n250 too early\r\n250-talker\r\n250 PIPELINING\r\n');
      else if (heard.startsWith('EHLO')) socket.write('250-talker\r\n250 PIPELINING\r\n');
      else socket.write('250 Ok\r\n250 Ok\r\n354 Go on\r\n');
    });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'deferred' });
    expect(talker.heard.flat().join('')).not.toContain('Subject');
  });

  describe('of 421 behind the one to EHLO', () => {
    const EHLO = '250-talker\r\n250 PIPELINING\r\n';
    const BUSY = { outcome: 'deferred', code: 421, enhancedCode: '4.3.2', reply: expect.stringContaining('4.3.2 too busy') };
    // By its address a relay is read into one buffer, by its name as nodemailer left it.
    const hosts = ['127.0.0.1', 'localhost'];

    it.each(hosts.flatMap((host) => [true, false].map((closes) => [host, closes] as const)))(
      'in one segment is told to the message, by %s, closed: %s',
      async (host, closes) => {
        const { talker } = await talk((socket, heard) => {
          if (heard === undefined) socket.write('220 talker\r\n');
          else if (closes) socket.end(`${EHLO}421 4.3.2 too busy\r\n`);
          else socket.write(`${EHLO}421 4.3.2 too busy\r\n`);
        });
        const transport = transportTo({ host, port: Number(new URL(talker.url).port), maxConnections: 1 });
        expect(await transport.submit(message('a@example.net'))).toMatchObject(BUSY);
        expect(talker.heard.flat().join('')).not.toContain('MAIL');
      },
    );

    it.each(
      hosts.flatMap((host) => ['4', '421 4.', '421-4.3.2 too', '421-4.3.2 too busy\r\n421 4.3.2'].map((cut) => [host, cut])),
    )('is told to the message though cut, by %s, after %j', async (host, cut) => {
      const whole = cut.startsWith('421-') ? '421-4.3.2 too busy\r\n421 4.3.2 now\r\n' : '421 4.3.2 too busy\r\n';
      const { talker } = await talk((socket, heard) => {
        if (heard === undefined) socket.write('220 talker\r\n');
        else if (heard.startsWith('EHLO')) {
          socket.write(EHLO + cut);
          // The rest of a reply of which nodemailer has a whole line: it waits for the end, and nothing is heard before.
          if (cut.includes('\n')) setImmediate(() => socket.end(whole.slice(cut.length)));
        } else socket.end(whole.slice(cut.length));
      });
      const transport = transportTo({ host, port: Number(new URL(talker.url).port), maxConnections: 1 });
      expect(await transport.submit(message('a@example.net'))).toMatchObject(BUSY);
    });
  });

  it('of 220 on several lines greets', async () => {
    const { transport } = await talk((socket, heard) => {
      if (heard === undefined) socket.write('220-talker\r\n220-hello\r\n220 ready\r\n');
      else answering(['250 Ok\r\n250 Ok\r\n354 Go on\r\n', '250 2.0.0 Taken\r\n'])(socket, heard, 1);
    });
    const { talker, transport: other } = await talk(
      answering(['250 Ok\r\n250 Ok\r\n354 Go on\r\n', '250-2.0.0 Taken\r\n250 2.0.0 as 42\r\n']),
    );
    expect(await other.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted', reply: '250 2.0.0 Taken as 42' });
    expect(talker.heard).toHaveLength(1);
    await transport.verify();
  });

  it('of 250 before the dot has left is not believed', async () => {
    const { transport } = await talk(answering(['250 Ok\r\n250 Ok\r\n354 Go on\r\n250 Taken\r\n']));
    expect(await transport.submit(message('a@example.net', { content: MEGABYTES }))).toMatchObject({ outcome: 'deferred' });
  });

  it('with UTF-8, NUL and control characters is kept as one clean line', async () => {
    const { transport } = await talk(
      answering(['250 Ok\r\n550 5.1.1 Empfänger\0unbekannt\u001b[0m\r\n503 No\r\n', '250 Ok\r\n']),
    );
    const result = (await transport.submit(message('a@example.net'))) as Attempt;
    expect(result.reply).toBe('550 5.1.1 Empfänger unbekannt [0m');
  });
});

describe('PIPELINING', () => {
  it('sends a body and the envelope of the next message in one write', async () => {
    const { talker, transport } = await talk((socket, heard) => {
      if (heard === undefined) socket.write('220 talker\r\n');
      else if (heard.startsWith('EHLO')) socket.write('250-talker\r\n250 PIPELINING\r\n');
      else if (heard.startsWith('MAIL')) socket.write('250 Ok\r\n250 Ok\r\n354 Go on\r\n');
      else if (heard.includes('MAIL')) socket.write('250 Taken\r\n250 Ok\r\n250 Ok\r\n354 Go on\r\n');
      else socket.write('250 Taken\r\n');
    });
    const results = await Promise.all(['a', 'b', 'c'].map((local) => transport.submit(message(`${local}@example.net`))));
    expect(outcomes(results)).toEqual(['submitted', 'submitted', 'submitted']);
    const envelope = (local: string): string =>
      `MAIL FROM:<b+1@bounces.example.com>\r\nRCPT TO:<${local}@example.net>\r\nDATA\r\n`;
    expect(talker.heard[0]?.slice(1)).toEqual([
      envelope('a'),
      `${CONTENT}.\r\n${envelope('b')}`,
      `${CONTENT}.\r\n${envelope('c')}`,
      `${CONTENT}.\r\n`,
    ]);
  });

  it('is not used where it is not offered: one command at a time', async () => {
    const { sink, transport } = await start({ extensions: [] }, { maxConnections: 1 });
    await Promise.all(['a', 'b'].map((local) => transport.submit(message(`${local}@example.net`))));
    expect(sink.messages).toHaveLength(2);
    expect(sink.commands.map(({ line }) => line.slice(0, 4))).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'MAIL', 'RCPT', 'DATA']);
  });

  it('withdraws a message whose turn has passed by closing the connection, and no other message suffers', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1 });
    let asked = 0;
    const withdrawn = message('withdrawn@example.net', { proceed: () => ++asked === 1 });
    const results = await Promise.all(
      [message('a@example.net'), withdrawn, message('c@example.net')].map((sent) => transport.submit(sent)),
    );
    expect(outcomes(results)).toEqual(['submitted', 'withdrawn', 'submitted']);
    expect(sink.messages.map(({ to }) => to)).toEqual(['a@example.net', 'c@example.net']);
    expect(sink.connections.opened).toBe(2);
  });
});

describe('the extensions of a server', () => {
  it('decide about SMTPUTF8, and without it the address is refused', async () => {
    const sent = message('😀@xn--e1afmkfd.example', { smtputf8: true });
    const offered = await start();
    expect(await offered.transport.submit(sent)).toMatchObject({ outcome: 'submitted' });
    expect(offered.sink.commands.map(({ line }) => line)).toContain('RCPT TO:<😀@xn--e1afmkfd.example>');
    expect(offered.sink.commands.some(({ line }) => / SMTPUTF8( |$)/.test(line))).toBe(true);
    const without = await start({ extensions: ['PIPELINING'] });
    expect(await without.transport.submit(sent)).toMatchObject({
      outcome: 'rejected',
      enhancedCode: '5.6.7',
      fault: 'transport',
    });
    expect(without.sink.commands.some(({ line }) => line.startsWith('MAIL'))).toBe(false);
  });

  it('decide about SIZE: told where offered, refused by us where it is too much', async () => {
    const { sink, transport } = await start({ extensions: ['PIPELINING', 'SIZE 1000'] });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
    expect(sink.commands.map(({ line }) => line)).toContain(`MAIL FROM:<b+1@bounces.example.com> SIZE=${CONTENT.length}`);
    const big = message('b@example.net', { content: MEGABYTES });
    expect(await transport.submit(big)).toMatchObject({ outcome: 'rejected', enhancedCode: '5.3.4', fault: 'sender' });
  });

  it('decide about 8BITMIME', async () => {
    const sent = message('a@example.net', { content: Buffer.from('Subject: x\r\n\r\nGrüße\r\n') });
    const offered = await start({ extensions: ['8BITMIME'] });
    expect(await offered.transport.submit(sent)).toMatchObject({ outcome: 'submitted' });
    expect(offered.sink.commands[1]?.line).toBe('MAIL FROM:<b+1@bounces.example.com> BODY=8BITMIME');
    const without = await start({ extensions: [] });
    expect(await without.transport.submit(sent)).toMatchObject({ outcome: 'rejected', enhancedCode: '5.6.3' });
  });

  it('are none when EHLO is refused and HELO is not', async () => {
    const { sink, transport } = await start({ script: () => '500-at-ehlo' });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'submitted' });
    expect(sink.commands.map(({ line }) => line.slice(0, 4))).toEqual(['EHLO', 'HELO', 'MAIL', 'RCPT', 'DATA']);
  });
});
