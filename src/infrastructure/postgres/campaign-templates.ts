import { type Content, type ListedTemplate, Template, type TemplateStore } from '../../domain/campaign/index.ts';
import { type Id, isId } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';

/** Templates over PostgreSQL: aggregates by MikroORM, listings by SQL. */
export class PostgresTemplateStore implements TemplateStore {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The unique index `template_slug` detects a slug that is taken. */
  async addTemplate({ projectId, id, name, slug, content, createdAt, updatedAt }: Template): Promise<boolean> {
    const rows = await this.#session.sql.query(
      `insert into pennypost_campaign.template (project_id, id, name, slug, content, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict (project_id, slug) do nothing returning id`,
      [projectId, id, name, slug, JSON.stringify(content), createdAt, updatedAt],
    );
    return rows.length > 0;
  }

  async template(projectId: Id, id: Id): Promise<Template | undefined> {
    return (await this.#session.em.findOne(Template, { projectId, id })) ?? undefined;
  }

  /**
   * Indexes: primary key, template_slug. For every message that is sent from a template, so a plain statement without the ORM's
   * bookkeeping.
   */
  async templateContent(projectId: Id, idOrSlug: string): Promise<{ id: Id; content: Content } | undefined> {
    const column = isId(idOrSlug) ? 'id' : 'slug';
    const [row] = await this.#session.sql.query<{ id: Id; content: Content }>(
      `select id, content from pennypost_campaign.template where project_id = $1 and ${column} = $2`,
      [projectId, idOrSlug],
    );
    return row;
  }

  /** Newest first. Index: primary key. */
  async templates(projectId: Id, page: PageRequest): Promise<Page<ListedTemplate>> {
    const limit = pageLimit(page);
    const rows = await this.#session.sql.query<ListedTemplate>(
      `select id, name, slug, kind, subject, created_at as "createdAt", updated_at as "updatedAt" from pennypost_campaign.template
       where project_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`,
      [projectId, idAfter(page) ?? null, limit + 1],
    );
    return toPage(rows, limit, (template) => [template.id]);
  }

  removeTemplate(template: Template): void {
    this.#session.em.remove(template);
  }
}
