import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DIALECTS, type FakeAnswer } from '../support/fake-provider.ts';
import { submitOne, useProviders } from '../support/provider-fixture.ts';

const { answering } = useProviders();

/** Exchanges recorded by other projects, kept beside the checkout; elsewhere they can be named by PENNYPOST_FIXTURES. */
const RECORDED = `${process.env.PENNYPOST_FIXTURES ?? fileURLToPath(new URL('../../../shared/fixtures', import.meta.url))}/providers`;

interface Exchange {
  readonly request: { readonly operation?: string; readonly url?: string };
  readonly http_status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly expected: { readonly ok: boolean; readonly status?: readonly string[]; readonly message_id?: unknown };
}

/** As Amazon SES answers on the wire: the recordings hold what an SDK makes of it. */
function answerOf({ body, http_status: status = 200, headers }: Exchange): FakeAnswer {
  if (typeof body === 'string') return { status, headers: headers ?? {}, body };
  const {
    Error: error,
    ResponseMetadata: meta,
    ...rest
  } = body as {
    Error?: { Code: string; Message: string };
    ResponseMetadata?: { HTTPStatusCode: number };
  };
  if (error === undefined) return { status: 200, body: JSON.stringify(rest) };
  return {
    status: meta?.HTTPStatusCode ?? 400,
    headers: { 'x-amzn-errortype': error.Code },
    body: JSON.stringify({ message: error.Message }),
  };
}

describe.skipIf(!existsSync(RECORDED))('recorded answers (skipped where there are none)', () => {
  const exchanges = existsSync(RECORDED)
    ? DIALECTS.flatMap((dialect) => {
        const folder = `${RECORDED}/${dialect.kind.replace('_', '-')}`;
        return readdirSync(folder)
          .filter((file) => file.startsWith('api-'))
          .map(
            (file) =>
              [`${dialect.kind} ${file}`, dialect, JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Exchange] as const,
          );
      })
    : [];
  // One recipient, one message: what pennypost sends.
  const single = exchanges.filter(
    ([, , { expected, request, body }]) =>
      !/"total_(?:accepted|rejected)_recipients": ?[2-9]/.test(String(body)) &&
      !Array.isArray(expected.message_id) &&
      (expected.status?.length ?? 1) === 1 &&
      !/batch|bulk/i.test(`${request.url} ${request.operation}`),
  );

  it('are many', () => expect(single.length).toBeGreaterThan(50));

  it.each(single)('%s', async (_, dialect, exchange) => {
    const { expected } = exchange;
    const { transport } = await answering(dialect, [answerOf(exchange)]);
    const attempt = await submitOne(transport);
    if (expected.status?.[0] === 'rejected' || expected.status?.[0] === 'invalid')
      expect(attempt).toMatchObject({ outcome: 'rejected', fault: 'recipient' });
    else if (!expected.ok) expect(attempt.outcome).not.toBe('submitted');
    else {
      expect(attempt).toMatchObject({ outcome: 'submitted', fault: 'none' });
      // SendGrid's recordings name the message by a field of the project that recorded them.
      if (dialect.kind !== 'sendgrid') expect(attempt).toMatchObject({ providerMessageId: expected.message_id });
    }
  });
});
