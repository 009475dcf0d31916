import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage, Withdrawn } from '../../src/domain/delivery/index.ts';
import { createSmtpTransport, type SmtpTransportOptions } from '../../src/infrastructure/transports/smtp.ts';
import { type FaultSink, type FaultSinkOptions, startFaultSink } from '../support/fault-sink.ts';
import { startSinkTalker } from '../support/sink-talker.ts';

const CONTENT = Buffer.from('Subject: Hello\r\nMessage-ID: <1@example.com>\r\n\r\nHello.\r\n');
const MEGABYTES = Buffer.from(`Subject: Big\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(160_000)}`);
const QUICK = { backoff: { minimum: 1, maximum: 2 } };

interface Sent {
  from?: string;
  content?: Buffer;
  proceed?: () => boolean;
  smtputf8?: boolean;
}
const message = (to: string, { from = 'b+1@bounces.example.com', content = CONTENT, smtputf8 = false, proceed }: Sent = {}) =>
  ({ envelope: { from, to, smtputf8 }, content, proceed }) satisfies OutgoingMessage;

let running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.reverse()) await part.close();
  running = [];
});

async function start(sinkOptions: FaultSinkOptions = {}, options: Partial<SmtpTransportOptions> = {}) {
  const sink: FaultSink = await startFaultSink(sinkOptions);
  const transport = createSmtpTransport({ url: sink.url, ...QUICK, ...options });
  running.push(sink, transport);
  return { sink, transport };
}

async function talk(speak: Parameters<typeof startSinkTalker>[0], options: Partial<SmtpTransportOptions> = {}) {
  const talker = await startSinkTalker(speak);
  const transport = createSmtpTransport({ url: talker.url, ...QUICK, maxConnections: 1, ...options });
  running.push(talker, transport);
  return { talker, transport };
}

const outcomes = (results: readonly (Attempt | Withdrawn)[]): string[] => results.map((result) => result.outcome);

describe('a connection that ends', () => {
  const ends = ['reset', 'fin'] as const;

  it.each(ends.flatMap((end) => (['mail', 'rcpt', 'data'] as const).map((step) => [end, step] as const)))(
    'by %s at %s defers the message',
    async (end, step) => {
      const { sink, transport } = await start();
      const script = `${end}-at-${step}`;
      const sent =
        step === 'mail' ? message('a@example.net', { from: `${script}+1@example.com` }) : message(`${script}+1@example.net`);
      expect(await transport.submit(sent)).toMatchObject({ outcome: 'deferred', code: undefined, fault: 'transport' });
      expect(sink.messages).toEqual([]);
    },
  );

  it.each(ends)('by %s inside a body whose dot has not left defers the message', async (end) => {
    const { sink, transport } = await start({ readPause: 5 });
    const result = await transport.submit(message(`${end}-at-body-100000+1@example.net`, { content: MEGABYTES }));
    expect(result).toMatchObject({ outcome: 'deferred', fault: 'transport' });
    expect((result as Attempt).reply).toContain(`127.0.0.1:${sink.port} inside the body`);
  });

  it('inside a body whose dot has left leaves the message in doubt', async () => {
    const { transport } = await start();
    const result = await transport.submit(message('reset-at-body-10+1@example.net'));
    expect(result).toMatchObject({ outcome: 'in_doubt', fault: 'transport' });
  });

  it.each(ends)('by %s after the dot leaves the message in doubt', async (end) => {
    const { sink, transport } = await start();
    const result = await transport.submit(message(`${end}-at-dot+1@example.net`));
    expect(result).toMatchObject({ outcome: 'in_doubt', code: undefined, fault: 'transport' });
    expect((result as Attempt).reply).toContain('after the final dot');
    expect(sink.accepted).toBe(1);
  });

  it('right behind the 250 changes nothing', async () => {
    const { transport } = await start();
    expect(await transport.submit(message('250-then-reset-at-dot+1@example.net'))).toMatchObject({ outcome: 'submitted' });
    expect(await transport.submit(message('next@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('puts the message behind back into the line', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1 });
    const results = await Promise.all(
      ['reset-at-dot+1', 'behind', 'fin-at-dot+2', 'reset-at-rcpt+3', 'last'].map((local) =>
        transport.submit(message(`${local}@example.net`)),
      ),
    );
    expect(outcomes(results)).toEqual(['in_doubt', 'submitted', 'in_doubt', 'deferred', 'submitted']);
    expect(sink.messages.map(({ to }) => to)).toEqual(expect.arrayContaining(['behind@example.net', 'last@example.net']));
  });

  it('while idle is no failure', async () => {
    const { sink, transport } = await start({ script: (connection) => (connection === 1 ? '250-then-reset-at-dot' : undefined) });
    for (const to of ['a@example.net', 'b@example.net', 'c@example.net']) {
      expect(await transport.submit(message(to))).toMatchObject({ outcome: 'submitted' });
    }
    expect(sink.connections.opened).toBe(2);
  });
});

describe('a server that does not answer', () => {
  it('after the dot leaves the message in doubt once the time is over', async () => {
    const { transport } = await start({}, { timeouts: { dot: 100 } });
    expect(await transport.submit(message('hang-at-dot+1@example.net'))).toMatchObject({ outcome: 'in_doubt' });
  });

  it.each(['rcpt', 'data'])('at %s defers the message', async (step) => {
    const { transport } = await start({}, { timeouts: { command: 100, data: 100 } });
    const result = await transport.submit(message(`hang-at-${step}+1@example.net`));
    expect(result).toMatchObject({ outcome: 'deferred', fault: 'transport' });
    expect((result as Attempt).reply).toContain(step.toUpperCase());
  });

  it('inside a body that it does not read defers the message', async () => {
    const { transport } = await start({}, { timeouts: { block: 100 } });
    expect(await transport.submit(message('hang-at-body-1000+1@example.net', { content: MEGABYTES }))).toMatchObject({
      outcome: 'deferred',
    });
  });

  it('with a greeting defers the message', async () => {
    const { transport } = await start({ script: () => 'hang-at-greeting' }, { connectTimeout: 100 });
    expect(await transport.submit(message('a@example.net'))).toMatchObject({ outcome: 'deferred', fault: 'transport' });
  });

  it('is cut off when the transport closes', async () => {
    const { transport } = await start({}, { closeTimeout: 50, maxConnections: 2 });
    const hanging = [
      transport.submit(message('hang-at-dot+1@example.net')),
      transport.submit(message('hang-at-rcpt+1@example.net')),
    ];
    await expect.poll(() => transport.stats().busy).toBe(2);
    await transport.close();
    expect(outcomes(await Promise.all(hanging))).toEqual(['in_doubt', 'withdrawn']);
  });
});

describe('a refusal', () => {
  it.each([
    ['mail', '450', 'deferred', 'none'],
    ['mail', '451', 'deferred', 'transport'],
    ['mail', '550', 'rejected', 'sender'],
    ['rcpt', '450', 'deferred', 'none'],
    ['rcpt', '452', 'deferred', 'recipient'],
    ['rcpt', '550', 'rejected', 'recipient'],
    ['data', '451', 'deferred', 'transport'],
    ['data', '554', 'rejected', 'sender'],
    ['dot', '451', 'deferred', 'transport'],
    ['dot', '552', 'rejected', 'recipient'],
    ['dot', '554', 'rejected', 'sender'],
  ] as const)('at %s with %s is %s, fault %s, and the connection goes on', async (step, code, outcome, fault) => {
    for (const extensions of [['PIPELINING'], []]) {
      const { sink, transport } = await start({ extensions }, { maxConnections: 1 });
      const script = `${code}-at-${step}+1`;
      const refused =
        step === 'mail' ? message('a@example.net', { from: `${script}@example.com` }) : message(`${script}@example.net`);
      const results = await Promise.all(
        [message('first@example.net'), refused, message('last@example.net')].map((sent) => transport.submit(sent)),
      );
      expect(outcomes(results)).toEqual(['submitted', outcome, 'submitted']);
      expect(results[1]).toMatchObject({ code: Number(code), fault });
      expect(sink.messages.map(({ to }) => to)).toEqual(['first@example.net', 'last@example.net']);
      expect(sink.connections.opened).toBe(1);
    }
  });

  it('of RCPT that still gets 354 is answered with a lone dot, and nothing is sent', async () => {
    const { sink, transport } = await start({ keepRaw: true }, { maxConnections: 1 });
    const scripted = ['550.accept-data+1', 'between', '450.accept-data+2', 'last'];
    const results = await Promise.all(scripted.map((local) => transport.submit(message(`${local}@example.net`))));
    expect(outcomes(results)).toEqual(['rejected', 'submitted', 'deferred', 'submitted']);
    expect(sink.messages.map(({ to, raw }) => [to, raw?.toString()])).toEqual([
      ['between@example.net', CONTENT.toString()],
      ['last@example.net', CONTENT.toString()],
    ]);
    expect(sink.connections.opened).toBe(1);
  });

  it('inside the body counts, and the rest of the body is not sent', async () => {
    const { transport } = await start({ readPause: 1 }, { maxConnections: 1 });
    const refused = transport.submit(message('552-at-body-50000+1@example.net', { content: MEGABYTES }));
    expect(await refused).toMatchObject({ outcome: 'rejected', code: 552 });
    expect(await transport.submit(message('next@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('is lifted when the server says so', async () => {
    const { transport } = await start();
    const results: (Attempt | Withdrawn)[] = [];
    for (let turn = 0; turn < 3; turn += 1) results.push(await transport.submit(message('defer-2-times+1@example.net')));
    expect(outcomes(results)).toEqual(['deferred', 'deferred', 'submitted']);
  });
});

describe('421', () => {
  it('at the greeting defers one message and lets the others wait', async () => {
    const { transport } = await start(
      { script: (connection) => (connection <= 2 ? '421-at-greeting' : undefined) },
      { maxConnections: 1 },
    );
    const results = await Promise.all(Array.from({ length: 10 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(outcomes(results)).toEqual(['deferred', 'deferred', ...Array(8).fill('submitted')]);
    expect(results[0]).toMatchObject({ code: 421, enhancedCode: '4.7.0', fault: 'transport' });
  });

  it('at MAIL of a new connection defers that message only', async () => {
    const { transport } = await start(
      { script: (connection) => (connection === 1 ? '421-at-mail' : undefined) },
      { maxConnections: 1 },
    );
    const results = await Promise.all(Array.from({ length: 5 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(outcomes(results)).toEqual(['deferred', ...Array(4).fill('submitted')]);
  });

  it('after some messages of a connection costs no message', async () => {
    const { sink, transport } = await start({ messagesPerConnection: 5 }, { maxConnections: 3 });
    const results = await Promise.all(Array.from({ length: 100 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(new Set(outcomes(results))).toEqual(new Set(['submitted']));
    expect(sink.messages).toHaveLength(100);
    expect(sink.connections.opened).toBeGreaterThanOrEqual(20);
  });

  it('after the dot defers the message and costs the next one nothing', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1 });
    const results = await Promise.all(
      ['first', '421-at-dot+1', 'last'].map((local) => transport.submit(message(`${local}@example.net`))),
    );
    expect(outcomes(results)).toEqual(['submitted', 'deferred', 'submitted']);
    expect(sink.messages.map(({ to }) => to)).toEqual(['first@example.net', 'last@example.net']);
  });

  it('from a server that allows few connections costs no message', async () => {
    const { sink, transport } = await start({ maxConnections: 2 }, { maxConnections: 10 });
    const results = await Promise.all(Array.from({ length: 500 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(outcomes(results).filter((outcome) => outcome !== 'submitted')).toEqual([]);
    expect(sink.messages).toHaveLength(500);
  });
});

describe('a server that is down', () => {
  it('costs one message per attempt to connect, with a reply that says where', async () => {
    const sink = await startFaultSink();
    const { port } = sink;
    await sink.close();
    const transport = createSmtpTransport({ url: `smtp://127.0.0.1:${port}`, ...QUICK, maxConnections: 5 });
    running.push(transport);
    const first = await Promise.race(Array.from({ length: 30 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(first).toMatchObject({ outcome: 'deferred', code: undefined, fault: 'transport' });
    expect((first as Attempt).reply).toMatch(new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`));
    expect(transport.stats().waiting).toBeGreaterThan(20);
    running.push(await startFaultSink({ port }));
    expect(await transport.submit(message('late@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('fails verify with what is wrong and where', async () => {
    const { transport } = await start({ script: () => '554-at-greeting' });
    await expect(transport.verify()).rejects.toThrow(/127\.0\.0\.1:\d+.*554 5\.7\.1/);
  });
});

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

describe('whatever a server does', () => {
  const scripts = [
    'reset-at-rcpt',
    'reset-at-data',
    'reset-at-body-10',
    'reset-at-dot',
    'fin-at-rcpt',
    'fin-at-dot',
    '421-at-rcpt',
    '421-at-data',
    '421-at-dot',
    '450',
    '550',
    '550.accept-data',
    '451-at-data',
    '554-at-dot',
    '250-then-reset-at-dot',
    '250-then-fin-at-dot',
    'defer-1-times',
  ];
  const local = fc.oneof({ arbitrary: fc.constant('ok'), weight: 3 }, { arbitrary: fc.constantFrom(...scripts), weight: 1 });

  it('every message settles, and its state agrees with the log of the sink', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(local, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.constantFrom(undefined, 1, 5),
        async (locals, maxConnections, messagesPerConnection, pipelining, chunk) => {
          const sink = await startFaultSink({
            messagesPerConnection,
            extensions: pipelining ? ['PIPELINING', 'SIZE 0'] : [],
            replies: chunk === undefined ? {} : { chunk },
          });
          const transport = createSmtpTransport({ url: sink.url, maxConnections, ...QUICK });
          const results = await Promise.all(locals.map((script, at) => transport.submit(message(`${script}+${at}@example.net`))));
          await transport.close();
          await sink.close();
          locals.forEach((script, at) => {
            const copies = sink.messages.filter(({ to }) => to === `${script}+${at}@example.net`).length;
            const { outcome } = results[at]!;
            if (outcome === 'submitted') expect([script, copies]).toEqual([script, 1]);
            else if (outcome === 'in_doubt') expect(copies).toBeLessThanOrEqual(1);
            else expect([script, outcome, copies]).toEqual([script, outcome, 0]);
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});
