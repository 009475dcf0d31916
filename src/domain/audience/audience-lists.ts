import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import type { Page } from '../shared/page.ts';
import { ListSlugTaken } from './audience-errors.ts';
import { List, type ListChanges, type NewList } from './list.ts';
import type { ListCounts, ListSearch, ListStore } from './list-store.ts';

/** Lists: created, changed, archived, deleted. */
export class AudienceLists {
  private readonly store: ListStore;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(deps: { lists: ListStore; clock: Clock; ids: Ids }) {
    this.store = deps.lists;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, ListSlugTaken */
  async create(projectId: Id, input: NewList): Promise<List> {
    const wished = List.create(projectId, this.ids.next(), input, this.clock.now());
    let list = wished;
    for (let number = 2; !(await this.store.add(list)); number++) {
      if (input.slug !== undefined || number > 100) throw new ListSlugTaken(list.slug);
      list = wished.numbered(number);
    }
    return list;
  }

  /** @throws InvalidInput, NotFound */
  async update(projectId: Id, idOrSlug: string, changes: ListChanges): Promise<List> {
    const list = await this.get(projectId, idOrSlug);
    list.change(changes, this.clock.now());
    return list;
  }

  /** Undefined for a list that was deleted. */
  find(projectId: Id, id: Id): Promise<List | undefined> {
    return this.store.find(projectId, id);
  }

  /** By id or by slug. @throws NotFound */
  async get(projectId: Id, idOrSlug: string): Promise<List> {
    const list = isId(idOrSlug)
      ? await this.store.find(projectId, idOrSlug.toLowerCase())
      : await this.store.findBySlug(projectId, idOrSlug);
    if (list === undefined) throw new NotFound('list', idOrSlug.slice(0, 80));
    return list;
  }

  /** The lists among these that exist; none of them is deleted before the unit of work ends. */
  hold(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]> {
    return this.store.hold(projectId, listIds);
  }

  /** Newest first. */
  list(projectId: Id, search: ListSearch = {}): Promise<Page<List>> {
    return this.store.page(projectId, search);
  }

  counts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]> {
    return this.store.counts(projectId, listIds);
  }

  /** @throws NotFound */
  async archive(projectId: Id, idOrSlug: string): Promise<List> {
    const list = await this.get(projectId, idOrSlug);
    list.archive(this.clock.now());
    return list;
  }

  /** @throws NotFound */
  async restore(projectId: Id, idOrSlug: string): Promise<List> {
    const list = await this.get(projectId, idOrSlug);
    list.restore(this.clock.now());
    return list;
  }

  /** Deletes its subscriptions too, including the record of unsubscribed ones; archive the list to keep it. @throws NotFound */
  async delete(projectId: Id, idOrSlug: string): Promise<void> {
    await this.store.remove(await this.get(projectId, idOrSlug));
  }
}
