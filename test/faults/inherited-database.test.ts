import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess, startNode } from '../support/processes.ts';
import { type Doors, openDoors } from './support/doors.ts';
import { expectOneCopyEach, people } from './support/stage.ts';

const MAIN = 'src/interfaces/cli/main.ts';

/** The embedded database lives as long as the process that started it, and that may be the wrong one. */
describe('serve on an embedded database that another command runs', () => {
  let directory: string;
  let relay: Doors;
  let environment: Record<string, string>;
  const started: RunningProcess[] = [];
  const pennypost = (...words: readonly string[]): RunningProcess => {
    const running = startNode(MAIN, words, environment);
    started.push(running);
    return running;
  };
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-heir-'));
    await chmod(directory, 0o711);
    const log = join(directory, 'accepted.ndjson');
    relay = await openDoors({ doors: 1, log, headers: [], script: 'slow-20ms-at-dot' });
    environment = {
      PENNYPOST_DATABASE_URL: '',
      PENNYPOST_DATA_DIR: join(directory, 'data'),
      PENNYPOST_SMTP_URL: relay.urls[0] ?? '',
      PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
      PENNYPOST_LOG_LEVEL: 'info',
      PENNYPOST_PORT: '0',
    };
  });
  afterAll(async () => {
    for (const one of started) one.kill('SIGTERM');
    await Promise.all(started.map((one) => one.ended));
    await relay.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('runs the database on when that command is killed in the middle of a campaign, and mails everybody once', async () => {
    const named = ['--name', 'Harbour', '--domain', 'news.example.com', '--postal-address', 'Quay 1'];
    const made = pennypost('project', 'create', ...named, '--json');
    const { key } = JSON.parse(await made.line((line) => line.startsWith('{'))) as { key: { secret: string } };
    expect(await made.ended).toBe(0);
    const other = pennypost('work', '--lanes', 'background');
    await other.line((line) => line.startsWith('lanes'));
    const serve = pennypost('serve', '--processes', '2');
    const url = (await serve.line((line) => line.startsWith('listening'))).split(/\s+/)[1] ?? '';
    expect(serve.errors()).toContain('If that process ends, this one takes it over');

    const call = async (path: string, body?: string | object): Promise<Record<string, unknown>> => {
      const type = typeof body === 'string' ? 'text/csv' : 'application/json';
      const answer = await fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${key.secret}`, 'content-type': type },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const found = (await answer.json()) as Record<string, unknown>;
      if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(found)}`);
      return found;
    };
    const addresses = people(600);
    const { id: list } = await call('/v1/lists', { name: 'Letter' });
    await call(`/v1/imports?lists=${list}`, `email\n${addresses.join('\n')}\n`);
    const content = { kind: 'text', source: 'Hello.', subject: 'Hello', author: { address: 'a@news.example.com' } };
    const { id } = await call('/v1/campaigns', { name: 'Letter', audience: { include: [{ list: list }] }, content });
    await call(`/v1/campaigns/${id}/launch`, {});
    await eventually('some to be accepted', async () => (await relay.look()).accepted >= 100);
    other.kill('SIGKILL');
    await eventually('serve to run the database', () => serve.errors().includes('This process runs it now'));
    await eventually('serve to be ready', async () => (await fetch(`${url}/health/ready`)).ok);
    await eventually('everybody to have an outcome', async () => (await call(`/v1/campaigns/${id}`)).state === 'submitted');
    expectOneCopyEach(await relay.copies(), addresses);
    expect(await call(`/v1/campaigns/${id}/report`)).toMatchObject({ states: { submitted: 600 }, repeated: 0 });
    serve.kill('SIGTERM');
    expect(await serve.ended).toBe(0);
  });
});
