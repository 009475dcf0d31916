/**
 * The command line as a process: signals, streams and the exit code, and where commands meet the infrastructure. Everything heavy is
 * imported by the command that needs it, so that `--help` answers in a tenth of a second.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { startWithHeapFlags, workerExecArgv } from './heap-flags.ts';
import { Interruption } from './interruption.ts';
import { watchParents } from './parents.ts';
import { runCommandLine } from './program.ts';
import { WholeLines } from './whole-lines.ts';
import { type Instance, type Log, NoWayOut, type OpenWish, type Workbench } from './workbench.ts';

startWithHeapFlags(process.argv.slice(2));
/** Progress, notes and the log share one terminal. */
const stderr = new WholeLines(process.stderr);
process.on('exit', () => stderr.end());
const interruption = new Interruption((status) => process.exit(status));
process.on('SIGINT', () => interruption.receive('SIGINT'));
process.on('SIGTERM', () => interruption.receive('SIGTERM'));
process.on('SIGHUP', () => interruption.receive('SIGHUP'));
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // EIO: the terminal has gone.
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    interruption.receive('EPIPE');
  });
}

// A worker process of a fleet has its channel to its parent instead.
if (process.channel === undefined) {
  const { startedBy } = await import('../../infrastructure/config.ts');
  watchParents(startedBy(), () => {
    stderr.write('The process that started this command has ended, so this one ends as well.\n');
    interruption.receive('SIGTERM');
  });
}

const status = await runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr,
  stdin: process.stdin,
  workbench: createWorkbench(),
  interruption,
  clock: { now: () => new Date(), monotonic: () => performance.now() },
});
// What is still open has been given its chance to close; nothing may keep a finished command from ending.
process.stdout.write('', () => process.exit(status));

function createWorkbench(): Workbench {
  const readConfig = async () => (await import('../../infrastructure/config.ts')).readConfig();
  return {
    settings: readConfig,
    open: async (wish = {}) => open(wish, await readConfig()),
    // In a session of its own: Ctrl-C is for the parent, which drains its workers in order.
    startWorker: (oneOf) =>
      fork(process.argv[1] ?? '', ['work', '--lanes', 'bulk', '--one-of', String(oneOf)], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        detached: true,
        execArgv: workerExecArgv(process.execArgv),
      }),
    examine: async () => (await import('../../infrastructure/doctor.ts')).examine(await readConfig()),
  };
}

type Config = ReturnType<typeof import('../../infrastructure/config.ts').readConfig>;

async function open(wish: OpenWish, configured: Config): Promise<Instance> {
  const [{ openPennypost }, { tokens }, { createLogger, readableLog }, serving, { unknownSettings }] = await Promise.all([
    import('../../infrastructure/open.ts'),
    import('../../infrastructure/container.ts'),
    import('../../infrastructure/logger.ts'),
    import('../../infrastructure/serving-note.ts'),
    import('../../infrastructure/config.ts'),
  ]);
  const isolated = wish.isolatedIn !== undefined;
  const running = isolated ? undefined : await serving.readServingNote(configured.dataDir);
  const smtpUrl = isolated ? undefined : (configured.smtpUrl ?? running?.inboxUrl);
  const config: Config = {
    ...configured,
    ...(wish.isolatedIn !== undefined && { databaseUrl: undefined, dataDir: join(wish.isolatedIn, 'data') }),
    smtpUrl,
    maxConnections: Math.max(1, Math.floor(configured.maxConnections / (wish.oneOf ?? 1))),
    publicUrl: isolated ? wish.publicUrl : (configured.publicUrl ?? wish.publicUrl ?? running?.publicUrl),
  };
  const destination = smtpUrl !== undefined ? 'smtp' : wish.ownInbox === true ? 'inbox' : 'none';
  const log = wish.log === 'json' ? createLogger(config.logLevel) : readableLog(linesOn(stderr));
  // The worker processes of a fleet have the surroundings of their parent.
  if (wish.oneOf === undefined) for (const { advice } of unknownSettings()) log.warn({}, advice);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  // Awaited by commands that wait; other commands must not fail because of it.
  broken.catch(() => undefined);
  const opened = await openPennypost({
    config,
    destination,
    log,
    works: wish.works ?? false,
    createsDatabase: isolated || wish.createsDatabase === true,
    inheritsDatabase: wish.inheritsDatabase,
    keepsPublicUrl: isolated ? undefined : keepsPublicUrl(wish, configured),
    // Mail for the inbox of a server on this machine: its links lead there.
    servesInbox: isolated || (configured.publicUrl === undefined && (running?.inboxUrl !== undefined || destination === 'inbox')),
    onFatal: reject,
    // The running `serve` sends to real recipients, whether or not this terminal has its SMTP settings.
    ...(running !== undefined && running.inboxUrl === undefined && smtpUrl === undefined && { localTransport: false }),
  });
  interruption.beforeBreakingOff(() =>
    log.error(
      opened.get(tokens.workers).inDoubt,
      'the process did not stop in time and ends now; messages in doubt are sent again, marked as possible repeats',
    ),
  );
  let working: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    working ??= opened.get(tokens.workers).stop();
    await working;
  };
  return {
    application: opened.get(tokens.application),
    description: opened.description,
    database: opened.database,
    publicUrl: opened.publicUrl,
    publicUrlAssumed: config.publicUrl === undefined && !opened.publicUrlStored,
    databaseBorrowed: opened.databaseBorrowed,
    migrated: opened.migrated,
    inbox: opened.inbox,
    log,
    hasWayOut: destination !== 'none',
    workerId: opened.get(tokens.workerId),
    release: (workerId) =>
      opened.get(tokens.work).run(async ({ delivery }) => {
        await delivery.lanes.releaseAllOf(workerId);
        await delivery.lanes.forgetWorker(workerId);
      }),
    broken,
    ready: () => opened.ready(),
    async work(lanes) {
      if (destination === 'none' && lanes.some((lane) => lane !== 'background')) throw new NoWayOut();
      await opened.get(tokens.workers).start(lanes);
      opened.lifecycle.register('workers', stop);
      return stop;
    },
    async announce() {
      // Not the inbox of another process, which announces it itself.
      const relay = configured.smtpUrl === undefined ? undefined : URL.parse(configured.smtpUrl)?.host;
      const note = { publicUrl: opened.publicUrl, inboxUrl: opened.inbox?.url, relay };
      opened.lifecycle.register('serving note', await serving.writeServingNote(config.dataDir, note));
    },
    close: () => opened.close(),
  };
}

/** The URL of the process that serves is that of the instance; a worker's counts until one serves. */
function keepsPublicUrl(wish: OpenWish, { publicUrl }: Config): 'replaces' | 'once' | undefined {
  if (publicUrl === undefined) return undefined;
  if (wish.publicUrl !== undefined) return 'replaces';
  return wish.works === true ? 'once' : undefined;
}

/** For a terminal; success is reported by the command itself. */
function linesOn(stream: { write(text: string): unknown }): Log {
  return {
    info: (_facts, message) => stream.write(`${message}\n`),
    warn: (facts, message) => stream.write(`warning: ${message}${reasonIn(facts)}\n`),
    error: (facts, message) => stream.write(`error: ${message}${reasonIn(facts)}\n`),
  };
}

/** Declared as a function: the command runs before this line is reached. */
function reasonIn(facts: object): string {
  return 'reason' in facts ? ` (${String(facts.reason)})` : '';
}
