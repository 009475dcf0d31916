import type { Clock } from '../../src/domain/shared/clock.ts';

/** A clock that stands still until it is moved; dates and the monotonic time move together. */
export interface HandClock extends Clock {
  pass(milliseconds: number): void;
}

export function aHandClock(start = new Date('2026-11-22T10:00:00Z')): HandClock {
  let passed = 0;
  return {
    now: () => new Date(start.getTime() + passed),
    monotonic: () => passed,
    pass: (milliseconds) => {
      passed += milliseconds;
    },
  };
}
