import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Attempt, type OutgoingMessage, parseTransportSettings, type Transport } from '../../src/domain/delivery/index.ts';
import { createTransport } from '../../src/infrastructure/transports/create-transport.ts';
import { MemoryTransport } from '../../src/infrastructure/transports/memory.ts';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import { DIALECTS, type FakeAnswer, startScriptedProvider } from '../support/fake-provider.ts';
import { type FaultSink, startFaultSink } from '../support/fault-sink.ts';
import { DIALOGUES } from '../support/sink-fixture.ts';

/** A transport and its next hop, which answers as `scriptedAnswer`. */
interface Bench {
  transport: Transport;
  /** What the next hop took, in order. */
  accepted(): { from?: string; to: string; content: string }[];
  /** Codes of an acceptance, a final and a temporary refusal. */
  codes: readonly [number | undefined, number | undefined, number | undefined];
  /** A directory refuses no recipient. */
  refuses: boolean;
  stop(): Promise<void>;
}

const SMTP_CODES = [250, 550, 451] as const;

const attempt = (outcome: Attempt['outcome'], code: number | undefined, fault: Attempt['fault']): Attempt => ({
  outcome,
  code,
  enhancedCode: undefined,
  reply: 'scripted',
  fault,
});

/** What every next hop answers to these recipients. The SMTP sink reads the same scripts (test/support/sink-script.ts). */
function scriptedAnswer({ envelope }: OutgoingMessage): Attempt {
  if (envelope.to.startsWith('550')) return attempt('rejected', 550, 'recipient');
  if (envelope.to.startsWith('451')) return attempt('deferred', 451, 'transport');
  if (envelope.to.startsWith('reset-at-dot')) return attempt('in_doubt', undefined, 'transport');
  return attempt('submitted', 250, 'none');
}

const CONTEXT = { slots: 3, allowsPrivateHosts: true, emlDir: tmpdir(), backoff: { minimum: 1, maximum: 2 } };

function statusOf(answer: FakeAnswer): { status: number } {
  if (typeof answer === 'string') throw new Error('This answer has no status.');
  return answer;
}

const benches: Record<string, (slots: number) => Promise<Bench>> = {
  async MemoryTransport(slots) {
    const transport = new MemoryTransport({ slots, answer: scriptedAnswer });
    return {
      transport,
      codes: SMTP_CODES,
      refuses: true,
      accepted: () => transport.messages.map(({ envelope, content }) => ({ ...envelope, content: content.toString() })),
      stop: () => transport.close(),
    };
  },
};
for (const [dialogue, { extensions }] of DIALOGUES)
  benches[`SmtpTransport by ${dialogue}`] = async (slots) => {
    const sink: FaultSink = await startFaultSink({ keepRaw: true, extensions });
    const transport = createSmtpTransport({ url: sink.url, maxConnections: slots, backoff: { minimum: 1, maximum: 2 } });
    return {
      transport,
      codes: SMTP_CODES,
      refuses: true,
      accepted: () => sink.messages.map(({ from, to, raw }) => ({ from, to, content: raw?.toString() ?? '' })),
      async stop() {
        await transport.close();
        await sink.close();
      },
    };
  };

for (const dialect of DIALECTS)
  benches[`HttpTransport to ${dialect.kind}`] = async (slots) => {
    const fake = await startScriptedProvider(dialect);
    const transport = createTransport(parseTransportSettings({ kind: dialect.kind, endpoint: fake.url, ...dialect.settings }), {
      ...CONTEXT,
      slots,
    });
    const { status: accepted } = statusOf(dialect.accepts(['1']));
    return {
      transport,
      codes: [accepted, statusOf(dialect.refusals.recipient).status, 503],
      refuses: true,
      accepted: () => fake.accepted,
      async stop() {
        await transport.close();
        await fake.close();
      },
    };
  };
benches.DirectoryTransport = async (slots) => {
  const emlDir = await mkdtemp(join(tmpdir(), 'pennypost-mail-'));
  await mkdir(join(emlDir, 'out'));
  const transport = createTransport(parseTransportSettings({ kind: 'directory', path: 'out' }), { ...CONTEXT, emlDir, slots });
  return {
    transport,
    codes: [undefined, undefined, undefined],
    refuses: false,
    accepted: () => writtenTo(join(emlDir, 'out')),
    async stop() {
      await transport.close();
      await rm(emlDir, { recursive: true });
    },
  };
};

/** The envelope in the two headers of each file, and the message after them. */
function writtenTo(directory: string): { from: string; to: string; content: string }[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const found = /^X-Envelope-From: <(.*)>\r\nX-Envelope-To: <(.*)>\r\n([\s\S]*)$/.exec(
      readFileSync(join(directory, entry.name), 'utf8'),
    );
    return found === null ? [] : [{ from: found[1] ?? '', to: found[2] ?? '', content: found[3] ?? '' }];
  });
}

const CONTENT = Buffer.from(
  'From: News <news@example.com>\r\nTo: <reader@example.net>\r\nSubject: Hello\r\nMessage-ID: <1@example.com>\r\n\r\nHello.\r\n',
);
const to = (address: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  envelope: { from: 'b+1@bounces.example.com', to: address, smtputf8: false },
  content: CONTENT,
  ...more,
});

describe.each(Object.entries(benches))('%s', (_, open) => {
  let bench: Bench | undefined;
  const using = async (slots = 3): Promise<Bench> => {
    bench = await open(slots);
    return bench;
  };
  afterEach(async () => {
    await bench?.stop();
    bench = undefined;
  });

  it('submits a message as it is, with its envelope', async () => {
    const { transport, accepted, codes } = await using();
    const attempt = await transport.submit(to('reader@example.net'));
    expect(attempt).toMatchObject({ outcome: 'submitted', code: codes[0], fault: 'none' });
    expect('providerMessageId' in attempt).toBe(transport.capabilities.givesMessageId);
    const [found] = accepted();
    expect(found).toMatchObject({ to: 'reader@example.net' });
    // A provider has return paths of its own.
    if (found?.from !== undefined) expect(found.from).toBe('b+1@bounces.example.com');
    if (transport.capabilities.content === 'mime') expect(found?.content).toBe(CONTENT.toString());
    else expect(found?.content).toContain('Hello.');
  });

  it('takes the null return path', async () => {
    const { transport, accepted } = await using();
    await transport.submit({ envelope: { from: '', to: 'reader@example.net', smtputf8: false }, content: CONTENT });
    expect(accepted()).toMatchObject([{ to: 'reader@example.net' }]);
    expect(accepted()[0]?.from ?? '').toBe('');
  });

  it('tells a refusal for good, a refusal for now and an unknown end apart', async () => {
    const { transport, codes, refuses } = await using();
    if (!refuses) return;
    const addresses = ['550+1@example.net', '451+1@example.net', 'reset-at-dot+1@example.net'];
    const results = await Promise.all(addresses.map((address) => transport.submit(to(address))));
    expect(results).toMatchObject([
      { outcome: 'rejected', code: codes[1], fault: 'recipient' },
      { outcome: 'deferred', code: codes[2], fault: 'transport' },
      { outcome: 'in_doubt', code: undefined, fault: 'transport' },
    ]);
  });

  it('settles every message exactly as often as it was submitted, many at once', async () => {
    const { transport, accepted } = await using();
    const addresses = Array.from({ length: 200 }, (_, at) => `reader${at}@example.net`);
    const results = await Promise.all(addresses.map((address) => transport.submit(to(address))));
    expect(results.filter((result) => result.outcome === 'submitted')).toHaveLength(200);
    expect(
      accepted()
        .map((message) => message.to)
        .sort(),
    ).toEqual(addresses.sort());
  });

  it('withdraws a message that may not proceed, without a trace', async () => {
    const { transport, accepted } = await using();
    let handedOver = 0;
    const result = await transport.submit(
      to('reader@example.net', { proceed: () => false, onHandOver: () => (handedOver += 1) }),
    );
    expect(result).toEqual({ outcome: 'withdrawn' });
    expect([handedOver, accepted()]).toEqual([0, []]);
  });

  it('asks whether to proceed when a slot is free, not before', async () => {
    const { transport } = await using(1);
    const order: string[] = [];
    let paused = false;
    const first = transport.submit(to('a@example.net', { onHandOver: () => order.push('a begins') })).then(() => {
      paused = true;
    });
    const others = Array.from({ length: 5 }, () => transport.submit(to('b@example.net', { proceed: () => !paused })));
    await first;
    const outcomes = (await Promise.all(others)).map((result) => result.outcome);
    expect(order).toEqual(['a begins']);
    expect(outcomes.at(-1)).toBe('withdrawn');
  });

  it('says once that the hand-over begins and once that the content leaves, before anything is accepted', async () => {
    const { transport, accepted } = await using();
    const seen: [string, number][] = [];
    await transport.submit(
      to('reader@example.net', {
        onHandOver: () => seen.push(['hand-over', accepted().length]),
        onContent: () => seen.push(['content', accepted().length]),
      }),
    );
    expect(seen).toEqual([
      ['hand-over', 0],
      ['content', 0],
    ]);
  });

  it('does not say that the content leaves of a message that is refused before or withdrawn', async () => {
    const { transport } = await using();
    const given: string[] = [];
    const onContent = (): void => void given.push('content');
    await transport.submit(to('b@example.net\r\nQUIT', { onContent }));
    await transport.submit(to('c@example.net', { proceed: () => false, onContent }));
    expect(given).toEqual([]);
  });

  it('refuses an address that could end the command line, without a trace', async () => {
    const { transport, accepted } = await using();
    const bad = [
      'a@example.net\r\nRCPT TO:<evil@example.org',
      'a@example.net>\nDATA',
      'a b@example.net',
      'no-domain',
      '',
      'a@b\0',
    ];
    for (const address of bad) {
      expect(await transport.submit(to(address))).toMatchObject({
        outcome: 'rejected',
        enhancedCode: '5.1.3',
        fault: 'recipient',
      });
    }
    const envelope = { from: 'b@example.com>\r\nRSET', to: 'reader@example.net', smtputf8: false };
    expect(await transport.submit({ envelope, content: CONTENT })).toMatchObject({
      outcome: 'rejected',
      enhancedCode: '5.1.7',
      fault: 'sender',
    });
    expect(accepted()).toEqual([]);
  });

  it.each(['proceed', 'onHandOver', 'onContent'])('rejects the promise when %s throws, and serves the others', async (what) => {
    const { transport } = await using();
    const broken = transport.submit(
      to('a@example.net', {
        [what]: () => {
          throw new Error('planted');
        },
      }),
    );
    await expect(broken).rejects.toThrow('planted');
    expect(await transport.submit(to('b@example.net'))).toMatchObject({ outcome: 'submitted' });
  });

  it('finishes what has begun and withdraws what waits when it closes', async () => {
    const { transport, accepted } = await using(1);
    const begun = new Promise<void>((resolve) => {
      void transport.submit(to('first@example.net', { onHandOver: resolve }));
    });
    const waiting = Array.from({ length: 10 }, (_, at) => transport.submit(to(`waiting${at}@example.net`)));
    await begun;
    await transport.close();
    const outcomes = (await Promise.all(waiting)).map((result) => result.outcome);
    expect(outcomes.at(-1)).toBe('withdrawn');
    expect(accepted()).toHaveLength(1 + outcomes.filter((outcome) => outcome === 'submitted').length);
    expect(await transport.submit(to('late@example.net'))).toEqual({ outcome: 'withdrawn' });
  });

  it('verifies without mail', async () => {
    const { transport, accepted } = await using();
    await transport.verify();
    expect(accepted()).toEqual([]);
  });

  it('closes twice, and closes unused', async () => {
    const { transport } = await using();
    await Promise.all([transport.close(), transport.close()]);
  });
});
