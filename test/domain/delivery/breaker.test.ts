import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BREAKER_RULES, TRIAL_MS } from '../../../src/domain/delivery/breaker.ts';
import {
  type Attempt,
  closed,
  FailureCount,
  HEALTHY,
  onTrial,
  opened,
  type TransportHealth,
  trialDue,
} from '../../../src/domain/delivery/index.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';

const WORKER = idOf(1, 0xf);
const at = (seconds: number): Date => new Date(Date.UTC(2026, 10, 28) + seconds * 1_000);
const failing = (change: Partial<Attempt>): Attempt => anAttempt('deferred', { fault: 'transport', code: undefined, ...change });
const REFUSED = failing({ reply: 'connect ECONNREFUSED 127.0.0.1:25' });
const causeAfter = (...attempts: readonly Attempt[]) => {
  const count = new FailureCount();
  return attempts.map((attempt) => count.count(attempt)?.cause);
};

describe('what opens a breaker', () => {
  it('is three connections in a row that fail', () => {
    expect(causeAfter(REFUSED, REFUSED, REFUSED)).toEqual([undefined, undefined, 'connection']);
  });

  it('is two refused logins or two exhausted quotas in a row', () => {
    const login = failing({ code: 535, reply: '535 5.7.8 Error: authentication failed' });
    expect(causeAfter(login, login)).toEqual([undefined, 'authentication']);
    const forbidden = failing({ code: 401, reply: '401 Unauthorized' });
    expect(causeAfter(forbidden, login)).toEqual([undefined, 'authentication']);
    const quota = failing({ fault: 'quota', code: 429, reply: '429 Too Many Requests' });
    expect(causeAfter(quota, quota)).toEqual([undefined, 'quota']);
  });

  it('is a connection that breaks after the content was given, too', () => {
    const doubt = anAttempt('in_doubt', { fault: 'transport', code: undefined, reply: 'connection reset' });
    expect(causeAfter(doubt, REFUSED, doubt)).toEqual([undefined, undefined, 'connection']);
  });

  it('is no answer about a message, whatever it says, and such an answer ends the row', () => {
    const answers = [
      anAttempt('submitted'),
      anAttempt('rejected', { fault: 'recipient', code: 550 }),
      anAttempt('deferred', { fault: 'sender', code: 421 }),
      anAttempt('rejected', { fault: 'message', code: 552 }),
    ];
    for (const answer of answers) {
      expect(causeAfter(...Array.from({ length: 30 }, () => answer)).every((cause) => cause === undefined)).toBe(true);
      expect(causeAfter(REFUSED, REFUSED, answer, REFUSED, REFUSED)).toEqual(Array.from({ length: 5 }, () => undefined));
    }
  });

  it('has one row for each cause, and quotes no address', () => {
    expect(new Set(BREAKER_RULES.map(({ cause }) => cause)).size).toBe(BREAKER_RULES.length);
    const count = new FailureCount();
    const login = failing({ code: 535, reply: '535 5.7.8 <ada@example.org>: authentication failed' });
    count.count(login);
    expect(count.count(login)?.reason).toBe('535 5.7.8 <address>: authentication failed');
  });
});

const FAILURE = { cause: 'connection', reason: 'connection refused' } as const;

describe('the pause before a trial', () => {
  const pauses = (steps: number, random: number) => {
    let health = HEALTHY;
    let now = at(0);
    return Array.from({ length: steps }, () => {
      health = opened(health, FAILURE, now, random);
      const pause = health.nextTrialAt!.getTime() - now.getTime();
      now = health.nextTrialAt!;
      health = onTrial(health, WORKER, now);
      return pause / 1_000;
    });
  };

  it('doubles with every trial that fails, up to five minutes', () => {
    expect(pauses(9, 0.5)).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('has a jitter of a quarter', () => {
    expect(pauses(2, 0)).toEqual([3.75, 7.5]);
    expect(pauses(2, 1)).toEqual([6.25, 12.5]);
  });

  it('is short again after two minutes of health, and goes on growing before', () => {
    const once = opened(HEALTHY, FAILURE, at(0), 0.5);
    const well = closed(onTrial(once, WORKER, at(5)), at(6));
    expect(opened(well, FAILURE, at(10), 0.5).nextTrialAt).toEqual(at(20));
    expect(opened(well, FAILURE, at(200), 0.5).nextTrialAt).toEqual(at(205));
  });

  it('is at least as long as the provider asks, within five minutes', () => {
    const asked = (retryAfterMs: number) => opened(HEALTHY, { ...FAILURE, cause: 'quota', retryAfterMs }, at(0), 0.5).nextTrialAt;
    expect(asked(60_000)).toEqual(at(60));
    expect(asked(86_400_000)).toEqual(at(300));
  });
});

describe('the states of a breaker', () => {
  type Step = 'fail' | 'trial' | 'answer' | 'wait';
  const steps = fc.array(fc.constantFrom<Step>('fail', 'trial', 'answer', 'wait'), { maxLength: 60 });

  /** As workers use it: each step only where the state allows it. */
  const walk = (taken: readonly Step[], look: (health: TransportHealth, now: Date) => void): void => {
    let health = HEALTHY;
    let now = at(0);
    for (const step of taken) {
      const before = health;
      if (step === 'wait') now = new Date(now.getTime() + 7_000);
      else if (step === 'fail' && health.state !== 'open') health = opened(health, FAILURE, now, 0.5);
      else if (step === 'answer' && health.state === 'half_open') health = closed(health, now);
      else if (step === 'trial' && trialDue(health, now)) health = onTrial(health, WORKER, now);
      expect(health.change).toBe(before.change + (health === before ? 0 : 1));
      look(health, now);
    }
  };

  it('always lead on: an open one has a trial ahead, a trial has an end, a closed one has neither', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        walk(taken, ({ state, nextTrialAt, trialBy, trialUntil, changedAt }) => {
          expect(nextTrialAt !== undefined).toBe(state === 'open');
          expect(trialUntil !== undefined && trialBy !== undefined).toBe(state === 'half_open');
          if (nextTrialAt !== undefined) expect(nextTrialAt.getTime() - changedAt!.getTime()).toBeLessThanOrEqual(375_000);
        });
      }),
    );
  });

  it('allow one trial at a time: the next one is due when the first has had its time', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        walk(taken, (health, now) => {
          if (health.state === 'closed') expect(trialDue(health, now)).toBe(false);
          if (health.state !== 'half_open') return;
          expect(trialDue(health, new Date(health.changedAt!.getTime() + TRIAL_MS - 1))).toBe(false);
          expect(trialDue(health, new Date(health.changedAt!.getTime() + TRIAL_MS))).toBe(true);
        });
      }),
    );
  });
});
