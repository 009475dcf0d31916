import type { Evidence, Import, ImportState, ImportStore, ImportTotals, Rejection } from '../../domain/audience/index.ts';
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
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

const IMPORT = `project_id as "projectId", id, state, dry_run as "dryRun", file_name as "fileName", list_ids as "listIds", consent, imported_as as "as", map, columns,
  encoding, warnings, rows, imported, created, updated, duplicates, rejected, protected, failure, created_at as "createdAt", ended_at as "endedAt"`;

/** An advisory lock that an import holds while its process runs; it ends with the connection. Two keys keep it apart from other locks. */
export const IMPORT_LOCK = 7_366_012;

/** An advisory lock between imports that write rejected rows of a project (shared) and an erasure that searches them. */
export const REJECTIONS_LOCK = 7_366_014;
/** What is left of a rejected row. */
export const ERASED_ROW = 'The person in this row was erased.';

/** Records of imports over PostgreSQL; `audience-import-loader.ts` carries their rows. */
export class PostgresImportStore implements ImportStore {
  private readonly sql: Sql;

  constructor({ sql }: Session) {
    this.sql = sql;
  }

  async add(imported: Import): Promise<void> {
    const { projectId, id, state, dryRun, fileName, listIds, consent, as, map, createdAt } = imported;
    await this.sql.query(
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
  async find(projectId: Id, id: Id): Promise<Import | undefined> {
    const [row] = await this.sql.query<ImportRow>(
      `select ${IMPORT} from pennypost_audience.import where project_id = $1 and id = $2`,
      [projectId, id],
    );
    return row === undefined ? undefined : toImport(row);
  }

  /** By the primary key, backwards: ids are UUIDv7. */
  async page(projectId: Id, page: PageRequest): Promise<Page<Import>> {
    const limit = pageLimit(page);
    const rows = await this.sql.query<ImportRow>(
      `select ${IMPORT} from pennypost_audience.import
       where project_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3`,
      [projectId, idAfter(page) ?? null, limit + 1],
    );
    return toPage(rows.map(toImport), limit, (imported) => [imported.id]);
  }

  /** By the primary key. */
  async rejections(projectId: Id, importId: Id, page: PageRequest): Promise<Page<Rejection>> {
    const [after] = page.after === undefined ? ['0'] : decodeCursor(page.after, 1);
    if (after === undefined || !/^\d{1,9}$/.test(after)) throw new InvalidCursor();
    return pageWithinBudget<Rejection>(
      this.sql,
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
  async stripRejections(projectId: Id, emailKey: string): Promise<number> {
    await this.sql.query('select pg_advisory_xact_lock($1, hashtext($2)) is null as locked', [REJECTIONS_LOCK, projectId]);
    const rows = await this.sql.query(
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

  async fail(projectId: Id, id: Id, failure: string, at: Date): Promise<boolean> {
    const rows = await this.sql.query(
      `update pennypost_audience.import set state = 'failed', failure = $3, ended_at = $4
       where project_id = $1 and id = $2 and state = 'running' returning 1 as changed`,
      [projectId, id, failure.slice(0, 2_000), at],
    );
    return rows.length > 0;
  }

  /** By `import_running`. An import whose lock can be taken is not running. */
  async failAbandoned(projectId: Id, before: Date, failure: string, at: Date): Promise<number> {
    const rows = await this.sql.query(
      `update pennypost_audience.import set state = 'failed', failure = $3, ended_at = $4
       where project_id = $1 and state = 'running' and created_at < $2
         and pg_try_advisory_xact_lock(${IMPORT_LOCK}, hashtext(id::text)) returning 1 as changed`,
      [projectId, before, failure, at],
    );
    return rows.length;
  }
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
