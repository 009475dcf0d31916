import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { DIALECTS, type FakeAnswer } from '../support/fake-provider.ts';
import { html, to, useProviders } from '../support/provider-fixture.ts';

const { start, transportTo } = useProviders();
const runs: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of runs.splice(0)) await end();
});

/** What the provider does with a call: whether it takes its messages, and whether the answer says so. */
const behaviour = fc.constantFrom(
  'accept',
  'accept-and-cut',
  'accept-and-502',
  'cut',
  'quota',
  'transport',
  'recipient',
  'page-403',
  'page-503',
);
type Behaviour = typeof behaviour extends fc.Arbitrary<infer T> ? T : never;

describe('whatever a provider does', () => {
  it.each(DIALECTS.map((dialect) => [dialect.kind, dialect] as const))(
    'every message to %s settles once, and its outcome agrees with what the provider took',
    async (_, dialect) => {
      const property = fc.asyncProperty(
        fc.array(behaviour, { minLength: 1, maxLength: 30 }),
        fc.boolean(),
        async (behaviours: readonly Behaviour[], batches) => {
          const taken: string[] = [];
          let calls = 0;
          const fake = await start((request): FakeAnswer => {
            const addresses = (dialect.messages(request) ?? []).map((message) => message.to);
            const does = behaviours[calls % behaviours.length];
            calls += 1;
            if (does?.startsWith('accept') === true) taken.push(...addresses);
            if (does === 'accept') return dialect.accepts(addresses);
            if (does === 'accept-and-502') return html(502);
            if (does === 'page-403' || does === 'page-503') return html(Number(does.slice(5)));
            if (does !== 'quota' && does !== 'transport' && does !== 'recipient') return 'cut';
            const refusal = dialect.refusals[does];
            return typeof refusal === 'string' ? refusal : { ...refusal, headers: { ...refusal.headers, 'retry-after': '0' } };
          });
          const transport = transportTo(dialect, fake.url, { slots: 3, batches, backoff: { minimum: 0, maximum: 0 } });
          runs.push(() => transport.close());
          const addresses = Array.from({ length: 12 }, (_, at) => `reader${at}@example.net`);
          const attempts = await Promise.all(addresses.map((address) => transport.submit(to(address))));
          const repeats = transport.capabilities.repeatSafeMs !== undefined || dialect.kind === 'resend';
          addresses.forEach((address, at) => {
            const times = taken.filter((one) => one === address).length;
            const { outcome } = attempts[at] ?? {};
            if (outcome === 'submitted') expect(times).toBeGreaterThan(0);
            if (outcome === 'deferred' || (outcome === 'rejected' && !repeats)) expect(times).toBe(0);
            // A provider with idempotency keys takes a repeated call once; this fake counts each.
            if (!repeats) expect(times).toBeLessThanOrEqual(1);
          });
        },
      );
      await fc.assert(property, { numRuns: 12 });
    },
  );
});
