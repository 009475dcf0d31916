import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage, Withdrawn } from '../../src/domain/delivery/index.ts';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import { startFaultSink } from '../support/fault-sink.ts';
import { CHUNKING, CONTENT, DIALOGUES, MEGABYTES, message, outcomes, useSinks } from '../support/sink-fixture.ts';

const { start, transportTo, closeLater } = useSinks();

describe.each(DIALOGUES)('by %s a connection that ends', (_, { extensions, chunking }) => {
  const { start } = useSinks(extensions);
  const ends = ['reset', 'fin'] as const;

  // By BDAT the content has left with the envelope.
  const unanswered = chunking ? 'in_doubt' : 'deferred';

  it.each(ends.flatMap((end) => ['mail', 'rcpt', chunking ? 'bdat' : 'data'].map((step) => [end, step] as const)))(
    `by %s at %s leaves the message ${unanswered}`,
    async (end, step) => {
      const { sink, transport } = await start();
      const script = `${end}-at-${step}`;
      const sent =
        step === 'mail' ? message('a@example.net', { from: `${script}+1@example.com` }) : message(`${script}+1@example.net`);
      expect(await transport.submit(sent)).toMatchObject({ outcome: unanswered, code: undefined, fault: 'transport' });
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
    expect((result as Attempt).reply).toContain(chunking ? 'after the last chunk' : 'after the final dot');
    expect(sink.accepted).toBe(1);
  });

  it('right behind the 250 changes nothing', async () => {
    const { transport } = await start();
    expect(await transport.submit(message('250-then-reset-at-dot+1@example.net'))).toMatchObject({ outcome: 'submitted' });
    // Otherwise the next one is in doubt where the reset comes after its content.
    if (chunking) await expect.poll(() => transport.stats().open).toBe(0);
    expect(await transport.submit(message('next@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('puts the message behind back into the line', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1 });
    const results = await Promise.all(
      ['reset-at-dot+1', 'behind', 'fin-at-dot+2', 'reset-at-rcpt+3', 'last'].map((local) =>
        transport.submit(message(`${local}@example.net`)),
      ),
    );
    expect(outcomes(results)).toEqual(['in_doubt', 'submitted', 'in_doubt', unanswered, 'submitted']);
    expect(sink.messages.map(({ to }) => to)).toEqual(expect.arrayContaining(['behind@example.net', 'last@example.net']));
  });

  it('while idle is no failure', async () => {
    const { sink, transport } = await start({ script: (connection) => (connection === 1 ? '250-then-reset-at-dot' : undefined) });
    for (const to of ['a@example.net', 'b@example.net', 'c@example.net']) {
      expect(await transport.submit(message(to))).toMatchObject({ outcome: 'submitted' });
      if (chunking && to.startsWith('a')) await expect.poll(() => transport.stats().open).toBe(0);
    }
    expect(sink.connections.opened).toBe(2);
  });
});

describe.each(DIALOGUES)('by %s a server that does not answer', (_, { extensions, chunking }) => {
  const { start } = useSinks(extensions);

  it('after the dot leaves the message in doubt once the time is over', async () => {
    const { transport } = await start({}, { timeouts: { dot: 100 } });
    expect(await transport.submit(message('hang-at-dot+1@example.net'))).toMatchObject({ outcome: 'in_doubt' });
  });

  it.each(chunking ? ['mail', 'rcpt'] : ['rcpt', 'data'])('at %s is waited for in vain', async (step) => {
    const { transport } = await start({}, { timeouts: { command: 100, data: 100 } });
    const script = `hang-at-${step}+1@example.net`;
    const result = await transport.submit(message(script, { from: script }));
    expect(result).toMatchObject({ outcome: chunking ? 'in_doubt' : 'deferred', fault: 'transport' });
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
    expect(outcomes(await Promise.all(hanging))).toEqual(['in_doubt', chunking ? 'in_doubt' : 'withdrawn']);
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
    for (const extensions of [['PIPELINING'], [], ...(step === 'data' ? [] : [['PIPELINING', 'CHUNKING']])]) {
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

describe.each(DIALOGUES)('by %s 421', (_, { extensions }) => {
  const { start } = useSinks(extensions);

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

describe('a message whose bytes are gone', () => {
  const spoilt = (to: string): OutgoingMessage => {
    const content = new Uint8Array(CONTENT);
    content.buffer.transfer();
    return { ...message(to), content };
  };

  it.each([[['PIPELINING']], [[]], [CHUNKING]])('ends its own submit and nobody else is told, with %j', async (extensions) => {
    const { sink, transport } = await start({ extensions }, { maxConnections: 1 });
    const results = await Promise.allSettled(
      [message('a@example.net'), spoilt('x@example.net'), message('b@example.net'), spoilt('y@example.net')].map((one) =>
        transport.submit(one),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(sink.messages.flatMap(({ to }) => to)).toEqual(['a@example.net', 'b@example.net']);
    expect(transport.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  it('does not end the one that was submitted when its turn came', async () => {
    const { sink, transport } = await start(
      { script: (connection) => (connection === 2 ? 'hang-at-greeting' : undefined) },
      { maxConnections: 2 },
    );
    const first = transport.submit(message('slow-1-at-dot+1@example.net'));
    await expect.poll(() => transport.waits().join()).toContain('after the final dot');
    // Waits for the second connection, until a third message lets the first connection take it.
    const gone = expect(transport.submit(spoilt('x@example.net'))).rejects.toThrow('detached');
    const last = transport.submit(message('last@example.net'));
    expect(outcomes(await Promise.all([first, last]))).toEqual(['submitted', 'submitted']);
    await gone;
    expect(sink.messages).toHaveLength(2);
  });
});

describe('a server that is down', () => {
  it('costs one message per attempt to connect, with a reply that says where', async () => {
    const sink = await startFaultSink();
    const { port } = sink;
    await sink.close();
    const transport = transportTo({ url: `smtp://127.0.0.1:${port}`, maxConnections: 5 });
    const first = await Promise.race(Array.from({ length: 30 }, (_, at) => transport.submit(message(`a${at}@example.net`))));
    expect(first).toMatchObject({ outcome: 'deferred', code: undefined, fault: 'transport' });
    expect((first as Attempt).reply).toMatch(new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`));
    expect(transport.stats().waiting).toBeGreaterThan(20);
    closeLater(await startFaultSink({ port }));
    expect(await transport.submit(message('late@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('is told of to the next message that comes when all that wait have become too old to go', async () => {
    const sink = await startFaultSink();
    const { port } = sink;
    await sink.close();
    const transport = transportTo({
      url: `smtp://127.0.0.1:${port}`,
      maxConnections: 5,
      backoff: { minimum: 500, maximum: 500 },
    });
    let fresh = true;
    const old = Array.from({ length: 5 }, (_, at) => transport.submit(message(`old${at}@example.net`, { proceed: () => fresh })));
    fresh = false;
    expect(outcomes(await Promise.all(old))).toEqual(Array(5).fill('withdrawn'));
    expect(await transport.submit(message('next@example.net'))).toMatchObject({
      outcome: 'deferred',
      reply: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('holds up nobody who may not go any more', async () => {
    const sink = await startFaultSink();
    await sink.close();
    const backoff = { minimum: 600_000, maximum: 600_000 };
    const transport = transportTo({ url: sink.url, maxConnections: 5, backoff, random: () => 1 });
    let proceed = true;
    const waiting = Array.from({ length: 10 }, (_, at) =>
      transport.submit(message(`w${at}@example.net`, { proceed: () => proceed })),
    );
    expect(await Promise.race(waiting)).toMatchObject({ outcome: 'deferred' });
    proceed = false;
    expect(outcomes(await Promise.all(waiting)).sort()).toEqual(['deferred', ...Array(9).fill('withdrawn')]);
    expect(transport.stats()).toMatchObject({ waiting: 0, open: 0 });
  });

  it('fails verify with what is wrong and where', async () => {
    const { transport } = await start({ script: () => '554-at-greeting' });
    await expect(transport.verify()).rejects.toThrow(/127\.0\.0\.1:\d+.*554 5\.7\.1/);
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
        fc.constantFrom([], ['PIPELINING', 'SIZE 0'], CHUNKING),
        fc.constantFrom(undefined, 1, 5),
        async (locals, maxConnections, messagesPerConnection, extensions, chunk) => {
          const sink = await startFaultSink({
            messagesPerConnection,
            extensions,
            replies: chunk === undefined ? {} : { chunk },
          });
          const transport = createSmtpTransport({ url: sink.url, maxConnections, backoff: { minimum: 1, maximum: 2 } });
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
      { numRuns: 90 },
    );
  });
});
