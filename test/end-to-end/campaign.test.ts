import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicPages } from '../../src/interfaces/web/public-pages.ts';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../support/instance.ts';
import { eventually, type RunningProcess, startNode } from '../support/processes.ts';

const PEOPLE = 3_000;
const MJML = `<mjml><mj-body><mj-section><mj-column>
  <mj-text>Hello {{ first_name }}, <a href="https://example.com/offer">look at this</a>.</mj-text>
  <mj-text><a href="https://example.com/more?x=1&amp;y=2">More</a></mj-text>
</mj-column></mj-section></mj-body></mjml>`;

/** One line of the sink's log: what a mail server that knows nothing of us accepted. */
interface Accepted {
  readonly to: string;
  readonly messageId: string;
  readonly headers?: Readonly<Record<string, string>>;
}

describe('a campaign from a CSV file to its report, with a worker killed on the way', () => {
  let instance: TestInstance;
  let directory: string;
  let log: string;
  let sink: RunningProcess;
  let sinkPort: number;
  const workers: RunningProcess[] = [];

  const accepted = async (): Promise<Accepted[]> =>
    (await readFile(log, 'utf8').catch(() => ''))
      .split('\n')
      // What stands behind the last line end is being written.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Accepted);

  const startWorker = async (): Promise<RunningProcess> => {
    const worker = startNode('test/support/worker-process.ts', [], {
      PENNYPOST_DATABASE_URL: instance.databaseUrl,
      PENNYPOST_SECRET_KEY: TEST_SECRET,
      PENNYPOST_SMTP_URL: `smtp://127.0.0.1:${sinkPort}`,
      PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
      PENNYPOST_LOG_LEVEL: 'warn',
      PENNYPOST_MAX_UNRECORDED: '200',
    });
    workers.push(worker);
    await worker.line((line) => line === 'working');
    return worker;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-e2e-'));
    log = join(directory, 'accepted.ndjson');
    sink = startNode('test/support/sink-process.ts', [
      '--log',
      log,
      '--header',
      'X-Pennypost-Possible-Repeat',
      '--raw',
      '--rate',
      '1500',
    ]);
    sinkPort = (JSON.parse(await sink.line((line) => line.startsWith('{'))) as { port: number }).port;
    instance = await openTestInstance({ smtpUrl: `smtp://127.0.0.1:${sinkPort}`, shardSize: 500 });
  });

  afterAll(async () => {
    for (const worker of workers) worker.kill('SIGKILL');
    await Promise.all(workers.map((worker) => worker.ended));
    sink.kill('SIGTERM');
    await sink.ended;
    await instance.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('skips nobody, repeats no more than the window, and counts a click', async () => {
    const { application } = instance;
    const project = await application.projects.create({
      name: 'Kill',
      senderDomain: 'news.example.com',
      postalAddress: '1 Road, Town',
    });
    const list = await application.lists.create(project.id, { name: 'Everybody' });
    const rows = Array.from({ length: PEOPLE }, (_, index) => `person${index}@example.net,Person ${index}\r\n`);
    const csv = Buffer.from(`email,first_name\r\n${rows.join('')}person1@EXAMPLE.net,Twice\r\nnot an address,Bad\r\n`);
    const imported = await application.imports.create(
      project.id,
      (async function* () {
        yield csv;
      })(),
      { lists: [list.id] },
    );
    expect(imported.totals ?? imported).toMatchObject({ rows: PEOPLE + 2, imported: PEOPLE, duplicates: 1, rejected: 1 });

    const campaign = await application.campaigns.create(project.id, {
      name: 'First',
      audience: { include: [{ list: list.id }] },
      content: {
        kind: 'mjml',
        source: MJML,
        subject: 'Hello {{ first_name }}',
        author: { address: 'hello@news.example.com' },
        defaults: { first_name: 'friend' },
      },
    });
    const victim = await startWorker();
    const launched = await application.campaigns.launch(project.id, campaign.id);
    expect(launched.recipients).toBe(PEOPLE);
    await eventually('a third to be accepted', async () => (await accepted()).length > PEOPLE / 3);
    victim.kill('SIGKILL');
    expect(await victim.ended).toBe('SIGKILL');
    const atKill = (await accepted()).length;
    expect(atKill).toBeLessThan(PEOPLE);

    await startWorker();
    await eventually(
      'the campaign to be submitted',
      async () => (await application.campaigns.get(project.id, campaign.id)).state === 'submitted',
    );

    const copies = await accepted();
    const byPerson = Map.groupBy(copies, (copy) => copy.to);
    expect(byPerson.size).toBe(PEOPLE);
    const repeated = [...byPerson.values()].filter((group) => group.length > 1);
    expect(repeated.length).toBeLessThanOrEqual(200);
    for (const group of repeated) {
      expect(new Set(group.map((copy) => copy.messageId)).size).toBe(1);
      expect(group.slice(1).every((copy) => copy.headers?.['x-pennypost-possible-repeat'] === 'yes')).toBe(true);
    }
    expect(new Set(copies.map((copy) => copy.messageId)).size).toBe(PEOPLE);

    const before = await application.campaigns.report(project.id, campaign.id);
    expect(before).toMatchObject({ recipients: PEOPLE, states: { submitted: PEOPLE, pending: 0, deferred: 0 } });

    const raw = (copies[0] as unknown as { raw: string }).raw;
    const body = raw.replace(/=\r\n/g, '').replace(/=3D/g, '=');
    const link = /http:\/\/127\.0\.0\.1:8025(\/c\/[A-Za-z0-9_-]+\/[A-Za-z0-9_-]+)/.exec(body)?.[1] ?? 'no link';
    const pages = publicPages(application.recipients);
    const redirect = await pages.request(link);
    expect(redirect.headers.get('location')).toBe('https://example.com/offer');
    const report = await application.campaigns.report(project.id, campaign.id);
    expect(report.clicked).toEqual({ unique: 1, total: 1 });
    expect(report.links.map((counted) => counted.unique)).toEqual([1, 0]);
  });
});
