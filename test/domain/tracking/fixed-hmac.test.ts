import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixedHmac } from '../../../src/domain/tracking/fixed-hmac.ts';

describe('an HMAC with a fixed key', () => {
  it('is what createHmac makes, for keys and messages of any length, however often it signs', () => {
    const bytes = (least: number, most: number) => fc.uint8Array({ minLength: least, maxLength: most });
    fc.assert(
      fc.property(bytes(1, 300), bytes(0, 300), bytes(0, 300), (secret, first, second) => {
        const key = createSecretKey(secret);
        const hmac = new FixedHmac(key, first);
        const expected = (message: Uint8Array): string => createHmac('sha512', key).update(message).digest('binary');
        expect(hmac.sign()).toBe(expected(first));
        hmac.message.fill(0).set(second.subarray(0, first.length));
        expect(hmac.sign()).toBe(expected(hmac.message));
        expect(hmac.sign()).toBe(expected(hmac.message));
      }),
    );
  });
});
