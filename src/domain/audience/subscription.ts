import type { Id } from '../shared/ids.ts';
import { SubscriptionRefused } from './audience-errors.ts';

export const SUBSCRIPTION_STATES = ['unconfirmed', 'confirmed', 'unsubscribed'] as const;
export type SubscriptionState = (typeof SUBSCRIPTION_STATES)[number];

/** One subscriber on one list. */
export interface Subscription {
  readonly projectId: Id;
  readonly listId: Id;
  readonly subscriberId: Id;
  readonly state: SubscriptionState;
  readonly createdAt: Date;
  /** Since when the state holds. */
  readonly at: Date;
}

/**
 * invite   added by somebody else to a double opt-in list      enrol    added by somebody else to a single opt-in list
 * request  the person asked, and the list wants confirmation   agree    the person asked, and that is enough
 * confirm  the person answered our confirmation mail           leave    the person wants no more
 */
export type SubscriptionEvent = 'invite' | 'enrol' | 'request' | 'agree' | 'confirm' | 'leave';

/** Who left comes back only by an own word (`request`, `agree`); an old confirmation link is no such word. */
const TRANSITIONS: Readonly<
  Record<SubscriptionState | 'absent', Readonly<Record<SubscriptionEvent, SubscriptionState | 'refused'>>>
> = {
  absent: {
    invite: 'unconfirmed',
    enrol: 'confirmed',
    request: 'unconfirmed',
    agree: 'confirmed',
    confirm: 'refused',
    leave: 'unsubscribed',
  },
  unconfirmed: {
    invite: 'unconfirmed',
    enrol: 'confirmed',
    request: 'unconfirmed',
    agree: 'confirmed',
    confirm: 'confirmed',
    leave: 'unsubscribed',
  },
  confirmed: {
    invite: 'confirmed',
    enrol: 'confirmed',
    request: 'confirmed',
    agree: 'confirmed',
    confirm: 'confirmed',
    leave: 'unsubscribed',
  },
  unsubscribed: {
    invite: 'refused',
    enrol: 'refused',
    request: 'unconfirmed',
    agree: 'confirmed',
    confirm: 'refused',
    leave: 'unsubscribed',
  },
};

/** The state after the event; the same when it changes nothing. @throws SubscriptionRefused */
export function transition(state: SubscriptionState | undefined, event: SubscriptionEvent): SubscriptionState {
  const next = TRANSITIONS[state ?? 'absent'][event];
  if (next !== 'refused') return next;
  throw new SubscriptionRefused(
    event === 'confirm'
      ? 'There is nothing to confirm: the person is not waiting for a confirmation on this list. Ask them to sign up again.'
      : 'This person unsubscribed from the list. Only with the person’s own consent, stated in the call, can they be added again.',
  );
}

/** Which event a join is, by the list's rule and by what the caller knows about the person's will. */
export function joinEvent(
  doubleOptIn: boolean,
  consent: { readonly stated: boolean; readonly confirmed: boolean },
): SubscriptionEvent {
  if (!consent.stated) return doubleOptIn ? 'invite' : 'enrol';
  return doubleOptIn && !consent.confirmed ? 'request' : 'agree';
}
