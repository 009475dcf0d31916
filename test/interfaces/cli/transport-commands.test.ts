import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { commandLine, workbenchOn } from './workshop.ts';

let instance: TestInstance;
let directory: string;
let run: ReturnType<typeof commandLine>;

beforeAll(async () => {
  instance = await openTestInstance();
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
  run = commandLine(workbenchOn(instance));
  await run(['project', 'create', '--name', 'Harbour Books', '--domain', 'news.harbour.example']);
});
afterAll(async () => {
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('transports', () => {
  it('are created with a password from a file or standard input, shown without it, changed, tested and deleted', async () => {
    const path = join(directory, 'password.json');
    await writeFile(path, '{"password":"hunter2"}');
    const smtp = [
      'transport',
      'create',
      '--kind',
      'smtp',
      '--setting',
      'host=127.0.0.1',
      '--setting',
      'port=1',
      '--setting',
      'user=mailer',
    ];
    const made = await run([...smtp, '--name', 'Main relay', '--settings', path, '--max-connections', '5', '--json']);
    expect(made.json).toMatchObject({
      slug: 'main-relay',
      settings: { host: '127.0.0.1', port: 1 },
      secrets: { password: 'set' },
      maxConnections: 5,
    });
    const second = await run([...smtp, '--slug', 'second', '--settings', '-', '--json'], { stdin: '{"password":"hunter2"}' });
    expect(second.json).toMatchObject({ slug: 'second', name: 'smtp' });
    const listed = await run(['transport', 'list']);
    expect(listed.stdout).toMatch(/main-relay\s+Main relay\s+smtp\s+active\s+closed/);
    const got = await run(['transport', 'get', 'main-relay']);
    expect(got.stdout).toMatch(/password\s+set/);
    expect(`${made.stdout}${listed.stdout}${got.stdout}`).not.toContain('hunter2');

    const changed = await run([
      'transport',
      'update',
      'main-relay',
      '--setting',
      'port=2',
      '--messages-per-second',
      '0.5',
      '--disable',
      '--json',
    ]);
    expect(changed.json).toMatchObject({
      settings: { port: 2, user: 'mailer' },
      secrets: { password: 'set' },
      messagesPerSecond: 0.5,
      state: 'disabled',
    });
    expect(await run(['transport', 'verify', 'main-relay'])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await run(['transport', 'delete', 'second'])).toMatchObject({ status: 2, stderr: expect.stringContaining('--yes') });
    expect((await run(['transport', 'delete', 'second', '--yes'])).stdout).toContain('The transport "smtp" is deleted.');
    expect(await run(['transport', 'get', 'second'])).toMatchObject({ status: 3 });
  });

  it('take no credential as an argument, and never quote a file of credentials', async () => {
    const words = ['transport', 'create', '--kind', 'smtp', '--setting', 'host=127.0.0.1'];
    const exposed = await run([...words, '--setting', 'password=hunter2']);
    expect(exposed).toMatchObject({ status: 2, stderr: expect.stringContaining('--settings') });
    const broken = await run([...words, '--settings', '-'], { stdin: '{"password":hunter2}' });
    expect(broken).toMatchObject({ status: 2, stderr: expect.stringContaining('JSON object') });
    expect(`${exposed.stderr}${broken.stderr}`).not.toContain('hunter2');
    expect(await run(['transport', 'create', '--kind', 'pigeon'])).toMatchObject({ status: 2 });
  });
});

describe('routes', () => {
  it('are created, listed, changed, explained and deleted', async () => {
    await run(['transport', 'create', '--kind', 'smtp', '--slug', 'a', '--setting', 'host=127.0.0.1']);
    const made = await run(['route', 'create', 'a', '--lane', 'bulk', '--receiving-group', 'gmail', '--weight', '3', '--json']);
    expect(made.json).toMatchObject({ transport: 'a', lane: 'bulk', receivingGroup: 'gmail', priority: 10, weight: 3 });
    const id = String(made.json.id);
    expect((await run(['route', 'list'])).stdout).toMatch(/a\s+bulk\s+gmail\s+10\s+3/);
    expect((await run(['route', 'update', id, '--priority', '1', '--json'])).json).toMatchObject({ priority: 1, weight: 3 });
    expect((await run(['route', 'get', id])).stdout).toMatch(/priority\s+1/);
    const explained = await run(['route', 'explain', 'ada@gmail.com', '--lane', 'bulk']);
    expect(explained.stdout).toContain('Messages leave by a.');
    expect(explained.stdout).toContain('route for gmail, bulk, priority 1');
    expect(await run(['route', 'create', 'a', '--receiving-group', 'gmial'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Did you mean gmail?'),
    });
    expect(await run(['transport', 'delete', 'a', '--yes'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('route'),
    });
    expect((await run(['route', 'delete', id])).stdout).toContain('The route to "a" is deleted.');
    expect(await run(['route', 'explain', 'ada@gmail.com', '--lane', 'pigeon'])).toMatchObject({ status: 2 });
  });
});
