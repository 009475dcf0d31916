/** Workers as a user starts them: the worker command, in processes of their own. */
import { eventually, type RunningProcess, startNode } from '../../support/processes.ts';
import type { BenchInstance } from './instance.ts';
import { peakRssMb, processTree } from './machine.ts';

export interface WorkerFleet {
  /** All processes of all workers. */
  pids(): number[];
  /** Peak resident memory of every process, in MB. */
  peaksMb(): number[];
  /** @throws Error with what it said when one ended badly */
  stop(): Promise<void>;
}

const WORKER = 'test/support/worker-process.ts';

/**
 * @param variables beside those of the instance
 * @param nodeOptions `--cpu-prof` and the like
 */
export async function startWorkers(
  instance: BenchInstance,
  count: number,
  variables: Readonly<Record<string, string>>,
  nodeOptions = '',
): Promise<WorkerFleet> {
  const environment = { ...instance.environment, ...variables, ...(nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions }) };
  const before = (await instance.application.status()).workers.length;
  const workers: RunningProcess[] = Array.from({ length: count }, () => startNode(WORKER, [], environment));
  const roots = workers.map((worker) => worker.child.pid ?? 0);
  await eventually('the workers to say that they live', async () => {
    const dead = workers.find((worker) => worker.child.exitCode !== null);
    if (dead !== undefined) throw new Error(`A worker ended at its start.\n${dead.errors()}`);
    return (await instance.application.status()).workers.length >= before + count;
  });
  return {
    pids: () => roots.flatMap(processTree),
    peaksMb: () => roots.flatMap(processTree).map(peakRssMb),
    async stop() {
      for (const worker of workers) worker.kill('SIGTERM');
      for (const worker of workers) {
        const end = await worker.ended;
        if (end !== 0) throw new Error(`A worker ended with ${end}.\n${worker.errors()}`);
      }
    },
  };
}
