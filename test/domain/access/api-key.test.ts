import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ApiKey,
  generateApiSecret,
  hashApiSecret,
  isApiSecret,
  type NewApiKey,
  SCOPES,
  Unauthenticated,
} from '../../../src/domain/access/index.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';

const PROJECT = '0193a1b2-0000-7000-8000-000000000001';
const KEY = '0193a1b2-0000-7000-8000-00000000000a';
const NOW = new Date('2026-11-22T10:00:00Z');
const later = (milliseconds: number) => new Date(NOW.getTime() + milliseconds);

function issue(wish: Partial<NewApiKey> = {}, secret = generateApiSecret()): ApiKey {
  return ApiKey.issue(PROJECT, KEY, { name: 'deploy', scopes: ['audience.read'], ...wish }, secret, NOW);
}

describe('an API secret', () => {
  it('is a prefix, 256 bits and a checksum, without characters that break a double click', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (random) => {
        const secret = generateApiSecret(random);
        expect(secret).toMatch(/^pp_[0-9A-Za-z]{49}$/);
        expect(isApiSecret(secret)).toBe(true);
      }),
    );
  });

  it('keeps every bit of its randomness', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(255), (random, bit) => {
        const flipped = Uint8Array.from(random);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(generateApiSecret(flipped)).not.toBe(generateApiSecret(random));
      }),
    );
  });

  it('is refused without a look at the database when one character is wrong', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 3, max: 45 }), (random, at) => {
        const secret = generateApiSecret(random);
        const wrong = secret[at] === 'A' ? 'B' : 'A';
        expect(isApiSecret(secret.slice(0, at) + wrong + secret.slice(at + 1))).toBe(false);
      }),
    );
  });

  it.each(['', 'pp_', 'Bearer x', `pp_${'ü'.repeat(49)}`, `xx_${generateApiSecret().slice(3)}`, `${generateApiSecret()} `])(
    'is not %j',
    (text) => {
      expect(isApiSecret(text)).toBe(false);
    },
  );
});

describe('an API key', () => {
  it('keeps the hash of its secret, never the secret', () => {
    const secret = generateApiSecret();
    const key = issue({}, secret);
    expect(key.secretHash).toBe(hashApiSecret(secret));
    expect(JSON.stringify(key)).not.toContain(secret.slice(3));
  });

  it('opens for its secret and for no other', () => {
    const secret = generateApiSecret();
    const key = issue({}, secret);
    expect(() => key.open(secret, NOW)).not.toThrow();
    expect(() => key.open(generateApiSecret(), NOW)).toThrow(Unauthenticated);
  });

  it('closes at its expiry, to the millisecond', () => {
    const secret = generateApiSecret();
    const key = issue({ expiresAt: later(1000) }, secret);
    expect(() => key.open(secret, later(999))).not.toThrow();
    expect(key.status(later(999))).toBe('active');
    expect(() => key.open(secret, later(1000))).toThrow(expect.objectContaining({ reason: 'expired' }));
  });

  it('closes for good when it is revoked, and keeps the first time', () => {
    const secret = generateApiSecret();
    const key = issue({ expiresAt: later(1000) }, secret);
    key.revoke(later(10));
    key.revoke(later(20));
    expect(key.revokedAt).toEqual(later(10));
    expect(() => key.open(secret, later(11))).toThrow(expect.objectContaining({ reason: 'revoked' }));
    expect(key.status(later(5000))).toBe('revoked');
  });

  it('wants its use written at most once a minute', () => {
    expect(issue().wantsLastUsed(NOW)).toBe(true);
    const used = new ApiKey({ ...issue(), lastUsedAt: NOW });
    expect(used.wantsLastUsed(later(59_999))).toBe(false);
    expect(used.wantsLastUsed(later(60_000))).toBe(true);
  });

  it('lists its scopes once, in one order', () => {
    expect(issue({ scopes: ['report.read', 'audience.read', 'report.read'] }).scopes).toEqual(['audience.read', 'report.read']);
    expect(issue({ scopes: [...SCOPES].reverse() }).scopes).toEqual(SCOPES);
  });

  it.each<[Partial<NewApiKey>, string]>([
    [{ name: '  ' }, '/name'],
    [{ name: 'x'.repeat(101) }, '/name'],
    [{ scopes: [] }, '/scopes'],
    [{ scopes: ['audience.read', 'root'] }, '/scopes/1'],
    [{ expiresAt: NOW }, '/expiresAt'],
    [{ requestsPerSecond: 0 }, '/requestsPerSecond'],
    [{ requestsPerSecond: 1.5 }, '/requestsPerSecond'],
    [{ requestsPerSecond: 10_001 }, '/requestsPerSecond'],
  ])('is not issued with %j', (wish, pointer) => {
    expect(() => issue(wish)).toThrow(InvalidInput);
    expect(() => issue(wish)).toThrow(expect.objectContaining({ pointer }));
  });
});
