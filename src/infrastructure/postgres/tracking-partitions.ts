import type { Sql } from './sql.ts';

/** Any fixed number will do; it must only never be used for another lock. */
const PARTITION_LOCK = 7_366_051;

/**
 * Makes the missing partitions of `pennypost_tracking.event` for the months (UTC) from `from` through `through`. Events that
 * came before their month had a partition lie in the default one and are moved. Nodes that start at once wait for one another.
 */
export async function ensureMonths(sql: Sql, from: Date, through: Date): Promise<void> {
  const wanted = monthsBetween(from, through);
  const missing = async (): Promise<readonly Month[]> => {
    const known = await sql.query<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'pennypost_tracking.event'::regclass`,
    );
    const names = new Set(known.map((row) => row.name));
    return wanted.filter((month) => !names.has(month.name));
  };
  if ((await missing()).length === 0) return;
  await sql.query('select pg_advisory_xact_lock($1)', [PARTITION_LOCK]);
  for (const month of await missing()) await addMonth(sql, month);
}

interface Month {
  readonly name: string;
  /** `2026-11-01 00:00:00+00`, and the same of the following month. */
  readonly from: string;
  readonly until: string;
}

/** Built beside and then attached: creating it in place would lock out every writer, attaching stops only what goes to the default partition. */
async function addMonth(sql: Sql, { name, from, until }: Month): Promise<void> {
  const table = `pennypost_tracking.${name}`;
  await sql.query('lock table pennypost_tracking.event_default in access exclusive mode');
  await sql.query(`create table ${table} (like pennypost_tracking.event including all)`);
  await sql.query(
    `with moved as (delete from pennypost_tracking.event_default where at >= '${from}' and at < '${until}' returning *)
     insert into ${table} select * from moved`,
  );
  await sql.query(`alter table pennypost_tracking.event attach partition ${table} for values from ('${from}') to ('${until}')`);
}

function monthsBetween(from: Date, through: Date): readonly Month[] {
  const months: Month[] = [];
  let start = Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), 1);
  while (start <= through.getTime()) {
    const first = new Date(start).toISOString();
    const next = Date.UTC(Number(first.slice(0, 4)), Number(first.slice(5, 7)), 1);
    months.push({
      name: `event_${first.slice(0, 4)}_${first.slice(5, 7)}`,
      from: `${first.slice(0, 10)} 00:00:00+00`,
      until: `${new Date(next).toISOString().slice(0, 10)} 00:00:00+00`,
    });
    start = next;
  }
  return months;
}
