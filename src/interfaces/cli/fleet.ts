/** How `serve` and `work` use the cores that they are given: the bulk lane in processes of its own, the other lanes here. */
import { availableParallelism } from 'node:os';
import { type Cli, whole } from './cli.ts';
import { superviseWorkers, type WorkerExit } from './supervisor.ts';
import { type Instance, type Lane, NoWayOut } from './workbench.ts';

export interface Fleet {
  /** Worker processes beside this one. */
  readonly processes: number;
  /** Drains them; this process's own work ends when its instance is closed. */
  stop(): Promise<void>;
}

const MOST_PROCESSES = 256;

/** @param wish `--processes`; default: one per core, and none without a connection of its own. @throws InvalidInput */
export async function processesFor(cli: Cli, wish: string | undefined): Promise<number> {
  if (wish !== undefined) return whole(wish, '--processes', 1, MOST_PROCESSES);
  const { maxConnections } = await cli.workbench.settings();
  return Math.min(availableParallelism(), maxConnections, MOST_PROCESSES);
}

/** Works on the lanes until stopped: with one process all of them here. @throws NoWayOut */
export async function startFleet(cli: Cli, instance: Instance, lanes: readonly Lane[], processes: number): Promise<Fleet> {
  if (processes === 1 || !lanes.includes('bulk')) {
    if (lanes.length > 0) await instance.work(lanes);
    return { processes: 0, stop: async () => undefined };
  }
  if (!instance.hasWayOut) throw new NoWayOut();
  const others = lanes.filter((lane) => lane !== 'bulk');
  if (others.length > 0) await instance.work(others);
  const supervisor = superviseWorkers({
    processes,
    spawn: () => cli.workbench.startWorker(processes),
    onExit: (exit) => ended(instance, exit),
  });
  return { processes, stop: () => supervisor.stop() };
}

async function ended({ log, release }: Instance, exit: WorkerExit): Promise<void> {
  const { slot, workerId, code, signal, expected, restartsIn } = exit;
  if (!expected)
    log.warn({ process: slot, code, signal, restartsInMs: restartsIn }, 'a worker process ended unexpectedly and is restarted');
  // One that drained has handed everything back.
  if (workerId === undefined || (expected && code === 0)) return;
  try {
    await release(workerId);
  } catch (error) {
    log.warn(
      { process: slot, reason: error },
      'its shards could not be released; other workers take them over when their leases end',
    );
  }
}
