import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deriveKey,
  fingerprint,
  generateSecretKey,
  InvalidSecretKey,
  KeyRing,
  keyId,
  parseSecretKey,
} from '../../../src/domain/access/index.ts';
import type { HmacKey } from '../../../src/domain/shared/hmac-key.ts';
import { uuidv7 } from '../../../src/domain/shared/ids.ts';

const PROJECT = '0193a1b2-0000-7000-8000-000000000001';
const OTHER_PROJECT = '0193a1b2-0000-7000-8000-000000000002';
const secret = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex');

describe('the secret key of an instance', () => {
  it('is read from hexadecimal, base64 and base64url, with the line end of a file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = Buffer.from(bytes);
        for (const text of [
          key.toString('hex'),
          key.toString('hex').toUpperCase(),
          key.toString('base64'),
          key.toString('base64url'),
        ]) {
          expect(parseSecretKey(`${text}\n`)).toEqual(key);
        }
      }),
    );
  });

  it.each(['', 'secret', 'ab'.repeat(31), 'ab'.repeat(33), 'g'.repeat(64), `${'A'.repeat(44)}=`])('is not %j', (text) => {
    expect(() => parseSecretKey(text)).toThrow(InvalidSecretKey);
  });

  it('has 256 random bits when it is generated', () => {
    const key = generateSecretKey();
    expect(key.byteLength).toBe(32);
    expect(generateSecretKey()).not.toEqual(key);
  });

  it('refuses to derive from a secret of another length', () => {
    expect(() => deriveKey(Buffer.alloc(16), PROJECT, 'click')).toThrow(InvalidSecretKey);
  });
});

describe('a derived key', () => {
  it('never changes between releases: tokens in mailboxes depend on it', () => {
    expect(deriveKey(secret, PROJECT, 'click').toString('hex')).toMatchInlineSnapshot(
      `"27cd8a9b9a0a16503ac78a6cc4612e8340567c6446fee6e25ef2c79115094541"`,
    );
    expect(keyId(secret)).toMatchInlineSnapshot(`"Dvt2vT"`);
    expect(fingerprint(secret)).toMatchInlineSnapshot(`"c36d8b2cd3b27ae2451cbec9e2037f0e7ef6240cf3ee83d3078e3c5f525d1f8e"`);
  });

  it('differs by secret, project and purpose', () => {
    const keys = [
      deriveKey(secret, PROJECT, 'click'),
      deriveKey(secret, PROJECT, 'open'),
      deriveKey(secret, OTHER_PROJECT, 'click'),
      deriveKey(generateSecretKey(), PROJECT, 'click'),
    ].map((key) => key.toString('hex'));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is the same for both spellings of a project id', () => {
    expect(deriveKey(secret, PROJECT.toUpperCase(), 'click')).toEqual(deriveKey(secret, PROJECT, 'click'));
  });
});

describe('a ring of keys', () => {
  const older = Buffer.alloc(32, 7);
  const ring = new KeyRing([secret, older]);
  const text = Buffer.from('text');
  const signed = (key: HmacKey | undefined) => key?.sign(text);
  const signedBy = (key: Buffer) => createHmac('sha512', key).update(text).digest('binary');

  it('signs with the first secret and verifies with the others', () => {
    expect(ring.keyId).toBe(keyId(secret));
    expect(signed(ring.tokenKey(PROJECT, keyId(secret)))).toBe(signedBy(deriveKey(secret, PROJECT, 'message-token')));
    expect(signed(ring.tokenKey(PROJECT, keyId(older)))).toBe(signedBy(deriveKey(older, PROJECT, 'message-token')));
  });

  it('marks what is erased with the first secret, and recognises the marks of the others', () => {
    const [present, before, ...more] = ring.erasureKeys(PROJECT);
    expect(present).toEqual(deriveKey(secret, PROJECT, 'erasure'));
    expect(before).toEqual(deriveKey(older, PROJECT, 'erasure'));
    expect(more).toEqual([]);
    expect(ring.olderFingerprints).toEqual([fingerprint(older)]);
  });

  it('has no key under a name that it does not know', () => {
    expect(ring.tokenKey(PROJECT, keyId(generateSecretKey()))).toBeUndefined();
  });

  it('gives the same key however many projects strangers make up', () => {
    const before = signed(ring.tokenKey(PROJECT, ring.keyId));
    for (let index = 0; index < 2000; index++) ring.tokenKey(uuidv7(index, Buffer.alloc(10)), ring.keyId);
    expect(signed(ring.tokenKey(PROJECT, ring.keyId))).toBe(before);
  });
});
