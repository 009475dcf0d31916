import { describe, expect, it } from 'vitest';
import { DIALECTS, type FakeAnswer, type FakeRequest, startFakeProvider } from '../support/fake-provider.ts';
import { CONTENT, dialectOf, html, submitOne, to, useProviders } from '../support/provider-fixture.ts';

const { answering, start, transportTo } = useProviders();

describe('a message in doubt', () => {
  const keyOf = (kind: string, { headers, body }: FakeRequest): unknown =>
    kind === 'resend' ? headers['idempotency-key'] : JSON.parse(body.toString()).headers.idempotencyKey;

  it.each(['brevo', 'resend'])('is settled by asking %s again with the same key', async (kind) => {
    const dialect = dialectOf(kind);
    const { transport, fake } = await answering(dialect, ['cut', html(502), dialect.accepts(['first'])]);
    expect(transport.capabilities.repeatSafeMs).toBeGreaterThan(0);
    expect(await submitOne(transport)).toMatchObject({
      outcome: 'submitted',
      providerMessageId: expect.stringContaining('first'),
    });
    expect(fake.requests).toHaveLength(3);
    expect(new Set(fake.requests.map((request) => keyOf(kind, request))).size).toBe(1);
  });

  it('has a key that depends on Message-ID and recipient alone', async () => {
    for (const kind of ['brevo', 'resend']) {
      const dialect = dialectOf(kind);
      const { transport, fake } = await answering(dialect, [dialect.accepts(['1'])]);
      for (const address of ['a@example.net', 'a@example.net', 'b@example.net']) await transport.submit(to(address));
      const [first, second, third] = fake.requests.map((request) => keyOf(kind, request));
      expect(first).toBe(second);
      expect(third).not.toBe(first);
    }
  });

  it('was accepted before when Brevo knows its key', async () => {
    const duplicate: FakeAnswer = { status: 400, body: '{"code":"duplicate_parameter","message":"idempotencyKey"}' };
    const { transport } = await answering(dialectOf('brevo'), ['cut', duplicate]);
    expect(await submitOne(transport)).toMatchObject({ outcome: 'submitted', fault: 'none' });
  });

  it('stays in doubt when the repetition is deferred, and is refused when the repetition is refused', async () => {
    const dialect = dialectOf('resend');
    const limited = await answering(dialect, ['cut', dialect.refusals.quota]);
    expect(await submitOne(limited.transport)).toMatchObject({ outcome: 'in_doubt', fault: 'transport' });
    expect(limited.fake.requests).toHaveLength(4);
    const refused = await answering(dialect, ['cut', dialect.refusals.recipient]);
    expect(await submitOne(refused.transport)).toMatchObject({ outcome: 'rejected', fault: 'recipient' });
  });

  it.each(DIALECTS.filter(({ kind }) => kind !== 'brevo' && kind !== 'resend').map(({ kind }) => kind))(
    'is never handed to %s a second time',
    async (kind) => {
      const dialect = dialectOf(kind);
      const { transport, fake } = await answering(dialect, ['cut', dialect.accepts(['1'])]);
      expect(transport.capabilities.repeatSafeMs).toBeUndefined();
      expect(await submitOne(transport)).toMatchObject({ outcome: 'in_doubt' });
      expect(fake.requests).toHaveLength(1);
    },
  );
});

describe.each(['postmark', 'resend'])('a batch to %s', (kind) => {
  const dialect = dialectOf(kind);
  const addresses = Array.from({ length: 7 }, (_, at) => `r${at}@example.net`);
  const accepting = (request: FakeRequest): FakeAnswer =>
    dialect.accepts((dialect.messages(request) ?? []).map(({ to: address }) => `id-${address}`));

  async function batching(answer: (request: FakeRequest) => FakeAnswer) {
    const fake = await start(answer);
    return { fake, transport: transportTo(dialect, fake.url, { batches: true }) };
  }

  it('holds the messages that wait, each with its own id', async () => {
    const { transport, fake } = await batching(accepting);
    expect(transport.capabilities).toMatchObject({ batchSize: kind === 'postmark' ? 500 : 100, repeatSafeMs: undefined });
    const attempts = await Promise.all(addresses.map((address) => transport.submit(to(address))));
    expect(attempts.map((attempt) => 'providerMessageId' in attempt && attempt.providerMessageId)).toEqual(
      addresses.map((address) => `id-${address}`),
    );
    expect(fake.requests).toHaveLength(1);
    expect(fake.requests[0]?.path).toMatch(/batch$/);
  });

  it('has no more bytes than one message may have', async () => {
    const { transport, fake } = await batching(accepting);
    const content = Buffer.concat([CONTENT, Buffer.alloc(3_000_000, 'a\r\n')]);
    const attempts = await Promise.all(addresses.map((address) => transport.submit(to(address, { content }))));
    expect(new Set(attempts.map(({ outcome }) => outcome))).toEqual(new Set(['submitted']));
    const most = kind === 'postmark' ? 3 : 7;
    expect(Math.max(...fake.requests.map((request) => dialect.messages(request)?.length ?? 0))).toBe(most);
  });

  it('leaves out a message that is withdrawn before the first byte', async () => {
    const { transport, fake } = await batching(accepting);
    let asked = 0;
    const proceed = (): boolean => {
      asked += 1;
      return asked < 2;
    };
    const attempts = await Promise.all(
      addresses.map((address, at) => transport.submit(to(address, at === 3 ? { proceed } : {}))),
    );
    expect(attempts.map(({ outcome }) => outcome)).toEqual(addresses.map((_, at) => (at === 3 ? 'withdrawn' : 'submitted')));
    expect(fake.requests.map((request) => dialect.messages(request)?.length)).toEqual([6]);
  });

  it('is in doubt as a whole when its answer is lost or has another length', async () => {
    for (const answer of ['cut', dialect.accepts(['1', '2']), html(502)] as const) {
      const { transport } = await batching(() => answer);
      const attempts = await Promise.all(addresses.map((address) => transport.submit(to(address))));
      expect(new Set(attempts.map(({ outcome }) => outcome))).toEqual(new Set(['in_doubt']));
    }
  });

  it('has one message that cannot be converted refused, and takes the others', async () => {
    const { transport, fake } = await batching(accepting);
    const broken = { content: Buffer.from('Subject: without an author\r\n\r\nHello.\r\n') };
    const attempts = await Promise.all(addresses.map((address, at) => transport.submit(to(address, at === 0 ? broken : {}))));
    expect(attempts[0]).toMatchObject({ outcome: 'rejected', fault: 'message' });
    expect(attempts.slice(1).map(({ outcome }) => outcome)).toEqual(addresses.slice(1).map(() => 'submitted'));
    expect(fake.requests.map((request) => dialect.messages(request)?.length)).toEqual([6]);
  });
});

describe('a batch', () => {
  it('has an outcome of each message at Postmark', async () => {
    const dialect = dialectOf('postmark');
    const results = [
      { ErrorCode: 0, Message: 'OK', MessageID: 'one' },
      { ErrorCode: 406, Message: 'You tried to send to a recipient that has been marked as inactive.' },
      { ErrorCode: 451, Message: 'Something new' },
    ];
    const { transport } = await answering(dialect, [{ status: 200, body: JSON.stringify(results) }], { batches: true });
    const attempts = await Promise.all(
      ['a@x.example', 'b@x.example', 'c@x.example'].map((address) => transport.submit(to(address))),
    );
    expect(attempts).toMatchObject([
      { outcome: 'submitted', providerMessageId: 'one' },
      { outcome: 'rejected', fault: 'recipient' },
      { outcome: 'deferred', fault: 'unknown' },
    ]);
  });

  it('to Resend is settled by asking again, byte for byte, and leaves attachments to calls of their own', async () => {
    const dialect = dialectOf('resend');
    let calls = 0;
    const fake = await start((request) => {
      calls += 1;
      return calls === 1 ? 'cut' : dialect.accepts((dialect.messages(request) ?? []).map(({ to: address }) => address));
    });
    const transport = transportTo(dialect, fake.url, { batches: true });
    const attached = Buffer.from(
      'From: <news@example.com>\r\nMessage-ID: <2@example.com>\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nHello.\r\n--q\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--q--\r\n',
    );
    const attempts = await Promise.all([
      transport.submit(to('a@example.net')),
      transport.submit(to('b@example.net', { content: attached })),
      transport.submit(to('c@example.net')),
    ]);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['submitted', 'submitted', 'submitted']);
    expect(fake.requests.map(({ path }) => path)).toEqual(['/emails/batch', '/emails/batch', '/emails']);
    expect(fake.requests[0]?.body.equals(fake.requests[1]?.body ?? Buffer.alloc(0))).toBe(true);
    expect(fake.requests[0]?.headers['idempotency-key']).toBe(fake.requests[1]?.headers['idempotency-key']);
  });
});

describe('a provider that allows two calls at once', () => {
  it('has at most one message in six deferred', async () => {
    const dialect = dialectOf('sendgrid');
    let underWay = 0;
    const fake = await startFakeProvider(async () => {
      underWay += 1;
      await new Promise((resolve) => {
        setTimeout(resolve, 3);
      });
      const over = underWay > 2;
      underWay -= 1;
      return over ? { status: 429, headers: { 'retry-after': '0.001' }, body: '' } : dialect.accepts(['1']);
    });
    const transport = transportTo(dialect, fake.url, { slots: 10 });
    const attempts = await Promise.all(Array.from({ length: 120 }, (_, at) => transport.submit(to(`r${at}@example.net`))));
    await transport.close();
    await fake.close();
    expect(attempts.filter(({ outcome }) => outcome === 'deferred').length).toBeLessThanOrEqual(20);
    expect(attempts.filter(({ outcome }) => outcome === 'submitted').length).toBeGreaterThanOrEqual(100);
  });
});
