import { parseAttributes } from './attributes.ts';
import type { Evidence } from './consent.ts';
import type { Subscriber, SubscriberChanges } from './subscriber.ts';
import type { Subscription } from './subscription.ts';

/** Somebody by address, and what is told about them. `attributes` are checked here. */
export interface SubscriberWish extends Omit<SubscriberChanges, 'attributes'> {
  readonly email: string;
  readonly attributes?: unknown;
}

export interface Joining {
  /** The person's own word. Without it, somebody else adds the person. */
  readonly consent?: Evidence | undefined;
  /** The consent was already confirmed by mail elsewhere: a double opt-in list asks no more. Needs `consent`. */
  readonly confirmed?: boolean | undefined;
}

/** What came of somebody joining: the person, and every list the person is, or was, on. */
export interface Joined {
  readonly subscriber: Subscriber;
  readonly created: boolean;
  readonly subscriptions: readonly Subscription[];
}

export interface Suppressing {
  /** Default `project`. */
  readonly scope?: string | undefined;
  /** Default `manual`. */
  readonly reason?: string | undefined;
  readonly evidence?: Readonly<Record<string, string>> | undefined;
}

/** `changed` false: it was so before. */
export interface Moved {
  readonly subscription: Subscription;
  readonly changed: boolean;
}

/** @throws InvalidInput for attributes that cannot be. */
export function changesOf(wish: Partial<SubscriberWish>): SubscriberChanges {
  return {
    ...(wish.attributes !== undefined && { attributes: parseAttributes(wish.attributes) }),
    locale: wish.locale,
    timeZone: wish.timeZone,
  };
}
