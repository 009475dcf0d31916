import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import type { EntitySchema } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { type ConnectionSettings, KEEP_ALIVE_MS } from './connection.ts';
import { faultOf } from './database-faults.ts';
import { mappings } from './mappings.ts';
import { migrations } from './migrations/index.ts';

/** `poolSize`: connections at most, default 10. `applicationName`: what `pg_stat_activity` shows, default `pennypost`. */
export interface OrmOptions {
  readonly poolSize?: number;
  readonly applicationName?: string;
  /** Default: every aggregate of every context. */
  readonly entities?: readonly EntitySchema[];
}

/**
 * Opens the mapping of every aggregate on one pool. Nothing is asked of the server until the first query, so this also
 * succeeds while the server is down. Close it with `orm.close()`.
 */
export async function openOrm(connection: ConnectionSettings, options: OrmOptions = {}): Promise<MikroORM> {
  return MikroORM.init({
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password: connection.password,
    dbName: connection.database,
    // A copy: MikroORM keeps and changes the array it is given.
    entities: [...(options.entities ?? mappings)],
    extensions: [Migrator],
    // Errors of idle connections arrive here as well; every query in flight rejects on its own.
    logger: () => undefined,
    // Two at least: migrating holds its lock on one connection and works on another.
    pool: { min: 0, max: Math.max(2, options.poolSize ?? 10) },
    driverOptions: {
      application_name: options.applicationName ?? 'pennypost',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      // Statements that are asked for without waiting leave without waiting: see bulk-session.ts.
      pipeline: true,
      // No request and no batch takes a minute; a statement that does holds locks that others need.
      statement_timeout: 60_000,
      // A process that is stopped or cut off in the middle of a transaction keeps its shard's row locked: as long as a lease, no longer.
      idle_in_transaction_session_timeout: 10_000,
      types: columnTypes(),
      onPoolCreated: (pool: pg.Pool) => {
        giveBackBroken(pool);
        dropSpoiled(pool);
      },
      ...(connection.ssl === undefined ? {} : { ssl: connection.ssl }),
    },
    migrations: {
      migrationsList: migrations.map((migration) => ({ ...migration })),
      tableName: 'pennypost_migrations.applied',
      snapshot: false,
      silent: true,
    },
  });
}

/** The pool that the ORM itself works on, for COPY and for locks that outlive a transaction. */
export async function poolOf(orm: MikroORM): Promise<pg.Pool> {
  const pool: unknown = await orm.em.getConnection().getNativeClient();
  if (!(pool instanceof pg.Pool)) throw new Error('The ORM does not work on a pg pool.');
  return pool;
}

/**
 * From now on a lent connection without data for this time is broken, and its user gets `database.unavailable`: a
 * firewall has forgotten it, or the server hangs. Without this a worker would wait a quarter of an hour for TCP to give up.
 */
export async function breakSilence(orm: MikroORM, milliseconds: number): Promise<void> {
  const pool = await poolOf(orm);
  pool.on('acquire', (client) => watch(client, milliseconds));
  pool.on('release', (_error, client) => watch(client, 0));
}

/** @param milliseconds 0: however long it takes */
export function watch(client: pg.PoolClient, milliseconds: number): void {
  const stream: unknown = Reflect.get(Reflect.get(client, 'connection') as object, 'stream');
  if (stream instanceof Socket) stream.setTimeout(milliseconds, silent);
}

function silent(this: Socket): void {
  this.destroy(new Error('Connection terminated: the server has not answered for too long'));
}

/**
 * Returns a lent connection to the pool when it breaks. Its holder may not: kysely 0.29 keeps it forever
 * when `begin` or `rollback` fails, and after ten of those, one restart of the server, the pool would be empty for good.
 */
function giveBackBroken(pool: pg.Pool): void {
  const lent = new WeakSet<pg.PoolClient>();
  pool.on('acquire', (client) => lent.add(client));
  pool.on('release', (_error, client) => lent.delete(client));
  pool.on('connect', (client) => {
    client.once('end', () => {
      // Later, so that a holder whose statement just failed can return it by itself.
      setImmediate(() => {
        if (!lent.has(client)) return;
        client.release(true);
        client.release = () => undefined;
      });
    });
  });
}

/**
 * Closes a session that can do nothing more when it is given back: one of a server that has become read-only would otherwise stay in
 * the pool after the fail-over, for every write that meets it.
 */
function dropSpoiled(pool: pg.Pool): void {
  const spoiled = new WeakSet<pg.PoolClient>();
  pool.on('connect', (client) => {
    const connection: unknown = Reflect.get(client, 'connection');
    if (!(connection instanceof EventEmitter)) return;
    connection.on('errorMessage', (error: Error) => {
      if (faultOf(error)?.spoilsSession === true) spoiled.add(client);
    });
  });
  pool.on('release', (_error, client) => {
    // The pool keeps no client that is ending.
    if (spoiled.has(client) && client instanceof pg.Client) client.end(() => undefined);
  });
}

/**
 * What SQL gives back: `timestamptz` as Date, `date` as the text `2026-11-22` (pg would make it local midnight, which is
 * another day elsewhere), `int8` and `numeric` as text, `json` parsed.
 */
function columnTypes(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.DATE, (text: string) => text);
  return types;
}
