import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, posix } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inbox, startInbox } from '../../../src/infrastructure/inbox/inbox.ts';
import { unsupportedNode } from '../../../src/interfaces/npm/supported-node.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { root } from '../../support/imports.ts';
import { TEST_SECRET, urlOf } from '../../support/instance.ts';
import { CONSUMER, CONSUMER_TSCONFIG } from './consumer.ts';

const execute = promisify(execFile);
/** Its standard output. @throws Error that also holds it: compilers say there what is wrong. */
const run = async (
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> => {
  try {
    return (await execute(command, args, { maxBuffer: 2 ** 26, ...options })).stdout;
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) error.message += `\n${String(error.stdout).slice(0, 4_000)}`;
    throw error;
  }
};
const bin = join(root, 'node_modules', '.bin');
const tsc = join(bin, 'tsc');
/** Our own Node before the machine's: npm and the command run under it. */
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
/** What npm adds by itself, and what a host never needs. */
const NPM = [
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  '--ignore-scripts',
  '--loglevel=error',
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=500',
];

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly files: readonly string[];
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** From npm's cache or the registry; where neither has them, next to the dependencies of this checkout. */
async function install(tarball: string, types: string, host: string): Promise<void> {
  try {
    // Without the embedded database, which is 60 MB and optional: this host has a server of its own.
    await run('npm', ['install', ...NPM, '--omit=optional', tarball, types], { cwd: host, env });
  } catch (error) {
    if (!/ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(error))) throw error;
    console.warn('The registry cannot be reached: the package is tested with the dependencies of this checkout.');
    const modules = join(host, 'node_modules');
    await rm(modules, { recursive: true, force: true });
    await mkdir(join(modules, 'pennypost'), { recursive: true });
    await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'pennypost')]);
    for (const name of await readdir(join(root, 'node_modules')))
      if (!name.startsWith('.') && name !== 'pennypost') await symlink(join(root, 'node_modules', name), join(modules, name));
  }
}

describe('the package', () => {
  let directory: string;
  let host: string;
  let manifest: Manifest;
  let packed: readonly string[];
  let database: TestDatabase;
  let inbox: Inbox;

  beforeAll(async () => {
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
    directory = await mkdtemp(join(tmpdir(), 'pennypost-package-'));
    [database, inbox] = await Promise.all([createTestDatabase(), startInbox()]);
    // A place of its own: `dist` of the checkout may be in use or out of date.
    const stage = join(directory, 'stage');
    await run(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(stage, 'dist')]);
    const others = manifest.files.filter((name) => name !== 'dist' && !name.startsWith('!'));
    for (const name of ['package.json', 'README.md', 'LICENSE', ...others]) {
      await cp(join(root, name), join(stage, name), { recursive: true });
    }
    const stdout = await run('npm', ['pack', '--json', '--ignore-scripts'], { cwd: stage, env });
    const [pack] = JSON.parse(stdout) as [{ filename: string; files: readonly { path: string }[] }];
    packed = pack.files.map(({ path }) => path);

    host = join(directory, 'host');
    await mkdir(host);
    await writeFile(join(host, 'package.json'), '{ "name": "host", "private": true, "type": "module" }');
    await writeFile(join(host, 'tsconfig.json'), CONSUMER_TSCONFIG);
    await writeFile(join(host, 'send.ts'), CONSUMER);
    const page = await readFile(join(root, 'docs', 'embed-in-node.md'), 'utf8');
    const examples = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
    await Promise.all(examples.map((text, index) => writeFile(join(host, `example-${index + 1}.ts`), text)));
    const types = `@types/node@${manifest.devDependencies['@types/node']}`;
    await install(join(stage, pack.filename), types, host);
  }, 240_000);

  afterAll(async () => {
    await inbox?.close();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  it('holds what runs, and neither sources nor tests', () => {
    const folders = new Set(packed.map((path) => path.replace(/\/.*/, '')));
    expect([...folders].sort()).toEqual([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'package.json',
    ]);
    expect(packed.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path))).toEqual([]);
  });

  it('has every page and picture that its README and its documentation link to', async () => {
    const pages = packed.filter((path) => path.endsWith('.md'));
    expect(pages).toContain('docs/operate/processes.md');
    const broken: string[] = [];
    for (const page of pages) {
      const text = await readFile(join(root, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)) {
        const path = posix.normalize(posix.join(posix.dirname(page), target));
        // Sources and tests are in the repository, which `repository` of package.json names.
        if (/^(src|test)\//.test(path)) continue;
        if (!packed.some((file) => file === path || file.startsWith(`${path}/`))) broken.push(`${page}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('has types that hold in a strict project, and in every example of docs/embed-in-node.md, and show nothing of the database layer', async () => {
    const stdout = await run(tsc, ['-p', host, '--listFiles']);
    const seen = [...stdout.matchAll(/node_modules\/((?:@[^/]+\/)?[^/\n]+)\//g)].map((match) => match[1] ?? '');
    expect(seen).toContain('pennypost');
    expect(stdout.match(/example-\d+\.ts$/gm)?.length).toBeGreaterThan(5);
    expect(seen.filter((name) => /mikro-orm|kysely|^pg|inversify/.test(name))).toEqual([]);
  });

  it('sends a campaign from an empty project, and lets its process end', async () => {
    inbox.clear();
    const sender = spawn(process.execPath, ['send.ts', urlOf(database.connection), TEST_SECRET, inbox.url], { cwd: host });
    const lines = createInterface({ input: sender.stdout })[Symbol.asyncIterator]();
    const faults = textOf(sender.stderr);
    const ended = once(sender, 'exit');
    expect((await lines.next()).value ?? (await faults)).toBe('submitted');
    sender.stdin.end(`GET ${await linkIn('ada@example.net', '/c/')}\nPOST ${await linkIn('bo@example.net', '/u/')}\n`);
    expect(JSON.parse((await lines.next()).value ?? JSON.stringify(await faults))).toEqual({
      recipients: 3,
      submitted: 3,
      clicked: 1,
      unsubscribed: 1,
      version: manifest.version,
      errors: 200,
      reference: 200,
      refused: 'resource.not_found',
    });
    expect(await ended).toEqual([0, null]);
    expect([inbox.received(), inbox.recipients()]).toEqual([3, 3]);
    expect(
      inbox
        .list()
        .items.map(({ subject }) => subject)
        .sort(),
    ).toEqual(['For Ada', 'For Bo', 'For friend']);
  });

  it('does what the first example of docs/embed-in-node.md says', async () => {
    inbox.clear();
    await writeFile(join(host, 'people.csv'), 'email,first_name\ndi@example.net,Di\nnobody,Ed\n');
    const surroundings = {
      DATABASE_URL: urlOf(database.connection),
      PENNYPOST_SECRET_KEY: TEST_SECRET,
      SMTP_URL: inbox.url,
      PUBLIC_URL: 'https://example.com/mail',
    };
    const stdout = await run(process.execPath, ['example-1.ts'], { cwd: host, env: { ...env, ...surroundings } });
    expect(stdout).toMatch(/rows: 2,\s+imported: 1,.*rejected: 1,.*submitted: 1,/s);
    expect(inbox.list().items.map(({ subject }) => subject)).toEqual(['Hello Di']);
  });

  const linkIn = async (to: string, path: '/c/' | '/u/'): Promise<string> => {
    const summary = inbox.list().items.find((item) => item.to.includes(to));
    const message = await inbox.get(summary?.id ?? '');
    return message?.links.find((link) => link.url.includes(path))?.url ?? `https://example.com/no${path}`;
  };

  it('says on an older Node which one it needs, instead of failing somewhere inside', async ({ skip }) => {
    const version = await run('/usr/bin/node', ['--version']).catch(() => 'none');
    const old = /^v(\d|1\d|20|21)\./.test(version);
    if (!old) return skip(`/usr/bin/node is ${version.trim()}`);
    const words = ['--input-type=module', '--eval', "import('pennypost').catch((error) => console.log(error.message))"];
    expect(await run('/usr/bin/node', words, { cwd: host })).toMatch(
      new RegExp(`^pennypost needs Node 22\\.19 or newer; this is ${version.trim()}\\. `),
    );
  });

  it.each([
    ['20.20.2', true],
    ['22.18.0', true],
    ['22.19.0', false],
    ['23.0.0', false],
    ['24.21.0', false],
  ])('refuses Node %s: %s', (version, refused) => {
    expect(unsupportedNode(version) !== undefined).toBe(refused);
  });

  it('names the same least version everywhere', async () => {
    expect(manifest.engines.node).toBe('>=22.19');
    expect(unsupportedNode('20.0.0')).toContain('Node 22.19 or newer');
    expect(await readFile(join(root, 'bin', 'pennypost.js'), 'utf8')).toContain('Node 22.19 or newer');
  });

  it('brings the command', async () => {
    const stdout = await run(process.execPath, [join(host, 'node_modules', 'pennypost', 'bin', 'pennypost.js'), '--help']);
    expect(stdout).toContain('campaign');
  });
});
