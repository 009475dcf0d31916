import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineDepth } from '../../src/infrastructure/transports/pipeline-depth.ts';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import type { SmtpEvent } from '../../src/infrastructure/transports/smtp-pool.ts';
import { startFaultSink } from '../support/fault-sink.ts';
import { CHUNKING, MEGABYTES, message, outcomes, useSinks } from '../support/sink-fixture.ts';

const { start, talk } = useSinks(CHUNKING);

const contentFor = (local: string): Buffer => Buffer.from(`Subject: For ${local}\r\n\r\n.\r\n..\r\nHello ${local}.\r\n`);
const own = (local: string) => message(`${local}@example.net`, { content: contentFor(local) });
const EHLO = '250-talker\r\n250-PIPELINING\r\n250 CHUNKING\r\n';
const OK = '250 Ok\r\n';

describe('CHUNKING', () => {
  it('sends whole transactions, the first alone, then several in one write, each behind RSET but for the front one', async () => {
    const { talker, transport } = await talk((socket, heard) => {
      if (heard === undefined) socket.write('220 talker\r\n');
      else if (heard.startsWith('EHLO')) socket.write(EHLO);
      else if (!heard.startsWith('QUIT')) socket.write(OK.repeat(heard.match(/^(?:RSET|MAIL|RCPT|BDAT)/gm)?.length ?? 0));
    });
    const results = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((local) => transport.submit(own(local))));
    expect(new Set(outcomes(results))).toEqual(new Set(['submitted']));
    const transaction = (local: string): string => {
      const content = contentFor(local);
      return `MAIL FROM:<b+1@bounces.example.com>\r\nRCPT TO:<${local}@example.net>\r\nBDAT ${content.length} LAST\r\n${content}`;
    };
    const behind = (local: string): string => `RSET\r\n${transaction(local)}`;
    expect(talker.heard[0]?.slice(1)).toEqual([
      transaction('a'),
      transaction('b') + behind('c'),
      transaction('d') + behind('e') + behind('f'),
    ]);
  });

  it('is not used with ?chunking=no, nor without PIPELINING', async () => {
    for (const [query, extensions] of [
      ['?chunking=no', CHUNKING],
      ['', ['CHUNKING']],
    ] as const) {
      const { sink } = await start({ extensions });
      const transport = createSmtpTransport({ url: sink.url + query, maxConnections: 1 });
      await Promise.all(['a', 'b'].map((local) => transport.submit(own(local))));
      await transport.close();
      expect(sink.messages.map(({ to }) => to)).toEqual(['a@example.net', 'b@example.net']);
      expect(sink.commands.filter(({ line }) => line.startsWith('BDAT'))).toEqual([]);
      expect(transport.depth).toBe(1);
    }
  });

  it('gives each recipient its own content when others are refused between them', async () => {
    const { sink, transport } = await start({ keepRaw: true }, { maxConnections: 2 });
    const locals = Array.from({ length: 80 }, (_, at) => `${at % 5 === 3 ? '550' : at % 7 === 4 ? '554-at-dot' : 'ok'}+${at}`);
    const results = await Promise.all(locals.map((local) => transport.submit(own(local))));
    expect(outcomes(results)).toEqual(locals.map((local) => (local.startsWith('ok') ? 'submitted' : 'rejected')));
    expect(sink.messages).toHaveLength(locals.filter((local) => local.startsWith('ok')).length);
    for (const { to, raw } of sink.messages) expect(raw?.toString()).toBe(contentFor(to.split('@')[0] ?? '').toString());
    expect(sink.connections.opened).toBeLessThanOrEqual(2);
    expect(sink.commands.filter(({ line }) => line === 'RSET').length).toBeGreaterThan(20);
  });

  it('refuses a bare line end before a dot, which a relay would pass on', async () => {
    const { sink, transport } = await start();
    const content = Buffer.from('Subject: x\r\n\r\na\n.\r\nMAIL FROM:<x@example.org>\r\n');
    expect(await transport.submit(message('a@example.net', { content }))).toMatchObject({
      outcome: 'rejected',
      enhancedCode: '5.6.0',
      fault: 'sender',
    });
    expect(sink.commands.some(({ line }) => line.startsWith('MAIL'))).toBe(false);
  });

  it('carries contents of every size, small ones together, large ones in slices', async () => {
    const { sink, transport } = await start({ keepRaw: true, readPause: 1 }, { maxConnections: 1 });
    const sizes = [0, 100, 30_000, 40_000, 70_000, 1, 300_000, 5, 600_000, 20_000, 20_000, 20_000];
    const contents = sizes.map((size) => Buffer.from(`Subject: ${size}\r\n\r\n${'.\r\n'.repeat(size / 3)}`));
    const results = await Promise.all(
      contents.map((content, at) => transport.submit(message(`a${at}@example.net`, { content }))),
    );
    expect(new Set(outcomes(results))).toEqual(new Set(['submitted']));
    expect(sink.messages.map(({ to, raw }) => [to, raw?.equals(contents[Number(/\d+/.exec(to)?.[0])]!)])).toEqual(
      sizes.map((_, at) => [`a${at}@example.net`, true]),
    );
    expect(sink.connections.opened).toBe(1);
  });

  it('begins nothing behind a content that is still being written, and defers it when the server stops reading', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1, timeouts: { block: 150 } });
    await transport.submit(own('first'));
    const large = transport.submit(message('hang-at-body-1000+1@example.net', { content: MEGABYTES }));
    const behind = transport.submit(own('behind'));
    expect(outcomes(await Promise.all([large, behind]))).toEqual(['deferred', 'submitted']);
    expect(sink.messages.map(({ to }) => to)).toEqual(['first@example.net', 'behind@example.net']);
  });

  it('asks whether a message may go when it is written, also behind others', async () => {
    const { sink, transport } = await start({}, { maxConnections: 1 });
    let given = 0;
    const withdrawn = { ...message('withdrawn@example.net', { proceed: () => false }), onContent: () => (given += 1) };
    const sent = [own('a'), own('b'), withdrawn, own('c'), withdrawn, own('d')];
    const results = await Promise.all(sent.map((one) => transport.submit(one)));
    expect(outcomes(results)).toEqual(['submitted', 'submitted', 'withdrawn', 'submitted', 'withdrawn', 'submitted']);
    expect([given, sink.connections.opened]).toEqual([0, 1]);
  });
});

describe('a connection with several messages on the way', () => {
  /** The first shows that BDAT works, so that the others go together. */
  const together = async (locals: readonly string[], replies = {}, timeouts = {}) => {
    const events: SmtpEvent[] = [];
    const { sink, transport } = await start({ replies }, { maxConnections: 1, timeouts, onEvent: (event) => events.push(event) });
    const results = await Promise.all(locals.map((local) => transport.submit(own(local))));
    return { sink, transport, events, results: outcomes(results) };
  };

  it('leaves all of them in doubt that are not answered, and stores none twice', async () => {
    const { sink, results } = await together(['a', 'b', 'c', 'reset-at-dot+1', 'd', 'e', 'f', 'g']);
    // After three answers there is room for four, of which the first is that one.
    expect(results).toEqual([...Array(3).fill('submitted'), ...Array(4).fill('in_doubt'), 'submitted']);
    const stored = sink.messages.map(({ to }) => to);
    expect(new Set(stored).size).toBe(stored.length);
  });

  it('knows of a refusal whose message was not answered to its end', async () => {
    const { results } = await together(['a', '550.hang-at-bdat+1', 'b'], {}, { dot: 100, command: 100 });
    expect(results).toEqual(['submitted', 'rejected', 'in_doubt']);
  });

  it('puts those behind a 421 back into the line', async () => {
    const { sink, results } = await together(['a', 'b', 'c', '421-at-dot+1', 'd', 'e', 'f']);
    expect(results).toEqual(['submitted', 'submitted', 'submitted', 'deferred', 'submitted', 'submitted', 'submitted']);
    expect(sink.messages.map(({ to }) => to[0])).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it.each([
    ['dropped', { drop: 10 }],
    ['swapped', { swap: 10 }],
  ])(
    'is closed when replies are out of step, a reply %s: what is unanswered is in doubt, and DATA is used from there on',
    async (_, replies) => {
      // Greeting, EHLO, three for a, then MAIL 6, RCPT 7, BDAT 8 of b, RSET 9, MAIL 10, RCPT 11 and BDAT 12 of the refused one.
      const { sink, results, events } = await together(['a', 'b', '550+1', 'c', 'd', 'e'], replies, { dot: 300, command: 300 });
      expect(results.slice(0, 3)).toEqual(['submitted', 'submitted', 'in_doubt']);
      expect(results.at(-1)).toBe('submitted');
      const stored = sink.messages.map(({ to }) => to[0]);
      expect(new Set(stored).size).toBe(stored.length);
      expect(events.filter(({ event }) => event === 'chunking_failed')).toEqual([
        expect.objectContaining({ reason: expect.stringContaining('out of step') }),
      ]);
      expect(sink.commands.at(-1)?.line).not.toMatch(/^BDAT/);
    },
  );

  it('that is answered by a server without BDAT costs no message, and is said once', async () => {
    for (const script of ['500-at-bdat', '502-at-bdat', '503-at-bdat']) {
      const events: SmtpEvent[] = [];
      const { sink, transport } = await start(
        { script: () => script, keepRaw: true },
        { maxConnections: 3, onEvent: (event) => events.push(event) },
      );
      const locals = Array.from({ length: 20 }, (_, at) => `p${at}`);
      const results = await Promise.all(locals.map((local) => transport.submit(own(local))));
      expect(new Set(outcomes(results))).toEqual(new Set(['submitted']));
      expect(sink.messages.map(({ to }) => to).sort()).toEqual(locals.map((local) => `${local}@example.net`).sort());
      for (const { to, raw } of sink.messages) expect(raw?.toString()).toBe(contentFor(to.split('@')[0] ?? '').toString());
      expect(events.map(({ event }) => event)).toEqual(['chunking_failed']);
      expect(transport.depth).toBe(1);
    }
  });

  it('holds up few behind one that is answered slowly', async () => {
    // The shortest time-out decides how often connections are looked at.
    const { sink, transport } = await start({}, { maxConnections: 1, timeouts: { data: 400 } });
    for (const local of ['a', 'b', 'c', 'd']) await transport.submit(own(local));
    expect(transport.depth).toBe(4);
    const slow = transport.submit(own('slow-2-at-dot+1'));
    await expect.poll(() => transport.depth, { timeout: 4_000 }).toBe(1);
    expect(transport.stats().busy).toBe(1);
    const late = transport.submit(own('late'));
    await expect.poll(() => transport.stats().waiting).toBe(1);
    expect(outcomes(await Promise.all([slow, late]))).toEqual(['submitted', 'submitted']);
    expect(sink.messages).toHaveLength(6);
  });
});

describe('a receiving domain that was slow', () => {
  const slow = (at: number) => message(`slow-1200ms-at-dot+${at}@slow.example`);

  it('gets its next message alone on a connection, and no other message waits behind it', async () => {
    const { sink, transport } = await start({}, { maxConnections: 2, timeouts: { data: 400 } });
    await Promise.all(Array.from({ length: 20 }, (_, at) => transport.submit(own(`a${at}`))));
    await transport.submit(slow(1));
    const next = [slow(2), ...Array.from({ length: 40 }, (_, at) => own(`b${at}`))];
    await Promise.all(next.map((one) => transport.submit(one)));
    expect(sink.messages.at(-1)?.to).toBe('slow-1200ms-at-dot+2@slow.example');
    expect(sink.messages).toHaveLength(62);
  });
});

describe('the depth of a connection', () => {
  const after = (...milliseconds: readonly number[]): number => {
    const depth = new PipelineDepth();
    for (const each of milliseconds) depth.answered(each);
    return depth.allowed;
  };

  it.each([
    ['begins with one', [], 1],
    ['grows by one with each quick answer', [40, 40, 40], 4],
    ['is a few where the relay is near', Array(50).fill(1), 4],
    ['follows the distance', Array(50).fill(20), 8],
    ['has an end', Array(50).fill(300), 16],
    ['grows at a great distance as well', Array(50).fill(800), 16],
    ['shrinks with late answers', [...Array(50).fill(40), 250, 250], 14],
    ['bears answers that are a little late', [...Array(50).fill(40), 230, 230], 16],
    ['is one after a slow answer', [...Array(50).fill(40), 1_100], 1],
    ['is one at a tarpit from the start', Array(5).fill(6_000), 1],
  ])('%s', (_, answers, expected) => {
    expect(after(...answers)).toBe(expected);
  });

  it('is one while the front reply is awaited for long', () => {
    const depth = new PipelineDepth();
    for (let times = 0; times < 50; times += 1) depth.answered(40);
    expect([depth.stuck(1_000), depth.allowed]).toEqual([false, 16]);
    expect([depth.stuck(1_001), depth.allowed]).toEqual([true, 1]);
  });
});

describe('whatever a server does with several messages at once', () => {
  const scripts = ['550', '450', '554-at-dot', '421-at-rcpt', '421-at-dot', 'reset-at-rcpt', 'reset-at-body-10', 'fin-at-dot'];
  const local = fc.oneof({ arbitrary: fc.constant('ok'), weight: 5 }, { arbitrary: fc.constantFrom(...scripts), weight: 1 });
  const fault = fc.oneof(
    fc.constant({}),
    fc.record({ drop: fc.integer({ min: 3, max: 40 }) }),
    fc.record({ swap: fc.integer({ min: 3, max: 40 }) }),
    fc.record({ chunk: fc.integer({ min: 1, max: 60 }) }),
  );

  it('every message settles once, and what the sink has stored is submitted or in doubt', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(local, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 3, max: 30 }),
        fault,
        fc.integer({ min: 0, max: 30 }),
        async (locals, maxConnections, messagesPerConnection, replies, cutAfter) => {
          const sink = await startFaultSink({ messagesPerConnection, extensions: CHUNKING, replies, keepRaw: true });
          const transport = createSmtpTransport({
            url: sink.url,
            maxConnections,
            backoff: { minimum: 1, maximum: 2 },
            timeouts: { command: 40, dot: 40 },
          });
          let settled = 0;
          const results = await Promise.all(
            locals.map(async (script, at) => {
              const result = await transport.submit(own(`${script}+${at}`));
              settled += 1;
              if (settled === cutAfter) sink.cut();
              return result;
            }),
          );
          await transport.close();
          await sink.close();
          const outOfStep = 'drop' in replies || 'swap' in replies;
          locals.forEach((script, at) => {
            const copies = sink.messages.filter(({ to }) => to === `${script}+${at}@example.net`);
            const { outcome } = results[at]!;
            expect(copies.length).toBeLessThanOrEqual(1);
            for (const { raw } of copies) expect(raw?.toString()).toBe(contentFor(`${script}+${at}`).toString());
            if (copies.length === 1) expect(['submitted', 'in_doubt']).toContain(outcome);
            // A swapped reply can tell of the message before.
            else if (!outOfStep) expect([script, outcome]).not.toEqual([script, 'submitted']);
          });
        },
      ),
      { numRuns: 80 },
    );
  });
});
