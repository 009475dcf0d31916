/** Records the departures (unsubscribed or suppressed elsewhere) of a batch that an import merges. */
import type pg from 'pg';
import { type Import, SUPPRESSION_REASONS } from '../../domain/audience/index.ts';

/**
 * An earlier row of the file can say that a subscriber left, while the last row does not: then the subscriber left. The words sort by
 * gravity: complaint, hard_bounce, manual, unsubscribe, unsubscribed.
 */
export async function spreadDepartures(client: pg.PoolClient): Promise<void> {
  await client.query(
    `update pennypost_import_person p set departure = d.departure
     from (select email_key, min(departure) as departure from pennypost_import_row where departure is not null group by email_key) d
     where p.email_key = d.email_key and p.departure is distinct from d.departure`,
  );
}

/**
 * A row that unsubscribed elsewhere leaves the import's lists, or all marketing where it names none; all others are suppressed. A
 * hard bounce says that the address does not exist, so it stops transactional mail, too. By the primary keys of subscription and suppression.
 */
export async function recordDepartures(client: pg.PoolClient, imported: Import, batch: number, now: Date): Promise<void> {
  const { projectId, id, listIds } = imported;
  await client.query(
    `insert into pennypost_audience.subscription as n (project_id, list_id, subscriber_id, state, created_at, at)
     select $1, l.id, coalesce(p.known_id, p.subscriber_id), 'unsubscribed', $3, $3
     from unnest($2::uuid[]) as l (id) cross join pennypost_import_person p
     where p.batch = $4 and p.departure = 'unsubscribed' and not p.kept
     order by l.id, 3
     on conflict (project_id, list_id, subscriber_id) do update
       set state = 'unsubscribed', at = excluded.at, left_by = null, left_state = null where n.state <> 'unsubscribed'`,
    [projectId, listIds, now, batch],
  );
  await client.query(
    `insert into pennypost_audience.suppression as x (project_id, email_key, scope, reason, evidence, at)
     select $1, p.email_key, case p.departure when 'hard_bounce' then 'project' else 'marketing' end,
       case p.departure when 'unsubscribed' then 'unsubscribe' else p.departure end, $3, $4
     from pennypost_import_person p
     where p.batch = $5 and not p.kept and p.departure is not null
       and (p.departure <> 'unsubscribed' or cardinality($2::uuid[]) = 0)
     order by p.email_key
     on conflict (project_id, email_key, scope) do update set reason = excluded.reason, evidence = excluded.evidence, at = excluded.at
       where array_position($6::text[], excluded.reason) > array_position($6::text[], x.reason)`,
    [projectId, listIds, JSON.stringify({ import: id }), now, batch, SUPPRESSION_REASONS],
  );
}
