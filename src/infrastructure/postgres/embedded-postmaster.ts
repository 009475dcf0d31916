import { readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, type Layout, readIfThere } from './embedded-directory.ts';
import { runs } from './process-mark.ts';

/** Only the name of the socket file: the server listens on no network port. */
export const PORT = 5432;

/** The main process of a PostgreSQL, as its postmaster.pid names it. It may have ended. */
export interface Postmaster {
  readonly pid: number;
  readonly cluster: string;
  readonly port: number;
}

/** What postmaster.pid says: line 1 the process, line 2 the cluster, line 4 the port. */
export async function readPostmaster(layout: Layout): Promise<Postmaster | undefined> {
  const text = await readIfThere(join(layout.cluster, 'postmaster.pid'));
  if (text === undefined) return undefined;
  const [pid, cluster, , port] = text.split('\n');
  return { pid: Number(pid), cluster: cluster?.trim() ?? '', port: Number(port) || PORT };
}

/**
 * Whether the process of that file may still have this cluster open. A pid is believed only when it is a postgres that works in
 * this cluster, because pids are reused, and only when the file was not copied along with the directory.
 */
export async function holds(postmaster: Postmaster, layout: Layout): Promise<boolean> {
  if (postmaster.cluster !== layout.cluster || !(await runs(postmaster.pid))) return false;
  if (process.platform !== 'linux') return true;
  const name = await readFile(`/proc/${postmaster.pid}/comm`, 'utf8').catch(() => '');
  if (name.trim() !== 'postgres') return false;
  // The server works in its data directory. Another user's is not shown.
  const place = await readlink(`/proc/${postmaster.pid}/cwd`).catch(() => undefined);
  return place === undefined || place === layout.cluster;
}

/** Milliseconds after which a server that should end is asked more firmly: fast, immediate (recovers at its next start), by force. */
const STEPS: readonly (readonly [number, NodeJS.Signals])[] = [
  [1_000, 'SIGINT'],
  [20_000, 'SIGQUIT'],
  [30_000, 'SIGKILL'],
];

/** Waits until a server that this process started has closed the cluster, and ends the server when its supervising shell does not. */
export async function dismiss(postmaster: Postmaster, layout: Layout): Promise<void> {
  const since = performance.now();
  const steps = [...STEPS];
  while (await holds(postmaster, layout)) {
    const [next] = steps;
    if (next !== undefined && performance.now() - since >= next[0]) {
      steps.shift();
      try {
        process.kill(postmaster.pid, next[1]);
      } catch (error) {
        if (codeOf(error) !== 'ESRCH') throw error;
      }
    }
    await delay(20);
  }
}

/** Removes a socket and its lock that a killed server left: postgres would believe a lock whose pid another process has by now. */
export async function clearSocket(layout: Layout): Promise<void> {
  for (const name of [`.s.PGSQL.${PORT}.lock`, `.s.PGSQL.${PORT}`])
    await rm(join(layout.sockets, name), { recursive: true, force: true });
}
