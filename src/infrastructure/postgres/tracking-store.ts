import type { Id } from '../../domain/shared/ids.ts';
import type { Engagement, EngagementAddition, LinkAddition, TrackingEvent, TrackingStore } from '../../domain/tracking/index.ts';
import { column } from './column.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';
import { ensureMonths } from './tracking-partitions.ts';

export class PostgresTrackingStore implements TrackingStore {
  private readonly sql: Sql;

  constructor(session: Session) {
    this.sql = session.sql;
  }

  /** Conflicts on the primary key (project_id, at, id). `requests_before` says what a write added (no `returning old` before 18). */
  async addEvents(events: readonly TrackingEvent[]): Promise<ReadonlyMap<Id, number>> {
    if (events.length === 0) return new Map();
    const stored = await this.sql.query<{ id: Id; added: number }>(
      `insert into pennypost_tracking.event as e (project_id, at, id, kind, mailing_id, subscriber_id, message_id, link, method,
         user_agent, sec_fetch_site, sec_fetch_mode, sec_fetch_dest, purpose, network, requests)
       select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[],
         $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::cidr[], $16::int[])
       on conflict (project_id, at, id) do update set requests = excluded.requests, requests_before = e.requests where e.requests < excluded.requests
       returning id, requests - requests_before as added`,
      [
        column(events, (event) => event.projectId),
        column(events, (event) => event.at),
        column(events, (event) => event.id),
        column(events, (event) => event.kind),
        column(events, (event) => event.mailingId),
        column(events, (event) => event.subscriberId),
        column(events, (event) => event.messageId),
        column(events, (event) => event.link),
        column(events, (event) => event.method),
        column(events, (event) => event.userAgent),
        column(events, (event) => event.secFetchSite),
        column(events, (event) => event.secFetchMode),
        column(events, (event) => event.secFetchDest),
        column(events, (event) => event.purpose),
        column(events, (event) => event.network),
        column(events, (event) => event.requests),
      ],
    );
    return new Map(stored.map((row) => [row.id, row.added]));
  }

  /** Conflicts on the primary key (project_id, mailing_id, subscriber_id). What was before is what is less what was added (no `returning old` before 18). */
  async addEngagement(additions: readonly EngagementAddition[]): Promise<readonly { opens: number; clicks: number }[]> {
    if (additions.length === 0) return [];
    const rows = await this.sql.query<PersonKey & { opens: number; clicks: number }>(
      `insert into pennypost_tracking.engagement as e (project_id, mailing_id, subscriber_id, opens_unknown, first_open_at,
         last_open_at, clicks_unknown, first_click_at, last_click_at)
       select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::int[],
         $8::timestamptz[], $9::timestamptz[])
       on conflict (project_id, mailing_id, subscriber_id) do update set
         opens_unknown = e.opens_unknown + excluded.opens_unknown,
         first_open_at = least(e.first_open_at, excluded.first_open_at),
         last_open_at = greatest(e.last_open_at, excluded.last_open_at),
         clicks_unknown = e.clicks_unknown + excluded.clicks_unknown,
         first_click_at = least(e.first_click_at, excluded.first_click_at),
         last_click_at = greatest(e.last_click_at, excluded.last_click_at)
       returning project_id, mailing_id, subscriber_id, opens_human + opens_machine + opens_unknown as opens,
         clicks_human + clicks_machine + clicks_unknown as clicks`,
      [
        ...personColumns(additions),
        column(additions, (row) => row.opens),
        column(additions, (row) => row.firstOpenAt),
        column(additions, (row) => row.lastOpenAt),
        column(additions, (row) => row.clicks),
        column(additions, (row) => row.firstClickAt),
        column(additions, (row) => row.lastClickAt),
      ],
    );
    const after = new Map(rows.map((row) => [nameOf(row), row]));
    return additions.map((added) => {
      const row = after.get(`${added.projectId}/${added.mailingId}/${added.subscriberId}`);
      if (row === undefined) throw new Error('An engagement row was written and not returned.');
      return { opens: row.opens - added.opens, clicks: row.clicks - added.clicks };
    });
  }

  /** Conflicts on the primary key (project_id, mailing_id, subscriber_id, link). */
  async addLinkEngagement(additions: readonly LinkAddition[]): Promise<readonly number[]> {
    if (additions.length === 0) return [];
    const rows = await this.sql.query<PersonKey & { link: number; clicks: number }>(
      `insert into pennypost_tracking.link_engagement as e (project_id, mailing_id, subscriber_id, link, clicks_unknown,
         first_click_at, last_click_at)
       select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::int[], $6::timestamptz[], $7::timestamptz[])
       on conflict (project_id, mailing_id, subscriber_id, link) do update set
         clicks_unknown = e.clicks_unknown + excluded.clicks_unknown,
         first_click_at = least(e.first_click_at, excluded.first_click_at),
         last_click_at = greatest(e.last_click_at, excluded.last_click_at)
       returning project_id, mailing_id, subscriber_id, link, clicks_human + clicks_machine + clicks_unknown as clicks`,
      [
        ...personColumns(additions),
        column(additions, (row) => row.link),
        column(additions, (row) => row.clicks),
        column(additions, (row) => row.firstClickAt),
        column(additions, (row) => row.lastClickAt),
      ],
    );
    const after = new Map(rows.map((row) => [`${nameOf(row)}/${row.link}`, row.clicks]));
    return additions.map((added) => {
      const clicks = after.get(`${added.projectId}/${added.mailingId}/${added.subscriberId}/${added.link}`);
      if (clicks === undefined) throw new Error('A link engagement row was written and not returned.');
      return clicks - added.clicks;
    });
  }

  /** By the primary key; only the first one gets a row back. */
  async markUnsubscribed(projectId: Id, mailingId: Id, subscriberId: Id, at: Date): Promise<boolean> {
    const first = await this.sql.query(
      `insert into pennypost_tracking.engagement as e (project_id, mailing_id, subscriber_id, unsubscribed_at)
       values ($1, $2, $3, $4)
       on conflict (project_id, mailing_id, subscriber_id) do update set unsubscribed_at = excluded.unsubscribed_at
         where e.unsubscribed_at is null
       returning 1`,
      [projectId, mailingId, subscriberId, at],
    );
    return first.length > 0;
  }

  /** By the primary key. */
  async engagement(projectId: Id, mailingId: Id, subscriberId: Id): Promise<Engagement | undefined> {
    const [row] = await this.sql.query<EngagementRow>(
      `select first_open_at, last_open_at, opens_human, opens_machine, opens_unknown, first_click_at, last_click_at, clicks_human,
         clicks_machine, clicks_unknown, unsubscribed_at
       from pennypost_tracking.engagement where project_id = $1 and mailing_id = $2 and subscriber_id = $3`,
      [projectId, mailingId, subscriberId],
    );
    if (row === undefined) return undefined;
    return {
      firstOpenAt: row.first_open_at ?? undefined,
      lastOpenAt: row.last_open_at ?? undefined,
      opens: { human: row.opens_human, machine: row.opens_machine, unknown: row.opens_unknown },
      firstClickAt: row.first_click_at ?? undefined,
      lastClickAt: row.last_click_at ?? undefined,
      clicks: { human: row.clicks_human, machine: row.clicks_machine, unknown: row.clicks_unknown },
      unsubscribedAt: row.unsubscribed_at ?? undefined,
    };
  }

  ensurePartitions(from: Date, through: Date): Promise<void> {
    return ensureMonths(this.sql, from, through);
  }

  /** Primary key: the events of the project. Rare, and done by a job. */
  async stripEvents(projectId: Id, subscriberId: Id): Promise<void> {
    await this.sql.query(
      `update pennypost_tracking.event set user_agent = null, network = null
       where project_id = $1 and subscriber_id = $2 and (user_agent is not null or network is not null)`,
      [projectId, subscriberId],
    );
  }

  /** Primary key. */
  async removeEvents(projectId: Id, before: Date, limit: number): Promise<number> {
    const rows = await this.sql.query(
      `delete from pennypost_tracking.event where (project_id, at, id) in
         (select project_id, at, id from pennypost_tracking.event where project_id = $1 and at < $2 order by at limit $3) returning id`,
      [projectId, before, limit],
    );
    return rows.length;
  }
}

interface PersonKey {
  project_id: Id;
  mailing_id: Id;
  subscriber_id: Id;
}

interface EngagementRow {
  first_open_at: Date | null;
  last_open_at: Date | null;
  opens_human: number;
  opens_machine: number;
  opens_unknown: number;
  first_click_at: Date | null;
  last_click_at: Date | null;
  clicks_human: number;
  clicks_machine: number;
  clicks_unknown: number;
  unsubscribed_at: Date | null;
}

const nameOf = (row: PersonKey): string => `${row.project_id}/${row.mailing_id}/${row.subscriber_id}`;

const personColumns = (rows: readonly { projectId: Id; mailingId: Id; subscriberId: Id }[]): string[] => [
  column(rows, (row) => row.projectId),
  column(rows, (row) => row.mailingId),
  column(rows, (row) => row.subscriberId),
];
