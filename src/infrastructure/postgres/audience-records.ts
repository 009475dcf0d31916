import type {
  Consent,
  Evidence,
  Import,
  ImportState,
  ImportTotals,
  Rejection,
  Suppression,
  SuppressionScope,
  SuppressionSearch,
} from '../../domain/audience/index.ts';
import { SUPPRESSION_REASONS } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import {
  decodeCursor,
  InvalidCursor,
  idAfter,
  type Page,
  type PageRequest,
  pageLimit,
  toPage,
} from '../../domain/shared/page.ts';
import { pageWithinBudget } from './page-budget.ts';
import type { Sql } from './sql.ts';

const SUPPRESSION = 'project_id as "projectId", email_key as "emailKey", scope, reason, evidence, at';
const CONSENT = `project_id as "projectId", id, subscriber_id as "subscriberId", list_ids as "listIds", action, source, ip,
  user_agent as "userAgent", text, text_version as "textVersion", import_id as "importId", given_at as "givenAt", recorded_at as "recordedAt"`;
const IMPORT = `project_id as "projectId", id, state, dry_run as "dryRun", file_name as "fileName", list_ids as "listIds", consent, imported_as as "as", map, columns,
  encoding, warnings, rows, imported, created, updated, duplicates, rejected, protected, failure, created_at as "createdAt", ended_at as "endedAt"`;

/** What an import says of itself while its process lives: a lock that dies with the connection. Two keys, so that no other lock meets it. */
export const IMPORT_LOCK = 7_366_012;

/** Between those who write rejected rows of a project (shared) and an erasure that looks through them. */
export const REJECTIONS_LOCK = 7_366_014;
/** What is left of a rejected row. */
export const ERASED_ROW = 'The person in this row was erased.';

export async function addConsent(sql: Sql, consent: Consent): Promise<void> {
  await sql.query(
    `insert into pennypost_audience.consent (project_id, id, subscriber_id, list_ids, action, source, ip, user_agent, text,
       text_version, import_id, given_at, recorded_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      consent.projectId,
      consent.id,
      consent.subscriberId,
      consent.listIds,
      consent.action,
      consent.source,
      consent.ip,
      consent.userAgent,
      consent.text,
      consent.textVersion,
      consent.importId,
      consent.givenAt,
      consent.recordedAt,
    ],
  );
}

/** Oldest first, by `consent_subscriber`. */
export function consentsOf(sql: Sql, projectId: Id, subscriberId: Id): Promise<readonly Consent[]> {
  return sql.query<Consent>(
    `select ${CONSENT} from pennypost_audience.consent where project_id = $1 and subscriber_id = $2 order by recorded_at, id limit 1000`,
    [projectId, subscriberId],
  );
}

/** By the primary key. */
export async function addSuppression(sql: Sql, suppression: Suppression): Promise<boolean> {
  const { projectId, emailKey, scope, reason, evidence, at } = suppression;
  const rows = await sql.query(
    `insert into pennypost_audience.suppression as x (project_id, email_key, scope, reason, evidence, at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (project_id, email_key, scope) do update set reason = excluded.reason, evidence = excluded.evidence, at = excluded.at
       where array_position($7::text[], excluded.reason) > array_position($7::text[], x.reason)
     returning 1 as changed`,
    [projectId, emailKey, scope, reason, JSON.stringify(evidence), at, SUPPRESSION_REASONS],
  );
  return rows.length > 0;
}

/** By the primary key. What stands under the new address already is left alone. */
export async function copyWishes(sql: Sql, projectId: Id, from: string, to: string): Promise<void> {
  await sql.query(
    `insert into pennypost_audience.suppression (project_id, email_key, scope, reason, evidence, at)
     select project_id, $3, scope, reason, evidence, at from pennypost_audience.suppression
     where project_id = $1 and email_key = $2 and reason in ('unsubscribe', 'complaint')
     on conflict (project_id, email_key, scope) do nothing`,
    [projectId, from, to],
  );
}

/** By the primary key. */
export async function removeSuppressions(
  sql: Sql,
  projectId: Id,
  emailKeys: readonly string[],
  scope: SuppressionScope | undefined,
): Promise<number> {
  const rows = await sql.query(
    `delete from pennypost_audience.suppression
     where project_id = $1 and email_key = any($2) and ($3::text is null or scope = $3) returning 1 as lifted`,
    [projectId, emailKeys, scope ?? null],
  );
  return rows.length;
}

/** By the primary key. */
export function suppressionsOf(sql: Sql, projectId: Id, emailKeys: readonly string[]): Promise<readonly Suppression[]> {
  return sql.query<Suppression>(
    `select ${SUPPRESSION} from pennypost_audience.suppression where project_id = $1 and email_key = any($2) order by at, scope`,
    [projectId, emailKeys],
  );
}

/** By `suppression_at`, backwards; times travel as whole microseconds, which a Date would cut. */
export async function suppressions(sql: Sql, projectId: Id, search: SuppressionSearch): Promise<Page<Suppression>> {
  const limit = pageLimit(search);
  const [at, emailKey, scope] = search.after === undefined ? [null, null, null] : decodeCursor(search.after, 3);
  if (typeof at === 'string' && !/^\d{1,17}$/.test(at)) throw new InvalidCursor();
  const rows = await sql.query<Suppression & { readonly micros: string }>(
    `select ${SUPPRESSION}, (extract(epoch from at) * 1000000)::bigint::text as micros from pennypost_audience.suppression
     where project_id = $1 and ($5::text is null or scope = $5) and ($6::text is null or reason = $6)
       and ($2::text is null or (at, email_key, scope) < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3, $4))
     order by at desc, email_key desc, scope desc limit $7`,
    [projectId, at, emailKey, scope, search.scope ?? null, search.reason ?? null, limit + 1],
  );
  const { items, next } = toPage(rows, limit, (row) => [row.micros, row.emailKey, row.scope]);
  return { items: items.map(({ micros: _, ...suppression }) => suppression), next };
}

interface ImportRow extends Omit<Import, 'totals' | 'consent'>, ImportTotals {
  readonly state: ImportState;
  readonly consent: (Omit<Evidence, 'at'> & { readonly at: string }) | null;
}

function toImport(row: ImportRow): Import {
  const { rows, imported, created, updated, duplicates, rejected, protected: kept, consent, ...rest } = row;
  return {
    ...rest,
    consent: consent === null ? null : { ...consent, at: new Date(consent.at) },
    totals: { rows, imported, created, updated, duplicates, rejected, protected: kept },
  };
}

export async function addImport(sql: Sql, imported: Import): Promise<void> {
  const { projectId, id, state, dryRun, fileName, listIds, consent, as, map, createdAt } = imported;
  await sql.query(
    `insert into pennypost_audience.import (project_id, id, state, dry_run, file_name, list_ids, consent, map, created_at, imported_as)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      projectId,
      id,
      state,
      dryRun,
      fileName,
      listIds,
      consent === null ? null : JSON.stringify(consent),
      JSON.stringify(map),
      createdAt,
      as,
    ],
  );
}

/** By the primary key. */
export async function findImport(sql: Sql, projectId: Id, id: Id): Promise<Import | undefined> {
  const [row] = await sql.query<ImportRow>(`select ${IMPORT} from pennypost_audience.import where project_id = $1 and id = $2`, [
    projectId,
    id,
  ]);
  return row === undefined ? undefined : toImport(row);
}

/** By the primary key, backwards: ids are UUIDv7. */
export async function imports(sql: Sql, projectId: Id, page: PageRequest): Promise<Page<Import>> {
  const limit = pageLimit(page);
  const rows = await sql.query<ImportRow>(
    `select ${IMPORT} from pennypost_audience.import
     where project_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`,
    [projectId, idAfter(page) ?? null, limit + 1],
  );
  return toPage(rows.map(toImport), limit, (imported) => [imported.id]);
}

/** By the primary key. */
export async function rejections(sql: Sql, projectId: Id, importId: Id, page: PageRequest): Promise<Page<Rejection>> {
  const [after] = page.after === undefined ? ['0'] : decodeCursor(page.after, 1);
  if (after === undefined || !/^\d{1,9}$/.test(after)) throw new InvalidCursor();
  return pageWithinBudget<Rejection>(
    sql,
    {
      select: 'line, reason, cells',
      from: 'pennypost_audience.import_rejection where project_id = $1 and import_id = $2 and line > $3::int',
      orderBy: 'line',
      octets: 'octet_length(cells::text)',
      values: [projectId, importId, after],
      limit: pageLimit(page),
    },
    (row) => [String(row.line)],
  );
}

/**
 * Cells and reason go, line and count stay. By `import_rejection_address_key`. Waits for the imports that are just writing
 * rejected rows, a batch at most, and they for this: none of them can write down the address unseen.
 */
export async function stripRejections(sql: Sql, projectId: Id, emailKey: string): Promise<number> {
  await sql.query('select pg_advisory_xact_lock($1, hashtext($2)) is null as locked', [REJECTIONS_LOCK, projectId]);
  const rows = await sql.query(
    `with found as (select distinct import_id, line from pennypost_audience.import_rejection_address
         where project_id = $1 and email_key = $2),
       forgotten as (delete from pennypost_audience.import_rejection_address a using found f
         where a.project_id = $1 and a.import_id = f.import_id and a.line = f.line)
     update pennypost_audience.import_rejection r set cells = '[]', reason = $3
     from found f where r.project_id = $1 and r.import_id = f.import_id and r.line = f.line
     returning 1 as stripped`,
    [projectId, emailKey, ERASED_ROW],
  );
  return rows.length;
}

export async function failImport(sql: Sql, projectId: Id, id: Id, failure: string, at: Date): Promise<boolean> {
  const rows = await sql.query(
    `update pennypost_audience.import set state = 'failed', failure = $3, ended_at = $4
     where project_id = $1 and id = $2 and state = 'running' returning 1 as changed`,
    [projectId, id, failure.slice(0, 2_000), at],
  );
  return rows.length > 0;
}

/** By `import_running`. Who can take the lock of an import knows that nobody runs it. */
export async function failAbandonedImports(sql: Sql, projectId: Id, before: Date, failure: string, at: Date): Promise<number> {
  const rows = await sql.query(
    `update pennypost_audience.import set state = 'failed', failure = $3, ended_at = $4
     where project_id = $1 and state = 'running' and created_at < $2
       and pg_try_advisory_xact_lock(${IMPORT_LOCK}, hashtext(id::text)) returning 1 as changed`,
    [projectId, before, failure, at],
  );
  return rows.length;
}
