import type { ProjectRows } from '../../application/access/delete-project.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Sql } from './sql.ts';

/**
 * Tables of a project: every table of pennypost that has a `project_id`, so that a new table needs no line here.
 * Those that refer to others come first. The catalogue names them, never a caller.
 */
const TABLES = `select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id' and not a.attisdropped
  where n.nspname like 'pennypost\\_%' and n.nspname <> 'pennypost_jobs' and c.relkind in ('r', 'p') and not c.relispartition
  order by (select count(*) from pg_constraint k where k.conrelid = c.oid and k.contype = 'f') desc, 1`;

export class PostgresProjectRows implements ProjectRows {
  readonly #sql: Sql;

  /** @param sql each statement in a transaction of its own */
  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async remove(projectId: Id, limit: number): Promise<number> {
    for (const { name } of await this.#sql.query<{ name: string }>(TABLES)) {
      const rows = await this.#sql.query(
        `delete from ${name} where (tableoid, ctid) in
           (select tableoid, ctid from ${name} where project_id = $1 limit $2) returning 1 as removed`,
        [projectId, limit],
      );
      if (rows.length > 0) return rows.length;
    }
    return 0;
  }
}
