import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../../src/domain/shared/hmac-key.ts';
import {
  issueLinkToken,
  type KeyFor,
  type LinkScope,
  LONGEST_TRACKED_TARGET,
  type TokenSubject,
  UnsafeLink,
  verifyLinkToken,
  webLocation,
} from '../../../src/domain/tracking/index.ts';

const projectId = '01936c5e-0000-7000-8000-000000000001';
const mailingId = '01936c5e-1111-7111-9111-111111111111';
const subscriberId = '01936c5e-2222-7222-a222-222222222222';
const otherId = '01936c5e-3333-7333-b333-333333333333';

const key = new HmacKey(randomBytes(32));
const keyFor: KeyFor = () => key;
const scope: LinkScope = { kind: 'mailing', projectId, subjectId: mailingId, key };
const subject: TokenSubject = { kind: 'mailing', projectId, keyId: 'aaaaaa', mailingId, subscriberId };
const target = 'https://shop.example/boots?size=44#red';

describe('a link token', () => {
  it('gives back index and target to every message of its campaign', () => {
    const token = issueLinkToken(scope, 7, target);
    expect(verifyLinkToken(token, subject, keyFor)).toEqual({ index: 7, target });
    expect(verifyLinkToken(token, { ...subject, subscriberId: otherId }, keyFor)).toEqual({ index: 7, target });
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
  });

  it('belongs to one transactional message just as well', () => {
    const token = issueLinkToken({ kind: 'transactional', projectId, subjectId: otherId, key }, 0, target);
    const transactional: TokenSubject = { kind: 'transactional', projectId, keyId: 'aaaaaa', messageId: otherId };
    expect(verifyLinkToken(token, transactional, keyFor)).toEqual({ index: 0, target });
    expect(verifyLinkToken(token, { ...subject, mailingId: otherId }, keyFor)).toBeUndefined();
  });

  it('is unknown in another campaign, in another project and under another key', () => {
    const token = issueLinkToken(scope, 7, target);
    expect(verifyLinkToken(token, { ...subject, mailingId: otherId }, keyFor)).toBeUndefined();
    expect(verifyLinkToken(token, { ...subject, projectId: otherId }, keyFor)).toBeUndefined();
    expect(verifyLinkToken(token, subject, () => new HmacKey(randomBytes(32)))).toBeUndefined();
    expect(verifyLinkToken(token, subject, () => undefined)).toBeUndefined();
  });

  it('is unknown with any bit changed or any part cut off', () => {
    const bytes = Buffer.from(issueLinkToken(scope, 7, target), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7));
      expect(verifyLinkToken(changed.toString('base64url'), subject, keyFor)).toBeUndefined();
    }
    for (let length = 0; length < bytes.length; length += 1) {
      expect(verifyLinkToken(bytes.toString('base64url', 0, length), subject, keyFor)).toBeUndefined();
    }
  });

  it('never throws on junk', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.base64String()), (token) => {
        expect(verifyLinkToken(token, subject, keyFor)).toBeUndefined();
      }),
    );
    expect(verifyLinkToken('A'.repeat(1_000_000), subject, keyFor)).toBeUndefined();
  });

  it('survives a round trip for any http address, ready for a Location field', () => {
    fc.assert(
      fc.property(
        fc.webUrl({ withQueryParameters: true, withFragments: true }),
        fc.integer({ min: 0, max: 65_535 }),
        (url, index) => {
          const link = verifyLinkToken(issueLinkToken(scope, index, url), subject, keyFor);
          expect(link).toEqual({ index, target: url });
          expect(link?.target).toMatch(/^https?:\/\/[\x21-\x7e]+$/);
        },
      ),
    );
  });
});

describe('a target of more than 4,000 octets', () => {
  it('has no token, because servers on the way would refuse the request', () => {
    const longest = `https://example.com/${'a'.repeat(LONGEST_TRACKED_TARGET - 20)}`;
    expect(verifyLinkToken(issueLinkToken(scope, 0, longest), subject, keyFor)?.target).toBe(longest);
    expect(() => issueLinkToken(scope, 0, `${longest}a`)).toThrow(UnsafeLink);
    expect(webLocation(`${longest}a`)).toBe(`${longest}a`);
  });
});

describe('the target of a link', () => {
  it.each([
    ['https://example.com', 'https://example.com'],
    ['https://example.com?a=1', 'https://example.com?a=1'],
    ['https://example.com#top', 'https://example.com#top'],
    ['HTTP://Example.COM/Path', 'HTTP://Example.COM/Path'],
    ["https://example.com/it's?q='a'", "https://example.com/it's?q='a'"],
    ['https://example.com:443/a/../b/./c//d', 'https://example.com:443/a/../b/./c//d'],
    ['https://example.com/?a=1|2&b[]={x}^~!*()&c=%zz%2', 'https://example.com/?a=1|2&b[]={x}^~!*()&c=%zz%2'],
    ['https://example.com/%C3%BC%2f%2F?q=a+b&amp;c', 'https://example.com/%C3%BC%2f%2F?q=a+b&amp;c'],
    ['https://user_name.example./', 'https://user_name.example./'],
    ['https://example.com/"<>`', 'https://example.com/%22%3C%3E%60'],
    ['https://exa%6dple.com/', 'https://example.com/'],
    ['https://bücher.example:443?q=\u{1f600} b', 'https://xn--bcher-kva.example?q=%F0%9F%98%80%20b'],
    ['https://例え.jp/パス', 'https://xn--r8jz45g.jp/%E3%83%91%E3%82%B9'],
    ['https://example.com/\ud800', 'https://example.com/%EF%BF%BD'],
    ['  https://example.com/a\n', 'https://example.com/a'],
    ['https://bücher.example/straße?q=ü', 'https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC'],
    ['https://example.com/a b', 'https://example.com/a%20b'],
    ['https://example.com/@someone', 'https://example.com/@someone'],
    ['https://example.com/?next=https:\\\\x', 'https://example.com/?next=https:\\\\x'],
    ['https://[2001:db8::1]:8443/', 'https://[2001:db8::1]:8443/'],
  ])('%j becomes %s', (written, location) => {
    expect(webLocation(written)).toBe(location);
    expect(URL.parse(location)?.host).toBe(URL.parse(written)?.host);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,hello',
    'mailto:someone@example.com',
    'ftp://example.com/',
    '//evil.example/',
    '/relative',
    'evil.example',
    'https:evil.example',
    'https:/evil.example',
    'https:///evil.example',
    'https:\\\\evil.example',
    'https://good.example\\@evil.example/',
    'https://good.example@evil.example/',
    'https://good.example:443@evil.example/',
    'https://@evil.example/',
    'https://good.example/\r\nSet-Cookie: a=b',
    'ht\ttps://evil.example/',
    'https://good.example/\0',
    'https://',
    'https://?x',
    'https://exa mple.com/',
    'https://%zz/',
    'https://example.com:99999/',
    'https://example.com:80a/',
    'https://example.com:-1/',
    'https://[::1/',
    'https://a..b..\u3000c/',
    '',
  ])('is refused: %j', (written) => {
    expect(() => webLocation(written)).toThrow(UnsafeLink);
    expect(() => issueLinkToken(scope, 0, written)).toThrow(UnsafeLink);
  });
});
