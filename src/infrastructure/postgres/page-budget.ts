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
  readonly page_at: number;
  readonly page_octets: string;
  readonly page_row_octets: number;
}

/** One page of at most `limit` rows and about `PAGE_OCTETS`, but one row at least. What is beyond never leaves the server. */
export async function pageWithinBudget<Row extends object>(
  sql: Sql,
  query: PageQuery,
  keysOf: (row: Row) => readonly string[],
): Promise<Page<Row>> {
  const { select, from, orderBy, octets, values, limit } = query;
  const rows = await sql.query<Row & Measured>(
    `select * from (
       select q.*, sum(page_row_octets) over (order by page_at) as page_octets, count(*) over ()::int as page_rows
       from (select ${select}, ${octets} as page_row_octets, row_number() over (order by ${orderBy})::int as page_at
         from ${from} order by ${orderBy} limit $${values.length + 1}) q) p
     where page_at = 1 or (page_at <= $${values.length + 2} and page_octets <= $${values.length + 3}) order by page_at`,
    [...values, limit + 1, limit, PAGE_OCTETS],
  );
  const [first] = rows;
  const items = rows.map(
    ({ page_rows: _, page_at: __, page_octets: ___, page_row_octets: ____, ...row }) => row as unknown as Row,
  );
  const last = items.at(-1);
  const more = first !== undefined && last !== undefined && rows.length < first.page_rows;
  return { items, next: more ? encodeCursor(keysOf(last)) : undefined };
}
