import type { Id } from '../shared/ids.ts';
import type { Consent } from './consent.ts';
import type { Subscription, SubscriptionState } from './subscription.ts';

/** What is known of a subscriber and an unsubscribe link. */
export interface OptOutFacts {
  readonly erased: boolean;
  /** No marketing goes to the address, or no mail at all. */
  readonly suppressed: boolean;
  /** Marketing alone is refused already. */
  readonly marketingRefused: boolean;
  /** Of the lists: how many the subscriber is on (confirmed or not), and how many the subscriber has left. */
  readonly joined: number;
  readonly left: number;
  /** Of the lists: how many were left by this link. */
  readonly leftByLink: number;
  /** The link did something, recently, that can be undone. */
  readonly undoable: boolean;
  /** How often what this link did was undone before. */
  readonly undone: number;
}

/** Subscriptions of one project, and the consents to them. */
export interface SubscriptionStore {
  /** Locked until the end of the transaction. */
  find(projectId: Id, listId: Id, subscriberId: Id): Promise<Subscription | undefined>;
  of(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]>;
  /** Adds it, or moves it from the state `from`; false when it is in another one by now. */
  move(subscription: Subscription, from: SubscriptionState | undefined): Promise<boolean>;
  /**
   * Unsubscribes from the lists; gives the lists on which that changed something.
   * @param campaignId the campaign whose link it was, so that the link can undo it
   */
  leave(projectId: Id, subscriberId: Id, listIds: readonly Id[], campaignId: Id | undefined, at: Date): Promise<readonly Id[]>;
  /** `listIds`: the campaign's lists that exist. `undoSince`: what is older cannot be undone. */
  optOutFacts(projectId: Id, subscriberId: Id, campaignId: Id, listIds: readonly Id[], undoSince: Date): Promise<OptOutFacts>;
  /** Gives the lists that this campaign's link left their state from before; returns those that are subscribed to again. */
  returnTo(projectId: Id, subscriberId: Id, campaignId: Id, since: Date, at: Date): Promise<readonly Id[]>;
  removeAll(projectId: Id, subscriberId: Id): Promise<void>;

  addConsent(consent: Consent): Promise<void>;
  /** Oldest first. */
  consentsOf(projectId: Id, subscriberId: Id): Promise<readonly Consent[]>;
  /** Keeps which subscriber, which lists and when; removes IP, user agent and text. */
  stripConsents(projectId: Id, subscriberId: Id): Promise<void>;
}
