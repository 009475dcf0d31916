import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriptionRefused } from '../../../src/domain/audience/audience-errors.ts';
import {
  joinEvent,
  SUBSCRIPTION_STATES,
  type SubscriptionEvent,
  type SubscriptionState,
  transition,
} from '../../../src/domain/audience/subscription.ts';

const EVENTS: readonly SubscriptionEvent[] = ['invite', 'enrol', 'request', 'agree', 'confirm', 'leave'];

describe('joining a list', () => {
  it.each([
    ['a single opt-in list, by somebody else', false, false, false, 'enrol'],
    ['a single opt-in list, by an own word', false, true, false, 'agree'],
    ['a double opt-in list, by somebody else', true, false, false, 'invite'],
    ['a double opt-in list, by an own word', true, true, false, 'request'],
    ['a double opt-in list, by a word confirmed elsewhere', true, true, true, 'agree'],
  ] as const)('%s', (_, doubleOptIn, stated, confirmed, event) => {
    expect(joinEvent(doubleOptIn, { stated, confirmed })).toBe(event);
  });
});

describe('a subscription', () => {
  it('is confirmed at once on a single opt-in list, and by the answered mail on a double opt-in one', () => {
    expect(transition(undefined, 'enrol')).toBe('confirmed');
    expect(transition(undefined, 'invite')).toBe('unconfirmed');
    expect(transition(undefined, 'request')).toBe('unconfirmed');
    expect(transition('unconfirmed', 'confirm')).toBe('confirmed');
  });

  it('that was ended comes back only by the person’s own word', () => {
    expect(() => transition('unsubscribed', 'invite')).toThrow(SubscriptionRefused);
    expect(() => transition('unsubscribed', 'enrol')).toThrow(SubscriptionRefused);
    expect(() => transition('unsubscribed', 'confirm')).toThrow(SubscriptionRefused);
    expect(transition('unsubscribed', 'request')).toBe('unconfirmed');
    expect(transition('unsubscribed', 'agree')).toBe('confirmed');
  });

  it('cannot be confirmed where none was asked for', () => {
    expect(() => transition(undefined, 'confirm')).toThrow('sign up again');
  });

  it('after any events ends unsubscribed when the last word was to leave, and is never confirmed without one of agree, enrol, confirm', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { minLength: 1 }), (events) => {
        let state: SubscriptionState | undefined;
        for (const event of events) {
          try {
            state = transition(state, event);
          } catch (error) {
            expect(error).toBeInstanceOf(SubscriptionRefused);
          }
        }
        if (events.at(-1) === 'leave') expect(state).toBe('unsubscribed');
        if (state === 'confirmed') expect(events.some((event) => ['agree', 'enrol', 'confirm'].includes(event))).toBe(true);
        const sinceLeft = events.slice(events.lastIndexOf('leave') + 1);
        if (events.includes('leave') && state !== 'unsubscribed') {
          expect(sinceLeft.some((event) => event === 'request' || event === 'agree')).toBe(true);
        }
      }),
    );
  });

  it('stays as it is when the same event comes again', () => {
    for (const state of [undefined, ...SUBSCRIPTION_STATES]) {
      for (const event of EVENTS) {
        try {
          const next = transition(state, event);
          expect(transition(next, event)).toBe(next);
        } catch (error) {
          expect(error).toBeInstanceOf(SubscriptionRefused);
        }
      }
    }
  });
});
