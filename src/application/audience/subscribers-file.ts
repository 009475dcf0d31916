import type { Subscriber, SubscriberSearch, Subscription } from '../../domain/audience/index.ts';
import { csvRow } from '../../domain/shared/csv.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

/** What an export selects; the same filters as the subscriber search. `list`: id or slug. */
export interface SubscribersFilter extends Pick<SubscriberSearch, 'text' | 'state' | 'status'> {
  readonly list?: string | undefined;
}

/** The columns in front of one column per attribute. */
const COLUMNS = ['id', 'email', 'status', 'locale', 'time_zone', 'subscriptions', 'created_at', 'updated_at'];

/**
 * Subscribers as CSV, newest first: one column per attribute that any of them has, `subscriptions` as `slug=state` pairs. Read
 * page by page, each page in a transaction of its own. Cells that a spreadsheet would run as a formula begin with an apostrophe.
 * @throws NotFound for an unknown list
 */
export async function* subscribersCsv(
  work: UnitOfWork,
  projectId: Id,
  { list, ...rest }: SubscribersFilter,
): AsyncGenerator<string> {
  const listId = list === undefined ? undefined : (await work.run(({ audience }) => audience.lists.get(projectId, list))).id;
  const filter = { ...rest, listId };
  // The header names every attribute, so the names are collected before the first row.
  const names = new Set<string>();
  for await (const { items } of pages(work, projectId, filter))
    for (const { attributes } of items) for (const name of Object.keys(attributes)) names.add(name);
  const attributes = [...names].sort();
  yield csvRow([...COLUMNS, ...attributes]);
  for await (const { items, subscriptions, slugs } of pages(work, projectId, filter)) {
    const held = Map.groupBy(subscriptions, ({ subscriberId }) => subscriberId);
    yield items
      .map((subscriber) =>
        csvRow([
          subscriber.id,
          subscriber.address,
          subscriber.status,
          subscriber.locale,
          subscriber.timeZone,
          (held.get(subscriber.id) ?? []).map(({ listId, state }) => `${slugs.get(listId) ?? listId}=${state}`).join(' '),
          subscriber.createdAt.toISOString(),
          subscriber.updatedAt.toISOString(),
          ...attributes.map((name) => textOf(subscriber.attributes[name])),
        ]),
      )
      .join('');
  }
}

interface SubscribersPage {
  readonly items: readonly Subscriber[];
  readonly subscriptions: readonly Subscription[];
  readonly slugs: ReadonlyMap<Id, string>;
}

async function* pages(work: UnitOfWork, projectId: Id, filter: SubscriberSearch): AsyncGenerator<SubscribersPage> {
  const slugs = new Map<Id, string>();
  for (let after: string | undefined; ; ) {
    const { page, subscriptions } = await work.run(async ({ audience }) => {
      const found = await audience.subscribers.search(projectId, { ...filter, limit: 500, after });
      const held = await audience.subscriptions.of(
        projectId,
        found.items.map(({ id }) => id),
      );
      for (const { listId } of held)
        if (!slugs.has(listId)) slugs.set(listId, (await audience.lists.find(projectId, listId))?.slug ?? listId);
      return { page: found, subscriptions: held };
    });
    yield { items: page.items, subscriptions, slugs };
    if (page.next === undefined) return;
    after = page.next;
  }
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
