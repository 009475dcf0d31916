import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BULK_RETRY, nextAttemptAt, TRANSACTIONAL_RETRY } from '../../../src/domain/delivery/index.ts';
import { AT } from '../../support/builders-delivery.ts';

const HOUR = 3_600_000;
const delay = (policy: typeof BULK_RETRY, attempts: number, jitter: number): number =>
  nextAttemptAt(policy, attempts, AT, jitter).getTime() - AT.getTime();

describe('the retry schedule', () => {
  it('of bulk mail starts after 5 minutes, doubles, and stays at 4 hours', () => {
    const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((attempts) => delay(BULK_RETRY, attempts, 1) / 60_000);
    expect(minutes).toEqual([5, 10, 20, 40, 80, 160, 240, 240, 240]);
  });

  it('of transactional mail is sooner, because a person waits', () => {
    expect([1, 2, 3].map((attempts) => delay(TRANSACTIONAL_RETRY, attempts, 1))).toEqual([30_000, 60_000, 120_000]);
  });

  it('gives up after 72 hours for bulk and 24 for transactional mail', () => {
    expect([BULK_RETRY.lifetimeMs, TRANSACTIONAL_RETRY.lifetimeMs]).toEqual([72 * HOUR, 24 * HOUR]);
  });

  it('spreads retries over the second half of the delay, for any number of attempts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, jitter) => {
        const whole = delay(BULK_RETRY, attempts, 1);
        const spread = delay(BULK_RETRY, attempts, jitter);
        expect(spread).toBeGreaterThanOrEqual(Math.floor(whole / 2));
        expect(spread).toBeLessThanOrEqual(whole);
        expect(whole).toBeLessThanOrEqual(BULK_RETRY.maxDelayMs);
      }),
    );
  });
});
