/**
 * How fast a whole campaign goes out: launched by the public verb, sent by the worker command that every user runs, with
 * personal content, tracked links, the re-check of each recipient and the ledger. `seconds` run from the launch call to the
 * state `submitted`.
 *
 * Before the clock runs, the same content goes to as many as 1,000 people at a sink that records: every header and link of it is
 * verified, and its sizes are those that are reported and that smtp-source sends.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Campaign } from '../../src/application/application.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { WrongArguments, whole } from './support/arguments.ts';
import { fromAfar } from './support/delaying-proxy.ts';
import { type BenchInstance, openBenchInstance } from './support/instance.ts';
import { connectionsTo, cpuMicros, idleMicros, median, rounded } from './support/machine.ts';
import { newsletter, type Person, peopleCsv, person, SENDER_DOMAIN, type Size } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';
import { recordedMessages, verifyMessages } from './support/recorded.ts';
import { runSmtpSource, type Sink, startOwnSink, startSmtpSink } from './support/smtp.ts';
import { countSystemCalls, type SystemCalls } from './support/system-calls.ts';
import { type Fleet, startWorkers } from './support/workers.ts';

const ROUNDS = '3';
const POLL_MS = 50;

interface Settings {
  readonly recipients: number;
  readonly size: Size;
  readonly smtp: string | undefined;
  readonly processes: number;
  readonly connections: number;
  readonly versus: boolean;
  /** Milliseconds to the sink and back; undefined: nothing between. */
  readonly roundTrip: number | undefined;
  /** Whether the worker may use what the sink offers. */
  readonly chunking: boolean;
  readonly rounds: number;
  /** Messages that are recorded and verified before. */
  readonly verify: number;
  /** Directory for a CPU profile of each worker. */
  readonly profile: string | undefined;
}

/** CPU is in microseconds per message. */
interface Round {
  readonly seconds: number;
  readonly launchSeconds: number;
  readonly rate: number;
  readonly workerCpu: number;
  readonly sinkCpu: number;
  readonly databaseCpu: number;
  /** Part of the machine that did nothing; the rest is worker, sink, PostgreSQL and whatever else runs here. */
  readonly idleShare: number;
  readonly connections: number;
  readonly submitted: number;
  readonly skipped: number;
  readonly repeated: number;
}

export async function benchSend(args: readonly string[], output: BenchOutput): Promise<void> {
  const settings = readSettings(args);
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-bench-send-'));
  const instance = await openBenchInstance({});
  try {
    const audience = await prepare(instance, settings, output);
    const sample = await record(instance, audience, settings, directory, output);
    const sink = await sinkFor(settings);
    try {
      await measure(instance, audience, sample, sink, settings, directory, output);
    } finally {
      await sink.close();
    }
  } finally {
    await instance.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function readSettings(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      recipients: { type: 'string', default: '100000' },
      size: { type: 'string', default: '5k' },
      smtp: { type: 'string' },
      processes: { type: 'string', default: '1' },
      connections: { type: 'string', default: '20' },
      versus: { type: 'string' },
      'round-trip': { type: 'string' },
      'no-chunking': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      verify: { type: 'string', default: '1000' },
      profile: { type: 'string' },
    },
  });
  const { size, versus } = values;
  if (size !== '5k' && size !== '40k') throw new WrongArguments(`--size can be 5k or 40k, not "${size}".`);
  if (versus !== undefined && versus !== 'smtp-source') throw new WrongArguments(`--versus can be smtp-source, not "${versus}".`);
  if (versus !== undefined && values.smtp !== undefined)
    throw new WrongArguments('--versus starts a sink of its own; leave --smtp out.');
  if (values['round-trip'] !== undefined && values.smtp !== undefined)
    throw new WrongArguments('--round-trip stands before a sink of its own; leave --smtp out.');
  const recipients = whole('recipients', values.recipients);
  return {
    recipients,
    size,
    smtp: values.smtp,
    processes: whole('processes', values.processes),
    connections: whole('connections', values.connections),
    versus: versus !== undefined,
    roundTrip: values['round-trip'] === undefined ? undefined : whole('round-trip', values['round-trip']),
    chunking: !values['no-chunking'],
    rounds: whole('rounds', values.rounds ?? (versus === undefined ? '1' : ROUNDS)),
    verify: Math.min(whole('verify', values.verify), recipients),
    profile: values.profile,
  };
}

interface Audience {
  readonly projectId: string;
  readonly everybody: string;
  /** Those who get the recorded messages. */
  readonly sample: string;
}

async function prepare({ application }: BenchInstance, settings: Settings, output: BenchOutput): Promise<Audience> {
  output.note(`importing ${settings.recipients.toLocaleString('en-US')} people`);
  const project = await application.projects.create({
    name: 'Benchmark',
    senderDomain: SENDER_DOMAIN,
    postalAddress: '1 Main Street, 12345 Town',
  });
  const everybody = await application.lists.create(project.id, { name: 'Everybody' });
  const sample = await application.lists.create(project.id, { name: 'Sample' });
  await application.imports.create(project.id, peopleCsv(settings.recipients), { lists: [everybody.id] });
  await application.imports.create(project.id, peopleCsv(settings.verify), { lists: [sample.id] });
  return { projectId: project.id, everybody: everybody.id, sample: sample.id };
}

interface Sample {
  /** On average. */
  readonly bytes: number;
  /** A message of that size, with LF line ends, as smtp-source reads it. */
  readonly file: string;
}

async function record(
  instance: BenchInstance,
  { projectId, sample }: Audience,
  settings: Settings,
  directory: string,
  output: BenchOutput,
): Promise<Sample> {
  const log = join(directory, 'recorded.ndjson');
  const sink = await startOwnSink(log);
  const workers = await startWorkers(instance, 1, variablesFor(sink.url, settings));
  const { campaign } = await run(instance, projectId, sample, settings);
  await workers.stop();
  await sink.close();
  const messages = await recordedMessages(log);
  const people = new Map<string, Person>();
  for (let index = 0; index < settings.verify; index += 1) people.set(person(index).email, person(index));
  const { keys } = instance.opened;
  const [mailing] = await instance.opened.get(tokens.work).run((scope) => scope.campaign.mailings.of(projectId, campaign.id));
  const ids = { projectId, campaignId: campaign.id, mailingId: mailing?.mailingId ?? '', listId: sample };
  await verifyMessages(messages, { size: settings.size, keys, ...ids, people });
  const bytes = messages.reduce((sum, message) => sum + message.length, 0) / messages.length;
  output.note(`verified every header and link of ${messages.length.toLocaleString('en-US')} recorded messages`);
  const [typical = ''] = messages.sort((a, b) => Math.abs(a.length - bytes) - Math.abs(b.length - bytes));
  const file = join(directory, 'typical.eml');
  await writeFile(file, typical.replaceAll('\r\n', '\n'), 'latin1');
  return { bytes, file };
}

const variablesFor = (url: string, settings: Settings): Record<string, string> => ({
  PENNYPOST_SMTP_URL: settings.chunking ? url : `${url}?chunking=no`,
  PENNYPOST_MAX_CONNECTIONS: String(settings.connections),
});

async function sinkFor(settings: Settings): Promise<Sink> {
  if (settings.smtp !== undefined) {
    const port = Number(new URL(settings.smtp).port);
    return { url: settings.smtp, port, pid: 0, close: async () => undefined };
  }
  const sink = await (settings.versus ? startSmtpSink() : startOwnSink());
  return settings.roundTrip === undefined ? sink : fromAfar(sink, settings.roundTrip);
}

async function measure(
  instance: BenchInstance,
  { projectId, everybody }: Audience,
  sample: Sample,
  sink: Sink,
  settings: Settings,
  directory: string,
  output: BenchOutput,
): Promise<void> {
  const { processes, profile, recipients } = settings;
  const profiling = profile === undefined ? '' : `--cpu-prof --cpu-prof-dir=${profile}`;
  const workers = await startWorkers(instance, processes, variablesFor(sink.url, settings), profiling);
  const rounds: (Round & { readonly limit: number; readonly ratio: number })[] = [];
  for (let number = 1; number <= settings.rounds; number += 1) {
    const round = await timedRound(instance, workers, projectId, everybody, sink, settings, output);
    const source = settings.versus ? await runSmtpSource(sink.port, sample.file, recipients, round.connections) : Number.NaN;
    rounds.push({ ...round, limit: recipients / source, ratio: (round.rate * source) / recipients });
    output.note(`round ${number} of ${settings.rounds}: ${Math.round(round.rate).toLocaleString('en-US')} messages per second`);
  }
  const peaks = workers.peaksMb();
  const again = (): Promise<Run> => run(instance, projectId, everybody, settings);
  const calls = await countSystemCalls(workers.pids(), join(directory, 'strace.txt'), again);
  await workers.stop();
  report(rounds, peaks, calls, sample, settings, output);
}

async function timedRound(
  instance: BenchInstance,
  workers: Fleet,
  projectId: string,
  listId: string,
  sink: Sink,
  settings: Settings,
  output: BenchOutput,
): Promise<Round> {
  const cpu = async (): Promise<number[]> => {
    const groups = [workers.pids(), sink.pid === 0 ? [] : [sink.pid], await instance.serverPids()];
    return groups.map(cpuMicros);
  };
  const before = await cpu();
  const idleBefore = idleMicros();
  const { seconds, launchSeconds, connections, campaign } = await run(instance, projectId, listId, settings, sink.port);
  const idle = idleMicros() - idleBefore;
  const spent = (await cpu()).map((after, at) => (after - (before[at] ?? 0)) / settings.recipients);
  const totals = await instance.application.campaigns.report(projectId, campaign.id);
  if (totals.states.submitted < settings.recipients) {
    for (const { state, count, reason } of totals.reasons) output.note(`${count.toLocaleString('en-US')} ${state}: ${reason}`);
  }
  const [workerCpu = 0, sinkCpu = 0, databaseCpu = 0] = spent;
  return {
    seconds,
    launchSeconds,
    rate: settings.recipients / seconds,
    workerCpu,
    sinkCpu,
    databaseCpu,
    idleShare: idle / (seconds * 1e6 * availableParallelism()),
    connections,
    submitted: totals.states.submitted,
    skipped: totals.states.skipped,
    repeated: totals.repeated,
  };
}

interface Run {
  readonly campaign: Campaign;
  readonly seconds: number;
  readonly launchSeconds: number;
  /** Open at once at most, over all workers. */
  readonly connections: number;
}

async function run(
  { application }: BenchInstance,
  projectId: string,
  listId: string,
  settings: Settings,
  port?: number,
): Promise<Run> {
  const { id } = await application.campaigns.create(projectId, {
    name: `Campaign ${settings.size}`,
    audience: { include: [{ list: listId }] },
    content: newsletter(settings.size),
  });
  const begun = performance.now();
  await application.campaigns.launch(projectId, id);
  const launched = performance.now();
  let connections = 1;
  for (;;) {
    const campaign = await application.campaigns.get(projectId, id);
    const ended = performance.now();
    if (campaign.state === 'submitted') {
      return { campaign, seconds: (ended - begun) / 1_000, launchSeconds: (launched - begun) / 1_000, connections };
    }
    if (campaign.state !== 'sending') throw new Error(`The campaign is ${campaign.state}: ${campaign.pauseReason ?? ''}`);
    if (port !== undefined) connections = Math.max(connections, connectionsTo(port));
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function report(
  rounds: readonly (Round & { readonly limit: number; readonly ratio: number })[],
  peaks: readonly number[],
  calls: SystemCalls | undefined,
  sample: Sample,
  settings: Settings,
  output: BenchOutput,
): void {
  const { recipients, size, processes, versus } = settings;
  const middle = (of: (round: (typeof rounds)[number]) => number): number => median(rounds.map(of));
  const last = rounds.at(-1);
  output.table(
    `send: ${recipients.toLocaleString('en-US')} messages of ${Math.round(sample.bytes).toLocaleString('en-US')} bytes, ${processes} worker process(es); CPU in microseconds per message`,
    rounds.map((round, at) => ({
      round: at + 1,
      seconds: round.seconds,
      launch: round.launchSeconds,
      'messages/s': Math.round(round.rate),
      ...(versus ? { 'smtp-source/s': Math.round(round.limit), ratio: round.ratio } : {}),
      'worker CPU': round.workerCpu,
      'sink CPU': round.sinkCpu,
      'PostgreSQL CPU': round.databaseCpu,
      'idle %': round.idleShare * 100,
      connections: round.connections,
      submitted: round.submitted,
    })),
  );
  output.table('memory in MB', [{ 'largest worker': Math.max(...peaks), 'all workers': sum(peaks) }]);
  if (calls !== undefined)
    output.table('system calls of the workers per message, in one more round under strace', [
      Object.fromEntries([
        ['all', calls.total / recipients],
        ...calls.byName.slice(0, 7).map(([name, count]) => [name, count / recipients]),
      ]),
    ]);
  const ratios = rounds.map((round) => round.ratio);
  if (versus)
    output.table('against smtp-source', [
      { ratio: middle((round) => round.ratio), least: Math.min(...ratios), most: Math.max(...ratios) },
    ]);
  output.result({
    bench: 'send',
    recipients,
    size,
    seconds: rounded(
      middle((round) => round.seconds),
      3,
    ),
    messagesPerSecond: rounded(middle((round) => round.rate)),
    bytesPerMessage: rounded(sample.bytes),
    cpuMicrosPerMessage: rounded(
      middle((round) => round.workerCpu),
      1,
    ),
    idleShare: rounded(
      middle((round) => round.idleShare),
      3,
    ),
    ...(calls === undefined ? {} : { systemCallsPerMessage: rounded(calls.total / recipients, 2) }),
    processes,
    ...(settings.roundTrip === undefined ? {} : { roundTripMs: settings.roundTrip }),
    chunking: settings.chunking,
    peakRssMb: rounded(Math.max(...peaks), 1),
    rssMbTotal: rounded(sum(peaks), 1),
    submitted: last?.submitted ?? 0,
    skipped: last?.skipped ?? 0,
    repeated: sum(rounds.map((round) => round.repeated)),
    ...(versus
      ? {
          limitPerSecond: rounded(middle((round) => round.limit)),
          ratio: rounded(
            middle((round) => round.ratio),
            3,
          ),
        }
      : {}),
  });
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
