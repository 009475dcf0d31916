/**
 * The embedded PostgreSQL 18: a complete server in the data directory, for installations without a PostgreSQL server.
 *
 * - The cluster is in `<dataDir>/pg-18`. It listens on a Unix socket only; the password is in a file with mode 0600.
 * - The first process that needs the server starts and **supervises** it. The server ends with that process, even after
 *   kill -9, because a shell waits on a pipe of the process. Other processes connect, and so **attach**, to the server.
 * - When the server ends by itself (killed, out of space), the supervising process restarts it, and gives up after two minutes
 *   of failures; see embedded-keeper.ts. Other processes wait.
 * - When the supervising process ends, the server ends too: open transactions are rolled back, and the next statement fails
 *   with `database.unavailable`. A process that `inherits` (`pennypost serve`, a host application) then starts the server
 *   within about two seconds, and all pools reconnect. Other commands fail; run again, they start a server.
 * - As root, PostgreSQL runs as the owner of the data directory or as `nobody`; see embedded-program.ts.
 * - An interrupted first start leaves no directory that the next start could mistake for a cluster.
 */
import { rename, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseEnds } from '../../application/delivery/status/status-board.ts';
import type { Log } from '../../application/log.ts';
import { cleanUp, closing } from '../../domain/shared/clean-up.ts';
import { type ConnectionSettings, withDatabase } from './connection.ts';
import {
  claimDataDirectory,
  fileFailure,
  hasCluster,
  type Layout,
  layoutOf,
  MAJOR,
  makeDirectory,
  makePassword,
  makeSocketDirectory,
  nearbyDatabase,
  readPassword,
  removeSocketDirectory,
  requireDataDirectory,
  sweep,
} from './embedded-directory.ts';
import { Keeper, type Running } from './embedded-keeper.ts';
import { NO_ENDS, readNote, removeNote, writeNote } from './embedded-note.ts';
import { clearSocket, dismiss, holds, PORT, readPostmaster } from './embedded-postmaster.ts';
import { chooseProgram, findBinaries, type Program } from './embedded-program.ts';
import { initialise, probe, type Server, type ServerOptions, startServer } from './embedded-server.ts';
import { DatabaseNotFound, DatabaseStartFailed, DatabaseUnavailable } from './errors.ts';
import { underStartLock } from './start-lock.ts';

export interface EmbeddedOptions {
  /** Created when it does not exist. Must be empty or contain a pennypost database. */
  readonly dataDir: string;
  /** False: a directory without a database is an error. Default true. */
  readonly creates?: boolean | undefined;
  /** Gets a line for slow steps, and for a server that ends by itself. */
  readonly log?: Log | undefined;
  /** False omits the fsync after `initdb`, for temporary clusters. Default true. */
  readonly sync?: boolean;
  /** Starts the server again when the process that supervises it ends. Default false. */
  readonly inherits?: boolean;
  /** Further settings of postgresql.conf, as `name=value`. They apply while this process supervises. */
  readonly settings?: readonly string[];
  /** Called once, when a server that ended could not be restarted within two minutes. */
  readonly onLost?: ((error: Error) => void) | undefined;
}

export interface EmbeddedDatabase {
  readonly connection: ConnectionSettings;
  /** The role of this process when `startEmbedded` returned. */
  readonly role: 'supervising' | 'attached';
  /** The reason why the server is unavailable, while this process restarts it. */
  trouble(): string | undefined;
  /** Number of times that the server ended by itself under the present supervising process, with the last reason. */
  ends(): Promise<DatabaseEnds>;
  /** Shuts the server down when this process supervises it, or has taken it over; otherwise does nothing. Close the pools first. */
  stop(): Promise<void>;
}

const USER = 'pennypost';
const DATABASE = 'pennypost';
/** Time to wait for a server that is starting or shutting down. */
const PATIENCE_SECONDS = 60;
/** Time to wait until a server without a supervisor has ended; a fast shutdown takes 0.02 to 0.1 s. */
const DYING_SECONDS = 3;
/** Time to wait until the supervising process has restarted a server that ended. */
const RESTART_SECONDS = 10;

const SILENT: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

type Opened = Running & { readonly connection: ConnectionSettings };

/**
 * @throws DatabaseNotFound | ForeignDirectory | WrongDatabaseVersion | NoSpace | NoEmbeddedDatabase | DirectoryUnreachable | DatabaseStartFailed;
 * DatabaseUnavailable while another process tries to start the server again
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  if (options.creates === false) await requireDataDirectory(options.dataDir);
  const layout = layoutOf(await claimDataDirectory(options.dataDir));
  const { log = SILENT, onLost = () => undefined, inherits = false } = options;
  let ends: DatabaseEnds = NO_ENDS;
  // Only at first: a cluster that disappears later, with its volume, is never replaced by an empty one.
  let creates = options.creates !== false;
  const superviseHere = (): Promise<Opened> => supervise(layout, { ...options, creates }, ends);
  const open = (): Promise<Opened> => openPatiently(layout, superviseHere);
  try {
    const first = await open();
    creates = false;
    const keeper = new Keeper({
      first,
      // The supervising process restarts the server. It attaches to another one only when it has lost that role.
      open: async () =>
        ends !== NO_ENDS && (await readNote(layout))?.pid === process.pid
          ? underStartLock(layout.lockFile, superviseHere)
          : open(),
      vacant: () => isVacant(layout, first.connection),
      inherits,
      log,
      onEnd: async (reason) => {
        ends = { count: ends.count + 1, lastAt: new Date(), lastReason: reason };
        // Other processes report this reason. Writing fails when the disk is full.
        await writeNote(layout, ends).catch(() => undefined);
      },
      onLost: (error) => {
        void removeNote(layout).finally(() => onLost(error));
      },
    });
    return {
      connection: first.connection,
      role: first.role,
      trouble: () => keeper.trouble,
      ends: async () => (await readNote(layout))?.ends ?? NO_ENDS,
      stop: () => keeper.stop(),
    };
  } catch (error) {
    throw fileFailure(layout.root, error);
  }
}

/** Attaches or supervises. While a supervising process is alive, waits until that process has restarted the server. */
async function openPatiently(layout: Layout, superviseHere: () => Promise<Opened>): Promise<Opened> {
  const since = performance.now();
  for (;;) {
    const opened =
      (await attach(layout)) ??
      (await underStartLock(
        layout.lockFile,
        async () => (await attach(layout)) ?? ((await readNote(layout)) === undefined ? superviseHere() : undefined),
      ));
    if (opened !== undefined) return opened;
    const note = await readNote(layout);
    if (note !== undefined && performance.now() - since > RESTART_SECONDS * 1000) {
      const { lastReason, lastAt } = note.ends;
      const why = lastReason === undefined ? '' : ` (${lastReason}, ${lastAt?.toISOString()})`;
      throw new DatabaseUnavailable(
        `the embedded PostgreSQL in ${layout.root} has ended${why}, and process ${note.pid}, which runs it, is starting it again. See ${layout.logFile}.`,
      );
    }
    await delay(100);
  }
}

/** Probes the server too, because a supervisor in another container is not visible here. */
async function isVacant(layout: Layout, connection: ConnectionSettings): Promise<boolean> {
  return (await readNote(layout)) === undefined && (await probe(connection)) !== 'answers';
}

/** Connects to a server that another process runs on this cluster; undefined when there is none. */
async function attach(layout: Layout): Promise<Opened | undefined> {
  const since = performance.now();
  const waited = (seconds: number): boolean => performance.now() - since > seconds * 1000;
  for (;;) {
    const running = await readPostmaster(layout);
    const password = await readPassword(layout);
    if (running === undefined || password === undefined) return undefined;
    const connection = connectionTo(layout, running.port, password);
    const answer = await probe(connection);
    // A server still answers for moments after its supervising process was killed. If it answers longer, its supervisor is in
    // another container, or nothing shuts the server down.
    const dying = (await readNote(layout)) === undefined;
    if (answer === 'answers' && (!dying || waited(DYING_SECONDS))) return { connection, role: 'attached' };
    if (answer === 'absent' && !(await holds(running, layout))) return undefined;
    if (waited(PATIENCE_SECONDS)) {
      throw new DatabaseStartFailed(
        `A PostgreSQL with process id ${running.pid} holds ${layout.cluster} and has not answered for ${PATIENCE_SECONDS} s. See ${layout.logFile}.`,
      );
    }
    await delay(50);
  }
}

/** Call it only under the start lock. @param ends of the server under this process, so far */
async function supervise(layout: Layout, options: EmbeddedOptions, ends: DatabaseEnds): Promise<Opened> {
  const bin = await findBinaries();
  const existing = await hasCluster(layout);
  if (!existing && options.creates === false) throw new DatabaseNotFound(layout.root, await nearbyDatabase(layout.root));
  const program = await chooseProgram(bin, existing ? layout.cluster : layout.root, layout.binaries);
  await sweep(layout);
  if (!existing) {
    options.log?.info({}, `Creating a new database in ${layout.root} (PostgreSQL ${MAJOR}).`);
    await create(layout, program, options.sync ?? true);
  }
  const password = await readPassword(layout);
  if (password === undefined) {
    throw new DatabaseStartFailed(
      `${layout.passwordFile} is missing, so no process can log in to the database in ${layout.cluster}. Restore it from a backup.`,
    );
  }
  await makeSocketDirectory(layout, program);
  const connection = connectionTo(layout, PORT, password);
  const before = await readPostmaster(layout);
  // An old server whose shell was killed is still ending. It would remove the postmaster.pid of a server that starts too early.
  if (before !== undefined) await dismiss(before, layout);
  await clearSocket(layout);
  await writeNote(layout, ends);
  try {
    const server = await startPatiently(program, {
      cluster: layout.cluster,
      connection,
      logFile: layout.logFile,
      stale: before?.pid,
      settings: options.settings ?? [],
    });
    const postmaster = await readPostmaster(layout);
    const stop = async (): Promise<void> => {
      const stopped = server.stop();
      if (postmaster !== undefined) await dismiss(postmaster, layout);
      await stopped;
      await removeSocketDirectory(layout);
      await removeNote(layout);
    };
    await ensureDatabase(connection).catch((error: unknown) => cleanUp(error, stop));
    return { connection, role: 'supervising', ended: server.ended, stop };
  } catch (error) {
    // After a server that has run before, this process tries again, so it stays the supervisor.
    return ends.count > 0 ? Promise.reject(error) : cleanUp(error, () => removeNote(layout));
  }
}

/** After a kill -9 of postgres its backends run for moments and use shared memory that a new server must not share. */
async function startPatiently(program: Program, options: ServerOptions): Promise<Server> {
  const deadline = performance.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    try {
      return await startServer(program, options);
    } catch (error) {
      const lingering = error instanceof DatabaseStartFailed && error.message.includes('is still in use');
      if (!lingering || performance.now() > deadline) throw error;
      await delay(100);
    }
  }
}

/** Creates the cluster under a temporary name and renames it at the end, so that an interruption leaves no cluster. */
async function create(layout: Layout, program: Program, sync: boolean): Promise<void> {
  const beside = `${layout.cluster}.new-${process.pid}`;
  await rm(layout.passwordFile, { force: true });
  await makePassword(layout, program);
  await makeDirectory(beside, program);
  try {
    await initialise(program, beside, USER, layout.passwordFile, sync);
    await rename(beside, layout.cluster);
  } catch (error) {
    await cleanUp(error, () => rm(beside, { recursive: true, force: true }));
  }
}

function connectionTo(layout: Layout, port: number, password: string): ConnectionSettings {
  return { host: layout.sockets, port, user: USER, password, database: DATABASE };
}

async function ensureDatabase(connection: ConnectionSettings): Promise<void> {
  const client = new pg.Client({ ...withDatabase(connection, 'postgres') });
  await client.connect();
  const ensure = async (): Promise<void> => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  };
  await closing(ensure, () => client.end());
}
