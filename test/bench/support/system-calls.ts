/** System calls of processes, counted by strace where it is installed and may attach. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

export interface SystemCalls {
  readonly total: number;
  /** By name, the most frequent first. */
  readonly byName: readonly (readonly [string, number])[];
}

/**
 * Counts what these processes and their threads call while `work` runs. It slows them down: not to be measured in the same round.
 * @param file where strace writes its summary
 * @returns undefined where there is no strace, or where it may not attach
 */
export async function countSystemCalls(
  pids: readonly number[],
  file: string,
  work: () => Promise<unknown>,
): Promise<SystemCalls | undefined> {
  if (spawnSync('strace', ['-V']).status !== 0) return undefined;
  const tracer = spawn('strace', ['-c', '-f', '-o', file, ...pids.flatMap((pid) => ['-p', String(pid)])], { stdio: 'ignore' });
  const ended = once(tracer, 'exit');
  await work();
  tracer.kill('SIGINT');
  await ended;
  const summary = await readFile(file, 'utf8').catch(() => '');
  return summary.includes('syscall') ? parseSummary(summary) : undefined;
}

/** Lines such as `45.30    1.234567          12    100000       523 write`; the column of errors may be empty. */
function parseSummary(summary: string): SystemCalls {
  const byName = summary.split('\n').flatMap((line): (readonly [string, number])[] => {
    const [, calls, name] = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/.exec(line) ?? [];
    return name === undefined || name === 'total' ? [] : [[name, Number(calls)]];
  });
  return { total: byName.reduce((sum, [, calls]) => sum + calls, 0), byName: byName.toSorted((a, b) => b[1] - a[1]) };
}
