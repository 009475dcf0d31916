import type { Clock } from '../shared/clock.ts';
import { parseAddressee } from '../shared/email-address.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import { AddressTaken, ListSlugTaken, SubscriberErased } from './audience-errors.ts';
import type { AudienceStore, ExclusionSearch, ListCounts, ListSearch, SubscriberSearch } from './audience-store.ts';
import { changesOf, type Joined, type Joining, type Moved, type SubscriberWish, type Suppressing } from './audience-wish.ts';
import type { Consent, Evidence } from './consent.ts';
import { Erasure } from './erasure.ts';
import type { Exclusion, ExclusionCounts } from './exclusion.ts';
import { IMPORT_AGAIN, type Import, type NewImport, newImport, type Rejection } from './import.ts';
import { List, type ListChanges, type NewList } from './list.ts';
import type { AudienceFilter, AudiencePage, RecipientFacts, Refusal } from './recipient.ts';
import { Subscriber } from './subscriber.ts';
import { type OptOut, type OptOutState, Subscribing } from './subscribing.ts';
import { joinEvent, type Subscription } from './subscription.ts';
import {
  type ErasureKeys,
  parseReason,
  parseScope,
  parseSuppressionFilter,
  type Suppression,
  type SuppressionFilter,
  type SuppressionReason,
} from './suppression.ts';

/** Whoever runs an import holds on to it within a second of starting it; a minute leaves room for a slow start. */
const ABANDONED_AFTER_MS = 60_000;

/** The verbs of the context. Each runs inside the caller's unit of work, and sees one project. */
export class AudienceService {
  private readonly store: AudienceStore;
  private readonly clock: Clock;
  private readonly ids: Ids;
  private readonly subscribing: Subscribing;
  private readonly erasure: Erasure;

  constructor(deps: { store: AudienceStore; clock: Clock; ids: Ids; erasureKeys: (projectId: Id) => ErasureKeys }) {
    this.store = deps.store;
    this.clock = deps.clock;
    this.ids = deps.ids;
    this.subscribing = new Subscribing(deps);
    this.erasure = new Erasure(deps);
  }

  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, ListSlugTaken */
  async createList(projectId: Id, wish: NewList): Promise<List> {
    const wished = List.create(projectId, this.ids.next(), wish, this.clock.now());
    let list = wished;
    for (let number = 2; !(await this.store.addList(list)); number++) {
      if (wish.slug !== undefined || number > 100) throw new ListSlugTaken(list.slug);
      list = wished.numbered(number);
    }
    return list;
  }

  /** @throws InvalidInput, NotFound */
  async updateList(projectId: Id, idOrSlug: string, changes: ListChanges): Promise<List> {
    const list = await this.getList(projectId, idOrSlug);
    list.change(changes, this.clock.now());
    return list;
  }

  /** Undefined for a list that was deleted. */
  findList(projectId: Id, id: Id): Promise<List | undefined> {
    return this.store.findList(projectId, id);
  }

  /** By id or by slug. @throws NotFound */
  async getList(projectId: Id, idOrSlug: string): Promise<List> {
    const list = isId(idOrSlug)
      ? await this.store.findList(projectId, idOrSlug.toLowerCase())
      : await this.store.findListBySlug(projectId, idOrSlug);
    if (list === undefined) throw new NotFound('list', idOrSlug.slice(0, 80));
    return list;
  }

  /** Those of the lists that are there; none of them is deleted before the unit of work ends. */
  holdLists(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]> {
    return this.store.holdLists(projectId, listIds);
  }

  lists(projectId: Id, search: ListSearch = {}): Promise<Page<List>> {
    return this.store.lists(projectId, search);
  }

  /** How many are on each list, by state. */
  listCounts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]> {
    return this.store.listCounts(projectId, listIds);
  }

  /** @throws NotFound */
  async archiveList(projectId: Id, idOrSlug: string): Promise<List> {
    const list = await this.getList(projectId, idOrSlug);
    list.archive(this.clock.now());
    return list;
  }

  /** @throws NotFound */
  async restoreList(projectId: Id, idOrSlug: string): Promise<List> {
    const list = await this.getList(projectId, idOrSlug);
    list.restore(this.clock.now());
    return list;
  }

  /** With its subscriptions, and so with the knowledge of who left it; archive it where that matters. @throws NotFound */
  async deleteList(projectId: Id, idOrSlug: string): Promise<void> {
    await this.store.removeList(await this.getList(projectId, idOrSlug));
  }

  /** Makes the subscriber, or changes what is named of the one with this address. @throws InvalidInput, SubscriberErased */
  async upsertSubscriber(
    projectId: Id,
    wish: SubscriberWish,
  ): Promise<{ readonly subscriber: Subscriber; readonly created: boolean }> {
    const email = parseAddressee(wish.email, '/email');
    const changes = changesOf(wish);
    const now = this.clock.now();
    const known = await this.store.findSubscriberByKey(projectId, email.key, { lock: true });
    if (known === undefined) {
      const subscriber = Subscriber.create(projectId, this.ids.next(), email, changes, now);
      if (await this.store.addSubscriber(subscriber)) {
        // Asked when the address is ours: nobody can erase it between this answer and our commit.
        await this.erasure.refuse(projectId, email);
        return { subscriber, created: true };
      }
    }
    // Somebody may have added the same person between our look and our try.
    const subscriber = known ?? (await this.store.findSubscriberByKey(projectId, email.key, { lock: true }));
    if (subscriber === undefined) throw new AddressTaken(email.address);
    subscriber.change(changes, now);
    return { subscriber, created: false };
  }

  /** Makes or changes the subscriber and puts the person on all of these lists. @throws what `upsertSubscriber` and `subscribe` do */
  async join(projectId: Id, wish: SubscriberWish, listIds: readonly Id[], joining: Joining = {}): Promise<Joined> {
    const { subscriber, created } = await this.upsertSubscriber(projectId, wish);
    // In order, so that two calls for one person never wait for one another in a circle.
    for (const listId of [...new Set(listIds)].sort()) await this.subscribe(projectId, listId, subscriber.id, joining);
    return { subscriber, created, subscriptions: await this.store.subscriptionsOf(projectId, [subscriber.id]) };
  }

  /** @throws InvalidInput, NotFound, AddressTaken, SubscriberErased */
  async updateSubscriber(projectId: Id, id: Id, wish: Partial<SubscriberWish>): Promise<Subscriber> {
    const subscriber = await this.getSubscriber(projectId, id);
    if (subscriber.status === 'erased') throw new SubscriberErased();
    const now = this.clock.now();
    if (wish.email !== undefined) {
      const email = parseAddressee(wish.email, '/email');
      const before = subscriber.emailKey;
      if (email.key !== before && (await this.store.findSubscriberByKey(projectId, email.key)) !== undefined)
        throw new AddressTaken(email.address);
      subscriber.readdress(email, now);
      await this.store.saveAddress(subscriber);
      if (before !== null && email.key !== before) {
        await this.erasure.refuse(projectId, email);
        await this.store.copyWishes(projectId, before, email.key);
      }
    }
    subscriber.change(changesOf(wish), now);
    return subscriber;
  }

  /** @throws NotFound */
  async getSubscriber(projectId: Id, id: Id): Promise<Subscriber> {
    const subscriber = isId(id) ? await this.store.findSubscriber(projectId, id.toLowerCase()) : undefined;
    if (subscriber === undefined) throw new NotFound('subscriber', id.slice(0, 80));
    return subscriber;
  }

  /** @throws InvalidInput for what is no address. */
  findByAddress(projectId: Id, address: string): Promise<Subscriber | undefined> {
    return this.store.findSubscriberByKey(projectId, parseAddressee(address, '/email').key);
  }

  /** Newest first. @throws InvalidInput, InvalidCursor */
  async searchSubscribers(projectId: Id, search: SubscriberSearch = {}): Promise<Page<Subscriber>> {
    if (search.state !== undefined && search.listId === undefined) {
      throw new InvalidInput('A state of subscription needs a list to look at.', '/listId');
    }
    return this.store.search(projectId, search);
  }

  /**
   * Forgets the person: address, attributes, subscriptions, the details of consents and rejected rows of imports go; the id stays, so that reports add
   * up, and a keyed hash of the address, so that no import can mail it again. Final. @throws NotFound
   */
  async deleteSubscriber(projectId: Id, id: Id, evidence: Readonly<Record<string, string>> = {}): Promise<void> {
    const subscriber = isId(id) ? await this.store.findSubscriber(projectId, id.toLowerCase(), { lock: true }) : undefined;
    if (subscriber === undefined) throw new NotFound('subscriber', id.slice(0, 80));
    await this.erasure.erase(subscriber, evidence);
  }

  /**
   * Puts a subscriber on a list: confirmed, or unconfirmed where the list wants double opt-in. Doing it twice changes nothing.
   * @throws NotFound, ListArchived, SubscriptionRefused for somebody who left and has not consented anew
   */
  async subscribe(projectId: Id, listId: Id, subscriberId: Id, joining: Joining = {}): Promise<Moved> {
    const list = await this.getList(projectId, listId);
    list.checkOpen();
    const consent = { stated: joining.consent !== undefined, confirmed: joining.confirmed ?? false };
    if (consent.confirmed && !consent.stated) throw new InvalidInput('A confirmed consent needs its source.', '/consent');
    return this.subscribing.move(projectId, list.id, subscriberId, joinEvent(list.doubleOptIn, consent), joining.consent);
  }

  /** The person answered the confirmation mail. @throws NotFound, SubscriptionRefused */
  async confirm(projectId: Id, listId: Id, subscriberId: Id, evidence: Evidence): Promise<Moved> {
    const list = await this.getList(projectId, listId);
    return this.subscribing.move(projectId, list.id, subscriberId, 'confirm', evidence);
  }

  /** Idempotent. Gives the lists on which it changed something; foreign or unknown ids change nothing. */
  unsubscribe(projectId: Id, listIds: readonly Id[], subscriberId: Id, evidence: Evidence): Promise<readonly Id[]> {
    return this.subscribing.leave(projectId, listIds, subscriberId, evidence);
  }

  /** See `Subscribing.optOut`. */
  optOut(projectId: Id, subscriberId: Id, leaving: OptOut, evidence: Evidence): Promise<boolean> {
    return this.subscribing.optOut(projectId, subscriberId, leaving, evidence);
  }

  /** See `Subscribing.undoOptOut`. */
  undoOptOut(projectId: Id, subscriberId: Id, campaignId: Id, evidence: Evidence): Promise<boolean> {
    return this.subscribing.undoOptOut(projectId, subscriberId, campaignId, evidence);
  }

  /** See `Subscribing.optOutState`. */
  optOutState(projectId: Id, subscriberId: Id, leaving: OptOut): Promise<OptOutState> {
    return this.subscribing.optOutState(projectId, subscriberId, leaving);
  }

  subscriptionsOf(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]> {
    return this.store.subscriptionsOf(projectId, subscriberIds);
  }

  consentsOf(projectId: Id, subscriberId: Id): Promise<readonly Consent[]> {
    return this.store.consentsOf(projectId, subscriberId);
  }

  /** Refuses to mail an address from now on. Idempotent: false when it was refused for as grave a reason before. @throws InvalidInput */
  async suppress(projectId: Id, address: string, wish: Suppressing = {}): Promise<boolean> {
    const email = parseAddressee(address, '/email');
    const scope = parseScope(wish.scope ?? 'project');
    if (scope.startsWith('list:')) await this.getList(projectId, scope.slice('list:'.length));
    const reason = parseReason(wish.reason ?? 'manual');
    const evidence = wish.evidence ?? {};
    // An erased address is refused for the gravest reason already, and must not be written down again.
    await this.store.holdAddress(projectId, email.key);
    if (await this.erasure.knows(projectId, email.key)) return false;
    return this.store.addSuppression({ projectId, emailKey: email.key, scope, reason, evidence, at: this.clock.now() });
  }

  /** Lifts what stands against an address in this scope (default `project`), an erasure included; false when nothing did. @throws InvalidInput */
  async unsuppress(projectId: Id, address: string, scope = 'project'): Promise<boolean> {
    const keys = this.erasure.keysOf(projectId, parseAddressee(address, '/email'));
    return (await this.store.removeSuppressions(projectId, keys, parseScope(scope))) > 0;
  }

  /** Everything that stands against this address, in any scope. @throws InvalidInput */
  suppressionsOf(projectId: Id, address: string): Promise<readonly Suppression[]> {
    return this.store.suppressionsOf(projectId, this.erasure.keysOf(projectId, parseAddressee(address, '/email')));
  }

  /** Why one person's own mail (a receipt, a new password) may not go to this address: only the scope `project` stops that. */
  async transactionalRefusal(projectId: Id, address: string): Promise<SuppressionReason | undefined> {
    const inForce = (await this.suppressionsOf(projectId, address)).filter(({ scope }) => scope === 'project');
    return inForce.find(({ reason }) => reason === 'erased')?.reason ?? inForce[0]?.reason;
  }

  /** Newest first. @throws InvalidInput for an unknown scope or reason */
  async listSuppressions(projectId: Id, search: PageRequest & SuppressionFilter = {}): Promise<Page<Suppression>> {
    return this.store.suppressions(projectId, { ...search, ...parseSuppressionFilter(search) });
  }

  /** See `AudienceStore.audiencePage`. */
  audiencePage(projectId: Id, filter: AudienceFilter, after: Id | undefined, limit: number): Promise<AudiencePage | undefined> {
    return this.store.audiencePage(projectId, filter, after, limit);
  }

  countAudience(projectId: Id, lists: readonly Id[], excludeLists: readonly Id[] = []): Promise<number> {
    return this.store.countAudience(projectId, { lists, excludeLists });
  }

  /** How many would be mailed now, and how many would not, by reason. */
  countExclusions(projectId: Id, lists: readonly Id[], excludeLists: readonly Id[] = []): Promise<ExclusionCounts> {
    return this.store.countExclusions(projectId, { lists, excludeLists });
  }

  /** The same person by person, by id. */
  exclusions(projectId: Id, filter: AudienceFilter, search: ExclusionSearch = {}): Promise<Page<Exclusion>> {
    return this.store.exclusions(projectId, filter, search);
  }

  /** See `AudienceStore.excludedIds`. */
  excludedIds(projectId: Id, filter: AudienceFilter) {
    return this.store.excludedIds(projectId, filter);
  }

  /** One query for a page of recipients; every id gets an answer. */
  recipients(
    projectId: Id,
    ids: readonly Id[],
    options: { readonly lists: readonly Id[] },
  ): Promise<ReadonlyMap<Id, RecipientFacts>> {
    return this.store.recipients(projectId, ids, options.lists);
  }

  /** The same judgement without the facts, for a second look; only those who are refused. */
  refusals(projectId: Id, ids: readonly Id[], options: { readonly lists: readonly Id[] }): Promise<ReadonlyMap<Id, Refusal>> {
    return this.store.refusals(projectId, ids, options.lists);
  }

  /** Stores a running import; `ImportSubscribers` runs it. @throws InvalidInput, NotFound, ListArchived */
  async startImport(projectId: Id, wish: NewImport): Promise<Import> {
    await this.failAbandonedImports(projectId);
    const listIds: Id[] = [];
    for (const idOrSlug of wish.lists) {
      const list = await this.getList(projectId, idOrSlug);
      list.checkOpen();
      listIds.push(list.id);
    }
    const imported = newImport(projectId, this.ids.next(), { ...wish, lists: listIds }, this.clock.now());
    await this.store.addImport(imported);
    return imported;
  }

  /** Says that a running import ended without having changed anybody. */
  failImport(projectId: Id, id: Id, failure: string): Promise<boolean> {
    return this.store.failImport(projectId, id, failure, this.clock.now());
  }

  /** Ends the imports whose process died; how many. Safe at any time: a living one holds a lock. */
  failAbandonedImports(projectId: Id): Promise<number> {
    const now = this.clock.now();
    const failure = `The process that ran this import ended before it was done. ${IMPORT_AGAIN}`;
    return this.store.failAbandonedImports(projectId, new Date(now.getTime() - ABANDONED_AFTER_MS), failure, now);
  }

  /** @throws NotFound */
  async getImport(projectId: Id, id: Id): Promise<Import> {
    const imported = isId(id) ? await this.store.findImport(projectId, id.toLowerCase()) : undefined;
    if (imported === undefined) throw new NotFound('import', id.slice(0, 80));
    return imported;
  }

  /** Newest first. */
  imports(projectId: Id, page: PageRequest = {}): Promise<Page<Import>> {
    return this.store.imports(projectId, page);
  }

  /** By line. @throws NotFound */
  async rejections(projectId: Id, importId: Id, page: PageRequest = {}): Promise<Page<Rejection>> {
    const imported = await this.getImport(projectId, importId);
    return this.store.rejections(projectId, imported.id, page);
  }
}
