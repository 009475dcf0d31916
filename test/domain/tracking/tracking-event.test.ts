import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captureEngagement, captureUnsubscribe, type TrackedRequest } from '../../../src/domain/tracking/index.ts';
import { networkOf } from '../../../src/domain/tracking/network.ts';

const projectId = '01936c5e-0000-7000-8000-000000000001';
const mailingId = '01936c5e-1111-7111-9111-111111111111';
const subscriberId = '01936c5e-2222-7222-a222-222222222222';
const messageId = '01936c5e-3333-7333-b333-333333333333';
const key = { id: '01936c5e-4444-7444-8444-444444444444', at: new Date('2026-11-22T10:00:00Z') };

const request: TrackedRequest = {
  method: 'GET',
  userAgent: 'Mozilla/5.0',
  secFetchSite: 'none',
  secFetchMode: 'navigate',
  secFetchDest: 'document',
  purpose: 'prefetch',
  ip: '203.0.113.77',
};

describe('an event', () => {
  it('holds the ids, what was followed, and the facts of the request', () => {
    const subject = { kind: 'mailing', projectId, keyId: 'aaaaaa', mailingId, subscriberId } as const;
    expect(captureEngagement(subject, { kind: 'click', link: 3 }, request, key)).toEqual({
      ...key,
      projectId,
      mailingId,
      subscriberId,
      messageId: undefined,
      kind: 'click',
      link: 3,
      method: 'GET',
      userAgent: 'Mozilla/5.0',
      secFetchSite: 'none',
      secFetchMode: 'navigate',
      secFetchDest: 'document',
      purpose: 'prefetch',
      network: '203.0.113.0/24',
      requests: 1,
      lastAt: key.at,
    });
    expect(captureUnsubscribe(subject, request, key)).toMatchObject({ ...key, kind: 'unsubscribe', mailingId, subscriberId });
  });

  it('of a transactional message names the message and nobody', () => {
    const subject = { kind: 'transactional', projectId, keyId: 'aaaaaa', messageId } as const;
    const event = captureEngagement(subject, { kind: 'open' }, request, key);
    expect(event).toMatchObject({ kind: 'open', messageId, link: undefined, mailingId: undefined, subscriberId: undefined });
  });

  it('keeps hostile header texts short and storable', () => {
    const subject = { kind: 'transactional', projectId, keyId: 'aaaaaa', messageId } as const;
    const userAgent = `a\0b\r\n\u{d800}${'x'.repeat(10_000)}`;
    const event = captureEngagement(subject, { kind: 'open' }, { ...request, userAgent, secFetchMode: undefined }, key);
    expect(event.userAgent).toMatch(/^ab\ufffdx{490,500}$/);
    expect(event.secFetchMode).toBeUndefined();
  });
});

describe('the network of a client address', () => {
  it.each([
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['::FFFF:cb00:714d', '203.0.113.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['fe80::1%eth0', 'fe80:0:0::/48'],
    ['::1:2:3:4:5:6', '0:0:1::/48'],
  ])('of %s is %s', (ip, network) => {
    expect(networkOf(ip)).toBe(network);
  });

  it.each(['', 'unknown', '256.1.1.1', '1.2.3', '1.2.3.4.5', ':::', 'g::1', '1:2:3', '[::1]', '::1/64', '::1]/x', 'localhost'])(
    'of %j is not known',
    (ip) => {
      expect(networkOf(ip)).toBeUndefined();
    },
  );

  it('is the same for all addresses in it, and never the address itself', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.uint8Array({ minLength: 2, maxLength: 2 }), (ip, [last = 0]) => {
        const network = networkOf(ip);
        expect(network).toMatch(/\/(24|48)$/);
        if (network?.endsWith('/48')) expect(networkOf(network.replace('::/48', `:1:2:3:4:${last.toString(16)}`))).toBe(network);
      }),
    );
  });

  it('never throws on junk', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(networkOf(text) ?? '0.0.0.0/24').toMatch(/^[0-9a-f.:]+\/(24|48)$/);
      }),
    );
  });
});
