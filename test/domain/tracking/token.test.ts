import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../../src/domain/shared/hmac-key.ts';
import {
  issueTransactionalTokens,
  type KeyFor,
  MessageTokens,
  type TokenPurpose,
  verifyMessageToken,
} from '../../../src/domain/tracking/index.ts';

const PURPOSES = ['click', 'open', 'unsubscribe'] as const satisfies readonly TokenPurpose[];
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const projectId = '01936c5e-0000-7000-8000-000000000001';
const otherProjectId = '01936c5e-0000-7000-8000-000000000002';
const mailingId = '01936c5e-1111-7111-9111-111111111111';
const subscriberId = '01936c5e-2222-7222-a222-222222222222';
const messageId = '01936c5e-3333-7333-b333-333333333333';

const keys = new Map<string, HmacKey>(
  [projectId, otherProjectId].flatMap((project) => [
    [`${project} aaaaaa`, new HmacKey(randomBytes(32))] as const,
    [`${project} bbbbbb`, new HmacKey(randomBytes(32))] as const,
  ]),
);
const keyFor: KeyFor = (project, keyId) => keys.get(`${project} ${keyId}`);
const keyOf = (project: string): HmacKey => keys.get(`${project} aaaaaa`)!;

const ofCampaign = new MessageTokens({ projectId, mailingId, key: keyOf(projectId), keyId: 'aaaaaa' });
const campaignTokens = ofCampaign.issue(subscriberId);
const transactionalTokens = issueTransactionalTokens({ projectId, messageId, key: keyOf(projectId), keyId: 'aaaaaa' });

describe('a message token', () => {
  it('names project, campaign and subscriber under each purpose', () => {
    for (const purpose of PURPOSES) {
      expect(verifyMessageToken(campaignTokens[purpose], purpose, keyFor)).toEqual({
        kind: 'mailing',
        projectId,
        keyId: 'aaaaaa',
        mailingId,
        subscriberId,
      });
    }
  });

  it('names project and message of a transactional message', () => {
    for (const purpose of PURPOSES) {
      expect(verifyMessageToken(transactionalTokens[purpose], purpose, keyFor)).toEqual({
        kind: 'transactional',
        projectId,
        keyId: 'aaaaaa',
        messageId,
      });
    }
  });

  it('is short, safe in a URL, and begins alike for a whole campaign', () => {
    const other = ofCampaign.issue('01936c5e-4444-7444-8444-444444444444');
    for (const purpose of PURPOSES) {
      expect(campaignTokens[purpose]).toMatch(/^[A-Za-z0-9_-]{93}$/);
      expect(transactionalTokens[purpose]).toMatch(/^[A-Za-z0-9_-]{72}$/);
      expect(other[purpose].slice(0, 50)).toBe(campaignTokens.click.slice(0, 50));
      expect(other[purpose]).not.toBe(campaignTokens[purpose]);
    }
  });

  it('is the same every time, the Message-ID included', () => {
    ofCampaign.issue('01936c5e-4444-7444-8444-444444444444');
    expect(ofCampaign.issue(subscriberId)).toEqual(campaignTokens);
    expect(campaignTokens.messageIdLeft).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(transactionalTokens.messageIdLeft).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it('survives a round trip for any ids', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.uuid(), fc.constantFrom(...PURPOSES), (project, campaign, subscriber, purpose) => {
        const key = keyOf(projectId);
        const token = new MessageTokens({ projectId: project, mailingId: campaign, key, keyId: 'aaaaaa' }).issue(subscriber)[
          purpose
        ];
        expect(verifyMessageToken(token, purpose, () => key)).toMatchObject({
          projectId: project,
          mailingId: campaign,
          subscriberId: subscriber,
        });
      }),
    );
  });
});

describe('a forged or foreign message token', () => {
  it('is unknown under another purpose', () => {
    for (const made of PURPOSES) {
      for (const used of PURPOSES.filter((purpose) => purpose !== made)) {
        expect(verifyMessageToken(campaignTokens[made], used, keyFor)).toBeUndefined();
        expect(verifyMessageToken(transactionalTokens[made], used, keyFor)).toBeUndefined();
      }
    }
  });

  it('is unknown with any one character changed', () => {
    for (const token of [campaignTokens.unsubscribe, transactionalTokens.unsubscribe]) {
      for (let at = 0; at < token.length; at += 1) {
        for (const character of BASE64URL) {
          if (character === token[at]) continue;
          const changed = token.slice(0, at) + character + token.slice(at + 1);
          expect(verifyMessageToken(changed, 'unsubscribe', keyFor)).toBeUndefined();
        }
      }
    }
  });

  it('is unknown when cut, lengthened, padded or spelled another way', () => {
    for (const token of [campaignTokens.click, transactionalTokens.click]) {
      for (let length = 0; length < token.length; length += 1) {
        expect(verifyMessageToken(token.slice(0, length), 'click', keyFor)).toBeUndefined();
      }
      for (const other of [`${token}A`, `${token}=`, ` ${token}`, token.toUpperCase(), token.replaceAll('A', '\u0141')]) {
        if (other !== token) expect(verifyMessageToken(other, 'click', keyFor)).toBeUndefined();
      }
    }
  });

  it('is unknown under the key of another project, and under a key that was removed', () => {
    const foreign = new MessageTokens({ projectId, mailingId, key: keyOf(otherProjectId), keyId: 'aaaaaa' }).issue(subscriberId);
    expect(verifyMessageToken(foreign.click, 'click', keyFor)).toBeUndefined();
    const removed = new MessageTokens({ projectId, mailingId, key: keyOf(projectId), keyId: 'cccccc' }).issue(subscriberId);
    expect(verifyMessageToken(removed.click, 'click', keyFor)).toBeUndefined();
  });

  it('cannot be moved to another project, campaign, subscriber or key of ours', () => {
    const others = [
      new MessageTokens({ projectId: otherProjectId, mailingId, key: keyOf(otherProjectId), keyId: 'aaaaaa' }).issue(
        subscriberId,
      ),
      new MessageTokens({ projectId, mailingId: messageId, key: keyOf(projectId), keyId: 'aaaaaa' }).issue(subscriberId),
      new MessageTokens({ projectId, mailingId, key: keyOf(projectId), keyId: 'bbbbbb' }).issue(subscriberId),
    ];
    for (const other of others) {
      const mixed = other.click.slice(0, 50) + campaignTokens.click.slice(50);
      expect(verifyMessageToken(mixed, 'click', keyFor)).toBeUndefined();
    }
  });

  it('never throws on junk', () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: fc.constantFrom(...BASE64URL), minLength: 93, maxLength: 93 }),
      fc.string({ unit: fc.constantFrom(...BASE64URL), minLength: 72, maxLength: 72 }),
    );
    fc.assert(
      fc.property(junk, fc.constantFrom(...PURPOSES), (token, purpose) => {
        expect(verifyMessageToken(token, purpose, () => keyOf(projectId))).toBeUndefined();
      }),
    );
  });
});

describe('a key id', () => {
  it('is refused at launch unless it is six characters of base64url', () => {
    for (const keyId of ['', 'aaaaa', 'aaaaaaa', 'aaa/aa']) {
      expect(() => new MessageTokens({ projectId, mailingId, key: keyOf(projectId), keyId })).toThrow('six characters');
    }
  });
});
