/**
 * The embedded PostgreSQL 18: a complete server in the data directory, for installations without a server.
 *
 * - One cluster in `<dataDir>/pg-18`, reached by a Unix socket only, with a password in a file of 0600.
 * - The first process to need it starts it and **supervises** it: it lives exactly as long as that process, also through
 *   kill -9 (a shell waits on a pipe that the process holds). Every other process **attaches** to it, which is decided by a
 *   real connection. Two that start at once: one goes first, the other attaches.
 * - When the server ends by itself (killed, out of space) the supervising process starts it again in the same place, and gives
 *   up after two minutes of failing; see embedded-keeper.ts. Other processes leave it to that one.
 * - When the supervising process ends, the connections of attached ones end with it: what they had not committed is rolled
 *   back, and their next statement fails with `database.unavailable`. A process that `inherits` (`pennypost serve`, a host
 *   application) then starts the server again in the same place, within a second or two, and all pools reconnect.
 *   Other commands do not; run again, one finds no server and supervises its own.
 * - As root, PostgreSQL runs as the owner of the data directory or as `nobody`; see embedded-program.ts.
 * - A first start that is interrupted leaves nothing behind that the next one could mistake for a cluster.
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
  /** Made when it does not exist; must be empty or one of ours. */
  readonly dataDir: string;
  /** False: a directory without a database is an error. Default true. */
  readonly creates?: boolean | undefined;
  /** Hears what takes long, and of a server that ends by itself. */
  readonly log?: Log | undefined;
  /** False leaves out the fsync after `initdb`, for throw-away clusters. Default true. */
  readonly sync?: boolean;
  /** Runs the server on when the process that runs it ends. Default false. */
  readonly inherits?: boolean;
  /** More of postgresql.conf, as `name=value`; they hold while this process supervises. */
  readonly settings?: readonly string[];
  /** Told once, when a server that ended could not be started again for two minutes. */
  readonly onLost?: ((error: Error) => void) | undefined;
}

export interface EmbeddedDatabase {
  readonly connection: ConnectionSettings;
  /** At the start. */
  readonly role: 'supervising' | 'attached';
  /** Why the server is away, while this process starts it again. */
  trouble(): string | undefined;
  /** How often the server ended by itself under the process that supervises it now. */
  ends(): Promise<DatabaseEnds>;
  /** Shuts the server down when this process supervises it, or has taken it over; otherwise does nothing. Close the pools first. */
  stop(): Promise<void>;
}

const USER = 'pennypost';
const DATABASE = 'pennypost';
/** How long a server that is starting or shutting down is waited for. */
const PATIENCE_SECONDS = 60;
/** How long a server without a supervisor is given to go; a fast shutdown takes 0.02 to 0.1 s. */
const DYING_SECONDS = 3;
/** How long the process that supervises a server that has ended is given to start it again. */
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
  // Only at first: a cluster that is gone later, with its volume, is never replaced by an empty one.
  let creates = options.creates !== false;
  const superviseHere = (): Promise<Opened> => supervise(layout, { ...options, creates }, ends);
  const open = (): Promise<Opened> => openPatiently(layout, superviseHere);
  try {
    const first = await open();
    creates = false;
    const keeper = new Keeper({
      first,
      // The process that runs the server restarts it, and looks for another one only when it has lost that role.
      open: async () =>
        ends !== NO_ENDS && (await readNote(layout))?.pid === process.pid
          ? underStartLock(layout.lockFile, superviseHere)
          : open(),
      vacant: () => isVacant(layout, first.connection),
      inherits,
      log,
      onEnd: async (reason) => {
        ends = { count: ends.count + 1, lastAt: new Date(), lastReason: reason };
        // So that other processes can say why; a full disk takes no note.
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

/** Attaches or supervises. A server whose supervising process lives is left to that one, which is starting it again. */
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

/** The second question is for a supervisor in another container, which cannot be seen from here. */
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
    // A server answers for some moments after its supervising process was killed: not worth attaching to. When it still does
    // later, its supervisor is out of our sight (in another container) or nothing shuts it down any more.
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

/** Only under the start lock. @param ends under this process, so far */
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
  // A server of ours whose shell was killed takes its time to end. It removes the next one's postmaster.pid if that starts too early.
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
    // A server that has run before is tried again by this process, which therefore stays its supervisor.
    return ends.count > 0 ? Promise.reject(error) : cleanUp(error, () => removeNote(layout));
  }
}

/** After a kill -9 of postgres its backends live on for moments, and hold the shared memory that a new one must not share. */
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

/** A cluster is made under another name and gets its own at the end: whatever interrupts this leaves no cluster. */
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
