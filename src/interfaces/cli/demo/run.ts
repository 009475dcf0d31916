/**
 * The first minute: the whole way of a campaign on real parts, in an instance of its own that is gone afterwards. Nothing of what
 * is configured is used or touched: a demo must never mail real recipients, nor write into a real database.
 */
import { createReadStream } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closing } from '../../../domain/shared/clean-up.ts';
import { type Server, startServer } from '../../http/serve.ts';
import type { ReadableInbox } from '../../web/readable-inbox.ts';
import type { Cli, Project } from '../cli.ts';
import { parseContentFile } from '../content-file.ts';
import { EXIT } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { recentDays, renderReport } from '../report.ts';
import { version } from '../serve.ts';
import { renderFields } from '../table.ts';
import { formatCount, formatCounted, formatSeconds, pad } from '../text.ts';
import { type Instance, LANES } from '../workbench.ts';
import { untilDone } from '../working.ts';
import { newsletter } from './newsletter.ts';
import { sampleFile } from './people.ts';
import { type Acted, act } from './recipients.ts';

export interface DemoResult {
  readonly rows: number;
  readonly imported: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly audience: number;
  readonly submitted: number;
  readonly opened: number;
  readonly clicked: number;
  readonly unsubscribed: number;
  readonly seconds: number;
}

type Made = Pick<Project, 'id' | 'name'>;

interface Stage {
  readonly cli: Cli;
  readonly instance: Instance;
  readonly inbox: ReadableInbox;
  readonly directory: string;
  readonly say: (what: string, text: string) => void;
}

/** @param recipients distinct people whose rows are valid; @param stays until Ctrl-C */
export async function runDemo(cli: Cli, recipients: number, stays: boolean): Promise<void> {
  const began = cli.clock.monotonic();
  cli.interruption.heed();
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-demo-'));
  // As root, the database runs as another user, who must pass through.
  await chmod(directory, 0o711);
  const removed = rm.bind(undefined, directory, { recursive: true, force: true, maxRetries: 5 });
  const served = async (): Promise<void> => {
    const server = await serverFor(cli);
    const staged = () => onStage(cli, server, directory, (stage) => play(stage, server, recipients, stays, began));
    await closing(staged, () => server.close(2_000));
  };
  await closing(served, removed);
}

/** On the port that `serve` would take, or on any when that is taken. */
async function serverFor(cli: Cli): Promise<Server> {
  const { host, port } = { ...(await cli.workbench.settings()), host: '127.0.0.1' };
  return startServer({ host, port }).catch(() => startServer({ host, port: 0 }));
}

async function onStage(cli: Cli, server: Server, directory: string, work: (stage: Stage) => Promise<void>): Promise<void> {
  let last = cli.clock.monotonic();
  const say = (what: string, text: string): void => {
    const now = cli.clock.monotonic();
    cli.output.note(`${pad(what, 12, 'left')}${text}  (${formatSeconds((now - last) / 1_000)})`);
    last = now;
  };
  const instance = await cli.workbench.open({ works: true, ownInbox: true, publicUrl: server.url, isolatedIn: directory });
  const staged = async (): Promise<void> => {
    const { application, publicUrl, inbox } = instance;
    if (inbox === undefined) throw new Error('The demo has no inbox.');
    const report = (error: unknown, where: string) => cli.output.warn(`${where}: ${String(error)}`);
    server.serve({
      application,
      publicUrl,
      version: await version(),
      inbox,
      names: [],
      local: false,
      ready: instance.ready,
      report,
    });
    await instance.work(LANES);
    say('database', `embedded PostgreSQL in ${join(directory, 'data')}, schema up to date`);
    await work({ cli, instance, inbox, directory, say });
  };
  await closing(staged, () => instance.close());
}

async function play(stage: Stage, server: Server, recipients: number, stays: boolean, began: number): Promise<void> {
  const { cli, instance, inbox, say } = stage;
  const { application } = instance;
  const interrupted = cli.interruption.signal;
  const { project, secret, list } = await settle(stage);
  const { totals } = await importPeople(stage, project, list, recipients);
  if (interrupted.aborted) return cli.endWith(EXIT.failed);
  const campaign = await createCampaign(stage, project, list);
  const launched = await application.campaigns.launch(project.id, campaign.id);
  const progress = new Progress({
    stream: cli.output.progressStream,
    clock: cli.clock,
    label: 'sending',
    total: launched.recipients,
  });
  const done = await untilDone(cli, instance, 'bulk', async () => {
    progress.update(inbox.recipients());
    return (await application.campaigns.get(project.id, campaign.id)).state === 'submitted';
  }).finally(() => progress.finish());
  if (!done) return cli.endWith(EXIT.failed);
  const submitted = inbox.recipients();
  say('inbox', `${formatCounted(submitted, 'recipient has', 'recipients have')} mail, handed over by SMTP to ${inbox.url}`);
  const acted = await act(inbox, messagesOf(inbox), instance.publicUrl);
  say(
    'recipients',
    `${acted.opened} opened, ${acted.clicked} clicked, ${acted.unsubscribed} unsubscribed by one click, all over HTTP`,
  );

  const reportUrl = `${server.url}/v1/campaigns/${campaign.id}/report`;
  const reported = await publicReport(reportUrl, secret);
  const { rows, imported, duplicates, rejected } = totals;
  const seconds = Math.round((cli.clock.monotonic() - began) / 100) / 10;
  const result: DemoResult = {
    rows,
    imported,
    duplicates,
    rejected,
    audience: launched.recipients,
    submitted,
    ...reported,
    seconds,
  };
  const report = await application.campaigns.report(project.id, campaign.id, { daily: true });
  const daily = recentDays(report.daily, report.launchedAt, cli.clock.now());
  cli.output.result(result, () => `\n${renderReport(report, daily, cli.output.display)}\n`);
  for (const fault of differences(result, recipients, acted)) {
    cli.output.warn(fault);
    cli.endWith(EXIT.failed);
  }
  if (!stays) return;
  const addresses = renderFields([
    ['inbox', `${server.url}/inbox`],
    ['API reference', `${server.url}/docs/`],
    ['report', `curl -H "Authorization: Bearer ${secret}" ${reportUrl}`],
    ['files', `${join(stage.directory, 'people.csv')} and november.mjml beside it`],
  ]);
  cli.output.note(
    `${addresses}\n\nDone in ${formatSeconds(seconds)}. The pages stay up; Ctrl-C ends the demo and removes its files.`,
  );
  await Promise.race([cli.interruption.wait(), instance.broken]);
}

async function settle({ instance, say }: Stage): Promise<{ project: Made; secret: string; list: string }> {
  const { projects, lists } = instance.application;
  const { key, ...project } = await projects.create(
    {
      name: 'Harbour Books',
      senderDomain: 'news.harbour.example',
      postalAddress: 'Quay 1, 20457 Hamburg',
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
    { withKey: true },
  );
  const list = await lists.create(project.id, { name: 'Harbour letter' });
  say('project', `${project.name}, with an API key`);
  return { project, secret: key?.secret ?? '', list: list.slug };
}

async function importPeople({ cli, instance, directory, say }: Stage, project: Made, list: string, recipients: number) {
  const { imports } = instance.application;
  const file = join(directory, 'people.csv');
  const sample = sampleFile(recipients);
  await writeFile(file, sample.csv);
  say(
    'file',
    `${file}: ${formatCounted(sample.rows, 'row', 'rows')}, ${formatCounted(sample.duplicates, 'duplicate', 'duplicates')}, ${sample.rejected} invalid`,
  );
  const imported = await imports.create(project.id, createReadStream(file, { signal: cli.interruption.signal }), {
    lists: [list],
    fileName: 'people.csv',
    consent: { source: 'demo' },
  });
  const { totals } = imported;
  say(
    'import',
    `${formatCount(totals.imported)} imported, ${formatCounted(totals.duplicates, 'duplicate', 'duplicates')}, ${totals.rejected} rejected with line and reason`,
  );
  return imported;
}

async function createCampaign({ instance, directory, say }: Stage, project: Made, list: string) {
  const { campaigns } = instance.application;
  const path = join(directory, 'november.mjml');
  const text = newsletter(list);
  await writeFile(path, text);
  const { content, name = 'Demo' } = parseContentFile(path, text);
  const created = await campaigns.create(project.id, { name, content, audience: { include: [{ list }] } }, { checked: true });
  const problems = created.problems ?? [];
  say(
    'campaign',
    `${name}, MJML with Liquid${problems.length === 0 ? '' : `, ${formatCounted(problems.length, 'warning', 'warnings')}`}`,
  );
  return created;
}

/** One message per recipient, in the order of their addresses; of those that the inbox still has. */
function messagesOf(inbox: ReadableInbox): readonly string[] {
  const newest = new Map<string, string>();
  for (let after: string | undefined; ; ) {
    const page = inbox.list({ limit: 500, after });
    for (const { id, to } of page.items) newest.set(to[0] ?? '', id);
    if (page.next === undefined) break;
    after = page.next;
  }
  return [...newest].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, id]) => id);
}

/** As any client with a key gets it. */
async function publicReport(url: string, secret: string): Promise<Acted> {
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${secret}` } });
  if (!answer.ok) throw new Error(`The report answered ${answer.status}: ${await answer.text()}`);
  const report = (await answer.json()) as { opened: { unique: number }; clicked: { unique: number }; unsubscribed: number };
  return { opened: report.opened.unique, clicked: report.clicked.unique, unsubscribed: report.unsubscribed };
}

/** What does not agree, each with both numbers. */
export function differences(result: DemoResult, recipients: number, acted: Acted): readonly string[] {
  const { rows, imported, duplicates, rejected, audience, submitted, opened, clicked, unsubscribed } = result;
  const pairs: readonly (readonly [what: string, found: number, expected: number])[] = [
    ['imported and the subscribers in the file', imported, recipients],
    ['rows and the sum of imported, duplicates and rejected', rows, imported + duplicates + rejected],
    ['audience and imported', audience, imported],
    ['submitted (recipients in the inbox) and audience', submitted, audience],
    ['opened in the report and recipients that opened', opened, acted.opened],
    ['clicked in the report and recipients that clicked', clicked, acted.clicked],
    ['unsubscribed in the report and recipients that unsubscribed', unsubscribed, acted.unsubscribed],
  ];
  return pairs
    .filter(([, found, expected]) => found !== expected)
    .map(([what, found, expected]) => `${what} differ: ${found} and ${expected}.`);
}
