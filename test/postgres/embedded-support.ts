import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { expect, vi } from 'vitest';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('embedded-process.ts', import.meta.url));

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Somebody who is not root: a user id without a name when we are root, else we ourselves. */
export function ordinaryUser(): User | undefined {
  return process.getuid?.() === 0 ? { uid: 47_110, gid: 47_110 } : undefined;
}

/** A directory that nothing is in yet, with everything made for it removed at the end. */
export class Workplace {
  private readonly children: ChildProcess[] = [];
  private readonly directories: string[] = [];

  async directory(owner?: User): Promise<string> {
    const made = await realpath(await mkdtemp(join(tmpdir(), 'pennypost-embedded-')));
    this.directories.push(made);
    await chmod(made, 0o711);
    if (owner !== undefined) await chown(made, owner.uid, owner.gid);
    return made;
  }

  /** A directory with a stopped cluster in it, copied from `original` with its owners. */
  async copyOf(original: string): Promise<string> {
    const made = await this.directory();
    await run('cp', ['-a', `${original}/.`, made]);
    return made;
  }

  /** Another process that starts or attaches. */
  spawn(dataDir: string, user?: User): EmbeddedProcess {
    const child = spawn(process.execPath, [script, dataDir], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/', ...user });
    this.children.push(child);
    return new EmbeddedProcess(child);
  }

  async clear(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    for (const directory of this.directories) {
      await until(async () => (await postgresIn(directory)).length === 0);
      await rm(directory, { recursive: true, force: true });
    }
  }
}

/** What such a process says. */
export class EmbeddedProcess {
  readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line that has the field; lines before it are passed over. */
  async next(...fields: string[]): Promise<Record<string, unknown>> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) throw new Error(`The process ended without saying ${fields.join(' or ')}.`);
      const line = JSON.parse(value) as Record<string, unknown>;
      if (fields.some((field) => field in line)) return line;
    }
  }

  outcome(): Promise<Record<string, unknown>> {
    return this.next('role', 'code');
  }

  /** SIGKILL, and until the process is really gone: a signal takes its moment, and until then it supervises. */
  async kill(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    this.child.stdin!.end();
    await this.next('stopped');
  }
}

/** Process ids of every postgres that works in the directory. */
export async function postgresIn(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (/(postgres|initdb)\0/.test(command) && command.includes(directory)) found.push(Number(pid));
  }
  return found;
}

/** On a connection of its own. */
export async function ask<Row extends pg.QueryResultRow>(connection: ConnectionSettings, text: string): Promise<Row[]> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Of the error that the work ends with. */
export async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );
}

/** Asks again until it is so. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 60_000, interval: 20 });
}

/** The processes of one embedded server. */
export interface Parts {
  readonly postmaster: number;
  /** The shell that waits for postgres. */
  readonly shell: number;
  /** Its child that waits for the end of the process that holds the server. */
  readonly watchers: readonly number[];
}

export async function partsOf(directory: string): Promise<Parts> {
  const postmaster = Number((await readFile(join(directory, 'pg-18', 'postmaster.pid'), 'utf8')).split('\n')[0]);
  const shell = await parentOf(postmaster);
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const children: number[] = [];
  for (const pid of processes) if (pid !== postmaster && (await parentOf(pid).catch(() => 0)) === shell) children.push(pid);
  return { postmaster, shell, watchers: children };
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
