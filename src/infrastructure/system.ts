import { randomBytes } from 'node:crypto';
import type { Clock } from '../domain/shared/clock.ts';
import { type Ids, uuidv7 } from '../domain/shared/ids.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
};

/** UUIDv7 from the clock and the kernel's randomness. */
export function randomIds(clock: Clock): Ids {
  return { next: () => uuidv7(clock.now().getTime(), randomBytes(10)) };
}
