import type { Id } from '../../domain/shared/ids.ts';
import type {
  Engagement,
  EngagementEvent,
  RecordedEngagement,
  TrackingEvent,
  TrackingStore,
  UnsubscribeEvent,
} from '../../domain/tracking/index.ts';
import { column } from './column.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';
import { ensureMonths } from './tracking-partitions.ts';

const EVENT_COLUMNS = `project_id, at, id, kind, mailing_id, subscriber_id, message_id, link, method, user_agent, sec_fetch_site,
  sec_fetch_mode, sec_fetch_dest, purpose, network, requests, last_at`;
const EVENT_ARRAYS = `$1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[], $9::text[],
  $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::cidr[], $16::int[], $17::timestamptz[]`;

const eventColumns = (events: readonly TrackingEvent[]): string[] => [
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
  column(events, (event) => event.lastAt),
];

/**
 * Conflicts on the primary keys. Rows are written in key order, because writers that lock rows in different orders stop one another
 * by deadlocks (8 writers: 69 transactions/s instead of 1,786), and merged, because one statement must not touch a row twice.
 *
 * - `added`: events with their requests that are new; `requests_before` says what a write added (no `returning old` before 18).
 * - A person whose row holds no more than was added had no event before: the earliest event of the batch is the first one.
 *   Both are brought together by grouping, because PostgreSQL expects few rows here and would join them by nested loops.
 * - Figures are per quarter of an hour, which lies in one local hour of every time zone.
 */
const RECORD_ENGAGEMENT = `
with added as (
  insert into pennypost_tracking.event as e (${EVENT_COLUMNS})
  select distinct on (project_id, at, id) * from unnest(${EVENT_ARRAYS}) as given (${EVENT_COLUMNS})
  order by project_id, at, id, requests desc
  on conflict (project_id, at, id) do update set requests = excluded.requests, last_at = excluded.last_at, requests_before = e.requests
    where e.requests < excluded.requests
  returning project_id, kind, mailing_id, subscriber_id, link, at, last_at, requests - requests_before as added
), persons as materialized (
  select project_id, mailing_id, subscriber_id,
    coalesce(sum(added) filter (where kind = 'open'), 0)::int as opens,
    min(at) filter (where kind = 'open') as first_open_at, max(last_at) filter (where kind = 'open') as last_open_at,
    coalesce(sum(added) filter (where kind = 'click'), 0)::int as clicks,
    min(at) filter (where kind = 'click') as first_click_at, max(last_at) filter (where kind = 'click') as last_click_at
  from added where mailing_id is not null group by project_id, mailing_id, subscriber_id
), engaged as (
  insert into pennypost_tracking.engagement as e (project_id, mailing_id, subscriber_id, opens_unknown, first_open_at, last_open_at,
    clicks_unknown, first_click_at, last_click_at)
  select project_id, mailing_id, subscriber_id, opens, first_open_at, last_open_at, clicks, first_click_at, last_click_at
  from persons order by project_id, mailing_id, subscriber_id
  on conflict (project_id, mailing_id, subscriber_id) do update set
    opens_unknown = e.opens_unknown + excluded.opens_unknown,
    first_open_at = least(e.first_open_at, excluded.first_open_at),
    last_open_at = greatest(e.last_open_at, excluded.last_open_at),
    clicks_unknown = e.clicks_unknown + excluded.clicks_unknown,
    first_click_at = least(e.first_click_at, excluded.first_click_at),
    last_click_at = greatest(e.last_click_at, excluded.last_click_at)
  returning project_id, mailing_id, subscriber_id, opens_human + opens_machine + opens_unknown as opens,
    clicks_human + clicks_machine + clicks_unknown as clicks
), followed as materialized (
  select project_id, mailing_id, subscriber_id, link, sum(added)::int as clicks, min(at) as first_click_at, max(last_at) as last_click_at
  from added where mailing_id is not null and link is not null group by project_id, mailing_id, subscriber_id, link
), links as (
  insert into pennypost_tracking.link_engagement as e (project_id, mailing_id, subscriber_id, link, clicks_unknown, first_click_at, last_click_at)
  select project_id, mailing_id, subscriber_id, link, clicks, first_click_at, last_click_at
  from followed order by project_id, mailing_id, subscriber_id, link
  on conflict (project_id, mailing_id, subscriber_id, link) do update set
    clicks_unknown = e.clicks_unknown + excluded.clicks_unknown,
    first_click_at = least(e.first_click_at, excluded.first_click_at),
    last_click_at = greatest(e.last_click_at, excluded.last_click_at)
  returning project_id, mailing_id, subscriber_id, link, clicks_human + clicks_machine + clicks_unknown as clicks
), standings as materialized (
  select project_id, mailing_id, max(opens) filter (where added) = max(opens) filter (where not added) as first_open,
    max(clicks) filter (where added) = max(clicks) filter (where not added) as first_click, max(first_open_at) as first_open_at,
    max(first_click_at) as first_click_at
  from (select project_id, mailing_id, subscriber_id, opens, clicks, first_open_at, first_click_at, true from persons
    union all select project_id, mailing_id, subscriber_id, opens, clicks, null, null, false from engaged)
    as sides (project_id, mailing_id, subscriber_id, opens, clicks, first_open_at, first_click_at, added)
  group by project_id, mailing_id, subscriber_id
), link_standings as (
  select project_id, mailing_id, link, max(clicks) filter (where added) = max(clicks) filter (where not added) as first_click,
    max(first_click_at) as first_click_at
  from (select project_id, mailing_id, subscriber_id, link, clicks, first_click_at, true from followed
    union all select project_id, mailing_id, subscriber_id, link, clicks, null, false from links)
    as sides (project_id, mailing_id, subscriber_id, link, clicks, first_click_at, added)
  group by project_id, mailing_id, subscriber_id, link
), figures (project_id, kind, mailing_id, link, at, requests, first_of_person, first_on_link) as (
  select project_id, kind, mailing_id, link, at, added, 0, 0 from added
  union all
  select project_id, 'open', mailing_id, null, first_open_at, 0, 1, 0 from standings where first_open and first_open_at is not null
  union all
  select project_id, 'click', mailing_id, null, first_click_at, 0, 1, 0 from standings where first_click and first_click_at is not null
  union all
  select project_id, 'click', mailing_id, link, first_click_at, 0, 0, 1 from link_standings where first_click
)
select project_id, kind, mailing_id, link, date_bin('15 minutes', at, '2000-01-01 00:00:00+00') as at, sum(requests)::int as requests,
  sum(first_of_person)::int as first_of_person, sum(first_on_link)::int as first_on_link
from figures group by 1, 2, 3, 4, 5`;

export class PostgresTrackingStore implements TrackingStore {
  private readonly sql: Sql;

  constructor(session: Session) {
    this.sql = session.sql;
  }

  /** One statement, so that nothing but the figures comes back: a row less per event to read, merge and write for this process. */
  async recordEngagement(events: readonly EngagementEvent[]): Promise<readonly RecordedEngagement[]> {
    if (events.length === 0) return [];
    const rows = await this.sql.query<RecordedRow>(RECORD_ENGAGEMENT, eventColumns(events));
    return rows.map((row) => ({
      projectId: row.project_id,
      kind: row.kind,
      at: row.at,
      mailingId: row.mailing_id ?? undefined,
      link: row.link ?? undefined,
      requests: row.requests,
      firstOfPerson: row.first_of_person,
      firstOnLink: row.first_on_link,
    }));
  }

  /** Conflicts on the primary key (project_id, at, id). */
  async addUnsubscribe(event: UnsubscribeEvent): Promise<void> {
    await this.sql.query(
      `insert into pennypost_tracking.event (${EVENT_COLUMNS}) select * from unnest(${EVENT_ARRAYS}) on conflict do nothing`,
      eventColumns([event]),
    );
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

interface RecordedRow {
  project_id: Id;
  kind: EngagementEvent['kind'];
  at: Date;
  mailing_id: Id | null;
  link: number | null;
  requests: number;
  first_of_person: number;
  first_on_link: number;
}
