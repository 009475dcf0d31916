import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonsIn } from '../../../src/domain/delivery/reasons.ts';
import { attemptFromReply, classifyReply, cleanReply, replyKind } from '../../../src/domain/delivery/reply.ts';
import type { ReplyStage } from '../../../src/domain/delivery/reply-rule.ts';
import { REPLY_RULES } from '../../../src/domain/delivery/reply-rules.ts';

/** `stage: code[- ]text` */
function parseExample(example: string): { stage: ReplyStage; code: number; text: string } {
  const [, stage, code, text] = /^(mail|rcpt|data|body): (\d{3})[- ](.*)$/.exec(example) ?? [];
  return { stage: stage as ReplyStage, code: Number(code), text: text ?? '' };
}

describe('the table of replies', () => {
  for (const rule of REPLY_RULES) {
    it.each(rule.examples)(`${rule.name}: %s`, (example) => {
      const { stage, code, text } = parseExample(example);
      const verdict = classifyReply(stage, code, text);
      expect(verdict.rule).toBe(rule.name);
      expect(verdict).toMatchObject({ fault: rule.fault, reason: rule.reason });
      if (rule.outcome === undefined) expect(verdict.outcome).toBe(code < 500 ? 'deferred' : 'rejected');
    });
  }

  it('has one name per row and a real reply in each', () => {
    expect(new Set(REPLY_RULES.map((rule) => rule.name)).size).toBe(REPLY_RULES.length);
    expect(REPLY_RULES.filter((rule) => rule.examples.length === 0)).toEqual([]);
  });
});

describe('a reply', () => {
  it('is submitted on 2yz, whatever its text says', () => {
    expect(attemptFromReply('body', 250, '2.0.0 Ok: queued as 4ABC (spam score 1)')).toEqual({
      outcome: 'submitted',
      code: 250,
      enhancedCode: '2.0.0',
      reply: '250 2.0.0 Ok: queued as 4ABC (spam score 1)',
      fault: 'none',
    });
  });

  it('is retried when the basic code is 4yz and the status is 5.x.x', () => {
    expect(attemptFromReply('rcpt', 450, '5.1.1 User unknown')).toMatchObject({ outcome: 'deferred', enhancedCode: '5.1.1' });
  });

  it('is final when the basic code is 5yz and the status is 4.x.x', () => {
    expect(attemptFromReply('rcpt', 550, '4.2.2 Mailbox full')).toMatchObject({ outcome: 'rejected', fault: 'recipient' });
  });

  it('never blames the recipient for a policy code', () => {
    for (const status of ['5.7.26', '4.7.28', '5.7.515', '5.7.1', '4.7.0', '5.7.999']) {
      const code = status.startsWith('4') ? 421 : 550;
      for (const stage of ['mail', 'rcpt', 'data', 'body'] as const) {
        expect(classifyReply(stage, code, `${status} Refused`).fault).toBe('sender');
      }
    }
  });

  it('never blames the recipient for a refused MAIL', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 400, max: 599 }),
        fc.constantFrom(
          '',
          '5.1.1 User unknown',
          '5.2.2 Mailbox full',
          '5.1.3 Bad',
          '5.1.2 No',
          '5.1.0 No',
          'mailbox unavailable',
        ),
        (code, text) => {
          expect(classifyReply('mail', code, text).fault).not.toBe('recipient');
        },
      ),
    );
  });

  it('always ends in a verdict of the table, with one clean line of at most 500 characters', () => {
    const stages = fc.constantFrom<ReplyStage>('mail', 'rcpt', 'data', 'body');
    fc.assert(
      fc.property(
        stages,
        fc.integer({ min: 400, max: 599 }),
        fc.string({ unit: 'binary', maxLength: 3000 }),
        (stage, code, text) => {
          expect(classifyReply(stage, code, text).rule).not.toBe('none');
          const { reply } = attemptFromReply(stage, code, text);
          expect(reply.length).toBeLessThanOrEqual(500);
          expect(reply.isWellFormed()).toBe(true);
          expect(reply).not.toMatch(/\p{Cc}/u);
        },
      ),
    );
  });

  it('loses NUL, line ends and half a surrogate pair', () => {
    expect(cleanReply('a\0b\r\nc\u2028d')).toBe('a b c d');
    expect(cleanReply(`${'x'.repeat(499)}😀`)).toBe(`${'x'.repeat(499)}\uFFFD`);
  });
});

describe('the kind of a reply', () => {
  it.each([
    ['550 5.1.1 <ada@example.net>: Recipient address rejected', '550 5.1.1 <address>: Recipient address rejected'],
    ['550 5.1.1 ada@example.net... User unknown', '550 5.1.1 <address> User unknown'],
    ['550 5.1.1 no such user. a640c23a62f3a-aa5si123 - gsmtp', '550 5.1.1 no such user. … - gsmtp'],
    ['450 4.7.1 Client host [203.0.113.5] blocked', '450 4.7.1 Client host [203.0.113.5] blocked'],
    ['No connection to relay-01.example.com:587: ECONNREFUSED', 'No connection to relay-01.example.com:587: ECONNREFUSED'],
  ])('of %j is the same for everybody', (reply, kind) => {
    expect(replyKind(reply)).toBe(kind);
  });
});

describe('reasons', () => {
  it('are counted by state, the commonest first, and only so many of each', () => {
    const rejected = (reply: string | undefined, count = 1) => ({ state: 'rejected', reply, count }) as const;
    const replies = [
      rejected('550 <a@example.net> unknown'),
      rejected('552 full', 3),
      rejected('550 <b@example.net> unknown', 4),
      rejected('554 no'),
      rejected(undefined, 2),
      { state: 'deferred', reply: '450 later', count: 1 } as const,
    ];
    expect(reasonsIn(replies, 2)).toEqual([
      { state: 'deferred', reason: '450 later', count: 1, of: 1 },
      { state: 'rejected', reason: '550 <address> unknown', count: 5, of: 11 },
      { state: 'rejected', reason: '552 full', count: 3, of: 11 },
    ]);
  });
});
