import { describe, expect, it } from 'vitest';
import { Refusals } from '../../../src/application/delivery/pacing/refusals.ts';
import type { Fault } from '../../../src/domain/delivery/index.ts';
import { anAttempt } from '../../support/builders-delivery.ts';

/** The reason to pause after these attempts in a row, with limits of 3. */
function reasonAfter(...attempts: readonly ['rejected' | 'deferred' | 'submitted', Fault][]): string | undefined {
  const refusals = new Refusals({ transportErrors: 3, senderFaults: 3 });
  return attempts.map(([outcome, fault]) => refusals.count(anAttempt(outcome, { fault }))).at(-1);
}

describe('attempts in a row', () => {
  it.each(['transport', 'quota', 'unknown'] as const)(
    'pause a campaign when each is deferred by a fault of the class %s',
    (fault) => {
      expect(reasonAfter(['deferred', fault], ['deferred', fault], ['deferred', fault])).toMatch(/^3 transport errors in a row/);
      expect(reasonAfter(['deferred', fault], ['submitted', 'none'], ['deferred', fault], ['deferred', fault])).toBeUndefined();
    },
  );

  it.each(['sender', 'message'] as const)(
    'pause a campaign when each is refused for good by a fault of the class %s',
    (fault) => {
      expect(reasonAfter(['rejected', fault], ['rejected', fault], ['rejected', fault])).toMatch(/^3 refusals in a row/);
      expect(reasonAfter(['rejected', fault], ['rejected', fault], ['submitted', 'none'], ['rejected', fault])).toBeUndefined();
    },
  );

  it('do not pause a campaign for recipients that are refused', () => {
    expect(reasonAfter(['rejected', 'recipient'], ['rejected', 'recipient'], ['rejected', 'recipient'])).toBeUndefined();
    expect(
      reasonAfter(['rejected', 'message'], ['rejected', 'message'], ['rejected', 'recipient'], ['rejected', 'message']),
    ).toBeUndefined();
  });
});
