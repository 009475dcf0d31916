import type {
  Consent,
  Evidence,
  Joining,
  Subscriber,
  SubscriberFields,
  SubscriberSearch,
  SubscriberState,
  Subscription,
  Suppression,
} from '../../domain/audience/index.ts';
import { NotFound } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';
import { eraseSubscriber } from './erase-subscriber.ts';
import { type SubscribersFilter, subscribersCsv } from './subscribers-file.ts';

/** A subscriber, the lists to join (ids or slugs), and the consent to it. */
export interface SubscriberInput extends SubscriberFields, Joining {
  readonly lists?: readonly string[] | undefined;
}

/** A subscriber with every subscription and suppression. */
export interface SubscriberDetails extends SubscriberState {
  readonly subscriptions: readonly (Subscription & { readonly list: string })[];
  readonly suppressions: readonly Suppression[];
}

/** Lists (ids or slugs) to leave; default: all that the subscriber is on. */
export interface Leaving {
  readonly lists?: readonly string[] | undefined;
  readonly evidence: Evidence;
}

/** `evidence` is kept with the suppression. `dryRun`: answer who would be erased; change nothing. */
export interface Erasing {
  readonly evidence?: Readonly<Record<string, string>> | undefined;
  readonly dryRun?: boolean | undefined;
}

/** A consent record with the slugs of its lists; the id of a list that was deleted. */
export interface SubscriberConsent extends Consent {
  readonly lists: readonly string[];
}

/** Subscribers, by id or address. */
export interface Subscribers {
  /** Creates a subscriber, or changes the one with this address, and joins the lists. All of it or nothing. @throws InvalidInput, NotFound, SubscriberErased, ListArchived, SubscriptionRefused */
  upsert(projectId: Id, input: SubscriberInput): Promise<SubscriberDetails & { readonly created: boolean }>;
  /** Newest first. @throws InvalidInput, NotFound for the list */
  list(projectId: Id, search?: SubscriberListing): Promise<Page<Subscriber>>;
  /** @throws NotFound */
  get(projectId: Id, subscriber: string): Promise<SubscriberDetails>;
  /** @throws InvalidInput, NotFound, AddressTaken, SubscriberErased */
  update(projectId: Id, subscriber: string, changes: Partial<SubscriberFields>): Promise<SubscriberDetails>;
  /** Erases the subscriber in every context, permanently. See erase-subscriber.ts. @throws NotFound */
  erase(projectId: Id, subscriber: string, options?: Erasing): Promise<SubscriberState>;
  /** Confirmed, or unconfirmed where the list wants double opt-in. @throws NotFound, ListArchived, SubscriptionRefused */
  subscribe(projectId: Id, subscriber: string, list: string, joining?: Joining): Promise<Subscription>;
  /** Records the answer to the confirmation mail of a double opt-in list. @throws NotFound, SubscriptionRefused */
  confirm(projectId: Id, subscriber: string, list: string, evidence: Evidence): Promise<Subscription>;
  /** Idempotent. @throws NotFound */
  unsubscribe(projectId: Id, subscriber: string, leaving: Leaving): Promise<SubscriberDetails>;
  /** The consent records, oldest first. @throws NotFound */
  consents(projectId: Id, subscriber: string): Promise<readonly SubscriberConsent[]>;
  /** As CSV, read as it is taken. @throws NotFound for the list */
  export(projectId: Id, filter?: SubscribersFilter): AsyncIterable<string>;
}

/** `list`: id or slug. */
export interface SubscriberListing extends Omit<SubscriberSearch, 'listId'> {
  readonly list?: string | undefined;
}

export function subscriberVerbs({ work }: { readonly work: UnitOfWork }): Subscribers {
  return {
    upsert: (projectId, { lists = [], consent, confirmed, ...wish }) =>
      work.run(async (scope) => {
        const listIds = await listIdsOf(scope, projectId, lists);
        const { subscriber, created } = await scope.audience.subscribers.join(projectId, wish, listIds, { consent, confirmed });
        return { ...(await details(scope, subscriber)), created };
      }),
    list: (projectId, { list, ...search } = {}) =>
      work.run(async ({ audience }) => {
        const listId = list === undefined ? undefined : (await audience.lists.get(projectId, list)).id;
        return audience.subscribers.search(projectId, { ...search, listId });
      }),
    get: (projectId, subscriber) => work.run(async (scope) => details(scope, await subscriberOf(scope, projectId, subscriber))),
    update: (projectId, subscriber, changes) =>
      work.run(async (scope) => {
        const { id } = await subscriberOf(scope, projectId, subscriber);
        return details(scope, await scope.audience.subscribers.update(projectId, id, changes));
      }),
    erase: (projectId, subscriber, { evidence, dryRun = false } = {}) =>
      work.run(async (scope) => {
        const found = { ...(await subscriberOf(scope, projectId, subscriber)) };
        if (!dryRun) await eraseSubscriber(scope, projectId, found.id, evidence);
        return found;
      }),
    subscribe: (projectId, subscriber, list, joining) =>
      work.run(async (scope) => {
        const { id } = await subscriberOf(scope, projectId, subscriber);
        return (await scope.audience.subscriptions.subscribe(projectId, list, id, joining)).subscription;
      }),
    confirm: (projectId, subscriber, list, evidence) =>
      work.run(async (scope) => {
        const { id } = await subscriberOf(scope, projectId, subscriber);
        return (await scope.audience.subscriptions.confirm(projectId, list, id, evidence)).subscription;
      }),
    unsubscribe: (projectId, subscriber, { lists, evidence }) =>
      work.run(async (scope) => {
        const found = await subscriberOf(scope, projectId, subscriber);
        const listIds =
          lists === undefined
            ? (await scope.audience.subscriptions.of(projectId, [found.id])).map(({ listId }) => listId)
            : await listIdsOf(scope, projectId, lists);
        await scope.audience.subscriptions.unsubscribe(projectId, listIds, found.id, evidence);
        return details(scope, found);
      }),
    consents: (projectId, subscriber) =>
      work.run(async (scope) => {
        const { id } = await subscriberOf(scope, projectId, subscriber);
        const consents = await scope.audience.subscriptions.consentsOf(projectId, id);
        const slugs = await slugsOf(
          scope,
          projectId,
          consents.flatMap(({ listIds }) => listIds),
        );
        return consents
          .map((consent) => ({ ...consent, lists: consent.listIds.map((listId) => slugs.get(listId) ?? listId) }))
          .toSorted((a, b) => a.recordedAt.getTime() - b.recordedAt.getTime());
      }),
    export: (projectId, filter = {}) => subscribersCsv(work, projectId, filter),
  };
}

/** By id or address. @throws NotFound */
export async function subscriberOf({ audience }: Pick<Scope, 'audience'>, projectId: Id, named: string): Promise<Subscriber> {
  if (!named.includes('@')) return audience.subscribers.get(projectId, named);
  const found = await audience.subscribers.findByAddress(projectId, named);
  if (found === undefined) throw new NotFound('subscriber', named.slice(0, 80));
  return found;
}

/** By id or slug. @throws NotFound */
export async function listIdsOf(scope: Pick<Scope, 'audience'>, projectId: Id, named: readonly string[]): Promise<readonly Id[]> {
  const ids: Id[] = [];
  for (const list of new Set(named)) ids.push((await scope.audience.lists.get(projectId, list)).id);
  return ids;
}

async function details(scope: Scope, subscriber: Subscriber): Promise<SubscriberDetails> {
  const { projectId, id, address } = subscriber;
  const subscriptions = await scope.audience.subscriptions.of(projectId, [id]);
  const slugs = await slugsOf(
    scope,
    projectId,
    subscriptions.map(({ listId }) => listId),
  );
  return {
    ...subscriber,
    subscriptions: subscriptions.map((one) => ({ ...one, list: slugs.get(one.listId) ?? one.listId })),
    suppressions: address === null ? [] : await scope.audience.suppressions.of(projectId, address),
  };
}

async function slugsOf(scope: Scope, projectId: Id, listIds: readonly Id[]): Promise<ReadonlyMap<Id, string>> {
  const slugs = new Map<Id, string>();
  for (const id of new Set(listIds)) slugs.set(id, (await scope.audience.lists.find(projectId, id))?.slug ?? id);
  return slugs;
}
