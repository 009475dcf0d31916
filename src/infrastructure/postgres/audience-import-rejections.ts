import type pg from 'pg';
import type { Import } from '../../domain/audience/index.ts';
import { ERASED_ROW, REJECTIONS_LOCK } from './audience-imports.ts';

/** Rejected rows per transaction: an erasure waits for one of them. */
const BATCH = 5_000;

/** Stores the staged rejected rows with the addresses in them; rows about erased addresses without their cells. */
export async function keepRejections(
  client: pg.PoolClient,
  imported: Import,
  inTransaction: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const of = [imported.projectId, imported.id];
  for (let after = -1; ; ) {
    const found = await client.query<{ last: number | null }>(
      `select max(line) as last from (
         select line from pennypost_import_rejected where line > $1 order by line limit ${BATCH}) part`,
      [after],
    );
    const last = found.rows[0]?.last ?? null;
    if (last === null) return;
    const part = [...of, after, last];
    await inTransaction(async () => {
      // Shared: see `stripRejections`. Earlier erasures are known below; later ones find these rows.
      await client.query('select pg_advisory_xact_lock_shared($1, hashtext($2))', [REJECTIONS_LOCK, imported.projectId]);
      await client.query(
        `insert into pennypost_audience.import_rejection (project_id, import_id, line, reason, cells)
         select $1, $2, r.line, case when e.erased then $5 else r.reason end, case when e.erased then '[]' else r.cells end
         from pennypost_import_rejected r cross join lateral (select exists (
           select from pennypost_import_rejected_address a
           join pennypost_audience.suppression x on x.project_id = $1
             and x.email_key = any(a.mark || coalesce(a.older_marks, '{}'::text[]))
           where a.line = r.line) as erased) e
         where r.line > $3 and r.line <= $4`,
        [...part, ERASED_ROW],
      );
      await client.query(
        `insert into pennypost_audience.import_rejection_address (project_id, import_id, line, email_key)
         select distinct $1::uuid, $2::uuid, a.line, a.email_key from pennypost_import_rejected_address a
         join pennypost_audience.import_rejection r on r.project_id = $1 and r.import_id = $2 and r.line = a.line
         where a.line > $3 and a.line <= $4 and r.cells <> '[]'::jsonb`,
        part,
      );
    });
    after = last;
  }
}
