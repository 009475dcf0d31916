import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { postgresIn } from '../postgres/embedded-support.ts';
import { eventually } from '../support/processes.ts';

const BIN = join(import.meta.dirname, '../../bin/pennypost.js');
const run = promisify(execFile);

/** How `serve` is started, and how it ends: with its workers and its database, whoever is told to end it. */
describe('the command, under the parent that started it', () => {
  let directory: string;
  let dataDir: string;
  let environment: NodeJS.ProcessEnv;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-parent-'));
    await chmod(directory, 0o711);
    dataDir = join(directory, 'data');
    const { npm_config_user_agent: _, ...rest } = process.env;
    environment = {
      ...rest,
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      PENNYPOST_DATABASE_URL: '',
      PENNYPOST_SECRET_KEY: '',
      PENNYPOST_SMTP_URL: '',
      PENNYPOST_DATA_DIR: dataDir,
      PENNYPOST_PORT: '0',
    };
  });
  afterEach(async () => {
    for (const pid of await servingIn(dataDir)) process.kill(pid, 'SIGKILL');
    await eventually('postgres to be gone', async () => (await postgresIn(dataDir)).length === 0);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** @returns the process that was started, once pages are served */
  const start = async (command: string, words: readonly string[]) => {
    const child = spawn(command, [...words, 'serve', '--processes', '2', '--json'], {
      env: environment,
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    await eventually('serve to listen', () => said.includes('"url"'));
    await eventually('its workers to run', async () => (await servingIn(dataDir)).length >= 3);
    return { child, ended };
  };
  const allGone = () =>
    eventually('everything to be gone', async () => (await servingIn(dataDir)).length + (await postgresIn(dataDir)).length === 0);

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('started by its own path ends in order by %s', async (signal) => {
    const { child, ended } = await start(process.execPath, [BIN]);
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
    await allGone();
  });

  it('under an old Node is ended through its launcher, and also when that is killed', async ({ skip }) => {
    const old = oldNode();
    if (old === undefined) return skip('no Node below 22.19 is installed at /usr/bin/node');
    const first = await start(old, [BIN]);
    first.child.kill('SIGTERM');
    expect(await first.ended).toEqual([0, null]);
    await allGone();
    const second = await start(old, [BIN]);
    second.child.kill('SIGKILL');
    await second.ended;
    await allGone();
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('under npx notices that it was ended by %s, and ends in order', async (signal) => {
    const { child, ended } = await start('npx', ['--no-install', 'pennypost']);
    child.kill(signal);
    await ended;
    await allGone();
  });

  it('as process 1 of a container ends with everything by SIGTERM', async ({ skip }) => {
    const words = ['--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL'];
    const able = await run('unshare', [...words, 'true']).then(
      () => true,
      () => false,
    );
    if (!able) return skip('no namespaces of process ids can be made here');
    const { child, ended } = await start('unshare', [...words, process.execPath, BIN]);
    const [inside] = (await servingIn(dataDir)).toSorted((one, other) => one - other);
    process.kill(inside ?? 0, 'SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(child.exitCode).toBe(0);
    await allGone();
  });
});

/** Processes of pennypost, of any kind, that work in the data directory. */
async function servingIn(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    if (/^[^\0]*node\0/.test(await read('cmdline')) && (await read('environ')).includes(`PENNYPOST_DATA_DIR=${dataDir}\0`))
      if (/(main\.[jt]s|bin\/pennypost(\.js)?)\0/.test(await read('cmdline'))) found.push(pid);
  }
  return found;
}

function oldNode(): string | undefined {
  try {
    const [major = 0, minor = 0] = execFileSync('/usr/bin/node', ['-p', 'process.versions.node'], { encoding: 'utf8' })
      .split('.')
      .map(Number);
    return major < 22 || (major === 22 && minor < 19) ? '/usr/bin/node' : undefined;
  } catch {
    return undefined;
  }
}
