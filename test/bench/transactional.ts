/**
 * Milliseconds from the call of `POST /v1/messages` to the acceptance at the sink, one message after the other at a steady rate:
 * alone, and with `--under-load` once more while a bulk campaign runs through the same process and database. With `--clients`
 * also how many messages a second are taken from so many clients, each of which calls again as soon as it has its answer.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from '../support/processes.ts';
import { whole } from './support/arguments.ts';
import { type BenchInstance, openBenchInstance } from './support/instance.ts';
import { cpuMicros, percentile, rounded } from './support/machine.ts';
import { newsletter, peopleCsv, SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';
import { Requester } from './support/requests.ts';
import { startOwnSink } from './support/smtp.ts';
import { type ServedFleet, startServe } from './support/workers.ts';

const CONTENT = {
  kind: 'text',
  subject: 'Your receipt {{ number }}',
  source: 'Thank you, {{ name }}.\nThis is the receipt for order {{ number }}.\n',
  author: { name: 'Acme', address: `orders@${SENDER_DOMAIN}` },
};
const STEADY_CLIENTS = 8;
const WARM_UP = 200;

interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

export async function benchTransactional(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: 'string', default: '5000' },
      rate: { type: 'string', default: '100' },
      clients: { type: 'string' },
      'under-load': { type: 'boolean', default: false },
      /** Of the campaign; it must last longer than the messages. */
      recipients: { type: 'string', default: '500000' },
    },
  });
  const messages = whole('messages', values.messages);
  const rate = whole('rate', values.rate);
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-bench-transactional-'));
  const log = join(directory, 'accepted.ndjson');
  const sink = await startOwnSink(log, false);
  const instance = await openBenchInstance({});
  try {
    const { application } = instance;
    const project = await application.projects.create({
      name: 'Benchmark',
      senderDomain: SENDER_DOMAIN,
      postalAddress: '1 Main Street, 12345 Town',
    });
    const { secret } = await application.keys.create(project.id, {
      name: 'benchmark',
      scopes: ['message.send'],
      requestsPerSecond: 10_000,
    });
    const variables = { PENNYPOST_SMTP_URL: sink.url, PENNYPOST_MAX_CONNECTIONS: '20' };
    const serve = await startServe(instance, 'transactional,bulk,background', variables);
    const run = { serve, secret, log, rate };
    await latencies(run, 'warm', WARM_UP);
    output.note(`${messages} messages, ${rate} a second`);
    const spent = async () => [cpuMicros(serve.pids()), cpuMicros(await instance.serverPids())];
    const before = await spent();
    const alone = await latencies(run, 'alone', messages);
    const [server = 0, database = 0] = (await spent()).map((micros, at) => (micros - (before[at] ?? 0)) / messages);
    let loaded: Latencies | undefined;
    let bulkRate = Number.NaN;
    if (values['under-load']) {
      const load = await startCampaign(instance, project.id, whole('recipients', values.recipients), output);
      const submittedBefore = await load.submitted();
      const begun = performance.now();
      loaded = await latencies(run, 'loaded', messages);
      bulkRate = ((await load.submitted()) - submittedBefore) / ((performance.now() - begun) / 1_000);
      if (!(await load.running())) output.note('warning: the campaign ended before the messages; give it more --recipients');
      await load.cancel();
    }
    const clients = values.clients === undefined ? undefined : whole('clients', values.clients);
    const crowd = clients === undefined ? undefined : await throughput(run, clients, messages);
    await serve.stop();
    output.table(`transactional: ${messages} messages at ${rate} a second, milliseconds from call to acceptance`, [
      {
        when: 'alone',
        p50: alone.p50,
        p99: alone.p99,
        'bulk messages/s': 0,
        'server CPU us': server,
        'PostgreSQL CPU us': database,
      },
      ...(loaded === undefined ? [] : [{ when: 'under load', p50: loaded.p50, p99: loaded.p99, 'bulk messages/s': bulkRate }]),
    ]);
    if (crowd !== undefined)
      output.table(`transactional: ${messages} messages from ${clients} clients, messages a second`, [
        { accepted: crowd.acceptedPerSecond, 'handed over': crowd.submittedPerSecond },
      ]);
    output.result({
      bench: 'transactional',
      messages,
      ratePerSecond: rate,
      p50Ms: rounded(alone.p50, 1),
      p99Ms: rounded(alone.p99, 1),
      cpuMicrosPerMessage: rounded(server),
      databaseMicrosPerMessage: rounded(database),
      ...(crowd === undefined
        ? {}
        : {
            clients,
            acceptedPerSecond: rounded(crowd.acceptedPerSecond),
            submittedPerSecond: rounded(crowd.submittedPerSecond),
          }),
      ...(loaded === undefined
        ? {}
        : { loadedP50Ms: rounded(loaded.p50, 1), loadedP99Ms: rounded(loaded.p99, 1), bulkPerSecond: rounded(bulkRate) }),
    });
  } finally {
    await instance.close();
    await sink.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Run {
  readonly serve: ServedFleet;
  readonly secret: string;
  /** Of the sink. */
  readonly log: string;
  readonly rate: number;
}

/** Calls at a steady rate, whatever the answers take, and waits until the sink has logged them all. */
async function latencies({ serve, secret, log, rate }: Run, name: string, count: number): Promise<Latencies> {
  const called = new Map<string, number>();
  const begun = performance.now();
  let next = 0;
  await eachClient(serve, STEADY_CLIENTS, async (requester) => {
    while (next < count) {
      const number = next;
      next += 1;
      const due = begun + (number * 1_000) / rate;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      called.set(addressOf(name, number), performance.timeOrigin + performance.now());
      await post(requester, secret, name, number);
    }
  });
  const accepted = await acceptances(log, name, count);
  const taken = [...called].map(([to, at]) => (accepted.get(to) ?? Number.NaN) - at);
  return { p50: percentile(taken, 0.5), p99: percentile(taken, 0.99) };
}

/** Every client calls again at once; until the last answer, and until the last message is at the sink. */
async function throughput({ serve, secret, log }: Run, clients: number, count: number) {
  const name = 'crowd';
  const begun = performance.timeOrigin + performance.now();
  let next = 0;
  await eachClient(serve, clients, async (requester) => {
    while (next < count) {
      next += 1;
      await post(requester, secret, name, next);
    }
  });
  const answered = performance.timeOrigin + performance.now();
  const last = Math.max(...(await acceptances(log, name, count)).values());
  return { acceptedPerSecond: count / ((answered - begun) / 1_000), submittedPerSecond: count / ((last - begun) / 1_000) };
}

async function eachClient(serve: ServedFleet, clients: number, work: (requester: Requester) => Promise<void>): Promise<void> {
  const requesters = await Promise.all(Array.from({ length: clients }, () => Requester.open(serve.url)));
  await Promise.all(requesters.map(work));
  for (const requester of requesters) requester.close();
}

const addressOf = (name: string, number: number): string => `${name}${number}@customers.example`;

async function post(requester: Requester, secret: string, name: string, number: number): Promise<void> {
  const headers = { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' };
  const to = addressOf(name, number);
  const body = JSON.stringify({ to, content: CONTENT, variables: { name: `Person ${number}`, number } });
  const answer = await requester.ask('POST', '/v1/messages', headers, body);
  if (answer.status !== 202)
    throw new Error(`POST /v1/messages was answered with ${answer.status}: ${answer.body.slice(0, 300)}`);
}

/** When the sink accepted each of them, in milliseconds since 1970. */
async function acceptances(log: string, name: string, count: number): Promise<Map<string, number>> {
  const accepted = new Map<string, number>();
  await eventually('every message to be accepted', async () => {
    accepted.clear();
    for (const line of (await readFile(log, 'utf8')).split('\n')) {
      if (!line.includes(`"to":"${name}`) || !line.endsWith('}')) continue;
      const { to, time } = JSON.parse(line) as { to: string; time: string };
      if (!accepted.has(to)) accepted.set(to, Date.parse(time));
    }
    return accepted.size >= count;
  });
  return accepted;
}

async function startCampaign({ application }: BenchInstance, projectId: string, recipients: number, output: BenchOutput) {
  output.note(`importing ${recipients.toLocaleString('en-US')} people for a campaign`);
  const list = await application.lists.create(projectId, { name: 'Everybody' });
  await application.imports.create(projectId, peopleCsv(recipients), { lists: [list.id] });
  const { id } = await application.campaigns.create(projectId, {
    name: 'Load',
    audience: { include: [{ list: list.id }] },
    content: newsletter('5k'),
  });
  await application.campaigns.launch(projectId, id);
  const submitted = async (): Promise<number> => (await application.campaigns.report(projectId, id)).states.submitted;
  await eventually('the campaign to run', async () => (await submitted()) > 1_000);
  return {
    submitted,
    running: async () => (await application.campaigns.get(projectId, id)).state === 'sending',
    cancel: () => application.campaigns.cancel(projectId, id),
  };
}
