import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closing } from '../../src/domain/shared/clean-up.ts';
import { type Parts, partsOf, postgresIn } from '../postgres/embedded-support.ts';
import { eventually, type RunningProcess, startNode } from '../support/processes.ts';

const MAIN = 'src/interfaces/cli/main.ts';
const HOST = 'test/faults/support/embedding-process.ts';
const run = promisify(execFile);

/** The embedded PostgreSQL ends while a command that runs it lives on: the command starts it again. */
describe('an embedded database that ends under the process that runs it', () => {
  let directory: string;
  let dataDir: string;
  const started: RunningProcess[] = [];
  const start = (script: string, words: readonly string[], environment: Record<string, string> = {}): RunningProcess => {
    const running = startNode(script, words, {
      PENNYPOST_DATABASE_URL: '',
      PENNYPOST_SECRET_KEY: '',
      PENNYPOST_SMTP_URL: '',
      PENNYPOST_DATA_DIR: dataDir,
      PENNYPOST_LOG_LEVEL: 'info',
      PENNYPOST_PORT: '0',
      ...environment,
    });
    started.push(running);
    return running;
  };
  /** A `serve` on the data directory. */
  const serve = async (): Promise<{ process: RunningProcess; url: string }> => {
    const process = start(MAIN, ['serve', '--processes', '1', '--json']);
    const { url } = JSON.parse(await process.line((line) => line.startsWith('{'))) as { url: string };
    return { process, url };
  };
  const status = async (url: string): Promise<number> => (await fetch(url)).status;
  const errorsOf = ({ errors }: RunningProcess): string[] =>
    errors()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { level: number; msg: string })
      .filter(({ level }) => level >= 50)
      .map(({ msg }) => msg);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-ended-'));
    await chmod(directory, 0o711);
    dataDir = join(directory, 'data');
  });
  afterEach(async () => {
    for (const one of started) one.kill('SIGTERM');
    await Promise.all(started.splice(0).map((one) => one.ended));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each([
    ['kill -9 of postgres', 'SIGKILL', ({ postmaster }: Parts) => process.kill(postmaster, 'SIGKILL')],
    ['kill -9 of its supervising shell', 'SIGKILL', ({ shell }: Parts) => process.kill(shell, 'SIGKILL')],
    ['the loss of its socket', 'its socket was removed', () => rm(join(dataDir, 'run', '.s.PGSQL.5432'))],
  ])('serves again after %s, says so as an error and in the status, and ends in order', async (_, reason, happens) => {
    const { process: serving, url } = await serve();
    await happens(await partsOf(dataDir));
    await eventually('an error in the log', () => errorsOf(serving).length > 0);
    expect(errorsOf(serving)[0]).toBe('The embedded PostgreSQL ended by itself and is being restarted.');
    expect(await status(`${url}/health/live`)).toBe(200);
    await eventually('serve to be ready', async () => (await status(`${url}/health/ready`)) === 200);
    const told = start(MAIN, ['status', '--json']);
    expect(JSON.parse(await told.line((line) => line.startsWith('{')))).toMatchObject({
      databaseEnds: { count: 1, lastReason: expect.stringContaining(reason) },
      workers: [{ pid: serving.child.pid }],
    });
    serving.kill('SIGTERM');
    expect(await serving.ended).toBe(0);
    expect(await postgresIn(dataDir)).toEqual([]);
  });

  it.each([
    ['work', MAIN, ['work', '--lanes', 'background'], /^lanes/],
    // In the middle of its run the demo ends with the database, as any command does.
    ['demo', MAIN, ['demo', '--recipients', '1'], /Ctrl-C/],
    ['a host application', HOST, [], /^working/],
  ])('comes back under %s as well', async (_, script, words, ready) => {
    const running = start(script, words);
    const said = () => [...running.lines, ...running.errors().split('\n')];
    await eventually('it to work', () => said().some((line) => ready.test(line)));
    const place = /in (\/\S*pennypost-demo-\S+\/data)/.exec(running.errors())?.[1] ?? dataDir;
    const before = (await partsOf(place)).postmaster;
    process.kill(before, 'SIGKILL');
    await eventually('another postgres', async () => {
      const now = await partsOf(place).catch(() => undefined);
      return now !== undefined && now.postmaster !== before;
    });
    running.kill('SIGTERM');
    await running.ended;
    expect(await postgresIn(place)).toEqual([]);
  });

  it('serves again once there is space on its full disk, and says meanwhile what is wrong', async ({ skip }) => {
    const place = join(directory, 'small');
    await mkdir(place, { mode: 0o711 });
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=120m,mode=711', 'none', place]).then(
      () => true,
      () => false,
    );
    if (!mounted) return skip('no small file system can be mounted here');
    const whole = dataDir;
    dataDir = join(place, 'data');
    const filled = async (): Promise<void> => {
      const { process: serving, url } = await serve();
      await fill(dataDir, join(place, 'ballast'));
      await eventually('a reason', async () => (await (await fetch(`${url}/health/ready`)).text()).includes('no space'));
      expect(await status(`${url}/health/live`)).toBe(200);
      const told = start(MAIN, ['status']);
      expect(await told.ended).toBe(5);
      expect(told.errors()).toContain(`process ${serving.child.pid}, which runs it, is starting it again`);
      await rm(join(place, 'ballast'));
      await eventually('serve to be ready', async () => (await status(`${url}/health/ready`)) === 200);
      serving.kill('SIGTERM');
      expect(await serving.ended).toBe(0);
    };
    await closing(filled, async () => {
      dataDir = whole;
      await run('umount', ['--lazy', place]);
    });
  });
});

/** Writes messages, which stand in the log alone, until the server has nowhere to put its write-ahead log and ends. */
async function fill(dataDir: string, ballast: string): Promise<void> {
  const password = (await readFile(join(dataDir, 'postgres.password'), 'utf8')).trim();
  const names = { user: 'pennypost', password, database: 'pennypost' };
  const client = new pg.Client({ host: join(dataDir, 'run'), port: 5432, ...names });
  client.on('error', () => undefined);
  await client.connect();
  await writeFile(ballast, Buffer.alloc(200_000_000)).catch(() => undefined);
  const writing = async (): Promise<never> => {
    for (;;) await client.query(`select pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))`);
  };
  await writing().catch(() => undefined);
  await client.end().catch(() => undefined);
}
