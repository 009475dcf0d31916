/**
 * The embedded PostgreSQL 18: a whole server of our own in the data directory, for everybody who has none.
 *
 * - One cluster in `<dataDir>/pg-18`, reached by a Unix socket only, with a password in a file of 0600.
 * - The first process to need it starts it and **supervises** it: it lives exactly as long as that process, also through
 *   kill -9 (a shell waits on a pipe that the process holds). Every other process **attaches** to it, which is decided by a
 *   real connection. Two that start at once: one goes first, the other attaches.
 * - When the supervising process ends, the connections of attached ones end with it: what they had not committed is rolled
 *   back, and their next statement fails with `database.unavailable`. Whoever `inherits` (`pennypost serve`, a host
 *   application) then starts the server again in the same place, within a second or two, and everybody's pools reconnect.
 *   Other commands do not; run again, one finds no server and supervises its own.
 * - As root, PostgreSQL runs as the owner of the data directory or as `nobody`; see embedded-program.ts.
 * - A first start that is interrupted leaves nothing behind that the next one could mistake for a cluster.
 */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type ConnectionSettings, withDatabase } from './connection.ts';
import {
  claimDataDirectory,
  codeOf,
  fileFailure,
  hasCluster,
  type Layout,
  layoutOf,
  MAJOR,
  makeDirectory,
  makePassword,
  makeSocketDirectory,
  readIfThere,
  readPassword,
  removeSocketDirectory,
  sweep,
  writeSecret,
} from './embedded-directory.ts';
import { Heir } from './embedded-heir.ts';
import { chooseProgram, findBinaries, type Program } from './embedded-program.ts';
import { initialise, probe, type Server, type ServerOptions, startServer } from './embedded-server.ts';
import { DatabaseStartFailed } from './errors.ts';
import { lives, ownMark } from './process-mark.ts';
import { underStartLock } from './start-lock.ts';

export interface EmbeddedOptions {
  /** Made when it does not exist; must be empty or one of ours. */
  readonly dataDir: string;
  /** Hears what takes long, one line each. */
  readonly log?: (line: string) => void;
  /** False leaves out the fsync after `initdb`, for throw-away clusters. Default true. */
  readonly sync?: boolean;
  /** Runs the server on when the process that runs it ends. Default false. */
  readonly inherits?: boolean;
  /** More of postgresql.conf, as `name=value`; they hold while this process supervises. */
  readonly settings?: readonly string[];
}

export interface EmbeddedDatabase {
  readonly connection: ConnectionSettings;
  readonly role: 'supervising' | 'attached';
  /** Shuts the server down when this process supervises it, or has come to; else does nothing. Close the pools first. */
  stop(): Promise<void>;
}

const USER = 'pennypost';
const DATABASE = 'pennypost';
/** Only the name of the socket file: the server listens on no network port. */
const PORT = 5432;
/** How long a server that is starting or shutting down is waited for. */
const PATIENCE_SECONDS = 60;
/** How long a server without a supervisor is given to go; a fast shutdown takes 0.02 to 0.1 s. */
const DYING_SECONDS = 3;

/**
 * @throws ForeignDirectory | WrongDatabaseVersion | NoSpace | NoEmbeddedDatabase | DirectoryUnreachable | DatabaseStartFailed
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const layout = layoutOf(await claimDataDirectory(options.dataDir));
  const open = async (): Promise<EmbeddedDatabase> =>
    (await attach(layout)) ??
    (await underStartLock(layout.lockFile, async () => (await attach(layout)) ?? (await supervise(layout, options))));
  try {
    const database = await open();
    if (database.role === 'supervising' || options.inherits !== true) return database;
    const vacant = () => isVacant(layout, database.connection);
    const heir = new Heir({ vacant, open, log: options.log ?? (() => undefined) });
    return { ...database, stop: () => heir.stop() };
  } catch (error) {
    throw fileFailure(layout.root, error);
  }
}

/** The second question is for a supervisor in another container, whom nobody sees from here. */
async function isVacant(layout: Layout, connection: ConnectionSettings): Promise<boolean> {
  const supervisor = await readIfThere(layout.supervisorFile);
  if (supervisor !== undefined && (await lives(supervisor))) return false;
  return (await probe(connection)) !== 'answers';
}

/** Connects to a server that somebody else runs on this cluster; undefined when there is none. */
async function attach(layout: Layout): Promise<EmbeddedDatabase | undefined> {
  const since = performance.now();
  const waited = (seconds: number): boolean => performance.now() - since > seconds * 1000;
  for (;;) {
    const running = await readPostmaster(layout);
    const password = await readPassword(layout);
    if (running === undefined || password === undefined) return undefined;
    const connection = connectionTo(layout, running.port, password);
    const answer = await probe(connection);
    // A server answers for some moments after its supervising process was killed: not worth attaching to. When it still does
    // later, its supervisor is out of our sight (in another container) or nobody shuts it down any more.
    const supervisor = await readIfThere(layout.supervisorFile);
    const dying = supervisor === undefined || !(await lives(supervisor));
    if (answer === 'answers' && (!dying || waited(DYING_SECONDS))) {
      return { connection, role: 'attached', stop: async () => undefined };
    }
    if (answer === 'absent' && !(await holds(running, layout))) return undefined;
    if (waited(PATIENCE_SECONDS)) {
      throw new DatabaseStartFailed(
        `A PostgreSQL with process id ${running.pid} holds ${layout.cluster} and has not answered for ${PATIENCE_SECONDS} s. See ${layout.logFile}.`,
      );
    }
    await delay(50);
  }
}

async function supervise(layout: Layout, options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const bin = await findBinaries();
  const existing = await hasCluster(layout);
  const program = await chooseProgram(bin, existing ? layout.cluster : layout.root, layout.binaries);
  await sweep(layout);
  if (!existing) {
    options.log?.(`Making a new database in ${layout.root} (PostgreSQL ${MAJOR}).`);
    await create(layout, program, options.sync ?? true);
  }
  const password = await readPassword(layout);
  if (password === undefined) {
    throw new DatabaseStartFailed(
      `${layout.passwordFile} is missing, so nobody can log in to the database in ${layout.cluster}. Bring it back from a backup.`,
    );
  }
  await makeSocketDirectory(layout, program);
  const connection = connectionTo(layout, PORT, password);
  const stale = (await readPostmaster(layout))?.pid;
  await writeSecret(layout.supervisorFile, await ownMark(), program);
  const server = await startPatiently(program, {
    cluster: layout.cluster,
    connection,
    logFile: layout.logFile,
    stale,
    settings: options.settings ?? [],
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    stopping = true;
    await server.stop();
    await removeSocketDirectory(layout);
  };
  void server.ended.then(() => {
    if (!stopping) options.log?.(`The embedded PostgreSQL ended by itself; see ${layout.logFile}.`);
  });
  try {
    await ensureDatabase(connection);
  } catch (error) {
    await stop();
    throw error;
  }
  return { connection, role: 'supervising', stop };
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
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
}

function connectionTo(layout: Layout, port: number, password: string): ConnectionSettings {
  return { host: layout.sockets, port, user: USER, password, database: DATABASE };
}

async function ensureDatabase(connection: ConnectionSettings): Promise<void> {
  const client = new pg.Client({ ...withDatabase(connection, 'postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

interface Postmaster {
  readonly pid: number;
  readonly cluster: string;
  readonly port: number;
}

/** What postmaster.pid says: line 1 the process, line 2 the cluster, line 4 the port. It may be a dead server's. */
async function readPostmaster(layout: Layout): Promise<Postmaster | undefined> {
  const text = await readIfThere(join(layout.cluster, 'postmaster.pid'));
  if (text === undefined) return undefined;
  const [pid, cluster, , port] = text.split('\n');
  return { pid: Number(pid), cluster: cluster?.trim() ?? '', port: Number(port) || PORT };
}

/**
 * Whether the process of that file may still have our cluster open. A pid is believed only when it is a postgres, because
 * containers give the same small pids again, and only when the file was not copied along with the directory.
 */
async function holds(postmaster: Postmaster, layout: Layout): Promise<boolean> {
  if (postmaster.cluster !== layout.cluster) return false;
  try {
    process.kill(postmaster.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (codeOf(error) !== 'EPERM') return false;
  }
  if (process.platform !== 'linux') return true;
  return (await readIfThere(`/proc/${postmaster.pid}/comm`))?.trim() === 'postgres';
}
