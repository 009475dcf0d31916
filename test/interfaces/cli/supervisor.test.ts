import { type ChildProcess, spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { superviseWorkers, type WorkerExit } from '../../../src/interfaces/cli/supervisor.ts';

const run = (program: string): ChildProcess =>
  spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
/** Says who it is, and lives until it is told to end. */
const WORKER = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); process.send({ worker: 'w' + process.pid })`;
const BACKOFF = { minimum: 1, maximum: 8, grownUp: 60_000 };

describe('a parent of worker processes', () => {
  it('waits twice as long each time before it starts one again that keeps ending young', async () => {
    const exits: WorkerExit[] = [];
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const supervisor = superviseWorkers({
      processes: 1,
      spawn: () => run('process.exit(3)'),
      backoff: BACKOFF,
      onExit: (exit) => {
        if (exits.push(exit) === 5) resolve();
      },
    });
    await enough;
    await supervisor.stop();
    expect(exits.slice(0, 5).map((exit) => exit.restartsIn)).toEqual([1, 2, 4, 8, 8]);
    expect(exits[0]).toMatchObject({ slot: 0, workerId: undefined, code: 3, signal: null, expected: false });
  });

  it('names the worker whose process was killed, and has it released before it says that all have ended', async () => {
    const ready = Promise.withResolvers<string>();
    const released: string[] = [];
    const supervisor = superviseWorkers({
      processes: 1,
      spawn: () => run(WORKER),
      backoff: BACKOFF,
      onReady: ({ workerId }) => ready.resolve(workerId),
      onExit: async ({ workerId }) => {
        await new Promise(setImmediate);
        released.push(workerId ?? 'nobody');
      },
    });
    const workerId = await ready.promise;
    expect(supervisor.process(0)?.workerId).toBe(workerId);
    supervisor.forward('SIGKILL');
    await supervisor.stop();
    expect(released[0]).toBe(workerId);
  });

  it('lets everybody drain when it stops, and starts nobody any more', async () => {
    const exits: WorkerExit[] = [];
    const all = Promise.withResolvers<void>();
    let working = 0;
    let started = 0;
    const supervisor = superviseWorkers({
      processes: 3,
      spawn: () => {
        started += 1;
        return run(WORKER);
      },
      backoff: BACKOFF,
      onReady: () => {
        working += 1;
        if (working === 3) all.resolve();
      },
      onExit: (exit) => void exits.push(exit),
    });
    await all.promise;
    await supervisor.stop();
    expect(started).toBe(3);
    expect(exits.map(({ code, expected, restartsIn }) => ({ code, expected, restartsIn }))).toEqual(
      Array(3).fill({ code: 0, expected: true, restartsIn: undefined }),
    );
  });
});
