import pg from 'pg';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';

/** Runs one statement, or several without parameters, on a connection of its own. */
export async function administer(
  connection: ConnectionSettings,
  statement: string,
  values: readonly unknown[] = [],
): Promise<void> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  await (values.length === 0 ? client.query(statement) : client.query(statement, [...values])).finally(() => client.end());
}
