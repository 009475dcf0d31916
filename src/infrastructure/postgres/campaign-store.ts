import { LockMode } from '@mikro-orm/core';
import {
  Campaign,
  type CampaignFilter,
  type CampaignStore,
  type Content,
  type FrozenContent,
  type ListUse,
  type Mailing,
  type MailingLink,
  type MailingStore,
  type PlanLink,
} from '../../domain/campaign/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';
import { DATABASE_NOW } from './sql.ts';

/** A date without a time is read as text, because a Date would move it by the process's time zone. */
const MAILING = `project_id as "projectId", id as "mailingId", campaign_id as "campaignId", launched_on::text as "launchedOn",
  unsubscribe_lists as "unsubscribeLists"`;

/** The campaign context over PostgreSQL: aggregates by MikroORM; content, listings of templates and what is due by SQL. */
export class PostgresCampaignStore implements CampaignStore, MailingStore {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Index: campaign_slug. */
  async addCampaign(campaign: Campaign, content: Content): Promise<boolean> {
    const { projectId, id, name, slug, subject, author, contentKind, contentVersion } = campaign;
    const { audience, trackOpens, trackClicks, state, createdAt } = campaign;
    const added = await this.#session.sql.query(
      `insert into pennypost_campaign.campaign (project_id, id, name, slug, subject, author, content_kind, content_version,
         audience, track_opens, track_clicks, state, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (project_id, slug) do nothing returning 1 as added`,
      [
        ...[projectId, id, name, slug, subject, JSON.stringify(author), contentKind, contentVersion],
        ...[JSON.stringify(audience), trackOpens, trackClicks, state, createdAt],
      ],
    );
    if (added.length === 0) return false;
    await this.#session.sql.query(
      'insert into pennypost_campaign.campaign_content (project_id, campaign_id, content) values ($1, $2, $3)',
      [projectId, id, JSON.stringify(content)],
    );
    return true;
  }

  /** Its content goes with it. */
  removeCampaign(campaign: Campaign): void {
    this.#session.em.remove(campaign);
  }

  /** Index: campaign_slug. A number takes the last characters of a long slug, hence the shorter beginning. */
  async slugsLike(projectId: Id, slug: string): Promise<readonly string[]> {
    const rows = await this.#session.sql.query<{ slug: string }>(
      'select slug from pennypost_campaign.campaign where project_id = $1 and slug like $2',
      [projectId, `${slug.slice(0, 50)}%`],
    );
    return rows.map((row) => row.slug);
  }

  async campaign(projectId: Id, id: Id, options: { lock?: boolean } = {}): Promise<Campaign | undefined> {
    const lock = options.lock === true ? { lockMode: LockMode.PESSIMISTIC_WRITE, refresh: true } : {};
    return (await this.#session.em.findOne(Campaign, { projectId, id }, lock)) ?? undefined;
  }

  /** Newest first (UUIDv7 sorts by time). Index: primary key; campaign_slug, campaign_name. */
  async campaigns(projectId: Id, filter: CampaignFilter): Promise<Page<Campaign>> {
    const limit = pageLimit(filter);
    const before = idAfter(filter);
    const rows = await this.#session.em.find(
      Campaign,
      {
        projectId,
        ...(before === undefined ? {} : { id: { $lt: before } }),
        ...(filter.state === undefined ? {} : { state: filter.state }),
        ...(filter.name === undefined ? {} : { name: filter.name.normalize('NFC').trim() }),
        ...(filter.slug === undefined ? {} : { slug: filter.slug }),
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
      `select id, slug, name, state from pennypost_campaign.campaign
       where project_id = $1 and (audience->'include' @> $2::jsonb or audience->'exclude' @> $2::jsonb)
         and (state in ('scheduled', 'sending', 'paused') or state = 'submitted' and settled_at is null)
       order by id`,
      [projectId, JSON.stringify([{ list: listId }])],
    );
  }

  /** Index: primary key. */
  async content(projectId: Id, campaignId: Id): Promise<Content | undefined> {
    const [row] = await this.#session.sql.query<{ content: Content }>(
      'select content from pennypost_campaign.campaign_content where project_id = $1 and campaign_id = $2',
      [projectId, campaignId],
    );
    return row?.content;
  }

  async replaceContent(projectId: Id, campaignId: Id, content: Content): Promise<void> {
    await this.#session.sql.query(
      'update pennypost_campaign.campaign_content set content = $3 where project_id = $1 and campaign_id = $2',
      [projectId, campaignId, JSON.stringify(content)],
    );
  }

  async addMailing(mailing: Mailing, frozen: FrozenContent): Promise<void> {
    const { projectId, mailingId, campaignId, launchedOn, unsubscribeLists } = mailing;
    await this.#session.sql.query(
      `insert into pennypost_campaign.mailing (project_id, id, campaign_id, launched_on, unsubscribe_lists, frozen, links)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        projectId,
        mailingId,
        campaignId,
        launchedOn,
        unsubscribeLists,
        JSON.stringify(frozen),
        JSON.stringify(frozen.parts.links),
      ],
    );
  }

  /** Index: primary key. */
  async mailing(projectId: Id, mailingId: Id): Promise<Mailing | undefined> {
    const [row] = await this.#session.sql.query<Mailing>(
      `select ${MAILING} from pennypost_campaign.mailing where project_id = $1 and id = $2`,
      [projectId, mailingId],
    );
    return row;
  }

  /** Index: mailing_campaign. UUIDv7 sorts by time. */
  mailingsOf(projectId: Id, campaignId: Id): Promise<readonly Mailing[]> {
    return this.#session.sql.query<Mailing>(
      `select ${MAILING} from pennypost_campaign.mailing where project_id = $1 and campaign_id = $2 order by id`,
      [projectId, campaignId],
    );
  }

  /** Index: primary key. */
  async frozen(projectId: Id, mailingId: Id): Promise<FrozenContent | undefined> {
    const [row] = await this.#session.sql.query<{ frozen: FrozenContent }>(
      'select frozen from pennypost_campaign.mailing where project_id = $1 and id = $2',
      [projectId, mailingId],
    );
    return row?.frozen;
  }

  /** Index: mailing_campaign. */
  async links(projectId: Id, campaignId: Id): Promise<readonly MailingLink[]> {
    const rows = await this.#session.sql.query<{ mailingId: Id; links: readonly PlanLink[] }>(
      'select id as "mailingId", links from pennypost_campaign.mailing where project_id = $1 and campaign_id = $2 order by id',
      [projectId, campaignId],
    );
    return rows.flatMap(({ mailingId, links }) => links.map((link) => ({ ...link, mailingId })));
  }
}
