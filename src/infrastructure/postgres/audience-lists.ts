import { List, type ListCounts, type ListSearch, type ListState, type ListStore } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';

const LIST = `project_id as "projectId", id, name, slug, description, double_opt_in as "doubleOptIn", archived_at as "archivedAt",
  created_at as "createdAt", updated_at as "updatedAt", version`;

/** Stores lists in PostgreSQL: single lists by MikroORM, pages and counts by SQL. */
export class PostgresListStore implements ListStore {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** The unique index `list_slug` detects a slug that is taken. */
  async add(list: List): Promise<boolean> {
    const rows = await this.session.sql.query(
      `insert into pennypost_audience.list (project_id, id, name, slug, description, double_opt_in, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (project_id, slug) do nothing returning 1 as added`,
      [list.projectId, list.id, list.name, list.slug, list.description, list.doubleOptIn, list.createdAt, list.updatedAt],
    );
    return rows.length > 0;
  }

  async find(projectId: Id, id: Id): Promise<List | undefined> {
    return (await this.session.em.findOne(List, { projectId, id })) ?? undefined;
  }

  async findBySlug(projectId: Id, slug: string): Promise<List | undefined> {
    return (await this.session.em.findOne(List, { projectId, slug })) ?? undefined;
  }

  /** Newest first, read by the primary key, because ids are UUIDv7. */
  async page(projectId: Id, search: ListSearch): Promise<Page<List>> {
    const limit = pageLimit(search);
    const rows = await this.session.sql.query<ListState>(
      `select ${LIST} from pennypost_audience.list
       where project_id = $1 and ($2::uuid is null or id < $2::uuid) and ($3 or archived_at is null) order by id desc limit $4`,
      [projectId, idAfter(search) ?? null, search.includeArchived ?? false, limit + 1],
    );
    return toPage(
      rows.map((row) => new List(row)),
      limit,
      (list) => [list.id],
    );
  }

  /** Reads all subscriptions of the lists, by the primary key of `subscription`. */
  counts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]> {
    return this.session.sql.query<ListCounts>(
      `select l.id as "listId",
         count(*) filter (where n.state = 'unconfirmed')::int as unconfirmed,
         count(*) filter (where n.state = 'confirmed')::int as confirmed,
         count(*) filter (where n.state = 'unsubscribed')::int as unsubscribed
       from pennypost_audience.list l
       left join pennypost_audience.subscription n on n.project_id = l.project_id and n.list_id = l.id
       where l.project_id = $1 and l.id = any($2::uuid[]) group by l.id`,
      [projectId, listIds],
    );
  }

  /** Skips lists whose lock is taken: only a deletion conflicts with this lock, so such a list counts as deleted. */
  async hold(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]> {
    const rows = await this.session.sql.query<{ id: Id }>(
      `select id from pennypost_audience.list where project_id = $1 and id = any($2::uuid[]) order by id
       for key share skip locked`,
      [projectId, listIds],
    );
    return rows.map((row) => row.id);
  }

  /** Locks the list first, so that a concurrent unsubscribe sees that the list is being deleted and does not wait. */
  async remove(list: List): Promise<void> {
    await this.session.sql.query('select 1 as locked from pennypost_audience.list where project_id = $1 and id = $2 for update', [
      list.projectId,
      list.id,
    ]);
    await this.session.sql.query('delete from pennypost_audience.subscription where project_id = $1 and list_id = $2', [
      list.projectId,
      list.id,
    ]);
    await this.session.em.remove(list).flush();
  }
}
