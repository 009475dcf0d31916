import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../../src/domain/shared/hmac-key.ts';

const bytes = (least: number, most: number) => fc.uint8Array({ minLength: least, maxLength: most });

describe('a key for HMAC', () => {
  it('signs as createHmac does, for keys and messages of any length, in any number of parts', () => {
    fc.assert(
      fc.property(bytes(1, 300), fc.array(fc.array(bytes(0, 300)), { minLength: 1 }), (secret, messages) => {
        const key = new HmacKey(secret);
        for (const parts of messages)
          expect(key.sign(...parts)).toBe(createHmac('sha512', secret).update(Buffer.concat(parts)).digest('binary'));
      }),
    );
  });

  it('verifies any part of a MAC, and nothing else', () => {
    fc.assert(
      fc.property(bytes(1, 64), bytes(0, 100), fc.nat(48), fc.nat(15), (secret, message, start, changed) => {
        const claimed = createHmac('sha512', secret)
          .update(message)
          .digest()
          .subarray(start, start + 16);
        const key = new HmacKey(secret);
        expect(key.verify(claimed, start, message)).toBe(true);
        claimed[changed] = (claimed[changed] ?? 0) ^ 1;
        expect(key.verify(claimed, start, message)).toBe(false);
        expect(key.verify(Buffer.alloc(80), 0, message)).toBe(false);
      }),
    );
  });

  it('signs messages of one length where they stand, however often, beside others', () => {
    fc.assert(
      fc.property(bytes(1, 300), bytes(0, 300), bytes(0, 300), (secret, first, second) => {
        const key = new HmacKey(secret);
        const fixed = key.forMessagesLike(first);
        const expected = (message: Uint8Array): string => createHmac('sha512', secret).update(message).digest('binary');
        expect(fixed.sign()).toBe(expected(first));
        fixed.message.fill(0).set(second.subarray(0, first.length));
        expect(fixed.sign()).toBe(expected(fixed.message));
        expect(key.sign(second)).toBe(expected(second));
        expect(fixed.sign()).toBe(expected(fixed.message));
      }),
    );
  });
});
