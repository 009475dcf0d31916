import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Subscriber, SubscriberStatus } from './subscriber.ts';
import type { SubscriptionState } from './subscription.ts';

export interface SubscriberSearch extends PageRequest {
  /** Found in the address or in the value of an attribute, case-insensitively. */
  readonly text?: string | undefined;
  /** Only subscribers with a subscription to this list, in any state. */
  readonly listId?: Id | undefined;
  /** With `listId`: only in this state there. */
  readonly state?: SubscriptionState | undefined;
  /** Default: active. */
  readonly status?: SubscriberStatus | undefined;
}

/** Where a subscriber is reached, and in which language. */
export interface SubscriberAddress {
  readonly address: string;
  readonly locale: string | undefined;
}

/** Subscribers of one project. One that a `find` gave is written back at the end of the unit of work when it was changed. */
export interface SubscriberStore {
  /** False when another subscriber has the address; then nothing happened. */
  add(subscriber: Subscriber): Promise<boolean>;
  /** Locked until the end of the transaction when it is about to be erased. */
  find(projectId: Id, id: Id, options?: { readonly lock: boolean }): Promise<Subscriber | undefined>;
  /** Locked until the end of the transaction when it is about to be changed. */
  findByKey(projectId: Id, emailKey: string, options?: { readonly lock: boolean }): Promise<Subscriber | undefined>;
  /** Keeps the subscriber from being erased until the end of the transaction; waits for nothing but an erasure. */
  hold(projectId: Id, id: Id): Promise<{ readonly id: Id; readonly emailKey: string | null } | undefined>;
  /** The same by address, where a subscriber has it. */
  holdAddress(projectId: Id, emailKey: string): Promise<void>;
  /** Writes a changed address at once. @throws AddressTaken when another subscriber has it by now */
  saveAddress(subscriber: Subscriber): Promise<void>;
  /** Newest first. */
  search(projectId: Id, search: SubscriberSearch): Promise<Page<Subscriber>>;
  /** Without those that were erased or never existed. */
  addressesOf(projectId: Id, ids: readonly Id[]): Promise<ReadonlyMap<Id, SubscriberAddress>>;
}
