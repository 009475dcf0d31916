/**
 * The one way SQL is said in this code base: text with `$1` parameters, rows back. Inside a unit of work it runs in that
 * transaction (and flushes the ORM first, so that it sees what was persisted); outside it takes a pooled connection.
 */
export interface Sql {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** The database's time, for comparing an indexed column with it: as a subquery it is asked once, and an index can be used. */
export const DATABASE_NOW = '(select clock_timestamp())';
