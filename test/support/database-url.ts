import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';

/** As PENNYPOST_DATABASE_URL says it; a socket directory goes into the query, as libpq has it. */
export function urlOf(connection: ConnectionSettings): string {
  const { host, port, user, password, database } = connection;
  const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return host.startsWith('/')
    ? `postgresql://${login}@:${port}/${database}?host=${encodeURIComponent(host)}`
    : `postgresql://${login}@${host}:${port}/${database}`;
}
