/** What /proc says about processes: CPU, memory, connections. Not a number where there is no /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, 100 on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Fields of /proc/PID/stat from the third on (state); the name before may hold blanks and brackets. */
function statOf(pid: number): readonly string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The process and all below it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? Number(statOf(Number(name))?.[1]) : Number.NaN;
    if (parent > 0) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** User and system time of these processes and of their children that have ended, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid);
    if (fields !== undefined) for (const field of [11, 12, 13, 14]) ticks += Number(fields[field]);
  }
  return pids.length === 0 ? Number.NaN : ticks * MICROS_PER_TICK;
}

/** Time that all processors together have spent idle since the machine started, in microseconds. */
export function idleMicros(): number {
  const [, idle, waiting] = /^cpu\s+(?:\d+\s+){3}(\d+)\s+(\d+)/m.exec(read('/proc/stat') ?? '') ?? [];
  return (Number(idle) + Number(waiting)) * MICROS_PER_TICK;
}

/** The most resident memory that the process ever had, in MB (10^6 bytes). */
export function peakRssMb(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return kibibytes === undefined ? Number.NaN : (Number(kibibytes) * 1_024) / 1e6;
}

/** Connections established to a port of 127.0.0.1, seen from their clients' side. */
export function connectionsTo(port: number): number {
  const peer = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (read('/proc/net/tcp') ?? '').split('\n');
  return lines.filter((line) => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return remote === peer && state === '01';
  }).length;
}

/** PostgreSQL's processes when it runs on this machine, told by one of its backends. */
export function serverTree(backend: number): number[] {
  if (read(`/proc/${backend}/comm`)?.trim() !== 'postgres') return [];
  const postmaster = Number(statOf(backend)?.[1]);
  return processTree(postmaster);
}

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
};

/** @param share 0.5 for the median, 0.99 for what one in a hundred exceeds */
export const percentile = (numbers: readonly number[], share: number): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
};

/** So many digits behind the point, for JSON. */
export const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));
