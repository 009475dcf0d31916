import type { ConnectionOptions } from 'node:tls';
import { InvalidInput } from '../../domain/shared/errors.ts';

/** Where one database is and how to enter it. `host` is a name, an address, or the directory of a Unix socket. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl?: boolean | ConnectionOptions;
}

/**
 * After this time without traffic a connection is probed, and after ten more seconds without an answer it is dead. The kernel's own
 * default is two hours, in which a worker would listen to a firewall that has forgotten it.
 */
export const KEEP_ALIVE_MS = 10_000;

/** The same server and user, another database. */
export function withDatabase(connection: ConnectionSettings, database: string): ConnectionSettings {
  return { ...connection, database };
}

/** The address of the server, for display and logs. Never the password. */
export function describeConnection(connection: ConnectionSettings): string {
  const where = connection.host.startsWith('/') ? connection.host : `${connection.host}:${connection.port}`;
  return `database "${connection.database}" at ${where} as ${connection.user}`;
}

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=require`, also with an empty host and `?host=/run/postgresql`
 * (a Unix socket), which the URL class refuses and libpq allows. Reserved characters of user and password are
 * percent-encoded. Defaults as libpq: localhost, 5432, user postgres.
 * @throws InvalidInput that names the part at fault; the password never stands in it.
 */
export function parseDatabaseUrl(url: string): ConnectionSettings {
  const match =
    /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[^\]]*\]|[^:/?@]*)(?::(\d+))?(?:\/([^?]*))?(?:\?(.*))?$/.exec(
      url.trim(),
    );
  if (match === null) {
    throw new InvalidInput(
      'The database URL must look like postgresql://user:password@host:5432/database; write @ : / ? in a password as %40 %3A %2F %3F.',
    );
  }
  const [, user, password, host, port, database, query] = match;
  const parameters = new URLSearchParams(query);
  const decode = (part: string | undefined, name: string): string => {
    try {
      return decodeURIComponent(part ?? '') || (parameters.get(name) ?? '');
    } catch (error) {
      if (error instanceof URIError)
        throw new InvalidInput(`The ${name} in the database URL has a % that is not followed by two hexadecimal digits.`);
      throw error;
    }
  };
  const name = decode(database, 'dbname');
  if (name === '')
    throw new InvalidInput(
      'The database URL names no database: add it after the last slash, as in postgresql://user@host:5432/pennypost.',
    );
  const number = Number(port ?? parameters.get('port') ?? 5432);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new InvalidInput(`The port in the database URL is not one of 1 to 65535.`);
  const ssl = sslOf(parameters.get('sslmode'));
  return {
    host: decode(host?.replace(/^\[|\]$/g, ''), 'host') || 'localhost',
    port: number,
    user: decode(user, 'user') || 'postgres',
    password: decode(password, 'password'),
    database: name,
    ...(ssl === undefined ? {} : { ssl }),
  };
}

/** libpq's words: `require` encrypts without checking the certificate, `verify-ca` and `verify-full` check it. */
function sslOf(mode: string | null): ConnectionSettings['ssl'] | undefined {
  if (mode === null || mode === 'disable' || mode === 'allow' || mode === 'prefer') return undefined;
  if (mode === 'require' || mode === 'no-verify') return { rejectUnauthorized: false };
  if (mode === 'verify-ca' || mode === 'verify-full') return true;
  throw new InvalidInput(`sslmode "${mode}" in the database URL is not one of disable, prefer, require, verify-ca, verify-full.`);
}
