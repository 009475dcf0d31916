import { LockMode } from '@mikro-orm/core';
import { Campaign, type CampaignFilter, type CampaignStore, type ListUse, Template } from '../../domain/campaign/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';
import { DATABASE_NOW } from './sql.ts';

/** The campaign context over PostgreSQL: aggregates by MikroORM, the two questions that are asked often by SQL. */
export class PostgresCampaignStore implements CampaignStore {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  addCampaign(campaign: Campaign): void {
    this.#session.em.persist(campaign);
  }

  async campaign(projectId: Id, id: Id, options: { lock?: boolean } = {}): Promise<Campaign | undefined> {
    const lock = options.lock === true ? { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true } : {};
    return (await this.#session.em.findOne(Campaign, { projectId, id }, lock)) ?? undefined;
  }

  /** Newest first (UUIDv7 sorts by time). Index: primary key. */
  async campaigns(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>> {
    const limit = pageLimit(filter);
    const before = idAfter(filter);
    const rows = await this.#session.em.find(
      Campaign,
      {
        projectId,
        ...(before === undefined ? {} : { id: { $lt: before } }),
        ...(filter.state === undefined ? {} : { state: filter.state }),
        ...(filter.archived === true ? {} : { archivedAt: null }),
      },
      { orderBy: { id: 'desc' }, limit: limit + 1 },
    );
    return toPage(rows, limit, (campaign) => [campaign.id]);
  }

  /** Index: campaign_due. */
  async dueCampaigns(limit: number): Promise<readonly { projectId: Id; id: Id }[]> {
    return this.#session.sql.query<{ projectId: Id; id: Id }>(
      `select project_id as "projectId", id from pennypost_campaign.campaign
       where state = 'scheduled' and scheduled_at <= ${DATABASE_NOW} order by scheduled_at limit $1`,
      [limit],
    );
  }

  /** Index: primary key. Content is not read. */
  usesOfList(projectId: Id, listId: Id): Promise<readonly ListUse[]> {
    return this.#session.sql.query<ListUse>(
      `select id, name, state from pennypost_campaign.campaign
       where project_id = $1 and ($2::uuid = any(lists) or $2::uuid = any(exclude_lists))
         and (state in ('scheduled', 'sending', 'paused') or state = 'submitted' and settled_at is null)
       order by id`,
      [projectId, listId],
    );
  }

  addTemplate(template: Template): void {
    this.#session.em.persist(template);
  }

  async template(projectId: Id, id: Id): Promise<Template | undefined> {
    return (await this.#session.em.findOne(Template, { projectId, id })) ?? undefined;
  }

  async templates(projectId: Id, page: PageRequest): Promise<Page<Template>> {
    const limit = pageLimit(page);
    const before = idAfter(page);
    const rows = await this.#session.em.find(
      Template,
      { projectId, ...(before === undefined ? {} : { id: { $lt: before } }) },
      { orderBy: { id: 'desc' }, limit: limit + 1 },
    );
    return toPage(rows, limit, (template) => [template.id]);
  }

  removeTemplate(template: Template): void {
    this.#session.em.remove(template);
  }
}
