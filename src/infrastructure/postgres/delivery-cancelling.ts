/**
 * Records the recipients that a cancelled mailing did not reach, in pieces: first the shards, whose recipients may lack a row, then
 * the deferrals. Every row gets the number of the mailing's last run, so that an outcome that is recorded late (by the worker that had it on
 * the wire) finds a row of its own run or a later one: then acceptance and doubt win, and nothing else does. A deferral that is told
 * late where there is another state (a resend) is recorded as cancelled at once (`delivery-batches.ts`).
 */
import type { MailingKey } from '../../domain/delivery/index.ts';
import type { Sql } from './sql.ts';

const LAST_RUN = 'select max(number) from pennypost_delivery.run where project_id = $1 and mailing_id = $2';

/** Deferrals in one statement: about the number of recipients of a shard. */
const MOST_DEFERRALS = 10_000;

/** Position counts from 1 behind the cursor. What was claimed and has no row may have been handed over: an upper bound, as for `possible_repeat`. */
const SHARD = `with chosen as (
    select s.project_id, s.mailing_id, s.run, s.number, s.cursor, s.claimed_through, s.recipients from pennypost_delivery.shard s
    where s.project_id = $1 and s.mailing_id = $2 and s.state = 'open' and (s.owner is null or s.leased_until <= clock_timestamp())
    order by s.run, s.number limit 1 for update of s skip locked
  ), rest as (
    select r.id, c.cursor + r.position <= c.claimed_through as claimed
    from chosen c cross join unnest(c.recipients[c.cursor + 1:]) with ordinality as r (id, position)
  ), written as (
    insert into pennypost_delivery.mailing_recipient (project_id, launched_on, mailing_id, subscriber_id, run, state, copies, attempts,
      possible_repeat, first_attempt_at, at, reply)
    select $1, $3::date, $2, id, (${LAST_RUN}), 'cancelled', 0, 0, claimed, $4::timestamptz, $4,
      case when claimed then 'no outcome was told, and it may have been handed over' end
    from rest order by id on conflict do nothing returning 1
  ), counted as (
    select count(*)::int as count from written
  )
  update pennypost_delivery.shard s set state = 'done', owner = null, leased_until = null, cancelled = s.cancelled + counted.count
  from chosen c, counted
  where (s.project_id, s.mailing_id, s.run, s.number) = (c.project_id, c.mailing_id, c.run, c.number)
  returning counted.count`;

/**
 * With all shards locked, as recorders lock; totals are sums over shards, so the first of them takes the difference. Ids as an array:
 * for a join the planner, who knows nothing of a fresh partition, read it whole for each of them. They are locked as deferred ones, so
 * the update need not ask again: that would draw it to the index of deferrals, with 10,000 comparisons for each (36 s).
 */
const DEFERRALS = `with due as materialized (
    select m.subscriber_id from pennypost_delivery.mailing_recipient m
    where m.project_id = $1 and m.mailing_id = $2 and m.launched_on = $3::date and m.state = 'deferred'
    order by m.subscriber_id limit $5 for update of m
  ), written as (
    update pennypost_delivery.mailing_recipient m set state = 'cancelled', run = (${LAST_RUN}), next_attempt_at = null, at = $4::timestamptz
    where m.project_id = $1 and m.mailing_id = $2 and m.launched_on = $3::date
      and m.subscriber_id = any(array(select subscriber_id from due)) returning 1
  ), counted as (
    select count(*)::int as count from written
  )
  update pennypost_delivery.shard s set deferred = s.deferred - counted.count, cancelled = s.cancelled + counted.count
  from counted where s.project_id = $1 and s.mailing_id = $2 and s.run = 0 and s.number = 0
  returning counted.count`;

/**
 * @returns how many were recorded, and whether there is more to do: `held` while another worker does it or a live worker still
 * has a shard
 */
export async function cancelRest(
  sql: Sql,
  { projectId, mailingId, launchedOn }: MailingKey,
  at: Date,
): Promise<{ readonly cancelled: number; readonly left: 'more' | 'held' | 'nothing' }> {
  const turn = await sql.query(
    `select from pennypost_delivery.run where project_id = $1 and mailing_id = $2 and number = 0 and cancelling for update skip locked`,
    [projectId, mailingId],
  );
  if (turn.length === 0) return { cancelled: 0, left: 'held' };
  const place = [projectId, mailingId, launchedOn, at];
  const [shard] = await sql.query<{ count: number }>(SHARD, place);
  if (shard !== undefined) return { cancelled: shard.count, left: 'more' };
  // All of them locked: a recorder that has not seen the cancelling yet is through now, and the next one sees it.
  const shards = await sql.query<{ state: string }>(
    'select state from pennypost_delivery.shard where project_id = $1 and mailing_id = $2 order by run, number for update',
    [projectId, mailingId],
  );
  if (shards.some(({ state }) => state === 'open')) return { cancelled: 0, left: 'held' };
  const [deferrals] = await sql.query<{ count: number }>(DEFERRALS, [...place, MOST_DEFERRALS]);
  if (deferrals !== undefined && deferrals.count > 0) return { cancelled: deferrals.count, left: 'more' };
  await sql.query(
    'update pennypost_delivery.run set cancelling = false where project_id = $1 and mailing_id = $2 and number = 0',
    [projectId, mailingId],
  );
  return { cancelled: 0, left: 'nothing' };
}
