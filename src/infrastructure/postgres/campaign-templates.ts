import { type Content, type ListedTemplate, Template, type TemplateStore } from '../../domain/campaign/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';

/** Templates over PostgreSQL: aggregates by MikroORM, listings by SQL. */
export class PostgresTemplateStore implements TemplateStore {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  addTemplate(template: Template): void {
    this.#session.em.persist(template);
  }

  async template(projectId: Id, id: Id): Promise<Template | undefined> {
    return (await this.#session.em.findOne(Template, { projectId, id })) ?? undefined;
  }

  /** Index: primary key. For every message that is sent from a template, so a plain statement without the ORM's bookkeeping. */
  async templateContent(projectId: Id, id: Id): Promise<Content | undefined> {
    const [row] = await this.#session.sql.query<{ content: Content }>(
      'select content from pennypost_campaign.template where project_id = $1 and id = $2',
      [projectId, id],
    );
    return row?.content;
  }

  /** Newest first. Index: primary key. */
  async templates(projectId: Id, page: PageRequest): Promise<Page<ListedTemplate>> {
    const limit = pageLimit(page);
    const rows = await this.#session.sql.query<ListedTemplate>(
      `select id, name, kind, subject, created_at as "createdAt", updated_at as "updatedAt" from pennypost_campaign.template
       where project_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`,
      [projectId, idAfter(page) ?? null, limit + 1],
    );
    return toPage(rows, limit, (template) => [template.id]);
  }

  removeTemplate(template: Template): void {
    this.#session.em.remove(template);
  }
}
