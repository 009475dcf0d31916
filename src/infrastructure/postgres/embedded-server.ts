import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chown, lstat, open, rename, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type ConnectionSettings, withDatabase } from './connection.ts';
import { codeOf } from './database-faults.ts';
import { ENVIRONMENT, type Program } from './embedded-program.ts';
import { DatabaseStartFailed, NoSpace } from './errors.ts';

/** A running postmaster that lives exactly as long as this process, or until `stop`. */
export interface Server {
  /** Resolves when its supervising shell is gone, and normally postgres with it, with the reason as far as it is known. */
  readonly ended: Promise<string>;
  /** Asks for a fast shutdown (open transactions are rolled back) and waits for its end. */
  stop(): Promise<void>;
}

/**
 * The supervisor. The shell's fd 0 is a pipe that this process holds. When this process ends, also by kill -9, `cat` ends
 * and postgres is asked to shut down. When postgres ends by itself, the shell ends with its status. Signals that a
 * terminal or an init sends to all processes are ignored here, because they would kill the shell and leave an orphan.
 */
const SUPERVISE = `trap '' HUP INT TERM
exec 3<&0
"$@" </dev/null 3<&- & server=$!
( cat <&3 >/dev/null; kill -INT "$server" ) & watch=$!
exec 3<&-
wait "$server"; status=$?
kill -KILL "$watch" 2>/dev/null
exit "$status"`;

/** Rotated at start, so that it cannot fill the disk over the years. */
const LOG_LIMIT = 10_000_000;
const START_SECONDS = 60;
/** How often the socket is looked for. */
const LOOK_MS = 1_000;

/**
 * Runs `initdb` into an existing empty directory.
 * @param sync false skips the fsync of every file, for throw-away clusters
 * @throws NoSpace | DatabaseStartFailed
 */
export async function initialise(
  program: Program,
  cluster: string,
  user: string,
  passwordFile: string,
  sync: boolean,
): Promise<void> {
  const [command, ...words] = [
    ...program.prefix,
    join(program.bin, 'initdb'),
    ...['-D', cluster, '-U', user, '--pwfile', passwordFile, '--auth=scram-sha-256', '-E', 'UTF8', '--data-checksums'],
    // Sorting that no operating system upgrade can change under the indexes.
    ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    ...(sync ? [] : ['--no-sync']),
  ];
  await new Promise<void>((resolve, reject) => {
    execFile(command!, words, { cwd: cluster, env: ENVIRONMENT, ...program.owner }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else failure(cluster, lastWords(stderr || stdout || error.message)).then(reject, reject);
    });
  });
}

export interface ServerOptions {
  readonly cluster: string;
  readonly connection: ConnectionSettings;
  readonly logFile: string;
  /** The process id in a postmaster.pid whose server is known to have ended. */
  readonly stale: number | undefined;
  /** More of postgresql.conf, as `name=value`. */
  readonly settings: readonly string[];
}

/**
 * Starts postgres under supervision and waits until it answers a real query.
 * @throws NoSpace | DatabaseStartFailed with the last words of the log
 */
export async function startServer(
  program: Program,
  { cluster, connection, logFile, stale, settings }: ServerOptions,
): Promise<Server> {
  await rotate(logFile);
  const start = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  const log = await open(logFile, 'a', 0o600);
  if (program.owner !== undefined) await chown(logFile, program.owner.uid, program.owner.gid);
  const options = [
    'listen_addresses=',
    `unix_socket_directories=${connection.host}`,
    'max_connections=60',
    'shared_buffers=256MB',
    'timezone=UTC',
    'log_timezone=UTC',
    ...settings,
  ].flatMap((setting) => ['-c', setting]);
  const words = [
    '-c',
    SUPERVISE,
    'pennypost-postgres',
    ...program.prefix,
    join(program.bin, 'postgres'),
    '-D',
    cluster,
    '-p',
    String(connection.port),
    ...options,
  ];
  // postgres takes a living process with the id in postmaster.pid for its predecessor, unless that is its own ancestor. Told so
  // of an id that another process has by now, it still checks whether the predecessor's shared memory is in use.
  const env = { ...ENVIRONMENT, ...(stale === undefined ? {} : { PG_GRANDPARENT_PID: String(stale) }) };
  // Detached: a Ctrl-C in the terminal must not reach postgres before this process has drained.
  const shell = spawn('/bin/sh', words, {
    cwd: cluster,
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
    env,
    ...program.owner,
  });
  await log.close();
  const ended = endOf(shell);
  // After the end of the shell there is no reader; the end itself is the signal.
  shell.stdin?.on('error', () => undefined);
  const stop = async (): Promise<void> => {
    shell.ref();
    shell.stdin?.end();
    await ended;
  };

  let deadline = performance.now() + START_SECONDS * 1000;
  for (;;) {
    const answer = await Promise.race([ended, probe(withDatabase(connection, 'postgres'))]);
    if (answer === 'answers') break;
    // Recovery after a crash takes as long as there is log to replay.
    if (answer === 'busy') deadline = performance.now() + START_SECONDS * 1000;
    else if (answer !== 'absent' || performance.now() > deadline) {
      await stop();
      throw await failure(cluster, lastWords(await tail(logFile, start)));
    }
    // Each question is a line in the log of a server that recovers.
    await delay(answer === 'busy' ? 100 : 20);
  }
  // postgres must not keep this process alive: who is done closes its pools, calls stop or just ends.
  shell.unref();
  let socketGone = false;
  const watch = watchSocket(connection, () => {
    socketGone = true;
    void stop();
  });
  const ending = ended.then((how) => {
    clearInterval(watch);
    return reasonOf(socketGone ? 'its socket was removed' : how, cluster, logFile, start);
  });
  return { stop, ended: ending };
}

/**
 * A server without its socket keeps running but accepts no new connections, for instance once a cleaner of temporary files has been there
 * (a socket that a long path does not fit stands in /tmp). Looks twice, because a server that ends takes its socket along.
 */
function watchSocket({ host, port }: ConnectionSettings, onGone: () => void): NodeJS.Timeout {
  let missed = 0;
  const look = async (): Promise<void> => {
    const there = await lstat(join(host, `.s.PGSQL.${port}`)).then(
      () => true,
      (error: Error) => codeOf(error) !== 'ENOENT',
    );
    missed = there ? 0 : missed + 1;
    if (missed === 2) onGone();
  };
  return setInterval(() => void look(), LOOK_MS).unref();
}

/** Names no path: it is told to clients of the API. */
async function reasonOf(how: string, cluster: string, logFile: string, start: number): Promise<string> {
  const words = await tail(logFile, start).catch(() => '');
  return (await isFull(cluster, words)) ? 'no space is left on its disk' : how;
}

/** What a try to connect says: it `answers`, it is not there (`absent`), or it exists and refuses for now (`busy`). */
export type Answer = 'answers' | 'absent' | 'busy';

/** Decides by a real connection; a pid that exists says nothing. */
export async function probe(connection: ConnectionSettings): Promise<Answer> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return 'answers';
  } catch (error) {
    if (error instanceof pg.DatabaseError) {
      // 57P03 starting up or shutting down, 57P01 shut down during the query, 53300 too many connections, 3D000 not made yet.
      if (['57P03', '57P01', '53300', '3D000'].includes(error.code ?? '')) return 'busy';
      throw new DatabaseStartFailed(`The embedded PostgreSQL refuses the connection: ${error.message}.`);
    }
    return 'absent';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The shell ends with the status of postgres; of one that was killed that is 128 and the number of the signal. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      child.stdin?.destroy();
      if (signal !== null) resolve(`its supervising shell was ended by ${signal}`);
      else resolve(code === 137 ? 'it was killed (SIGKILL)' : `it ended with status ${code}`);
    });
    child.once('error', (error) => resolve(error.message));
  });
}

/** @param words what initdb or the log said last; nothing when not even that could be written */
async function failure(cluster: string, words: string): Promise<NoSpace | DatabaseStartFailed> {
  const root = dirname(cluster);
  if (await isFull(cluster, words)) return new NoSpace(root);
  return new DatabaseStartFailed(
    `The embedded PostgreSQL in ${root} did not start: ${words || `no answer within ${START_SECONDS} s`}`,
  );
}

async function isFull(cluster: string, words: string): Promise<boolean> {
  // A write that only just fits in part is reported as a short one.
  if (/No space left on device|disk quota exceeded|wrote only \d+ of \d+ bytes/i.test(words)) return true;
  const disk = await statfs(dirname(cluster));
  return disk.bavail * disk.bsize < 1_000_000;
}

/** The lines that name a failure, without time stamps, on one line. */
function lastWords(text: string): string {
  const lines = text.trim().split('\n');
  const telling = lines.filter((line) => /(FATAL|PANIC|ERROR|error|could not|cannot|No space)/.test(line));
  return (telling.length > 0 ? telling : lines)
    .slice(-3)
    .map((line) => line.replace(/^[\d-]+ [\d:.]+ \w+ \[\d+\] /, '').trim())
    .join(' ');
}

async function tail(path: string, from: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const begin = Math.max(from, size - 8000);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(Math.max(size - begin, 0)), position: begin });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function rotate(path: string): Promise<void> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > LOG_LIMIT) await rename(path, `${path}.1`);
}
