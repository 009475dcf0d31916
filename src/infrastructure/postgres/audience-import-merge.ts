/**
 * Merging what an import staged: in batches, each in a transaction of its own that locks only the subscribers of that batch,
 * so that an unsubscribe, a sign-up or an erasure waits for a batch at most and never for the file.
 */
import type pg from 'pg';
import {
  ATTRIBUTE_COUNT,
  ATTRIBUTES_OCTETS,
  type FileFindings,
  IMPORT_AGAIN,
  type Import,
  type ImportTotals,
  ImportUnreadable,
  KEPT_REJECTIONS,
  STOPPING_SCOPES,
} from '../../domain/audience/index.ts';
import { recordDepartures, spreadDepartures } from './audience-import-departures.ts';
import { keepRejections } from './audience-import-rejections.ts';

/** Merges of one project queue up: two files with the same subscribers would otherwise lock their rows in different orders. */
const MERGE_LOCK = 7_366_013;
/** Subscribers per transaction: about 100 ms, which is long compared with a commit. */
export const MERGE_BATCH = 2_000;
/** From here on the planner's picture of the tables is out of date, and autovacuum would take a minute to notice. */
const WORTH_ANALYZING = 1_000;

interface MergeFacts {
  readonly findings: FileFindings;
  /** Rows rejected while reading, the ones that were not kept included. */
  readonly rejected: number;
  readonly now: Date;
}

/** What one batch came to. `persons` = created + updated + kept + tooLarge. */
interface BatchTotals {
  readonly persons: number;
  readonly created: number;
  readonly kept: number;
  readonly tooLarge: number;
}

/** Merges what was staged on this connection, and marks the import done. An error leaves the batches before it merged. */
export async function mergeImport(client: pg.PoolClient, imported: Import, facts: MergeFacts): Promise<ImportTotals> {
  // The rest of the connection's life is the caller's: an error here closes it, and with it transaction and locks.
  await client.query('select pg_advisory_lock($1, hashtext($2))', [MERGE_LOCK, imported.projectId]);
  await client.query("set work_mem = '64MB'");
  const { staged, persons, batches } = await gather(client);
  const totals = { created: 0, kept: 0, tooLarge: 0 };
  for (let batch = 0; batch < batches; batch += 1) {
    const merged = await inTransaction(client, () => mergeBatch(client, imported, batch, facts.now));
    totals.created += merged.created;
    totals.kept += merged.kept;
    totals.tooLarge += merged.tooLarge;
  }
  await client.query(
    `insert into pennypost_import_rejected (line, reason, cells)
     select line, $1, jsonb_build_array(address) from pennypost_import_person where too_large order by line limit $2`,
    [
      `Together with what is known of this person there would be more than ${ATTRIBUTE_COUNT} attributes or ${ATTRIBUTES_OCTETS} bytes of them.`,
      Math.max(0, KEPT_REJECTIONS - facts.rejected),
    ],
  );
  await client.query(`insert into pennypost_import_rejected_address (line, email_key, mark, older_marks)
    select line, email_key, mark, older_marks from pennypost_import_person where too_large`);
  await keepRejections(client, imported, (work) => inTransaction(client, work));
  const done = persons - totals.kept - totals.tooLarge;
  const result: ImportTotals = {
    rows: staged + facts.rejected,
    imported: done,
    created: totals.created,
    updated: done - totals.created,
    duplicates: staged - persons,
    rejected: facts.rejected + totals.tooLarge,
    protected: totals.kept,
  };
  await conclude(client, imported, facts, result);
  if (totals.created >= WORTH_ANALYZING && !imported.dryRun) {
    await client.query('analyze pennypost_audience.subscriber, pennypost_audience.subscription');
  }
  await client.query('drop table pennypost_import_person; reset work_mem');
  await client.query('select pg_advisory_unlock($1, hashtext($2))', [MERGE_LOCK, imported.projectId]);
  return result;
}

async function inTransaction<T>(client: pg.PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  const result = await work();
  await client.query('commit');
  return result;
}

/** One row per address, the last of the file, in batches in the order of the file, so that ids and rows lie in one order. */
async function gather(client: pg.PoolClient): Promise<{ staged: number; persons: number; batches: number }> {
  await client.query('analyze pennypost_import_row');
  await client.query(
    `create temporary table pennypost_import_person as
     select r.*, ((row_number() over (order by r.line) - 1) / ${MERGE_BATCH})::int as batch, null::uuid as known_id,
       false as kept, false as too_large
     from (select distinct on (email_key) * from pennypost_import_row order by email_key, line desc) r order by r.line`,
  );
  await spreadDepartures(client);
  await client.query('create index on pennypost_import_person (batch)');
  await client.query('analyze pennypost_import_person');
  const counted = await client.query<{ staged: number; persons: number; batches: number }>(
    `select (select count(*)::int from pennypost_import_row) as staged, count(*)::int as persons,
       coalesce(max(batch) + 1, 0) as batches from pennypost_import_person`,
  );
  return counted.rows[0]!;
}

async function mergeBatch(client: pg.PoolClient, imported: Import, batch: number, now: Date): Promise<BatchTotals> {
  await lockLists(client, imported);
  await lookUp(client, imported, batch);
  await judge(client, imported, batch);
  let created = 0;
  if (!imported.dryRun) {
    created = await addNew(client, imported, batch, now);
    await updateKnown(client, imported, batch, now);
    await subscribe(client, imported, batch, now);
    await recordDepartures(client, imported, batch, now);
    if (imported.consent !== null) await recordConsent(client, imported, batch, now);
  }
  const counted = await client.query<BatchTotals>(
    `select count(*)::int as persons, count(*) filter (where kept)::int as kept, count(*) filter (where too_large)::int as "tooLarge",
       count(*) filter (where known_id is null and not kept and not too_large)::int as created
     from pennypost_import_person where batch = $1`,
    [batch],
  );
  const merged = imported.dryRun ? counted.rows[0]! : { ...counted.rows[0]!, created };
  await progress(client, imported, merged);
  return merged;
}

/**
 * Whether attributes grow beyond a limit by what is merged into them; what changes nothing never does. The text of jsonb has
 * two blanks an attribute more than compact JSON.
 */
const tooLarge = (known: string, added: string): string => `case when ${known} || ${added} = ${known} then false else (
  select count(*) > ${ATTRIBUTE_COUNT} or octet_length((${known} || ${added})::text) - 2 * count(*) + 1 > ${ATTRIBUTES_OCTETS}
  from jsonb_object_keys(${known} || ${added})) end`;

/** The lists stay until the commit. @throws ImportUnreadable when one is gone */
async function lockLists(client: pg.PoolClient, imported: Import): Promise<void> {
  const there = await client.query(
    'select from pennypost_audience.list where project_id = $1 and id = any($2::uuid[]) order by id for key share',
    [imported.projectId, imported.listIds],
  );
  if (there.rowCount !== imported.listIds.length) {
    throw new ImportUnreadable(`A list of this import was deleted while it ran. Choose another list. ${IMPORT_AGAIN}`);
  }
}

/** The known subscribers of these addresses, by `subscriber_email_key`. `for key share` holds up an erasure and nothing else. */
async function lookUp(client: pg.PoolClient, imported: Import, batch: number): Promise<void> {
  await client.query(
    `update pennypost_import_person p set known_id = s.id,
       too_large = p.departure is null and ${tooLarge('s.attributes', 'p.attributes')}
     from (select s.id, s.email_key, s.attributes from pennypost_audience.subscriber s
       where s.project_id = $1 and s.email_key = any(array(select email_key from pennypost_import_person where batch = $2))
       order by s.id for key share) s
     where p.batch = $2 and p.email_key = s.email_key`,
    [imported.projectId, batch],
  );
}

/**
 * Marks the rows that change nothing (`kept`): erased, and, unless they record a departure, suppressed or unsubscribed ones. By the
 * primary keys of suppression and subscription; asked when the subscribers can no longer be erased.
 */
async function judge(client: pg.PoolClient, imported: Import, batch: number): Promise<void> {
  await client.query(
    `update pennypost_import_person p set kept = true, too_large = false
     where p.batch = $4 and not p.kept and (p.departure is null and exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = p.email_key and x.scope = any($3::text[]))
       or exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = p.mark and x.scope = any($3::text[]))
       or (p.older_marks is not null and exists (select from pennypost_audience.suppression x
         where x.project_id = $1 and x.email_key = any(p.older_marks) and x.scope = any($3::text[])))
       or p.departure is null and exists (select from pennypost_audience.subscription n
         where n.project_id = $1 and n.list_id = any($2::uuid[]) and n.subscriber_id = p.known_id and n.state = 'unsubscribed'))`,
    [imported.projectId, imported.listIds, [...STOPPING_SCOPES.marketing, ...imported.listIds.map((id) => `list:${id}`)], batch],
  );
}

/**
 * Adds the unknown ones. An address can have been added and erased since the lookup. When the row is this import's and its
 * erasure is known, the row is removed again. @returns the number of new subscribers
 */
async function addNew(client: pg.PoolClient, imported: Import, batch: number, now: Date): Promise<number> {
  const { projectId } = imported;
  const added = await client.query(
    `insert into pennypost_audience.subscriber
       (project_id, id, address, email_key, status, locale, time_zone, attributes, created_at, updated_at)
     select $1, subscriber_id, address, email_key, 'active', locale, time_zone, attributes, $2, $2
     from pennypost_import_person where batch = $3 and known_id is null and not kept order by line
     on conflict (project_id, email_key) do nothing`,
    [projectId, now, batch],
  );
  const wanted = await client.query<{ count: number }>(
    'select count(*)::int as count from pennypost_import_person where batch = $1 and known_id is null and not kept',
    [batch],
  );
  const created = added.rowCount ?? 0;
  // Another transaction added some of them since the lookup; they are known now.
  if (created < wanted.rows[0]!.count) {
    await client.query(
      `update pennypost_import_person p set known_id = s.id from (
         select s.id, s.email_key from pennypost_audience.subscriber s
         where s.project_id = $1 and s.email_key = any(array(
           select email_key from pennypost_import_person where batch = $2 and known_id is null and not kept))
         order by s.id for key share) s
       where p.batch = $2 and s.email_key = p.email_key and s.id <> p.subscriber_id`,
      [projectId, batch],
    );
    await judge(client, imported, batch);
  }
  const erased = await client.query(
    `update pennypost_import_person p set kept = true
     where p.batch = $2 and p.known_id is null and not p.kept and exists (select from pennypost_audience.suppression x
       where x.project_id = $1 and x.email_key = any(p.mark || coalesce(p.older_marks, '{}'::text[])))`,
    [projectId, batch],
  );
  if ((erased.rowCount ?? 0) === 0) return created;
  const withdrawn = await client.query(
    `delete from pennypost_audience.subscriber s using pennypost_import_person p
     where p.batch = $2 and p.kept and p.known_id is null and s.project_id = $1 and s.id = p.subscriber_id`,
    [projectId, batch],
  );
  return created - (withdrawn.rowCount ?? 0);
}

/** Writes, and so locks, only rows about which the file tells something new. */
async function updateKnown(client: pg.PoolClient, { projectId }: Import, batch: number, now: Date): Promise<void> {
  await client.query(
    `update pennypost_audience.subscriber s
     set attributes = s.attributes || p.attributes, locale = coalesce(p.locale, s.locale),
       time_zone = coalesce(p.time_zone, s.time_zone), updated_at = $2, version = s.version + 1
     from pennypost_import_person p
     where p.batch = $3 and s.project_id = $1 and s.id = p.known_id and s.email_key = p.email_key and not p.kept and not p.too_large and p.departure is null
       and ((s.attributes || p.attributes) <> s.attributes or s.locale is distinct from coalesce(p.locale, s.locale)
         or s.time_zone is distinct from coalesce(p.time_zone, s.time_zone))`,
    [projectId, now, batch],
  );
}

/**
 * By the primary key of subscription. `on conflict do update` would lock every row that is there, changed or not; so those are
 * looked for first, and only unconfirmed ones are confirmed. One that unsubscribed meanwhile stays so.
 */
async function subscribe(client: pg.PoolClient, imported: Import, batch: number, now: Date): Promise<void> {
  const { projectId, listIds, consent } = imported;
  if (listIds.length === 0) return;
  await client.query(
    `insert into pennypost_audience.subscription (project_id, list_id, subscriber_id, state, created_at, at)
     select $1, l.id, coalesce(p.known_id, p.subscriber_id),
       case when l.double_opt_in and not $4 then 'unconfirmed' else 'confirmed' end, $3, $3
     from pennypost_audience.list l cross join pennypost_import_person p
     where l.project_id = $1 and l.id = any($2::uuid[]) and p.batch = $5 and not p.kept and not p.too_large and p.departure is null
       and (p.known_id is null or not exists (select from pennypost_audience.subscription n
         where n.project_id = $1 and n.list_id = l.id and n.subscriber_id = p.known_id))
     order by l.id, 3
     on conflict (project_id, list_id, subscriber_id) do nothing`,
    [projectId, listIds, now, consent !== null, batch],
  );
  await client.query(
    `update pennypost_audience.subscription n set state = 'confirmed', at = $3
     from (select w.list_id, w.subscriber_id from pennypost_audience.subscription w
       join pennypost_audience.list l on l.project_id = $1 and l.id = w.list_id and (not l.double_opt_in or $4)
       join pennypost_import_person p on p.batch = $5 and p.known_id = w.subscriber_id and not p.kept and not p.too_large and p.departure is null
       where w.project_id = $1 and w.list_id = any($2::uuid[]) and w.state = 'unconfirmed'
       order by w.list_id, w.subscriber_id for no key update of w) w
     where n.project_id = $1 and n.list_id = w.list_id and n.subscriber_id = w.subscriber_id and n.state = 'unconfirmed'`,
    [projectId, listIds, now, consent !== null, batch],
  );
}

/** One entry per subscriber for all lists; the wording is stored once, with the import. The same statement is not repeated. */
async function recordConsent(client: pg.PoolClient, imported: Import, batch: number, now: Date): Promise<void> {
  const { consent } = imported;
  await client.query(
    `insert into pennypost_audience.consent
       (project_id, id, subscriber_id, list_ids, action, source, ip, text_version, import_id, given_at, recorded_at)
     select $1, consent_id, coalesce(known_id, subscriber_id), $2, 'import', $3, $4, $5, $6, $7, $8
     from pennypost_import_person p where batch = $9 and not kept and not too_large and departure is null
       and not exists (select from pennypost_audience.consent c join pennypost_audience.import i on i.project_id = $1 and i.id = c.import_id
         where c.project_id = $1 and c.subscriber_id = p.known_id and c.action = 'import' and c.list_ids = $2 and c.source = $3
           and c.ip is not distinct from $4 and c.text_version is not distinct from $5 and i.consent->>'text' is not distinct from $10
           and (c.given_at = $7 or not $11))
     order by line`,
    [
      imported.projectId,
      imported.listIds,
      consent?.source,
      consent?.ip ?? null,
      consent?.textVersion ?? null,
      imported.id,
      consent?.at ?? now,
      now,
      batch,
      consent?.text ?? null,
      consent?.at !== undefined && consent.at.getTime() !== imported.createdAt.getTime(),
    ],
  );
}

/** With the batch that it counts, so that the totals of an import that breaks off are those of what it did. */
async function progress(client: pg.PoolClient, imported: Import, merged: BatchTotals): Promise<void> {
  const { persons, created, kept, tooLarge } = merged;
  const done = persons - kept - tooLarge;
  const running = await client.query(
    `update pennypost_audience.import set rows = rows + $3, imported = imported + $4, created = created + $5,
       updated = updated + $6, rejected = rejected + $7, protected = protected + $8
     where project_id = $1 and id = $2 and state = 'running'`,
    [imported.projectId, imported.id, persons, done, created, done - created, tooLarge, kept],
  );
  if (running.rowCount === 0) throw new ImportUnreadable(`The import was marked as failed while it ran. ${IMPORT_AGAIN}`);
}

async function conclude(client: pg.PoolClient, imported: Import, facts: MergeFacts, totals: ImportTotals): Promise<void> {
  const { rows, created, updated, duplicates, rejected, protected: kept } = totals;
  const running = await client.query(
    `update pennypost_audience.import set state = 'done', columns = $3, ended_at = $4,
       rows = $5, imported = $6, created = $7, updated = $8, duplicates = $9, rejected = $10, protected = $11, encoding = $12, warnings = $13
     where project_id = $1 and id = $2 and state = 'running'`,
    [
      imported.projectId,
      imported.id,
      facts.findings.columns === null ? null : JSON.stringify(facts.findings.columns),
      facts.now,
      rows,
      totals.imported,
      created,
      updated,
      duplicates,
      rejected,
      kept,
      facts.findings.encoding,
      JSON.stringify(facts.findings.warnings),
    ],
  );
  if (running.rowCount === 0) throw new ImportUnreadable(`The import was marked as failed while it ran. ${IMPORT_AGAIN}`);
}
