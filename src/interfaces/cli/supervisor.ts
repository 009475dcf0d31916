/**
 * Worker processes under one parent.
 *
 * Node uses one core per process, so the bulk lane runs in as many processes as it is given cores. Each is a whole worker with
 * shards and connections of its own; the parent only starts them, sees them end, and starts them again:
 *
 * - A child tells the id of its worker over the IPC channel. When it ends, however it ends, the parent has its shards released
 *   at once; without a parent they wait for their leases (10 seconds).
 * - A child that ends unasked is started again, after a delay that doubles as long as it keeps ending young.
 * - `stop` asks every child to drain (SIGTERM) and waits for their ends; `forward` passes on a second, impatient signal.
 * - The channel is also the child's lifeline: when the parent is gone, also by kill -9, it closes and the child drains and ends.
 */
import type { ChildProcess } from 'node:child_process';

/** One worker process that has ended. */
export interface WorkerExit {
  /** Counted from 0. */
  readonly slot: number;
  /** Undefined when the process ended before its worker had started. */
  readonly workerId: string | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was asked to. */
  readonly expected: boolean;
  /** Milliseconds until it is started again; undefined when it is not. */
  readonly restartsIn: number | undefined;
}

export interface SuperviseOptions {
  readonly processes: number;
  /** Starts the process of a slot. Its standard streams are the caller's choice; it needs an `ipc` channel. */
  readonly spawn: (slot: number) => ChildProcess;
  /** Releases what the worker held. Failures are the caller's to report: leases expire by themselves. */
  readonly onExit: (exit: WorkerExit) => void | Promise<void>;
  /** A slot's worker is at work. */
  readonly onReady?: ((ready: { readonly slot: number; readonly workerId: string; readonly pid: number }) => void) | undefined;
  /** Milliseconds before a new start: the first, the longest, and the age from which an end counts as the first again. */
  readonly backoff?: { readonly minimum: number; readonly maximum: number; readonly grownUp: number } | undefined;
}

export interface Supervisor {
  /** The process of a slot while it runs. */
  process(slot: number): { readonly pid: number; readonly workerId: string | undefined } | undefined;
  /** Passes a signal on to every child. */
  forward(signal: NodeJS.Signals): void;
  /** Starts nothing any more, asks every child to drain, and waits until all have ended and been released. */
  stop(): Promise<void>;
}

const BACKOFF = { minimum: 200, maximum: 10_000, grownUp: 30_000 };

interface Slot {
  readonly number: number;
  child: ChildProcess | undefined;
  workerId: string | undefined;
  startedAt: number;
  /** Ends in a row before having grown up. */
  early: number;
  restart: NodeJS.Timeout | undefined;
}

export function superviseWorkers(options: SuperviseOptions): Supervisor {
  const backoff = options.backoff ?? BACKOFF;
  const slots = Array.from(
    { length: options.processes },
    (_, number): Slot => ({ number, child: undefined, workerId: undefined, startedAt: 0, early: 0, restart: undefined }),
  );
  const releasing = new Set<Promise<void>>();
  let stopping = false;
  let onAllEnded: (() => void) | undefined;

  const start = (slot: Slot): void => {
    slot.restart = undefined;
    slot.workerId = undefined;
    slot.startedAt = performance.now();
    const child = options.spawn(slot.number);
    slot.child = child;
    child.on('message', (message) => {
      const workerId = workerIdOf(message);
      if (workerId === undefined) return;
      slot.workerId = workerId;
      options.onReady?.({ slot: slot.number, workerId, pid: child.pid ?? 0 });
    });
    // A process that could not be started has no exit; it gets the same treatment.
    child.once('error', () => {
      if (child.pid === undefined) ended(slot, child, null, null);
    });
    child.once('exit', (code, signal) => ended(slot, child, code, signal));
  };

  const ended = (slot: Slot, child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void => {
    if (slot.child !== child) return;
    slot.child = undefined;
    slot.early = performance.now() - slot.startedAt >= backoff.grownUp ? 0 : slot.early + 1;
    const restartsIn = stopping ? undefined : Math.min(backoff.maximum, backoff.minimum * 2 ** Math.max(0, slot.early - 1));
    if (restartsIn !== undefined) slot.restart = setTimeout(() => start(slot), restartsIn);
    const exit = { slot: slot.number, workerId: slot.workerId, code, signal, expected: stopping, restartsIn };
    const released = Promise.resolve(options.onExit(exit)).finally(() => {
      releasing.delete(released);
      if (slots.every(({ child: running }) => running === undefined) && releasing.size === 0) onAllEnded?.();
    });
    releasing.add(released);
  };

  for (const slot of slots) start(slot);
  return {
    process(number) {
      const slot = slots[number];
      return slot?.child?.pid === undefined ? undefined : { pid: slot.child.pid, workerId: slot.workerId };
    },
    forward(signal) {
      for (const { child } of slots) child?.kill(signal);
    },
    async stop() {
      stopping = true;
      for (const slot of slots) clearTimeout(slot.restart);
      if (slots.every(({ child }) => child === undefined) && releasing.size === 0) return;
      const allEnded = new Promise<void>((resolve) => {
        onAllEnded = resolve;
      });
      for (const { child } of slots) child?.kill('SIGTERM');
      await allEnded;
    },
  };
}

/** In a worker process: tells the parent whose shards these are, and hears when the parent is gone. Without a parent it does nothing. */
export function reportToSupervisor(workerId: string, parentGone: () => void): void {
  if (process.send === undefined) return;
  process.once('disconnect', parentGone);
  // Listening must not keep a worker alive that has finished.
  process.channel?.unref();
  // It may have gone while this process was starting, or go now.
  if (process.connected) process.send({ worker: workerId }, () => undefined);
  else parentGone();
}

function workerIdOf(message: unknown): string | undefined {
  return typeof message === 'object' && message !== null && 'worker' in message && typeof message.worker === 'string'
    ? message.worker
    : undefined;
}
