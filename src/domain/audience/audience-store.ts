import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Consent } from './consent.ts';
import type { Exclusion, ExclusionCounts, ExclusionReason } from './exclusion.ts';
import type { Import, Rejection } from './import.ts';
import type { List } from './list.ts';
import type { AudienceFilter, AudiencePage, RecipientFacts, Refusal } from './recipient.ts';
import type { Subscriber, SubscriberStatus } from './subscriber.ts';
import type { Subscription, SubscriptionState } from './subscription.ts';
import type { Suppression, SuppressionReason, SuppressionScope } from './suppression.ts';

export interface SubscriberSearch extends PageRequest {
  /** Found in the address or in the value of an attribute, case-insensitively. */
  readonly text?: string | undefined;
  /** Only those who are, or were, on this list. */
  readonly listId?: Id | undefined;
  /** With `listId`: only in this state there. */
  readonly state?: SubscriptionState | undefined;
  /** Default: active. */
  readonly status?: SubscriberStatus | undefined;
}

export interface ListSearch extends PageRequest {
  readonly includeArchived?: boolean | undefined;
}

export interface SuppressionSearch extends PageRequest {
  readonly scope?: SuppressionScope | undefined;
  readonly reason?: SuppressionReason | undefined;
}

/** A list with how many are on it, for people who look at lists. */
export interface ListCounts {
  readonly listId: Id;
  readonly unconfirmed: number;
  readonly confirmed: number;
  readonly unsubscribed: number;
}

/** What is known of a person and an unsubscribe link. */
export interface OptOutFacts {
  readonly erased: boolean;
  /** No marketing goes to the address, or no mail at all. */
  readonly suppressed: boolean;
  /** Marketing alone is refused already. */
  readonly marketingRefused: boolean;
  /** Of the lists: how many the person is on (confirmed or not), and how many the person has left. */
  readonly joined: number;
  readonly left: number;
  /** Of the lists: how many were left by this link. */
  readonly leftByLink: number;
  /** The link did something, recently, that can be taken back. */
  readonly undoable: boolean;
  /** How often what this link did was taken back before. */
  readonly undone: number;
}

/**
 * What the audience keeps; every method sees one project only, and what belongs to another one does not exist for it.
 * Aggregates that a `find` gave are written back at the end of the unit of work when they were changed.
 */
export interface ExclusionSearch extends PageRequest {
  readonly reason?: ExclusionReason | undefined;
}

export interface AudienceStore {
  /** False when the slug is taken; then nothing happened. */
  addList(list: List): Promise<boolean>;
  findList(projectId: Id, id: Id): Promise<List | undefined>;
  findListBySlug(projectId: Id, slug: string): Promise<List | undefined>;
  lists(projectId: Id, search: ListSearch): Promise<Page<List>>;
  listCounts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]>;
  /** With its subscriptions. */
  removeList(list: List): Promise<void>;

  /** False when somebody has the address; then nothing happened. */
  addSubscriber(subscriber: Subscriber): Promise<boolean>;
  /** Locked until the end of the transaction when it is about to be erased. */
  findSubscriber(projectId: Id, id: Id, options?: { readonly lock: boolean }): Promise<Subscriber | undefined>;
  /** Keeps the subscriber from being erased until the end of the transaction; waits for nothing but an erasure. */
  holdSubscriber(projectId: Id, id: Id): Promise<{ readonly id: Id; readonly emailKey: string | null } | undefined>;
  /** The same by address, where somebody has it. */
  holdAddress(projectId: Id, emailKey: string): Promise<void>;
  /** Keeps the lists from being deleted until the end of the transaction; gives those that are there and not being deleted. */
  holdLists(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]>;
  /** Locked until the end of the transaction when it is about to be changed. */
  findSubscriberByKey(projectId: Id, emailKey: string, options?: { readonly lock: boolean }): Promise<Subscriber | undefined>;
  /** Writes a changed address at once. @throws AddressTaken when somebody else was faster */
  saveAddress(subscriber: Subscriber): Promise<void>;
  search(projectId: Id, search: SubscriberSearch): Promise<Page<Subscriber>>;

  /** Locked until the end of the transaction. */
  findSubscription(projectId: Id, listId: Id, subscriberId: Id): Promise<Subscription | undefined>;
  subscriptionsOf(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]>;
  /** Adds it, or moves it from the state `from`; false when it is in another one by now. */
  moveSubscription(subscription: Subscription, from: SubscriptionState | undefined): Promise<boolean>;
  /**
   * Unsubscribes from those of the lists that exist; gives the lists on which that changed something.
   * @param campaignId the campaign whose link it was, so that the link can take it back
   */
  leave(projectId: Id, subscriberId: Id, listIds: readonly Id[], campaignId: Id | undefined, at: Date): Promise<readonly Id[]>;
  /** `listIds`: those of the campaign's lists that are there. `undoSince`: what is older cannot be undone. */
  optOutFacts(projectId: Id, subscriberId: Id, campaignId: Id, listIds: readonly Id[], undoSince: Date): Promise<OptOutFacts>;
  /** Gives the lists that this campaign's link left their state from before; those that are subscribed to again. */
  returnTo(projectId: Id, subscriberId: Id, campaignId: Id, since: Date, at: Date): Promise<readonly Id[]>;
  /** Lifts the refusal of marketing that the person asked for, by whatever means; bounces and complaints stay. */
  liftMarketingOptOut(projectId: Id, emailKey: string): Promise<void>;
  /** Lifts the refusal of marketing that this campaign's link made. */
  liftOptOut(projectId: Id, emailKey: string, campaignId: Id, since: Date): Promise<boolean>;
  removeSubscriptions(projectId: Id, subscriberId: Id): Promise<void>;

  addConsent(consent: Consent): Promise<void>;
  consentsOf(projectId: Id, subscriberId: Id): Promise<readonly Consent[]>;
  /** Leaves who, what and when, and takes IP, user agent and words away. */
  stripConsents(projectId: Id, subscriberId: Id): Promise<void>;

  /** Adds it, or replaces one of the same scope and a lighter reason; false when a grave enough one stands there already. */
  addSuppression(suppression: Suppression): Promise<boolean>;
  /** What a person refused (`unsubscribe`, `complaint`) holds for the person's new address too. */
  copyWishes(projectId: Id, from: string, to: string): Promise<void>;
  /** How many were lifted. */
  removeSuppressions(projectId: Id, emailKeys: readonly string[], scope: SuppressionScope | undefined): Promise<number>;
  suppressionsOf(projectId: Id, emailKeys: readonly string[]): Promise<readonly Suppression[]>;
  suppressions(projectId: Id, search: SuppressionSearch): Promise<Page<Suppression>>;

  /** The next people of the audience in order of id; undefined behind the last. Everybody only once, however many lists. */
  audiencePage(projectId: Id, filter: AudienceFilter, after: Id | undefined, limit: number): Promise<AudiencePage | undefined>;
  countAudience(projectId: Id, filter: AudienceFilter): Promise<number>;
  countExclusions(projectId: Id, filter: AudienceFilter): Promise<ExclusionCounts>;
  exclusions(projectId: Id, filter: AudienceFilter, search: ExclusionSearch): Promise<Page<Exclusion>>;
  /** The ids of all of them, a PostgreSQL array literal per reason: for asking elsewhere about many at once. */
  excludedIds(
    projectId: Id,
    filter: AudienceFilter,
  ): Promise<readonly { readonly reason: ExclusionReason; readonly ids: string }[]>;
  /** Every id gets an answer. `lists` empty: nobody is refused for a subscription. */
  recipients(projectId: Id, ids: readonly Id[], lists: readonly Id[]): Promise<ReadonlyMap<Id, RecipientFacts>>;
  /** Only those who are refused. */
  refusals(projectId: Id, ids: readonly Id[], lists: readonly Id[]): Promise<ReadonlyMap<Id, Refusal>>;

  addImport(imported: Import): Promise<void>;
  findImport(projectId: Id, id: Id): Promise<Import | undefined>;
  imports(projectId: Id, page: PageRequest): Promise<Page<Import>>;
  /** Empties every rejected row of the project in which this address stands; how many that were. */
  stripRejections(projectId: Id, emailKey: string): Promise<number>;
  rejections(projectId: Id, importId: Id, page: PageRequest): Promise<Page<Rejection>>;
  /** False when it had ended already. */
  failImport(projectId: Id, id: Id, failure: string, at: Date): Promise<boolean>;
  /** Fails the running imports, begun before `before`, whose process is gone; how many. */
  failAbandonedImports(projectId: Id, before: Date, failure: string, at: Date): Promise<number>;
}
