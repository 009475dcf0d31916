import { randomBytes } from 'node:crypto';
import type { Clock } from '../domain/shared/clock.ts';
import { type Ids, uuidv7 } from '../domain/shared/ids.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
};

const RANDOM_PER_ID = 10;
/** Asking the kernel each time costs 3 us of the 4 that an id takes, so it is asked for many at once. */
const IDS_PER_DRAW = 512;

/** UUIDv7 from the clock and the kernel's randomness; no byte of it is used twice. */
export function randomIds(clock: Clock): Ids {
  let drawn: Buffer = Buffer.alloc(0);
  let used = 0;
  return {
    next() {
      if (used === drawn.length) {
        drawn = randomBytes(RANDOM_PER_ID * IDS_PER_DRAW);
        used = 0;
      }
      used += RANDOM_PER_ID;
      return uuidv7(clock.now().getTime(), drawn.subarray(used - RANDOM_PER_ID, used));
    },
  };
}
