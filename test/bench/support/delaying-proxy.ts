/** Distance: a process of its own between the worker and the sink that passes every byte on later. */
import { join } from 'node:path';
import { startNode } from '../../support/processes.ts';
import type { Sink } from './smtp.ts';

const SCRIPT = join(import.meta.dirname, 'delaying-proxy-process.ts');

/** @param roundTrip milliseconds, half of them each way @returns the sink as it is seen from afar; closing it closes both */
export async function fromAfar(sink: Sink, roundTrip: number): Promise<Sink> {
  const proxy = startNode(SCRIPT, [String(sink.port), String(roundTrip / 2)]);
  const { port } = JSON.parse(await proxy.line((line) => line.startsWith('{'))) as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    port,
    pid: sink.pid,
    async close() {
      proxy.kill('SIGTERM');
      await proxy.ended;
      await sink.close();
    },
  };
}
