import type {
  AudienceService,
  List,
  ListChanges,
  ListCounts,
  ListSearch,
  ListState,
  NewList,
} from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { archiveList, deleteList, type Retiring } from './list-desk.ts';

/** A list with its number of subscribers by state of their subscription. */
export interface CountedList extends ListState {
  readonly subscribers: Readonly<Pick<ListCounts, 'unconfirmed' | 'confirmed' | 'unsubscribed'>>;
}

/** `counts`: also count the subscribers of each list, which reads all their subscriptions. */
export interface ListListing extends ListSearch {
  readonly counts?: boolean | undefined;
}

/** `force`: also while campaigns use it. `dryRun`: answer what would be deleted; change nothing. */
export interface Deleting extends Retiring {
  readonly dryRun?: boolean | undefined;
}

/** Lists, by id or slug. */
export interface Lists {
  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, ListSlugTaken */
  create(projectId: Id, input: NewList): Promise<CountedList>;
  list(projectId: Id, search?: ListListing): Promise<Page<ListState & Partial<CountedList>>>;
  /** @throws NotFound */
  get(projectId: Id, list: string): Promise<CountedList>;
  /** @throws InvalidInput, NotFound */
  update(projectId: Id, list: string, changes: ListChanges): Promise<CountedList>;
  /** No subscriber can join any more; its subscribers stay. Refused while campaigns use it, unless forced. @throws NotFound, ListInUse */
  archive(projectId: Id, list: string, options?: Retiring): Promise<CountedList>;
  /** @throws NotFound */
  restore(projectId: Id, list: string): Promise<CountedList>;
  /** Deletes its subscriptions too. Refused while campaigns use it, unless forced. @throws NotFound, ListInUse */
  delete(projectId: Id, list: string, options?: Deleting): Promise<CountedList>;
}

export function listVerbs({ work }: { readonly work: UnitOfWork }): Lists {
  return {
    create: (projectId, input) =>
      work.run(async ({ audience }) => ({ ...(await audience.lists.create(projectId, input)), subscribers: NO_COUNTS })),
    list: (projectId, { counts = false, ...search } = {}) =>
      work.run(async ({ audience }) => {
        const page = await audience.lists.list(projectId, search);
        if (!counts) return page;
        return { items: await counted(audience, projectId, page.items), next: page.next };
      }),
    get: (projectId, list) =>
      work.run(async ({ audience }) => one(audience, projectId, await audience.lists.get(projectId, list))),
    update: (projectId, list, changes) =>
      work.run(async ({ audience }) => one(audience, projectId, await audience.lists.update(projectId, list, changes))),
    archive: (projectId, list, options) =>
      work.run(async (scope) => one(scope.audience, projectId, await archiveList(scope, projectId, list, options))),
    restore: (projectId, list) =>
      work.run(async ({ audience }) => one(audience, projectId, await audience.lists.restore(projectId, list))),
    delete: (projectId, list, { dryRun = false, force } = {}) =>
      work.run(async (scope) => {
        const found = await one(scope.audience, projectId, await scope.audience.lists.get(projectId, list));
        if (!dryRun) await deleteList(scope, projectId, found.id, { force });
        return found;
      }),
  };
}

const NO_COUNTS = { unconfirmed: 0, confirmed: 0, unsubscribed: 0 };

async function counted(audience: AudienceService, projectId: Id, lists: readonly List[]): Promise<readonly CountedList[]> {
  if (lists.length === 0) return [];
  const counts = await audience.lists.counts(
    projectId,
    lists.map(({ id }) => id),
  );
  const byId = new Map(counts.map(({ listId, ...subscribers }) => [listId, subscribers]));
  return lists.map((list) => ({ ...list, subscribers: byId.get(list.id) ?? NO_COUNTS }));
}

async function one(audience: AudienceService, projectId: Id, list: List): Promise<CountedList> {
  const [found] = await counted(audience, projectId, [list]);
  return found ?? { ...list, subscribers: NO_COUNTS };
}
