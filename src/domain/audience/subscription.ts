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
  /** Time of the last change of state. */
  readonly at: Date;
}

/**
 * invite   added by the caller to a double opt-in list              enrol    added by the caller to a single opt-in list
 * request  consented, and the list requires a confirmation by mail  agree    consented, and that is enough
 * confirm  answered the confirmation mail                           leave    unsubscribed
 */
export type SubscriptionEvent = 'invite' | 'enrol' | 'request' | 'agree' | 'confirm' | 'leave';

/** An unsubscribed subscriber comes back by a stated consent only (`request`, `agree`); an old confirmation link is not one. */
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
      ? 'The subscription to this list is not waiting for a confirmation. Ask the subscriber to sign up again.'
      : 'This subscriber unsubscribed from the list and can only be added again with a consent, stated in the call.',
  );
}

/** The event of a join, by the rule of the list and the consent that the caller states. */
export function joinEvent(
  doubleOptIn: boolean,
  consent: { readonly stated: boolean; readonly confirmed: boolean },
): SubscriptionEvent {
  if (!consent.stated) return doubleOptIn ? 'invite' : 'enrol';
  return doubleOptIn && !consent.confirmed ? 'request' : 'agree';
}
