import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { TEST_SECRET, urlOf } from '../../support/instance.ts';
import { type RunningProcess, startNode } from '../../support/processes.ts';

const MAIN = 'src/interfaces/cli/main.ts';
let database: TestDatabase;
let directory: string;
let environment: Record<string, string>;
const started: RunningProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
  environment = {
    PENNYPOST_DATABASE_URL: urlOf(database.connection),
    PENNYPOST_SECRET_KEY: TEST_SECRET,
    PENNYPOST_DATA_DIR: join(directory, 'data'),
    PENNYPOST_LOG_LEVEL: 'warn',
    PENNYPOST_PORT: '0',
  };
});
afterAll(async () => {
  for (const one of started) one.kill('SIGKILL');
  await Promise.all(started.map((one) => one.ended));
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

function pennypost(...words: readonly string[]): RunningProcess {
  const running = startNode(MAIN, words, environment);
  started.push(running);
  return running;
}

/** @returns the one line of JSON that the command answers */
async function answer(...words: readonly string[]): Promise<Record<string, unknown>> {
  const running = pennypost(...words, '--json');
  const status = await running.ended;
  if (status !== 0) throw new Error(`${words.join(' ')} ended with ${status}: ${running.errors()}${running.lines.join('\n')}`);
  return JSON.parse(running.lines.at(-1) ?? '') as Record<string, unknown>;
}

/** Of processes that serve on the data directory. */
const notes = async () => (await readdir(join(directory, 'data'))).filter((name) => name.startsWith('serving'));

describe('a process', () => {
  it.each([
    [['status']],
    [['list', 'create', '--name', 'Letter']],
    [['project', 'list']],
    [['campaign', 'list']],
    [['migrate']],
    [['work', '--lanes', 'background']],
  ])('in a directory without an instance makes none: %j', async (words) => {
    const empty = join(directory, 'elsewhere', '.pennypost');
    const running = startNode(MAIN, words, { ...environment, PENNYPOST_DATABASE_URL: '', PENNYPOST_DATA_DIR: empty });
    expect(await running.ended).toBe(3);
    expect(running.errors()).toMatch(new RegExp(`^error: There is no database in ${empty}\\. .*\\(database\\.not_found\\)\n$`));
    await expect(readdir(join(directory, 'elsewhere'))).rejects.toThrow('ENOENT');
  });

  it('needs no settings for help', async () => {
    const help = startNode(MAIN, ['--help'], { PENNYPOST_PORT: 'nonsense', PENNYPOST_DATABASE_URL: 'nonsense' });
    expect(await help.ended).toBe(0);
    expect(help.lines[0]).toBe('Usage: pennypost [options] [command]');
  });

  it('started by its own path says nothing but its answer, on an older Node as well', async () => {
    for (const node of [process.execPath, '/usr/bin/node'].filter((path) => existsSync(path))) {
      const child = spawn(node, ['bin/pennypost.js', '--version'], { stdio: ['ignore', 'pipe', 'pipe'] });
      expect(await Promise.all([text(child.stdout), text(child.stderr)])).toEqual([
        expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
        '',
      ]);
    }
  });

  it('says which setting is wrong, and ends with 2', async () => {
    const running = startNode(MAIN, ['status'], { ...environment, PENNYPOST_PORT: 'nonsense' });
    expect(await running.ended).toBe(2);
    expect(running.errors()).toBe(
      'error: PENNYPOST_PORT is "nonsense"; it must be a whole number from 0 to 65535. (input.invalid)\n',
    );
  });

  it('says which variable is no setting, and goes on', async () => {
    const running = startNode(MAIN, ['status'], { ...environment, PENNYPOST_SMPT_URL: 'smtp://relay.example.com' });
    expect(await running.ended).toBe(0);
    expect(running.errors()).toBe(
      'warning: PENNYPOST_SMPT_URL is not used. Did you mean PENNYPOST_SMTP_URL? All settings are in docs/reference/settings.md.\n',
    );
  });

  it('ends with 5 while the database is away', async () => {
    const running = startNode(MAIN, ['status'], { ...environment, PENNYPOST_DATABASE_URL: 'postgresql://x:y@127.0.0.1:1/z' });
    expect(await running.ended).toBe(5);
    expect(running.errors()).toMatch(/^error: .*(database\.unavailable)/);
  });

  it('ends quietly when its reader goes away', async () => {
    const child = spawn('/bin/sh', ['-c', `"${process.execPath}" ${MAIN} --help | head -n 1; echo "\${PIPESTATUS:-}"`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    child.stdout.resume();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(said).toBe('');
  });
});

describe('serve', () => {
  let serve: RunningProcess;
  let addresses: { url: string; inbox: string; inboxSmtp: string; reference: string };
  let secret: string;

  beforeAll(async () => {
    serve = pennypost('serve', '--processes', '1', '--json');
    addresses = JSON.parse(await serve.line((line) => line.startsWith('{'))) as typeof addresses;
    ({
      key: { secret },
    } = (await answer(
      'project',
      'create',
      '--name',
      'Harbour',
      '--domain',
      'news.harbour.example',
      '--postal-address',
      'Quay 1',
    )) as { key: { secret: string } });
  });

  it('answers over HTTP: the API, its reference, health and the inbox', async () => {
    const status = async (path: string, headers = {}): Promise<number> => (await fetch(addresses.url + path, { headers })).status;
    expect(await status('/health/ready')).toBe(200);
    expect(await status('/v1/lists')).toBe(401);
    expect(await status('/v1/lists', { Authorization: `Bearer ${secret}` })).toBe(200);
    expect(await status('/docs/')).toBe(200);
    expect(await status('/inbox')).toBe(200);
    expect([await status('/u/test'), await status('/u/forged')]).toEqual([200, 404]);
    const front = await fetch(addresses.url, { redirect: 'manual' });
    expect(front.headers.get('location')).toBe('/inbox');
  });

  it('shows pages that ask for no key to this machine alone', async () => {
    const port = Number(new URL(addresses.url).port);
    const status = (path: string, host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        request({ port, path, host: '127.0.0.1', headers: { host } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    for (const path of ['/inbox', '/inbox/messages.json', '/docs/', '/openapi.json', '/'])
      expect([path, await status(path, 'rebound.example')]).toEqual([path, 403]);
    expect(await status('/docs/', `localhost:${port}`)).toBe(200);
    // These prove who they are, or need not.
    for (const path of ['/health/live', '/u/test']) expect([path, await status(path, 'mail.example')]).toEqual([path, 200]);
    expect(await status('/v1/lists', 'mail.example')).toBe(401);
  });

  it.each([
    ['with a public URL', [], { PENNYPOST_PUBLIC_URL: 'https://mail.example.com' }, null, 404],
    ['on every address of the machine', ['--host', '0.0.0.0'], {}, null, 404],
    [
      'with a public URL, when it is asked for',
      ['--show-inbox'],
      { PENNYPOST_PUBLIC_URL: 'https://mail.example.com' },
      /inbox$/,
      200,
    ],
  ])('shows the inbox or not: %s', async (_, words, more, shown, status) => {
    const own = { ...environment, ...more, PENNYPOST_DATA_DIR: join(directory, 'others') };
    const other = startNode(MAIN, ['serve', '--lanes', 'none', '--json', ...words], own);
    started.push(other);
    const { url, inbox } = JSON.parse(await other.line((line) => line.startsWith('{'))) as { url: string; inbox: string | null };
    if (shown === null) expect(inbox).toBeNull();
    else expect(inbox).toMatch(shown);
    expect((await fetch(`${url}/inbox`)).status).toBe(status);
    expect(other.errors()).toContain(status === 200 ? 'shows every message to everyone' : 'which is not shown');
    other.kill('SIGTERM');
    expect(await other.ended).toBe(0);
  });

  it('is seen at work by another process', async () => {
    const { workers } = (await answer('status')) as { workers: { pid: number; lanes: string[] }[] };
    expect(workers).toMatchObject([{ pid: serve.child.pid, lanes: ['transactional', 'bulk', 'background'] }]);
  });

  it('does not take a port that is in use', async () => {
    const second = pennypost('serve', '--port', new URL(addresses.url).port);
    expect(await second.ended).toBe(5);
    expect(second.errors()).toMatch(
      /^error: Cannot listen on 127\.0\.0\.1:\d+: another process uses the port. Choose another port\. \(server\.cannot_listen\)\n$/,
    );
  });

  it('gets the mail of other processes into its inbox, with links that lead to it', async () => {
    const post = async (path: string, type: string, body: string) =>
      (await (
        await fetch(addresses.url + path, {
          method: 'POST',
          headers: { Authorization: `Bearer ${secret}`, 'Content-Type': type },
          body,
        })
      ).json()) as { id: string };
    const { id } = await post('/v1/lists', 'application/json', JSON.stringify({ name: 'Letter' }));
    await post(`/v1/imports?lists=${id}`, 'text/csv', 'email\r\nada@example.org\r\nbob@example.net\r\n');
    await writeFile(
      join(directory, 'hello.txt'),
      '---\nname: Hello\nsubject: Hello\nauthor: a@news.harbour.example\nlists: letter\n---\nSee https://harbour.example/x\n',
    );
    await answer('campaign', 'create', '--file', join(directory, 'hello.txt'));
    const report = await answer('campaign', 'launch', 'Hello', '--watch');
    expect(report).toMatchObject({ state: 'submitted', states: { submitted: 2 } });
    const { items } = (await (await fetch(`${addresses.inbox}/messages.json`)).json()) as {
      items: { id: string; to: string[] }[];
    };
    expect(items.flatMap(({ to }) => to).toSorted()).toEqual(['ada@example.org', 'bob@example.net']);
    const message = (await (await fetch(`${addresses.inbox}/messages/${items[0]!.id}.json`)).json()) as {
      links: { url: string; label: string }[];
    };
    const unsubscribe = message.links.find(({ label }) => label === 'List-Unsubscribe')!.url;
    expect(unsubscribe.startsWith(`${addresses.url}/u/`)).toBe(true);
    expect((await fetch(unsubscribe, { method: 'POST' })).status).toBe(200);
    expect(await answer('campaign', 'report', 'Hello')).toMatchObject({ unsubscribed: 1 });
  });

  it('hands over what "send --wait" accepted', async () => {
    const from = 'Shop <shop@news.harbour.example>';
    const words = [
      'message',
      'send',
      '--to',
      'zoe@example.org',
      '--from',
      from,
      '--subject',
      'Receipt',
      '--text',
      'Thanks, {{ name }}.',
      '--variable',
      'name=Zoë',
      '--idempotency-key',
      'one',
      '--wait',
    ];
    const sent = await answer(...words);
    expect(sent).toMatchObject({
      state: 'submitted',
      recipients: [{ address: 'zoe@example.org', state: 'submitted', attempts: 1, code: 250 }],
    });
    const again = await answer(...words);
    expect(again.id).toBe(sent.id);
  });

  it('is found healthy by the doctor, who sees that nobody real gets mail', async () => {
    const { findings } = (await answer('doctor')) as { findings: { what: string; verdict: string }[] };
    expect(Object.fromEntries(findings.map(({ what, verdict }) => [what, verdict]))).toMatchObject({
      database: 'ok',
      schema: 'ok',
      'secret key': 'ok',
      clock: 'ok',
      'public URL': 'ok',
      SMTP: 'warn',
    });
  });

  it('ends in order at SIGTERM, and takes its note back', async () => {
    expect(await notes()).toHaveLength(1);
    serve.kill('SIGTERM');
    expect(await serve.ended).toBe(0);
    expect(await notes()).toEqual([]);
    await expect(fetch(addresses.url)).rejects.toThrow();
    expect(await answer('status')).toMatchObject({ workers: [] });
  });

  it('that was killed leaves a note that nobody believes', async () => {
    const killed = pennypost('serve', '--processes', '1', '--json');
    await killed.line((line) => line.startsWith('{'));
    killed.kill('SIGKILL');
    await killed.ended;
    expect(await notes()).toHaveLength(1);
    const doctor = pennypost('doctor', '--json');
    // The public URL that another process of this instance had does not answer here.
    expect(await doctor.ended).toBe(5);
    const { findings } = JSON.parse(doctor.lines.at(-1) ?? '') as { findings: { what: string; found: string }[] };
    expect(findings.find(({ what }) => what === 'SMTP')?.found).toBe('no server is set');
  });
});

describe('work', () => {
  it('registers its lanes, and ends in order', async () => {
    const work = pennypost('work', '--lanes', 'background', '--json');
    expect(JSON.parse(await work.line((line) => line.startsWith('{')))).toMatchObject({ lanes: ['background'] });
    expect(((await answer('status')) as { workers: { lanes: string[]; pid: number }[] }).workers).toContainEqual(
      expect.objectContaining({ pid: work.child.pid, lanes: ['background'] }),
    );
    work.kill('SIGINT');
    expect(await work.ended).toBe(0);
  });

  it('without a way out refuses to work on lanes that hand over', async () => {
    const work = pennypost('work', '--lanes', 'bulk', '--processes', '1');
    expect(await work.ended).toBe(5);
    expect(work.errors()).toContain('(transport.not_configured)');
  });
});
