import type pg from 'pg';
import {
  ATTRIBUTES_OCTETS,
  type Import,
  type ImportTotals,
  ImportUnreadable,
  KEPT_REJECTIONS,
} from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';

/** Merges of one project queue up: two files about the same people would otherwise lock their rows in different orders. */
const MERGE_LOCK = 7_366_013;
/** From here on the planner's picture of the tables is out of date, and autovacuum would take a minute to notice. */
const WORTH_ANALYZING = 1_000;

interface MergeFacts {
  readonly columns: readonly string[] | null;
  /** Rows rejected while reading, the ones that were not kept included. */
  readonly rejected: number;
  readonly now: Date;
}

/** Merges what was staged on this connection; all in one transaction, which also marks the import done. */
export async function mergeImport(client: pg.PoolClient, imported: Import, facts: MergeFacts): Promise<ImportTotals> {
  const { projectId } = imported;
  // The rest of the connection's life is the caller's: an error here closes it, and with it the transaction.
  await client.query("begin; set local work_mem = '64MB'");
  await client.query('select pg_advisory_xact_lock($1, hashtext($2))', [MERGE_LOCK, projectId]);
  const running = await client.query(
    `select from pennypost_audience.import where project_id = $1 and id = $2 and state = 'running' for update`,
    [projectId, imported.id],
  );
  if (running.rowCount === 0)
    throw new ImportUnreadable('The import was declared failed while its file arrived. Start it again.');
  await lockLists(client, imported);

  const { staged, persons, kept, tooLarge } = await gather(client, imported);
  await client.query('savepoint people');
  const created = await addNew(client, projectId, facts.now);
  await updateKnown(client, projectId, facts.now);
  await subscribe(client, imported, facts.now);
  if (imported.consent !== null) await recordConsent(client, imported, facts.now);
  if (imported.dryRun) await client.query('rollback to savepoint people');

  const totals: ImportTotals = {
    rows: staged + facts.rejected,
    imported: persons - kept - tooLarge,
    created,
    updated: persons - kept - tooLarge - created,
    duplicates: staged - persons,
    rejected: facts.rejected + tooLarge,
    protected: kept,
  };
  await conclude(client, imported, facts, totals);
  if (created >= WORTH_ANALYZING && !imported.dryRun) {
    await client.query('analyze pennypost_audience.subscriber, pennypost_audience.subscription');
  }
  await client.query('commit');
  return totals;
}

/** The lists stay until the commit. @throws ImportUnreadable when one is gone */
async function lockLists(client: pg.PoolClient, imported: Import): Promise<void> {
  const there = await client.query(
    'select from pennypost_audience.list where project_id = $1 and id = any($2::uuid[]) order by id for key share',
    [imported.projectId, imported.listIds],
  );
  if (there.rowCount !== imported.listIds.length) {
    throw new ImportUnreadable(
      'A list of this import was deleted while its file arrived. Nobody was changed; choose another list.',
    );
  }
}

/**
 * One row per address, the last of the file, next to whom we know under it (by `subscriber_email_key`) and whether we may
 * touch them (by the primary keys of suppression and subscription).
 */
async function gather(
  client: pg.PoolClient,
  imported: Import,
): Promise<{ staged: number; persons: number; kept: number; tooLarge: number }> {
  await client.query(`create temporary table pennypost_import_person (
    like pennypost_import_row, known_id uuid, kept boolean, too_large boolean) on commit drop`);
  await client.query('analyze pennypost_import_row');
  await client.query(
    `insert into pennypost_import_person
     select r.*, s.id,
       exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = r.email_key and x.scope = any($3::text[]))
       or exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = r.mark and x.scope = any($3::text[]))
       or (r.older_marks is not null and exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = any(r.older_marks) and x.scope = any($3::text[])))
       or exists (select from pennypost_audience.subscription n
         where n.project_id = $1 and n.list_id = any($2::uuid[]) and n.subscriber_id = s.id and n.state = 'unsubscribed'),
       s.id is not null and octet_length(s.attributes::text) + octet_length(r.attributes::text) > ${ATTRIBUTES_OCTETS}
     from (select distinct on (email_key) * from pennypost_import_row order by email_key, line desc) r
     left join pennypost_audience.subscriber s on s.project_id = $1 and s.email_key = r.email_key`,
    [imported.projectId, imported.listIds, ['project', 'marketing', ...imported.listIds.map((id) => `list:${id}`)]],
  );
  await client.query('update pennypost_import_person set too_large = false where kept and too_large');
  await client.query('analyze pennypost_import_person');
  const counted = await client.query<{ staged: number; persons: number; kept: number; tooLarge: number }>(
    `select (select count(*)::int from pennypost_import_row) as staged, count(*)::int as persons,
       count(*) filter (where kept)::int as kept, count(*) filter (where too_large)::int as "tooLarge"
     from pennypost_import_person`,
  );
  return counted.rows[0]!;
}

/** In the order of the file, so that ids and rows lie in one order. */
async function addNew(client: pg.PoolClient, projectId: Id, now: Date): Promise<number> {
  const added = await client.query(
    `insert into pennypost_audience.subscriber
       (project_id, id, address, email_key, status, locale, time_zone, attributes, created_at, updated_at)
     select $1, subscriber_id, address, email_key, 'active', locale, time_zone, attributes, $2, $2
     from pennypost_import_person where known_id is null and not kept order by line
     on conflict (project_id, email_key) do nothing`,
    [projectId, now],
  );
  // Whom somebody else added since we looked is known now.
  await client.query(
    `update pennypost_import_person p set known_id = s.id from pennypost_audience.subscriber s
     where p.known_id is null and not p.kept and s.project_id = $1 and s.email_key = p.email_key and s.id <> p.subscriber_id`,
    [projectId],
  );
  return added.rowCount ?? 0;
}

/** Writes only rows about which the file tells something new. */
async function updateKnown(client: pg.PoolClient, projectId: Id, now: Date): Promise<void> {
  await client.query(
    `update pennypost_audience.subscriber s
     set attributes = s.attributes || p.attributes, locale = coalesce(p.locale, s.locale),
       time_zone = coalesce(p.time_zone, s.time_zone), updated_at = $2, version = s.version + 1
     from pennypost_import_person p
     where s.project_id = $1 and s.id = p.known_id and s.email_key = p.email_key and not p.kept and not p.too_large
       and ((s.attributes || p.attributes) <> s.attributes or s.locale is distinct from coalesce(p.locale, s.locale)
         or s.time_zone is distinct from coalesce(p.time_zone, s.time_zone))`,
    [projectId, now],
  );
}

/** By the primary key of subscription. Who unsubscribed since we looked stays unsubscribed: the conflict leaves that state alone. */
async function subscribe(client: pg.PoolClient, imported: Import, now: Date): Promise<void> {
  await client.query(
    `insert into pennypost_audience.subscription as n (project_id, list_id, subscriber_id, state, created_at, at)
     select $1, l.id, coalesce(p.known_id, p.subscriber_id),
       case when l.double_opt_in and not $4 then 'unconfirmed' else 'confirmed' end, $3, $3
     from pennypost_audience.list l cross join pennypost_import_person p
     where l.project_id = $1 and l.id = any($2::uuid[]) and not p.kept and not p.too_large
     order by l.id, 3
     on conflict (project_id, list_id, subscriber_id) do update set state = 'confirmed', at = excluded.at
       where n.state = 'unconfirmed' and excluded.state = 'confirmed'`,
    [imported.projectId, imported.listIds, now, imported.consent !== null],
  );
}

/** One entry a person for all lists; the words stand with the import, once. */
async function recordConsent(client: pg.PoolClient, imported: Import, now: Date): Promise<void> {
  const { consent } = imported;
  await client.query(
    `insert into pennypost_audience.consent
       (project_id, id, subscriber_id, list_ids, action, source, ip, text_version, import_id, given_at, recorded_at)
     select $1, consent_id, coalesce(known_id, subscriber_id), $2, 'import', $3, $4, $5, $6, $7, $8
     from pennypost_import_person where not kept and not too_large order by line`,
    [
      imported.projectId,
      imported.listIds,
      consent?.source,
      consent?.ip ?? null,
      consent?.textVersion ?? null,
      imported.id,
      consent?.at ?? now,
      now,
    ],
  );
}

async function conclude(client: pg.PoolClient, imported: Import, facts: MergeFacts, totals: ImportTotals): Promise<void> {
  await client.query(
    `insert into pennypost_audience.import_rejection (project_id, import_id, line, reason, cells)
     select $1::uuid, $2::uuid, line, reason, cells from pennypost_import_rejected
     union all
     select $1::uuid, $2::uuid, line, $3::text, jsonb_build_array(address) from pennypost_import_person where too_large
     limit ${KEPT_REJECTIONS}`,
    [
      imported.projectId,
      imported.id,
      `Together with what is known of this person the attributes would have over ${ATTRIBUTES_OCTETS} bytes.`,
    ],
  );
  const { rows, created, updated, duplicates, rejected, protected: kept } = totals;
  await client.query(
    `update pennypost_audience.import set state = 'done', columns = $3, ended_at = $4,
       rows = $5, imported = $6, created = $7, updated = $8, duplicates = $9, rejected = $10, protected = $11
     where project_id = $1 and id = $2`,
    [
      imported.projectId,
      imported.id,
      facts.columns === null ? null : JSON.stringify(facts.columns),
      facts.now,
      rows,
      totals.imported,
      created,
      updated,
      duplicates,
      rejected,
      kept,
    ],
  );
}
