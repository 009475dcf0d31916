import { readFile } from 'node:fs/promises';
import { codeOf } from './embedded-directory.ts';

/** Names this process in a file: its id and when it started, because ids are given again. */
export async function ownMark(): Promise<string> {
  return `${process.pid} ${await startOf(process.pid)}\n`;
}

/** Whether the process of the mark still runs, as far as this process can see (not into another container). */
export async function lives(mark: string): Promise<boolean> {
  const [pid, start] = mark.trim().split(' ');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (codeOf(error) !== 'EPERM') return false;
  }
  return (await startOf(Number(pid))) === start;
}

/** In clock ticks since boot (field 22 of /proc/pid/stat); `-` where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in field 2 may hold spaces and brackets, so count from its closing bracket.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return '-';
    throw error;
  }
}
