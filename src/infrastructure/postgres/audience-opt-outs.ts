/** How people leave and come back, and the locks that keep an erasure or the deletion of a list from coming in between. */
import type { OptOutFacts } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Sql } from './sql.ts';

/** Waits for everything that is being added for the subscriber, and lets nothing more be added. */
export async function lockSubscriber(sql: Sql, projectId: Id, id: Id): Promise<void> {
  await sql.query('select 1 as locked from pennypost_audience.subscriber where project_id = $1 and id = $2 for update', [
    projectId,
    id,
  ]);
}

/** `for key share` gives way to no change of attributes, and so not to an import: only an erasure holds it up. */
export async function holdSubscriber(
  sql: Sql,
  projectId: Id,
  id: Id,
): Promise<{ readonly id: Id; readonly emailKey: string | null } | undefined> {
  const [row] = await sql.query<{ id: Id; emailKey: string | null }>(
    `select id, email_key as "emailKey" from pennypost_audience.subscriber where project_id = $1 and id = $2 for key share`,
    [projectId, id],
  );
  return row;
}

/** By `subscriber_email_key`. */
export async function holdAddress(sql: Sql, projectId: Id, emailKey: string): Promise<void> {
  await sql.query('select 1 as held from pennypost_audience.subscriber where project_id = $1 and email_key = $2 for key share', [
    projectId,
    emailKey,
  ]);
}

/** A list that is locked so that this has to wait is being deleted: it counts as gone. */
export async function holdLists(sql: Sql, projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]> {
  const rows = await sql.query<{ id: Id }>(
    `select id from pennypost_audience.list where project_id = $1 and id = any($2::uuid[]) order by id
     for key share skip locked`,
    [projectId, listIds],
  );
  return rows.map((row) => row.id);
}

/** In order of list, so that two calls for one person never wait for one another in a circle. */
export async function leave(
  sql: Sql,
  projectId: Id,
  subscriberId: Id,
  listIds: readonly Id[],
  campaignId: Id | undefined,
  at: Date,
): Promise<readonly Id[]> {
  if (listIds.length === 0) return [];
  const rows = await sql.query<{ listId: Id }>(
    `insert into pennypost_audience.subscription as n (project_id, list_id, subscriber_id, state, created_at, at, left_by)
     select $1, l.id, $2, 'unsubscribed', $4, $4, $5 from unnest($3::uuid[]) as l (id) order by l.id
     on conflict (project_id, list_id, subscriber_id) do update
       set state = excluded.state, at = excluded.at, left_by = excluded.left_by, left_state = n.state
       where n.state <> 'unsubscribed'
     returning list_id as "listId"`,
    [projectId, subscriberId, listIds, at, campaignId ?? null],
  );
  return rows.map((row) => row.listId);
}

/** By the primary keys of subscriber and suppression, `subscription_subscriber` and `consent_subscriber`. */
export async function optOutFacts(
  sql: Sql,
  projectId: Id,
  subscriberId: Id,
  campaignId: Id,
  listIds: readonly Id[],
  undoSince: Date,
): Promise<OptOutFacts> {
  const [facts] = await sql.query<OptOutFacts>(
    `select s.status = 'erased' as erased,
       coalesce(refused.scopes && array['project', 'marketing'], false) as suppressed,
       coalesce('marketing' = any(refused.scopes), false) as "marketingRefused",
       coalesce(lists.joined, 0) as joined, coalesce(lists.gone, 0) as left, coalesce(lists.by_link, 0) as "leftByLink",
       coalesce(lists.undoable, false) or coalesce(refused.undoable, false) as undoable,
       (select count(*)::int from pennypost_audience.consent c
         where c.project_id = $1 and c.subscriber_id = $2 and c.action = 'resubscribe' and c.recorded_at >= $5) as undone
     from pennypost_audience.subscriber s
     left join lateral (
       select array_agg(x.scope) as scopes,
         bool_or(x.scope = 'marketing' and x.reason = 'unsubscribe' and x.evidence->>'campaign' = $3::text and x.at >= $5) as undoable
       from pennypost_audience.suppression x where x.project_id = $1 and x.email_key = s.email_key) refused on true
     left join lateral (
       select (count(*) filter (where n.list_id = any($4::uuid[]) and n.state <> 'unsubscribed'))::int as joined,
         (count(*) filter (where n.list_id = any($4::uuid[]) and n.state = 'unsubscribed'))::int as gone,
         (count(*) filter (where n.list_id = any($4::uuid[]) and n.state = 'unsubscribed' and n.left_by = $3::uuid))::int as by_link,
         bool_or(n.state = 'unsubscribed' and n.left_by = $3::uuid and n.left_state is not null and n.at >= $5) as undoable
       from pennypost_audience.subscription n where n.project_id = $1 and n.subscriber_id = s.id) lists on true
     where s.project_id = $1 and s.id = $2`,
    [projectId, subscriberId, campaignId, listIds, undoSince],
  );
  // Unknown here, as after a restored backup: mailed by nothing.
  return facts ?? UNKNOWN;
}

const UNKNOWN: OptOutFacts = {
  erased: true,
  suppressed: false,
  marketingRefused: false,
  joined: 0,
  left: 0,
  leftByLink: 0,
  undoable: false,
  undone: 0,
};

/** By `subscription_subscriber`. A list that the person was not on has no state to return to: it is as if it was never left. */
export async function returnTo(
  sql: Sql,
  projectId: Id,
  subscriberId: Id,
  campaignId: Id,
  since: Date,
  at: Date,
): Promise<readonly Id[]> {
  await sql.query(
    `delete from pennypost_audience.subscription
     where project_id = $1 and subscriber_id = $2 and state = 'unsubscribed' and left_by = $3 and left_state is null and at >= $4`,
    [projectId, subscriberId, campaignId, since],
  );
  const rows = await sql.query<{ listId: Id }>(
    `update pennypost_audience.subscription set state = left_state, at = $5, left_by = null, left_state = null
     where project_id = $1 and subscriber_id = $2 and state = 'unsubscribed' and left_by = $3 and left_state is not null and at >= $4
     returning list_id as "listId"`,
    [projectId, subscriberId, campaignId, since, at],
  );
  return rows.map((row) => row.listId);
}

/** By the primary key. */
export async function liftOptOut(sql: Sql, projectId: Id, emailKey: string, campaignId: Id, since: Date): Promise<boolean> {
  const rows = await sql.query(
    `delete from pennypost_audience.suppression
     where project_id = $1 and email_key = $2 and scope = 'marketing' and reason = 'unsubscribe' and evidence->>'campaign' = $3
       and at >= $4
     returning 1 as lifted`,
    [projectId, emailKey, campaignId, since],
  );
  return rows.length > 0;
}

/** By the primary key. A row that another transaction is changing is left to it: waiting here could close a circle of locks. */
export async function liftMarketingOptOut(sql: Sql, projectId: Id, emailKey: string): Promise<void> {
  await sql.query(
    `with refusal as (
       select project_id, email_key, scope from pennypost_audience.suppression
       where project_id = $1 and email_key = $2 and scope = 'marketing' and reason = 'unsubscribe'
       for update skip locked
     )
     delete from pennypost_audience.suppression s using refusal r
     where s.project_id = r.project_id and s.email_key = r.email_key and s.scope = r.scope`,
    [projectId, emailKey],
  );
}
