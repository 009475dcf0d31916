import pg from 'pg';
import type { Stuck } from '../../domain/delivery/index.ts';
import type { ConnectionSettings } from './connection.ts';

/**
 * Writes into a worker's row that its event loop is blocked, from beside that loop and so on a connection of its own. `seen_at` stays:
 * the worker itself says nothing, and its leases and attempts go to others. Index: the primary key of `worker`.
 */
export async function tellBlocked(connection: ConnectionSettings, workerId: string, stuck: Stuck): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000, statement_timeout: 5_000, query_timeout: 5_000 });
  // A connection that breaks rejects what was asked on it as well.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(
      `update pennypost_delivery.worker
       set progress = progress || jsonb_build_object('stuck', $2::jsonb || jsonb_build_object('toldAt', clock_timestamp()))
       where id = $1`,
      [workerId, JSON.stringify(stuck)],
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}
