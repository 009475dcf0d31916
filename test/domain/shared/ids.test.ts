import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isId, uuidv7 } from '../../../src/domain/shared/ids.ts';
import { randomIds } from '../../../src/infrastructure/system.ts';

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Up to the year 10889, where 48 bits of milliseconds end. */
const milliseconds = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const randomness = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe('a UUIDv7', () => {
  it('carries its version, its variant, its time and all other bits of its randomness', () => {
    fc.assert(
      fc.property(milliseconds, randomness, (time, random) => {
        const id = uuidv7(time, random);
        expect(id).toMatch(V7);
        expect(isId(id)).toBe(true);
        const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
        expect(bytes.readUIntBE(0, 6)).toBe(time);
        const [free, expected] = [bytes.subarray(6), Buffer.from(random)];
        for (const [at, mask] of [
          [0, 0x0f],
          [2, 0x3f],
        ] as const) {
          free[at] = free[at]! & mask;
          expected[at] = expected[at]! & mask;
        }
        expect(free).toEqual(expected);
      }),
    );
  });

  it('sorts by time', () => {
    fc.assert(
      fc.property(milliseconds, milliseconds, randomness, randomness, (one, other, a, b) => {
        fc.pre(one !== other);
        expect(uuidv7(one, a) < uuidv7(other, b)).toBe(one < other);
      }),
    );
  });
});

describe('ids of the machine', () => {
  it('never use a byte of randomness twice, however many are made in one millisecond', () => {
    const ids = randomIds({ now: () => new Date(1_700_000_000_000), monotonic: () => 0 });
    const made = Array.from({ length: 5_000 }, () => ids.next());
    for (const id of made) expect(id).toMatch(V7);
    expect(new Set(made.map((id) => id.slice(14))).size).toBe(made.length);
    // Neighbours share no run of bytes either, as they would if one draw were cut up with an overlap.
    for (const [at, id] of made.entries()) expect(made[at + 1]?.slice(-12)).not.toBe(id.slice(-12));
  });

  it('tell the time at which they were made', () => {
    let now = 1_700_000_000_000;
    const ids = randomIds({ now: () => new Date(now), monotonic: () => 0 });
    const first = ids.next();
    now += 1;
    expect(first < ids.next()).toBe(true);
  });
});
