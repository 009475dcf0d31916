import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { AudienceLists } from './audience-lists.ts';
import { IMPORT_AGAIN, type Import, type NewImport, newImport, type Rejection } from './import.ts';
import type { ImportStore } from './import-store.ts';

/** A process takes the lock of its import within a second of starting it; a minute leaves room for a slow start. */
const ABANDONED_AFTER_MS = 60_000;

/** The records of imports; `ImportSubscribers` runs them. */
export class AudienceImports {
  private readonly store: ImportStore;
  private readonly lists: AudienceLists;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(parts: { lists: AudienceLists }, deps: { imports: ImportStore; clock: Clock; ids: Ids }) {
    this.store = deps.imports;
    this.lists = parts.lists;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** Stores a running import; `ImportSubscribers` runs it. @throws InvalidInput, NotFound, ListArchived */
  async start(projectId: Id, wish: NewImport): Promise<Import> {
    await this.failAbandoned(projectId);
    const listIds: Id[] = [];
    for (const idOrSlug of wish.lists) {
      const list = await this.lists.get(projectId, idOrSlug);
      list.checkOpen();
      listIds.push(list.id);
    }
    const imported = newImport(projectId, this.ids.next(), { ...wish, lists: listIds }, this.clock.now());
    await this.store.add(imported);
    return imported;
  }

  /** Ends a running import that changed no subscriber. */
  fail(projectId: Id, id: Id, failure: string): Promise<boolean> {
    return this.store.fail(projectId, id, failure, this.clock.now());
  }

  /** Ends the imports whose process died; how many. Safe at any time: a living one holds a lock. */
  failAbandoned(projectId: Id): Promise<number> {
    const now = this.clock.now();
    const failure = `The process that ran this import ended before it finished. ${IMPORT_AGAIN}`;
    return this.store.failAbandoned(projectId, new Date(now.getTime() - ABANDONED_AFTER_MS), failure, now);
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<Import> {
    const imported = isId(id) ? await this.store.find(projectId, id.toLowerCase()) : undefined;
    if (imported === undefined) throw new NotFound('import', id.slice(0, 80));
    return imported;
  }

  /** Newest first. */
  list(projectId: Id, page: PageRequest = {}): Promise<Page<Import>> {
    return this.store.page(projectId, page);
  }

  /** By line. @throws NotFound */
  async rejections(projectId: Id, importId: Id, page: PageRequest = {}): Promise<Page<Rejection>> {
    const imported = await this.get(projectId, importId);
    return this.store.rejections(projectId, imported.id, page);
  }
}
