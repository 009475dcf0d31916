import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../../support/instance.ts';
import { eventually, type RunningProcess, startNode } from '../../support/processes.ts';

const PEOPLE = 300;
const MAIN = 'src/interfaces/cli/main.ts';
let instance: TestInstance;
let directory: string;
let sink: RunningProcess;
let environment: Record<string, string>;
let campaignId: string;
const started: RunningProcess[] = [];

const accepted = async (): Promise<string[]> =>
  (await readFile(join(directory, 'accepted.ndjson'), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { to: string }).to);

const pennypost = (...words: readonly string[]): RunningProcess => {
  const running = startNode(MAIN, words, environment);
  started.push(running);
  return running;
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
  sink = startNode('test/support/sink-process.ts', ['--log', join(directory, 'accepted.ndjson')]);
  const { port } = JSON.parse(await sink.line((line) => line.startsWith('{'))) as { port: number };
  instance = await openTestInstance({ smtpUrl: `smtp://127.0.0.1:${port}` });
  environment = {
    PENNYPOST_DATABASE_URL: instance.databaseUrl,
    PENNYPOST_SECRET_KEY: TEST_SECRET,
    PENNYPOST_DATA_DIR: join(directory, 'data'),
    PENNYPOST_SMTP_URL: `smtp://127.0.0.1:${port}`,
    PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
    PENNYPOST_MAX_CONNECTIONS: '5',
  };
  const { application } = instance;
  const project = await application.projects.create({
    name: 'Watch',
    senderDomain: 'news.example.com',
    postalAddress: '1 Road',
  });
  const list = await application.lists.create(project.id, { name: 'All' });
  // Each takes the server so long that five connections can be interrupted in the middle.
  const csv = `email\n${Array.from({ length: PEOPLE }, (_, index) => `slow-50ms-at-dot+${index}@example.net\n`).join('')}`;
  await application.imports.create(project.id, bytes(csv), { lists: [list.id] });
  const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'a@news.example.com' } } as const;
  campaignId = (
    await application.campaigns.create(project.id, { name: 'Hello', audience: { include: [{ list: list.id }] }, content })
  ).id;
  await writeFile(join(directory, 'project'), project.id);
});
afterAll(async () => {
  for (const one of started) one.kill('SIGKILL');
  await Promise.all(started.map((one) => one.ended));
  sink.kill('SIGTERM');
  await sink.ended;
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('Ctrl-C while a process sends what it watches', () => {
  it('finishes what is on the wire, and says how it goes on', async () => {
    const running = pennypost('campaign', 'launch', 'Hello', '--watch');
    await eventually('some to be accepted', async () => (await accepted()).length > 40);
    running.kill('SIGINT');
    expect(await running.ended).toBe(130);
    expect(running.errors()).toContain('No worker for the bulk lane is running: this process works until the command is done.');
    expect(running.errors()).toMatch(/Interrupted\. [\d,]+ messages? (is|are) left/);
    const report = await instance.application.campaigns.report(await readFile(join(directory, 'project'), 'utf8'), campaignId);
    expect(report.state).toBe('sending');
    // Every outcome is recorded: what the server accepted is what we say it did.
    expect(report.states.submitted).toBe((await accepted()).length);
    expect(report.states.submitted).toBeLessThan(PEOPLE);
  });

  it('skips nobody and repeats nobody when it goes on', async () => {
    const running = pennypost('campaign', 'watch', 'Hello', '--json');
    expect(await running.ended).toBe(0);
    expect(JSON.parse(running.lines.at(-1) ?? '')).toMatchObject({
      state: 'submitted',
      recipients: PEOPLE,
      repeated: 0,
      states: { submitted: PEOPLE },
    });
    const everybody = await accepted();
    expect([everybody.length, new Set(everybody).size]).toEqual([PEOPLE, PEOPLE]);
  });
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
