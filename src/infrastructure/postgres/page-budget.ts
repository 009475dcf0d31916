import { encodeCursor, type Page } from '../../domain/shared/page.ts';
import type { Sql } from './sql.ts';

/** A page ends early when its rows have more than this: 500 rows of 64 kB would be 32 MB of text, several times over in memory. */
export const PAGE_OCTETS = 4 * 1024 * 1024;

export interface PageQuery {
  /** Columns, with their names. */
  readonly select: string;
  /** From `from` on, without order and limit. */
  readonly from: string;
  readonly orderBy: string;
  /** The octets of one row's columns without a small limit of their own: `octet_length(attributes::text)`. */
  readonly octets: string;
  readonly values: readonly unknown[];
  readonly limit: number;
}

interface Measured {
  readonly page_rows: number;
}

/** One page of at most `limit` rows and about `PAGE_OCTETS`, but one row at least. What is beyond never leaves the server. */
export async function pageWithinBudget<Row extends object>(
  sql: Sql,
  query: PageQuery,
  keysOf: (row: Row) => readonly string[],
): Promise<Page<Row>> {
  const { select, from, orderBy, octets, values, limit } = query;
  const names = namesIn(select);
  const rows = await sql.query<Row & Measured>(
    `select ${names}, page_rows from (
       select ${names}, page_at, sum(page_row_octets) over (order by page_at) as page_octets, count(*) over ()::int as page_rows
       from (select ${select}, ${octets} as page_row_octets, row_number() over (order by ${orderBy})::int as page_at
         from ${from} order by ${orderBy} limit $${values.length + 1}) q) p
     where page_at = 1 or (page_at <= $${values.length + 2} and page_octets <= $${values.length + 3}) order by page_at`,
    [...values, limit + 1, limit, PAGE_OCTETS],
  );
  const [first] = rows;
  const items = rows.map(({ page_rows: _, ...row }) => row as unknown as Row);
  const last = items.at(-1);
  const more = first !== undefined && last !== undefined && rows.length < first.page_rows;
  return { items, next: more ? encodeCursor(keysOf(last)) : undefined };
}

/** What the columns of a select are called: `s.id, s.time_zone as "timeZone"` gives `"id", "timeZone"`. */
function namesIn(select: string): string {
  const names = select.split(',').map((column) => /"(\w+)"\s*$|(\w+)\s*$/.exec(column));
  return names.map((match) => `"${match?.[1] ?? match?.[2]}"`).join(', ');
}
