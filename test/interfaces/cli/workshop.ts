import { tokens } from '../../../src/infrastructure/container.ts';
import { Interruption } from '../../../src/interfaces/cli/interruption.ts';
import { runCommandLine } from '../../../src/interfaces/cli/program.ts';
import { type Instance, NoWayOut, type Workbench } from '../../../src/interfaces/cli/workbench.ts';
import { silentLog, type TestInstance } from '../../support/instance.ts';
import { RecordedStream } from './terminal.ts';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The one line of JSON that `--json` promises. */
  readonly json: Record<string, unknown>;
}

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly columns?: number | undefined;
}

/** Runs command lines on a workbench, as the process would, and hears what they say. */
export function commandLine(workbench: Workbench) {
  return async (words: readonly string[], options: RunOptions = {}): Promise<Ran> => {
    const stdout = new RecordedStream(options.columns === undefined ? {} : { columns: options.columns });
    const stderr = new RecordedStream();
    const status = await runCommandLine(words, {
      stdout,
      stderr,
      stdin: bytesOf(options.stdin ?? ''),
      workbench,
      interruption: new Interruption((code) => {
        throw new Error(`ended by a signal (${code})`);
      }),
      clock: { now: () => new Date(), monotonic: () => performance.now() },
    });
    return {
      status,
      stdout: stdout.written,
      stderr: stderr.written,
      get json() {
        if (stdout.lines.length !== 1)
          throw new Error(`${stdout.lines.length} lines instead of one of JSON:\n${stdout.written}${stderr.written}`);
        return JSON.parse(stdout.written) as Record<string, unknown>;
      },
    };
  };
}

/** For what must answer without any database. */
export const closedWorkbench: Workbench = {
  settings: () => Promise.reject(new Error('The settings were asked for.')),
  open: () => Promise.reject(new Error('An instance was opened.')),
  startWorker: () => {
    throw new Error('A worker process was started.');
  },
  examine: () => Promise.reject(new Error('Something was examined.')),
};

/** One open instance, lent to every command. It may send only when `sends` says so. */
export function workbenchOn(test: TestInstance, sends = false): Workbench {
  const instance: Instance = {
    application: test.application,
    description: 'test',
    database: 'test database',
    publicUrl: test.publicUrl,
    publicUrlAssumed: false,
    databaseBorrowed: false,
    migrated: test.migrated,
    inbox: test.inbox,
    log: silentLog,
    hasWayOut: sends,
    workerId: test.get(tokens.workerId),
    release: async () => undefined,
    broken: new Promise(() => undefined),
    ready: () => test.ready(),
    async work(lanes) {
      if (!sends) throw new NoWayOut();
      const workers = test.get(tokens.workers);
      await workers.start(lanes);
      return () => workers.stop();
    },
    announce: async () => undefined,
    close: async () => undefined,
  };
  return {
    settings: async () => ({ host: '127.0.0.1', port: 0, publicUrl: undefined, maxConnections: 1 }),
    open: async () => instance,
    startWorker: closedWorkbench.startWorker,
    examine: async () => [
      { what: 'database', verdict: 'ok', found: 'PostgreSQL' },
      { what: 'SMTP', verdict: 'fail', found: 'nobody answers', advice: 'Check PENNYPOST_SMTP_URL.' },
    ],
  };
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  // In pieces that cut characters, as pipes do.
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}
