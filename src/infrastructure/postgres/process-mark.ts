import { readFile, readlink } from 'node:fs/promises';
import { codeOf } from './embedded-directory.ts';

/** Names this process in a file: its id and when it started, because ids are given again. */
export async function ownMark(): Promise<string> {
  return `${process.pid} ${await startOf(process.pid)}\n`;
}

/** Whether the process of the mark still runs, as far as this process can see (not into another container). */
export async function lives(mark: string): Promise<boolean> {
  const [pid, start] = mark.split('\n', 1)[0]!.trim().split(' ');
  return (await runs(Number(pid))) && (await startOf(Number(pid))) === start;
}

/** Whether a process has this id and is not a zombie, which holds nothing any more. */
export async function runs(pid: number): Promise<boolean> {
  // 0 and negative numbers name groups of processes.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs and belongs to another user.
    if (codeOf(error) !== 'EPERM') return false;
  }
  const [state] = (await statOf(pid)) ?? [];
  return state !== 'Z' && state !== 'X';
}

/** Clock ticks since boot, and the boot; `-` where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const start = (await statOf(pid))?.[19];
  if (start === undefined) return '-';
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${start}-${boot.slice(0, 8)}`;
}

/** /proc/pid/stat from field 3, the state, on. */
async function statOf(pid: number): Promise<readonly string[] | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in field 2 may hold spaces and brackets, so count from its closing bracket.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/**
 * Names a process for others that look at it later: the boot of its machine, its space of process ids (a container has its own), its id
 * and its start. Undefined where there is no /proc.
 */
export async function processName(): Promise<string | undefined> {
  const place = await ownPlace();
  return place === undefined ? undefined : `${place} ${(await ownMark()).trim()}`;
}

/**
 * Whether the process of this name has surely ended; false where that cannot be told from here.
 * @param ownsPlace nothing of another place can work on this database: an embedded one lives and dies with its machine
 */
export async function hasEnded(name: string | undefined, ownsPlace: boolean): Promise<boolean> {
  const place = await ownPlace();
  if (name === undefined || place === undefined) return false;
  if (!name.startsWith(`${place} `)) return ownsPlace;
  return !(await lives(name.slice(place.length + 1)));
}

async function ownPlace(): Promise<string | undefined> {
  try {
    const [boot, space] = await Promise.all([readFile('/proc/sys/kernel/random/boot_id', 'utf8'), readlink('/proc/self/ns/pid')]);
    return `${boot.trim()}/${space}`;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES') return undefined;
    throw error;
  }
}
