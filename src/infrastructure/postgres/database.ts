/**
 * The database that the rest stands on: a server of one's own (PostgreSQL 15 to 18), named by a URL, or the embedded 18 in
 * the data directory. The opener closes it last, after every pool.
 */
import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import type { DatabaseEnds } from '../../application/delivery/status/status-board.ts';
import type { Log } from '../../application/log.ts';
import { type ConnectionSettings, describeConnection, parseDatabaseUrl } from './connection.ts';
import { startEmbedded } from './embedded.ts';
import { asDatabaseError, DatabaseUnavailable, WrongDatabaseVersion } from './errors.ts';

export interface OpenDatabase {
  readonly connection: ConnectionSettings;
  readonly embedded: boolean;
  /** Embedded, and run by another process. */
  readonly borrowed: boolean;
  /** One line to display: which database, where, and whether this process runs it. Never a password. */
  readonly describe: string;
  /** Why the embedded server is away, while this process starts it again. */
  trouble(): string | undefined;
  /** How often the embedded server ended by itself; undefined for a server of one's own. */
  ends(): Promise<DatabaseEnds | undefined>;
  /** Shuts the embedded server down when this process supervises it; otherwise does nothing. */
  stop(): Promise<void>;
}

export interface OpenDatabaseOptions {
  /** A server of one's own; without it the embedded one is used. */
  readonly url?: string | undefined;
  readonly dataDir: string;
  /** Hears what takes long, and of an embedded server that ends by itself. */
  readonly log?: Log | undefined;
  /** Embedded: false makes no new database. Default true. */
  readonly creates?: boolean | undefined;
  /** Embedded: runs the server on when the process that runs it ends. Default false. */
  readonly inherits?: boolean | undefined;
  /** Embedded: told once, when a server that ended could not be started again for two minutes. */
  readonly onLost?: ((error: Error) => void) | undefined;
}

/**
 * @throws InvalidInput for the URL; DatabaseUnavailable when the named server does not let us in; what `startEmbedded` throws
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  if (options.url !== undefined && options.url !== '') {
    const connection = parseDatabaseUrl(options.url);
    await greet(connection);
    return {
      connection,
      embedded: false,
      borrowed: false,
      describe: describeConnection(connection),
      trouble: () => undefined,
      ends: async () => undefined,
      stop: async () => undefined,
    };
  }
  const database = await startEmbedded({
    dataDir: options.dataDir,
    inherits: options.inherits ?? false,
    creates: options.creates,
    log: options.log,
    onLost: options.onLost,
  });
  const how = database.role === 'supervising' ? 'lives as long as this process' : 'run by another process of pennypost';
  return {
    connection: database.connection,
    embedded: true,
    borrowed: database.role === 'attached',
    describe: `embedded PostgreSQL in ${options.dataDir} (${how})`,
    trouble: database.trouble,
    ends: database.ends,
    stop: database.stop,
  };
}

/** One connection now, so that a wrong name or password is said at the start and not with the first message. */
async function greet(connection: ConnectionSettings): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  client.on('error', () => undefined);
  const where = describeConnection(connection);
  try {
    await client.connect();
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === '3D000')
      throw new DatabaseUnavailable(
        `${where} does not exist. Create it: create database "${connection.database}" encoding 'UTF8' template template0.`,
        error,
      );
    const shut = error instanceof Error && error.message.includes('pg_hba.conf');
    if (code?.startsWith('28') && !shut)
      throw new DatabaseUnavailable(`${where} does not accept this user or password. Check PENNYPOST_DATABASE_URL.`, error);
    throw new DatabaseUnavailable(
      `${where} does not answer (${error instanceof Error ? error.message || String(error) : String(error)}). Is it running?`,
      error,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Looks at the server once, before work begins.
 * @throws WrongDatabaseVersion before 15 or when the database is not UTF-8
 */
export async function checkServer(orm: MikroORM, log: { warn(text: string): void }): Promise<{ version: string }> {
  const [row] = await orm.em
    .fork()
    .execute<
      { version: string; number: number; encoding: string; fsync: string; commits: string; pages: string }[]
    >(`select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
       current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as commits, current_setting('full_page_writes') as pages`)
    .catch((error: unknown) => {
      throw asDatabaseError(error);
    });
  const server = row!;
  if (server.number < 150_000)
    throw new WrongDatabaseVersion(`The server is PostgreSQL ${server.version}; pennypost needs 15 to 18.`);
  if (server.encoding !== 'UTF8') {
    throw new WrongDatabaseVersion(
      `The database is encoded as ${server.encoding}; pennypost needs UTF8. Create it with encoding 'UTF8' template template0.`,
    );
  }
  if (server.number >= 190_000) log.warn(`The server is PostgreSQL ${server.version}; pennypost is tested with 15 to 18.`);
  const promises = [
    ['fsync', server.fsync],
    ['synchronous_commit', server.commits],
    ['full_page_writes', server.pages],
  ];
  for (const [setting, value] of promises) {
    if (value === 'off') {
      log.warn(
        `${setting} is off in this database: a crash can lose acknowledged data, so that recipients are mailed twice or an unsubscribe is lost. Turn it on.`,
      );
    }
  }
  return { version: server.version };
}
