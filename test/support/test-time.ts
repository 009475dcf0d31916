import { vi } from 'vitest';
import type { Clock } from '../../src/domain/shared/clock.ts';

/** Timers and clock in the hands of a specification: nothing waits for real, and nothing happens until `pass`. */
export interface TestTime {
  readonly clock: Clock;
  /** Lets this much time pass, and everything happen that becomes due in it. */
  pass(milliseconds: number): Promise<void>;
  /** Lets time pass in small steps until the answer is yes. @throws Error when it is not within `milliseconds` */
  until(what: string, yes: () => boolean, milliseconds?: number): Promise<void>;
  /** As when the machine slept: the clock is ahead, and no timer has run. */
  jump(milliseconds: number): void;
  restore(): void;
}

export function testTime(start = new Date('2026-11-22T10:00:00Z')): TestTime {
  vi.useFakeTimers({ now: start, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  const pass = async (milliseconds: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(milliseconds);
  };
  return {
    clock: { now: () => new Date(), monotonic: () => Date.now() },
    pass,
    until: async (what, yes, milliseconds = 60_000) => {
      for (let waited = 0; !yes(); waited += 10) {
        if (waited >= milliseconds) throw new Error(`Not within ${milliseconds} ms of test time: ${what}`);
        await pass(10);
      }
    },
    jump: (milliseconds) => void vi.setSystemTime(Date.now() + milliseconds),
    restore: () => void vi.useRealTimers(),
  };
}
