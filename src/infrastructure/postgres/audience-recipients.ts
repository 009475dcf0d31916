import type { AudienceFilter, AudiencePage, RecipientFacts, Refusal } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Sql } from './sql.ts';

const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * What stands against the address of `s`: scopes, or null for nearly everybody. A lateral aggregate keeps the planner from
 * reading a long list of suppressions whole: one probe of the primary key of suppression per person.
 */
const BARRED = `left join lateral (
    select array_agg(x.scope) as scopes from pennypost_audience.suppression x
    where x.project_id = $1 and x.email_key = s.email_key) barred on true`;

/**
 * Candidates are read in order of subscriber, each list by its part of the primary key of subscription and no further than the
 * page needs; they are judged together (primary keys of subscriber, suppression and subscription). So a page may hold less
 * than `limit`, and an empty one is skipped. Everybody comes once: `union` drops who is on several lists.
 */
export async function audiencePage(
  sql: Sql,
  projectId: Id,
  filter: AudienceFilter,
  after: Id | undefined,
  limit: number,
): Promise<AudiencePage | undefined> {
  const lists = [...new Set(filter.lists)];
  if (lists.length === 0) return undefined;
  const parts = lists.map(
    (_, index) => `(select n.subscriber_id as id from pennypost_audience.subscription n
      where n.project_id = $1 and n.list_id = $${index + 6}::uuid and n.subscriber_id > $4::uuid and n.state = 'confirmed'
      order by n.subscriber_id limit $5::int)`,
  );
  // As an array: a join lets the planner read the whole table of subscribers for every page.
  const statement = `with candidate as materialized (select id from (${parts.join(' union ')}) merged order by id limit $5::int)
    select array_agg(judged.id order by judged.id) filter (where judged.mailable)::text as ids,
      count(*) filter (where judged.mailable)::int as count,
      (select furthest.id::text from (select id from candidate order by id desc limit 1) furthest) as last
    from (select s.id, ${MAILABLE} as mailable from pennypost_audience.subscriber s ${BARRED}
      where s.project_id = $1 and s.id = any(array(select id from candidate))) judged`;
  for (let from = after ?? NOBODY; ; ) {
    const [page] = await sql.query<AudiencePage & { readonly last: Id | null }>(statement, [
      projectId,
      filter.excludeLists,
      lists,
      from,
      limit,
      ...lists,
    ]);
    if (page === undefined || page.last === null) return undefined;
    if (page.count > 0) return page;
    from = page.last;
  }
}

/** Is `s`, who is confirmed on one of the lists, to be mailed? $1 project, $2 excluded lists, $3 lists. */
const MAILABLE = `(s.status = 'active'
  and (barred.scopes is null or not barred.scopes && array['project', 'marketing'] and exists (
    select from pennypost_audience.subscription n
    where n.project_id = $1 and n.list_id = any($3::uuid[]) and n.subscriber_id = s.id and n.state = 'confirmed'
      and 'list:' || n.list_id <> all (barred.scopes)))
  and (cardinality($2::uuid[]) = 0 or not exists (
    select from pennypost_audience.subscription e
    where e.project_id = $1 and e.list_id = any($2::uuid[]) and e.subscriber_id = s.id and e.state <> 'unsubscribed')))`;

/** Reads the lists whole, by the primary key of subscription. */
export async function countAudience(sql: Sql, projectId: Id, filter: AudienceFilter): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*)::int as count
     from (select distinct n.subscriber_id as id from pennypost_audience.subscription n
       where n.project_id = $1 and n.list_id = any($3::uuid[]) and n.state = 'confirmed') c
     join pennypost_audience.subscriber s on s.project_id = $1 and s.id = c.id ${BARRED}
     where ${MAILABLE}`,
    [projectId, filter.excludeLists, filter.lists],
  );
  return row?.count ?? 0;
}

/**
 * The people of a page and the judgement on each. $1 project, $2 ids, $3 lists. One search of the primary key of subscriber
 * and one of that of subscription for the whole page (ids of one page lie side by side), one probe of suppression a person.
 */
const JUDGED = `from pennypost_audience.subscriber s
  left join (
    select n.subscriber_id, array_agg('list:' || n.list_id) filter (where n.state = 'confirmed') as confirmed,
      bool_or(n.state = 'unsubscribed') as gone, bool_or(n.state = 'unconfirmed') as waiting
    from pennypost_audience.subscription n
    where n.project_id = $1 and n.list_id = any($3::uuid[]) and n.subscriber_id = any($2::uuid[])
    group by n.subscriber_id) joined on joined.subscriber_id = s.id
  ${BARRED}
  where s.project_id = $1 and s.id = any($2::uuid[])`;

const REFUSAL = `case
  when s.status = 'erased' then 'erased'
  when barred.scopes && array['project', 'marketing'] then 'suppressed'
  when cardinality($3::uuid[]) = 0 then null
  when joined.confirmed is not null and (barred.scopes is null or not joined.confirmed <@ barred.scopes) then null
  when joined.gone then 'unsubscribed'
  when joined.waiting then 'unconfirmed'
  when joined.confirmed is not null then 'suppressed'
  else 'unsubscribed' end`;

interface RecipientRow extends Omit<RecipientFacts, 'smtputf8' | 'locale' | 'timeZone' | 'refusal' | 'address'> {
  readonly address: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly refusal: Refusal | null;
}

/** The bulk sender reads every page of an audience through this: no ORM, one round trip. */
export async function recipients(
  sql: Sql,
  projectId: Id,
  ids: readonly Id[],
  lists: readonly Id[],
): Promise<ReadonlyMap<Id, RecipientFacts>> {
  const rows = await sql.query<RecipientRow>(
    `select s.id, s.address, s.locale, s.time_zone as "timeZone", s.attributes, ${REFUSAL} as refusal
     ${JUDGED}`,
    // A thousand ids joined here: the driver would look at each of them for quotes.
    [projectId, `{${ids.join(',')}}`, lists],
  );
  const found = new Map<Id, RecipientFacts>();
  for (const row of rows) {
    const address = row.address ?? '';
    found.set(row.id, {
      id: row.id,
      address,
      // Domains are A-labels: only a local part can hold anything but ASCII.
      smtputf8: /[^\0-\x7f]/.test(address),
      locale: row.locale ?? undefined,
      timeZone: row.timeZone ?? undefined,
      attributes: row.attributes,
      refusal: row.refusal ?? undefined,
    });
  }
  for (const id of ids) if (!found.has(id)) found.set(id, deleted(id));
  return found;
}

export async function refusals(
  sql: Sql,
  projectId: Id,
  ids: readonly Id[],
  lists: readonly Id[],
): Promise<ReadonlyMap<Id, Refusal>> {
  const rows = await sql.query<{ id: Id; refusal: Refusal | null }>(`select s.id, ${REFUSAL} as refusal ${JUDGED}`, [
    projectId,
    ids,
    lists,
  ]);
  const refused = new Map<Id, Refusal>(ids.map((id) => [id, 'deleted']));
  for (const { id, refusal } of rows) {
    if (refusal === null) refused.delete(id);
    else refused.set(id, refusal);
  }
  return refused;
}

const deleted = (id: Id): RecipientFacts => ({
  id,
  address: '',
  smtputf8: false,
  locale: undefined,
  timeZone: undefined,
  attributes: {},
  refusal: 'deleted',
});
