import type { Clock } from '../shared/clock.ts';
import { parseAddressee } from '../shared/email-address.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import { AddressTaken, SubscriberErased } from './audience-errors.ts';
import { changesOf, type Joined, type Joining, type SubscriberFields } from './audience-inputs.ts';
import type { AudienceSubscriptions } from './audience-subscriptions.ts';
import type { Erasure } from './erasure.ts';
import { Subscriber } from './subscriber.ts';
import type { SubscriberAddress, SubscriberSearch, SubscriberStore } from './subscriber-store.ts';
import type { SuppressionStore } from './suppression-store.ts';

/** Subscribers: created, changed, found, erased. */
export class AudienceSubscribers {
  private readonly store: SubscriberStore;
  private readonly suppressions: SuppressionStore;
  private readonly subscriptions: AudienceSubscriptions;
  private readonly erasure: Erasure;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(
    parts: { subscriptions: AudienceSubscriptions; erasure: Erasure },
    deps: { subscribers: SubscriberStore; suppressions: SuppressionStore; clock: Clock; ids: Ids },
  ) {
    this.store = deps.subscribers;
    this.suppressions = deps.suppressions;
    this.subscriptions = parts.subscriptions;
    this.erasure = parts.erasure;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** Creates the subscriber, or changes the named fields of the one with this address. @throws InvalidInput, SubscriberErased */
  async upsert(projectId: Id, wish: SubscriberFields): Promise<{ readonly subscriber: Subscriber; readonly created: boolean }> {
    const email = parseAddressee(wish.email, '/email');
    const changes = changesOf(wish);
    const now = this.clock.now();
    const known = await this.store.findByKey(projectId, email.key, { lock: true });
    if (known === undefined) {
      const subscriber = Subscriber.create(projectId, this.ids.next(), email, changes, now);
      if (await this.store.add(subscriber)) {
        // Asked after the insert: no erasure of the address can come between this answer and the commit.
        await this.erasure.refuse(projectId, email);
        return { subscriber, created: true };
      }
    }
    // Another transaction may have added the same address between the lookup and the insert.
    const subscriber = known ?? (await this.store.findByKey(projectId, email.key, { lock: true }));
    if (subscriber === undefined) throw new AddressTaken(email.address);
    subscriber.change(changes, now);
    return { subscriber, created: false };
  }

  /** Creates or changes the subscriber and subscribes it to these lists. @throws what `upsert` and `AudienceSubscriptions.subscribe` throw */
  async join(projectId: Id, wish: SubscriberFields, listIds: readonly Id[], joining: Joining = {}): Promise<Joined> {
    const { subscriber, created } = await this.upsert(projectId, wish);
    // In order of id, so that two calls for one subscriber cannot deadlock.
    for (const listId of [...new Set(listIds)].sort())
      await this.subscriptions.subscribe(projectId, listId, subscriber.id, joining);
    return { subscriber, created, subscriptions: await this.subscriptions.of(projectId, [subscriber.id]) };
  }

  /** @throws InvalidInput, NotFound, AddressTaken, SubscriberErased */
  async update(projectId: Id, id: Id, wish: Partial<SubscriberFields>): Promise<Subscriber> {
    const subscriber = await this.get(projectId, id);
    if (subscriber.status === 'erased') throw new SubscriberErased();
    const now = this.clock.now();
    if (wish.email !== undefined) {
      const email = parseAddressee(wish.email, '/email');
      const before = subscriber.emailKey;
      if (email.key !== before && (await this.store.findByKey(projectId, email.key)) !== undefined)
        throw new AddressTaken(email.address);
      subscriber.readdress(email, now);
      await this.store.saveAddress(subscriber);
      if (before !== null && email.key !== before) {
        await this.erasure.refuse(projectId, email);
        await this.suppressions.copyWishes(projectId, before, email.key);
      }
    }
    subscriber.change(changesOf(wish), now);
    return subscriber;
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<Subscriber> {
    const subscriber = isId(id) ? await this.store.find(projectId, id.toLowerCase()) : undefined;
    if (subscriber === undefined) throw new NotFound('subscriber', id.slice(0, 80));
    return subscriber;
  }

  /** @throws InvalidInput unless the text is an address */
  findByAddress(projectId: Id, address: string): Promise<Subscriber | undefined> {
    return this.store.findByKey(projectId, parseAddressee(address, '/email').key);
  }

  /** Newest first. @throws InvalidInput, InvalidCursor */
  async search(projectId: Id, search: SubscriberSearch = {}): Promise<Page<Subscriber>> {
    if (search.state !== undefined && search.listId === undefined) {
      throw new InvalidInput('A filter by subscription state needs a list.', '/listId');
    }
    return this.store.search(projectId, search);
  }

  /**
   * Removes address, attributes, subscriptions, the details of consents and the rejected rows of imports, for good. Keeps the
   * id, so that reports add up, and a keyed hash of the address, so that no import can mail it again. @throws NotFound
   */
  async erase(projectId: Id, id: Id, evidence: Readonly<Record<string, string>> = {}): Promise<void> {
    const subscriber = isId(id) ? await this.store.find(projectId, id.toLowerCase(), { lock: true }) : undefined;
    if (subscriber === undefined) throw new NotFound('subscriber', id.slice(0, 80));
    await this.erasure.erase(subscriber, evidence);
  }

  /** The present addresses of these subscribers, without those that were erased or never existed. */
  addressesOf(projectId: Id, ids: readonly Id[]): Promise<ReadonlyMap<Id, SubscriberAddress>> {
    return this.store.addressesOf(projectId, ids);
  }
}
