import type { AudienceFilter, AudiencePage, RecipientFacts, Refusal } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Sql } from './sql.ts';

const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * May this subscription `n` be mailed in a campaign? $1 project, $2 excluded lists. Written as probes of primary keys (of
 * subscriber, suppression and, for `subscription_subscriber`, of that index), because pages stop after some thousand rows.
 */
const MAILABLE = `n.state = 'confirmed'
  and exists (select from pennypost_audience.subscriber s
    where s.project_id = $1 and s.id = n.subscriber_id and s.status = 'active'
      and not exists (select from pennypost_audience.suppression x
        where x.project_id = $1 and x.email_key = s.email_key and x.scope in ('project', 'marketing', 'list:' || n.list_id)))
  and not exists (select from pennypost_audience.subscription e
    where e.project_id = $1 and e.list_id = any($2::uuid[]) and e.subscriber_id = n.subscriber_id and e.state <> 'unsubscribed')`;

/**
 * Each list is read in order of subscriber by its part of the primary key of subscription, and no further than the page
 * needs; `union` merges them and drops who is on several.
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
      where n.project_id = $1 and n.list_id = $${index + 5}::uuid and n.subscriber_id > $3::uuid and ${MAILABLE}
      order by n.subscriber_id limit $4::int)`,
  );
  const [page] = await sql.query<AudiencePage>(
    `select array_agg(id order by id)::text as ids, count(*)::int as count, (array_agg(id order by id desc))[1]::text as last
     from (select id from (${parts.join(' union ')}) merged order by id limit $4::int) page
     having count(*) > 0`,
    [projectId, filter.excludeLists, after ?? NOBODY, limit, ...lists],
  );
  return page;
}

/** Reads the lists whole, by the primary key of subscription. */
export async function countAudience(sql: Sql, projectId: Id, filter: AudienceFilter): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(distinct n.subscriber_id)::int as count from pennypost_audience.subscription n
     where n.project_id = $1 and n.list_id = any($3::uuid[]) and ${MAILABLE}`,
    [projectId, filter.excludeLists, filter.lists],
  );
  return row?.count ?? 0;
}

/** $1 project, $2 ids, $3 lists. Three probes of primary keys per person and list. */
const REFUSAL = `case
  when s.status = 'erased' then 'erased'
  when exists (select from pennypost_audience.suppression x
    where x.project_id = $1 and x.email_key = s.email_key and x.scope in ('project', 'marketing')) then 'suppressed'
  when cardinality($3::uuid[]) = 0 then null
  else (
    select case
      when bool_or(n.state = 'confirmed' and x.scope is null) then null
      when bool_or(n.state = 'unsubscribed') then 'unsubscribed'
      when bool_or(n.state = 'unconfirmed') then 'unconfirmed'
      when bool_or(x.scope is not null) then 'suppressed'
      else 'unsubscribed' end
    from pennypost_audience.subscription n
    left join pennypost_audience.suppression x
      on x.project_id = $1 and x.email_key = s.email_key and x.scope = 'list:' || n.list_id
    where n.project_id = $1 and n.list_id = any($3::uuid[]) and n.subscriber_id = s.id)
  end`;

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
     from pennypost_audience.subscriber s where s.project_id = $1 and s.id = any($2::uuid[])`,
    [projectId, ids, lists],
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
  const rows = await sql.query<{ id: Id; refusal: Refusal | null }>(
    `select s.id, ${REFUSAL} as refusal from pennypost_audience.subscriber s where s.project_id = $1 and s.id = any($2::uuid[])`,
    [projectId, ids, lists],
  );
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
