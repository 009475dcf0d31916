import type { AudienceFilter, Exclusion, ExclusionCounts, ExclusionReason } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Sql } from './sql.ts';

/**
 * Everybody with a subscription on one of the lists, with what keeps them out of the audience, or null. The order of the
 * reasons is the order in which they are told: the one that weighs most first. $1 project, $2 lists, $3 excluded lists.
 */
const JUDGED = `select s.id, s.address, case
    when s.status <> 'active' then 'erased'
    when barred.scopes && array['project', 'marketing'] then 'suppressed'
    when excluded.id is not null then 'excluded_list'
    when joined.confirmed is null and joined.waiting then 'unconfirmed'
    when joined.confirmed is null then 'unsubscribed'
    when barred.scopes is not null and joined.confirmed <@ barred.scopes then 'suppressed'
  end as reason
  from (
    select n.subscriber_id as id, array_agg('list:' || n.list_id) filter (where n.state = 'confirmed') as confirmed,
      bool_or(n.state = 'unconfirmed') as waiting
    from pennypost_audience.subscription n where n.project_id = $1 and n.list_id = any($2::uuid[]) group by n.subscriber_id) joined
  join pennypost_audience.subscriber s on s.project_id = $1 and s.id = joined.id
  left join lateral (select array_agg(x.scope) as scopes from pennypost_audience.suppression x
    where x.project_id = $1 and x.email_key = s.email_key) barred on true
  left join lateral (select e.subscriber_id as id from pennypost_audience.subscription e
    where e.project_id = $1 and e.list_id = any($3::uuid[]) and e.subscriber_id = s.id and e.state <> 'unsubscribed' limit 1) excluded on true`;

/** Reads the lists whole: a question for people, not for sending. */
export async function countExclusions(sql: Sql, projectId: Id, filter: AudienceFilter): Promise<ExclusionCounts> {
  const rows = await sql.query<{ reason: ExclusionReason | null; count: number }>(
    `select reason, count(*)::int as count from (${JUDGED}) judged group by reason`,
    [projectId, filter.lists, filter.excludeLists],
  );
  const of = (reason: ExclusionReason | null): number => rows.find((row) => row.reason === reason)?.count ?? 0;
  return {
    included: of(null),
    excluded: {
      unsubscribed: of('unsubscribed'),
      unconfirmed: of('unconfirmed'),
      suppressed: of('suppressed'),
      excluded_list: of('excluded_list'),
      erased: of('erased'),
    },
  };
}

/** Person by person, by id; of one reason where one is named. */
export async function exclusions(
  sql: Sql,
  projectId: Id,
  filter: AudienceFilter,
  search: PageRequest & { readonly reason?: ExclusionReason | undefined },
): Promise<Page<Exclusion>> {
  const limit = pageLimit(search);
  const rows = await sql.query<Exclusion>(
    `select id as "subscriberId", address, reason from (${JUDGED}) judged
     where reason is not null and ($4::text is null or reason = $4) and ($5::uuid is null or id > $5::uuid) order by id limit $6`,
    [projectId, filter.lists, filter.excludeLists, search.reason ?? null, idAfter(search) ?? null, limit + 1],
  );
  return toPage(rows, limit, (row) => [row.subscriberId]);
}

/** Reads the lists whole; 37 bytes an id. */
export function excludedIds(
  sql: Sql,
  projectId: Id,
  filter: AudienceFilter,
): Promise<readonly { readonly reason: ExclusionReason; readonly ids: string }[]> {
  return sql.query(`select reason, array_agg(id)::text as ids from (${JUDGED}) judged where reason is not null group by reason`, [
    projectId,
    filter.lists,
    filter.excludeLists,
  ]);
}
