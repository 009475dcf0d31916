import type { ConnectionOptions } from 'node:tls';

/** Where one database is and how to enter it. `host` is a name, an address, or the directory of a Unix socket. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl?: boolean | ConnectionOptions;
}

/** The same server and user, another database. */
export function withDatabase(connection: ConnectionSettings, database: string): ConnectionSettings {
  return { ...connection, database };
}

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=require`, also with an empty host and `?host=/run/postgresql`
 * (a Unix socket), which the URL class refuses and libpq allows.
 * @throws Error that names the part at fault; the password never stands in it.
 */
export function parseDatabaseUrl(url: string): ConnectionSettings {
  const parsed =
    /^postgres(?:ql)?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\[[^\]]*\]|[^:/?]*)(?::(\d+))?(?:\/([^?]*))?(?:\?(.*))?$/.exec(url);
  if (parsed === null) throw new Error('The database URL must look like postgresql://user:password@host:5432/database.');
  const [, user, password, host, port, database, query] = parsed;
  const parameters = new URLSearchParams(query);
  const name = decodeURIComponent(database ?? parameters.get('dbname') ?? '');
  if (name === '')
    throw new Error(
      'The database URL names no database: add it after the last slash, as in postgresql://user@host:5432/pennypost.',
    );
  const ssl = sslOf(parameters.get('sslmode'));
  return {
    host: parameters.get('host') ?? (decodeURIComponent(host ?? '').replace(/^\[|\]$/g, '') || 'localhost'),
    port: Number(port ?? parameters.get('port') ?? 5432),
    user: decodeURIComponent(user ?? '') || (parameters.get('user') ?? 'postgres'),
    password: decodeURIComponent(password ?? '') || (parameters.get('password') ?? ''),
    database: name,
    ...(ssl === undefined ? {} : { ssl }),
  };
}

/** libpq's words: `require` encrypts without checking the certificate, `verify-ca` and `verify-full` check it. */
function sslOf(mode: string | null): ConnectionSettings['ssl'] | undefined {
  if (mode === null || mode === 'disable' || mode === 'allow' || mode === 'prefer') return undefined;
  if (mode === 'require' || mode === 'no-verify') return { rejectUnauthorized: false };
  if (mode === 'verify-ca' || mode === 'verify-full') return true;
  throw new Error(`sslmode "${mode}" in the database URL is not one of disable, require, verify-ca, verify-full.`);
}
