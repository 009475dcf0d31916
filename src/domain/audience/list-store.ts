import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { List } from './list.ts';

export interface ListSearch extends PageRequest {
  readonly includeArchived?: boolean | undefined;
}

/** The subscribers of a list by state of their subscription. */
export interface ListCounts {
  readonly listId: Id;
  readonly unconfirmed: number;
  readonly confirmed: number;
  readonly unsubscribed: number;
}

/** Lists of one project. A list that `find` gave is written back at the end of the unit of work when it was changed. */
export interface ListStore {
  /** False when the slug is taken; then nothing happened. */
  add(list: List): Promise<boolean>;
  find(projectId: Id, id: Id): Promise<List | undefined>;
  findBySlug(projectId: Id, slug: string): Promise<List | undefined>;
  /** Newest first. */
  page(projectId: Id, search: ListSearch): Promise<Page<List>>;
  counts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]>;
  /** Keeps the lists from being deleted until the end of the transaction; gives those that exist and are not being deleted. */
  hold(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]>;
  /** With its subscriptions. */
  remove(list: List): Promise<void>;
}
