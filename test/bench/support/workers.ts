/** Other processes of an instance, as a user starts them: `pennypost work`, `pennypost serve`. */
import { join } from 'node:path';
import { eventually, type RunningProcess, startNode } from '../../support/processes.ts';
import type { BenchInstance } from './instance.ts';
import { peakRssMb, processTree } from './machine.ts';

export const COMMAND = join(import.meta.dirname, '../../../src/interfaces/cli/main.ts');

export interface Fleet {
  /** All its processes. */
  pids(): number[];
  /** Peak resident memory of every process, in MB. */
  peaksMb(): number[];
  /** @throws Error with what it said when it ended badly */
  stop(): Promise<void>;
}

/**
 * `pennypost work --lanes bulk --processes N`, once every worker has said that it lives.
 * @param variables beside those of the instance
 * @param nodeOptions `--cpu-prof` and the like
 */
export async function startWorkers(
  instance: BenchInstance,
  processes: number,
  variables: Readonly<Record<string, string>>,
  nodeOptions = '',
): Promise<Fleet> {
  const before = (await instance.application.status.get()).workers.length;
  const worker = startNode(COMMAND, ['work', '--lanes', 'bulk', '--processes', String(processes)], {
    ...instance.environment,
    ...variables,
    ...(nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions }),
  });
  await eventually('the workers to say that they live', async () => {
    if (worker.child.exitCode !== null) throw new Error(`The worker ended at its start.\n${worker.errors()}`);
    return (await instance.application.status.get()).workers.length >= before + processes;
  });
  return fleetOf(worker);
}

export interface ServedFleet extends Fleet {
  readonly url: string;
}

/** `pennypost serve` on a free port, working on these lanes. */
export async function startServe(
  instance: BenchInstance,
  lanes: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<ServedFleet> {
  const serving = startNode(COMMAND, ['serve', '--port', '0', '--lanes', lanes, '--processes', '1', '--json'], {
    ...instance.environment,
    ...variables,
  });
  const said = JSON.parse(await serving.line((line) => line.startsWith('{'))) as { url: string };
  return { url: said.url, ...fleetOf(serving) };
}

function fleetOf(root: RunningProcess): Fleet {
  const pids = (): number[] => processTree(root.child.pid ?? 0);
  return {
    pids,
    peaksMb: () => pids().map(peakRssMb),
    async stop() {
      root.kill('SIGTERM');
      const end = await root.ended;
      if (end !== 0) throw new Error(`A process of the instance ended with ${end}.\n${root.errors()}`);
    },
  };
}
