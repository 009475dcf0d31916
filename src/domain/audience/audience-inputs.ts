import { parseAttributes } from './attributes.ts';
import type { Evidence } from './consent.ts';
import type { Subscriber, SubscriberChanges } from './subscriber.ts';
import type { Subscription } from './subscription.ts';

/** A subscriber by address, with the fields to set. `attributes` are checked here. */
export interface SubscriberFields extends Omit<SubscriberChanges, 'attributes'> {
  readonly email: string;
  readonly attributes?: unknown;
}

export interface Joining {
  /** The subscriber's own consent. Without it, the caller adds the subscriber on its own account. */
  readonly consent?: Evidence | undefined;
  /** The consent was confirmed by mail elsewhere: a double opt-in list sends no confirmation mail. Requires `consent`. */
  readonly confirmed?: boolean | undefined;
}

/** The subscriber, with every subscription it has or had. */
export interface Joined {
  readonly subscriber: Subscriber;
  readonly created: boolean;
  readonly subscriptions: readonly Subscription[];
}

export interface NewSuppression {
  /** Default `project`. */
  readonly scope?: string | undefined;
  /** Default `manual`. */
  readonly reason?: string | undefined;
  readonly evidence?: Readonly<Record<string, string>> | undefined;
}

/** `changed` is false when the subscription had that state before. */
export interface Moved {
  readonly subscription: Subscription;
  readonly changed: boolean;
}

/** @throws InvalidInput for attributes that cannot be stored */
export function changesOf(wish: Partial<SubscriberFields>): SubscriberChanges {
  return {
    ...(wish.attributes !== undefined && { attributes: parseAttributes(wish.attributes) }),
    locale: wish.locale,
    timeZone: wish.timeZone,
  };
}
