import { describe, expect, it } from 'vitest';
import type { Attempt, Withdrawn } from '../../src/domain/delivery/index.ts';
import { DIALECTS, type FakeAnswer } from '../support/fake-provider.ts';
import { html, submitOne, to, useProviders } from '../support/provider-fixture.ts';

const { answering, start, transportTo } = useProviders();

describe.each(DIALECTS.map((dialect) => [dialect.kind, dialect] as const))('%s', (_, dialect) => {
  it.each([
    ['recipient', 'rejected'],
    ['sender', 'rejected'],
    ['message', 'rejected'],
    ['quota', 'deferred'],
    ['transport', 'deferred'],
  ] as const)('has a refusal of the class %s', async (fault, outcome) => {
    const { transport, fake } = await answering(dialect, [dialect.refusals[fault]]);
    const attempt = await submitOne(transport);
    expect(attempt).toMatchObject({ outcome, fault });
    expect('retryAfterMs' in attempt && attempt.retryAfterMs).toBe(fault === 'quota' ? 3_600_000 : false);
    expect(fake.requests).toHaveLength(1);
  });

  it('is not accepted on the strength of the status alone', async () => {
    const answers: [FakeAnswer, Partial<Attempt>][] = [
      [
        { status: 200, body: "yikes, this isn't a real response" },
        { outcome: 'in_doubt', fault: 'unknown' },
      ],
      [{ status: 200, body: '{"wrong":"format"}' }, { outcome: 'in_doubt' }],
      [html(200), { outcome: 'in_doubt', fault: 'unknown' }],
      [
        { status: 200, body: 'null' },
        { outcome: 'in_doubt', fault: 'unknown' },
      ],
      [
        { status: 201, body: '[]' },
        { outcome: 'in_doubt', fault: 'unknown' },
      ],
    ];
    for (const [answer, expected] of answers) {
      const { transport } = await answering(dialect, [answer]);
      expect(await submitOne(transport), JSON.stringify(answer)).toMatchObject(expected);
    }
  });

  it('never counts an unreadable error against the recipient', async () => {
    const answers: [FakeAnswer, Partial<Attempt>][] = [
      [html(403), { outcome: 'deferred', fault: 'unknown' }],
      [html(404), { outcome: 'deferred', fault: 'unknown' }],
      [
        { status: 418, body: '{{{' },
        { outcome: 'deferred', fault: 'unknown' },
      ],
      [html(429), { outcome: 'deferred', fault: 'quota' }],
      [html(503), { outcome: 'deferred', fault: 'transport' }],
      // The proxy speaks for a server that may have accepted the message.
      [html(502), { outcome: 'in_doubt', fault: 'transport' }],
      [
        { status: 504, body: '' },
        { outcome: 'in_doubt', fault: 'transport' },
      ],
    ];
    for (const [answer, expected] of answers) {
      const { transport } = await answering(dialect, [answer]);
      expect(await submitOne(transport), JSON.stringify(answer)).toMatchObject(expected);
    }
  });

  it('does not lead elsewhere by a redirect', async () => {
    const elsewhere = await start(() => dialect.accepts(['1']));
    const { transport } = await answering(dialect, [{ status: 307, headers: { location: `${elsewhere.url}/` }, body: '' }]);
    expect(await submitOne(transport)).toMatchObject({ outcome: 'deferred', code: 307, fault: 'transport' });
    expect(elsewhere.requests).toEqual([]);
  });

  it('leaves a message in doubt whose answer does not arrive: late, byte by byte, cut off, or too long', async () => {
    const long = JSON.stringify({ filler: 'x'.repeat(600_000) });
    const answers: FakeAnswer[] = [
      'hang',
      { status: 200, body: ' '.repeat(60_000), drip: true },
      'cut',
      { status: 200, body: '{"id"', cutInside: true },
      { status: 200, body: long },
    ];
    for (const answer of answers) {
      const { transport } = await answering(dialect, [answer], { answerTimeout: 100 });
      expect(await submitOne(transport), JSON.stringify(answer).slice(0, 60)).toMatchObject({ outcome: 'in_doubt' });
    }
  });

  it('has surely not received what no connection was opened for, and the next message goes once it is back', async () => {
    const gone = await start(() => 'hang');
    await gone.close();
    const transport = transportTo(dialect, gone.url);
    const attempt = await submitOne(transport);
    expect(attempt).toMatchObject({ outcome: 'deferred', code: undefined, fault: 'transport' });
    expect('reply' in attempt && attempt.reply).toContain('ECONNREFUSED');
    const secure = transportTo(dialect, (await start(() => dialect.accepts(['1']))).url.replace('http:', 'https:'));
    expect(await submitOne(secure)).toMatchObject({ outcome: 'deferred', code: undefined, fault: 'transport' });
  });

  it('says in verify what is wrong with the credentials, and repeats them nowhere', async () => {
    const { transport } = await answering(dialect, [dialect.unauthorised]);
    const attempt = await submitOne(transport);
    expect(attempt).toMatchObject({ outcome: 'deferred', fault: 'transport' });
    expect(JSON.stringify(attempt)).not.toContain(dialect.secret);
    const refusal = await transport.verify().catch((error: Error) => error.message);
    expect(refusal).toMatch(/^http:\/\/127\.0\.0\.1:\d+: 40/);
    expect(refusal).not.toContain(dialect.secret);
  });

  it('says in verify that another server answers', async () => {
    for (const answer of [html(200), html(404), 'cut', { status: 200, body: '{}' }] as const) {
      const { transport } = await answering(dialect, [answer]);
      await expect(transport.verify(), JSON.stringify(answer)).rejects.toThrow('http://127.0.0.1');
    }
  });

  it('is asked nothing about a message that is withdrawn when the connection is ready', async () => {
    const { transport, fake } = await answering(dialect, [dialect.accepts(['1'])]);
    let asked = 0;
    const given: string[] = [];
    const withdrawn = await transport.submit(
      to('reader@example.net', {
        proceed: () => {
          asked += 1;
          return asked < 2;
        },
        onHandOver: () => given.push('hand-over'),
        onContent: () => given.push('content'),
      }),
    );
    expect(withdrawn).toEqual({ outcome: 'withdrawn' });
    expect([fake.requests, given]).toEqual([[], []]);
    expect(await submitOne(transport)).toMatchObject({ outcome: 'submitted' });
  });

  it('has the rest of its answer cut off when the transport closes', async () => {
    const { transport } = await answering(dialect, ['hang']);
    const results: Promise<Attempt | Withdrawn>[] = [];
    const begun = new Promise<void>((resolve) => {
      results.push(transport.submit(to('first@example.net', { onContent: resolve })));
    });
    results.push(submitOne(transport));
    await begun;
    expect(transport.waits()).toEqual([
      expect.stringMatching(/^1 call to 127\.0\.0\.1:\d+ without an answer/),
      '1 message in line for a call',
    ]);
    await transport.close(1);
    expect(await Promise.all(results)).toMatchObject([
      { outcome: 'in_doubt', reply: expect.stringContaining('the transport is closing') },
      { outcome: 'withdrawn' },
    ]);
  });

  it('has its replies shown as one clean line of at most 500 characters', async () => {
    const { transport } = await answering(dialect, [
      { status: 403, body: `a\u0000b\r\nSet-Cookie: x\u2028${'y'.repeat(2_000)}\ud800` },
    ]);
    const attempt = await submitOne(transport);
    const reply = 'reply' in attempt ? attempt.reply : '';
    expect(reply).toMatch(/^403 a b Set-Cookie: x y+/);
    expect(reply.length).toBeLessThanOrEqual(500);
  });

  it('gets its messages again after a short pause that it asks for, three times at most', async () => {
    const limited: FakeAnswer = { status: 429, headers: { 'retry-after': '0.02' }, body: '' };
    const { transport, fake } = await answering(dialect, [limited, limited, dialect.accepts(['1'])]);
    const told: string[] = [];
    const first = transport.submit(
      to('reader@example.net', { onHandOver: () => told.push('hand-over'), onContent: () => told.push('content') }),
    );
    expect(await Promise.all([first, submitOne(transport)])).toMatchObject([{ outcome: 'submitted' }, { outcome: 'submitted' }]);
    expect([fake.requests.length, told]).toEqual([4, ['hand-over', 'content']]);
    const strict = await answering(dialect, [limited]);
    expect(await submitOne(strict.transport)).toMatchObject({ outcome: 'deferred', fault: 'quota', retryAfterMs: 20 });
    expect(strict.fake.requests).toHaveLength(3);
  });

  it('has a message that waits for the end of a pause withdrawn', async () => {
    let paused = false;
    const limited: FakeAnswer = { status: 429, headers: { 'retry-after': '0.02' }, body: '' };
    const { transport, fake } = await answering(dialect, [limited, dialect.accepts(['1'])]);
    const withdrawn = transport.submit(
      to('reader@example.net', {
        proceed: () => !paused,
        onContent: () => {
          paused = true;
        },
      }),
    );
    expect(await withdrawn).toEqual({ outcome: 'withdrawn' });
    expect(fake.requests).toHaveLength(1);
  });

  it('is refused a message that is larger than it takes, without a call', async () => {
    const { transport, fake } = await answering(dialect, [dialect.accepts(['1'])]);
    const content = Buffer.alloc(31_000_000, 'a');
    expect(await transport.submit(to('reader@example.net', { content }))).toMatchObject({
      outcome: 'rejected',
      enhancedCode: '5.3.4',
      fault: 'message',
    });
    expect(fake.requests).toEqual([]);
  });
});
