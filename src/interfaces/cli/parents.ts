/**
 * npm and npx pass no signal on to the command that they run: when they are ended, the command goes on under process 1, holding its
 * port and its database. So a command that was started by them looks whether they are still there.
 */
import { readFileSync } from 'node:fs';

const LOOK_MS = 1_000;
const SHELLS = new Set(['sh', 'dash', 'bash', 'ash', 'busybox', 'zsh', 'ksh']);
const MOST_LINKS = 6;

interface Link {
  readonly pid: number;
  readonly parent: number;
}

/** @param gone called once, when a process between this one and npm, or npm itself, has ended */
export function watchParents(starter: { readonly npm: boolean; readonly launcher: number | undefined }, gone: () => void): void {
  const links = linksTo(starter);
  if (links.length === 0) return;
  const timer = setInterval(() => {
    if (links.every(({ pid, parent }) => parentOf(pid) === parent)) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
}

/** From this process up to npm: bin/pennypost.js under an old Node, and the shell in which npm runs a command, stand between. */
function linksTo({ npm, launcher }: { npm: boolean; launcher: number | undefined }): readonly Link[] {
  const links: Link[] = [];
  for (let pid = process.pid; links.length < MOST_LINKS; ) {
    const parent = parentOf(pid);
    if (parent === undefined || !(npm || parent === launcher)) break;
    links.push({ pid, parent });
    if (parent !== launcher && !SHELLS.has(nameOf(parent))) break;
    pid = parent;
  }
  return links;
}

/** Of another process only where there is a /proc. */
function parentOf(pid: number): number | undefined {
  if (pid === process.pid) return process.ppid;
  const [, parent] = statOf(pid)?.after.split(' ') ?? [];
  return parent === undefined ? undefined : Number(parent);
}

const nameOf = (pid: number): string => statOf(pid)?.name ?? '';

/** Field 2 of /proc/pid/stat, the name in brackets, and what follows. */
function statOf(pid: number): { readonly name: string; readonly after: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    return { name: text.slice(text.indexOf('(') + 1, end), after: text.slice(end + 2) };
  } catch {
    // Ended, or there is no /proc.
    return undefined;
  }
}
