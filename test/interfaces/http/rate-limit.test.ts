import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unauthenticated } from '../../../src/domain/access/index.ts';
import { RateLimiter } from '../../../src/interfaces/http/rate-limit.ts';
import { authorized, PROJECT, probeApp, SECRET } from './support.ts';

describe('a key with ten requests per second', () => {
  const { app, clock, probe } = probeApp();
  const get = () => app.request(`/v1/things/${PROJECT}`, { headers: authorized });

  it('may make ten at once, and is told what is left', async () => {
    for (let left = 9; left >= 0; left--) {
      const response = await get();
      expect(response.status).toBe(200);
      expect(response.headers.get('ratelimit-policy')).toBe('"key";q=10;w=1');
      expect(response.headers.get('ratelimit')).toBe(`"key";r=${left};t=1`);
    }
  });

  it('gets 429 for the eleventh, which is not carried out', async () => {
    const response = await get();
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('ratelimit')).toBe('"key";r=0;t=1');
    expect(await response.json()).toMatchObject({ code: 'request.rate_limited' });
    expect(probe.handled).toBe(10);
  });

  it('may make one more after a tenth of a second', async () => {
    clock.now += 100;
    expect([(await get()).status, (await get()).status]).toEqual([200, 429]);
  });

  it('is full again after a second, and no fuller after an hour', async () => {
    clock.now += 3_600_000;
    const statuses: number[] = [];
    for (let index = 0; index < 11; index++) statuses.push((await get()).status);
    expect(statuses).toEqual([...Array(10).fill(200), 429]);
  });
});

describe('the token bucket', () => {
  it('lets through at most the limit times the time, and one burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 }),
        (limit, pauses) => {
          let now = 0;
          const limiter = new RateLimiter(() => now);
          let allowed = 0;
          for (const pause of pauses) {
            now += pause;
            if (limiter.take('key', limit).allowed) allowed += 1;
          }
          expect(allowed).toBeLessThanOrEqual(limit + (now / 1000) * limit + 1e-6);
        },
      ),
    );
  });

  it('gives every key a bucket of its own', () => {
    const limiter = new RateLimiter(() => 0);
    expect(limiter.take('a', 1).allowed).toBe(true);
    expect(limiter.take('b', 1).allowed).toBe(true);
    expect(limiter.take('a', 1).allowed).toBe(false);
  });
});

describe('keys that do not open', () => {
  const from = (address: string) => ({ incoming: { socket: { remoteAddress: address } } });
  const statusOf = async (surface: ReturnType<typeof probeApp>, secret: string, address = '192.0.2.1') => {
    surface.clock.now += 1;
    const path = `/v1/things/${PROJECT}`;
    const answer = await surface.app.request(path, { headers: { authorization: `Bearer ${secret}` } }, from(address));
    return [answer.status, answer.headers.get('retry-after')];
  };

  it('are refused with 429 after 30 of one network, also from its other addresses and with other keys', async () => {
    const surface = probeApp();
    for (let tries = 0; tries < 30; tries += 1) expect(await statusOf(surface, `pp_${tries}`)).toEqual([401, null]);
    expect(await statusOf(surface, 'pp_30')).toEqual([429, '2']);
    expect(await statusOf(surface, 'pp_31', '192.0.2.200')).toEqual([429, '2']);
    expect(await statusOf(surface, 'pp_32', '::ffff:192.0.2.9')).toEqual([429, '2']);
    expect(await statusOf(surface, 'pp_33', '198.51.100.1')).toEqual([401, null]);
    surface.clock.now += 2_000;
    expect(await statusOf(surface, 'pp_34')).toEqual([401, null]);
    expect(await statusOf(surface, 'pp_35')).toEqual([429, '2']);
  });

  it('do not shut out a client at work behind the same address', async () => {
    const surface = probeApp();
    expect(await statusOf(surface, SECRET)).toEqual([200, null]);
    for (let tries = 0; tries < 40; tries += 1) await statusOf(surface, `pp_${tries}`);
    expect(await statusOf(surface, SECRET)).toEqual([200, null]);
  });

  it('are not even looked up then, and good keys cost nothing', async () => {
    let asked = 0;
    const surface = probeApp({
      async authenticate() {
        asked += 1;
        throw new Unauthenticated('unknown');
      },
    });
    for (let tries = 0; tries < 100; tries += 1) await statusOf(surface, `pp_${tries}`);
    expect(asked).toBe(30);
  });
});
