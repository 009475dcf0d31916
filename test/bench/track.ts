/**
 * Clicks and opens per second that `pennypost serve` answers, each durable before its answer, beside the same command with recording
 * switched off: in turns of one second, so that both meet the same machine. Three opens to a click, from people of one campaign,
 * over connections that stay open and ask again as soon as they are answered.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { uuidv7 } from '../../src/domain/shared/ids.ts';
import { issueLinkToken, MessageTokens } from '../../src/domain/tracking/index.ts';
import { whole } from './support/arguments.ts';
import { type BenchInstance, openBenchInstance, sqlOf } from './support/instance.ts';
import { cpuMicros, percentile, rounded } from './support/machine.ts';
import { SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';
import { Requester } from './support/requests.ts';
import { type ServedFleet, startServe } from './support/workers.ts';

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const PEOPLE = 20_000;
const WARM_UP_MS = 2_000;
const TURN_MS = 1_000;
/** Loaded before the command: the recorder keeps nothing and says at once that it did. */
const WITHOUT_RECORDING = join(import.meta.dirname, 'support/without-recording-process.ts');

export async function benchTrack(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '10' }, connections: { type: 'string', default: '256' } },
  });
  const seconds = whole('seconds', values.seconds);
  const connections = whole('connections', values.connections);
  const instance = await openBenchInstance({});
  try {
    const { paths, mailingId } = await addresses(instance);
    const recording = await Served.start(instance, paths, connections, '');
    const bare = await Served.start(instance, paths, connections, `--import ${WITHOUT_RECORDING}`);
    for (const served of [recording, bare]) await served.ask(WARM_UP_MS);
    const before = [cpuMicros(recording.pids()), cpuMicros(await instance.serverPids()), cpuMicros(bare.pids())];
    recording.forget();
    bare.forget();
    for (let turn = 0; turn < seconds; turn += 1) {
      await recording.ask(TURN_MS);
      await bare.ask(TURN_MS);
    }
    const after = [cpuMicros(recording.pids()), cpuMicros(await instance.serverPids()), cpuMicros(bare.pids())];
    await recording.stop();
    await bare.stop();
    const [stored] = await sqlOf(instance.opened).query<{ count: number }>(
      'select coalesce(sum(requests), 0)::int as count from pennypost_tracking.event where mailing_id = $1',
      [mailingId],
    );
    const spent = after.map((cpu, at) => cpu - (before[at] ?? 0));
    const [server = 0, database = 0, bareServer = 0] = spent;
    const result = {
      bench: 'track',
      seconds: rounded(recording.seconds, 2),
      answered: recording.milliseconds.length,
      hitsPerSecond: rounded(recording.perSecond),
      bareHitsPerSecond: rounded(bare.perSecond),
      ratio: rounded(recording.perSecond / bare.perSecond, 2),
      p50Ms: rounded(percentile(recording.milliseconds, 0.5), 2),
      p99Ms: rounded(percentile(recording.milliseconds, 0.99), 2),
      /** Of all that was answered, the warm-up included. */
      notStored: recording.total - (stored?.count ?? 0),
      connections,
    };
    output.table(`track: ${connections} connections; CPU in microseconds per hit`, [
      {
        recording: 'on',
        'hits/s': result.hitsPerSecond,
        'p50 ms': result.p50Ms,
        'p99 ms': result.p99Ms,
        'not stored': result.notStored,
        'server CPU': server / recording.milliseconds.length,
        'PostgreSQL CPU': database / recording.milliseconds.length,
      },
      {
        recording: 'off',
        'hits/s': result.bareHitsPerSecond,
        'p50 ms': percentile(bare.milliseconds, 0.5),
        'p99 ms': percentile(bare.milliseconds, 0.99),
        'not stored': 0,
        'server CPU': bareServer / bare.milliseconds.length,
        'PostgreSQL CPU': 0,
      },
    ]);
    output.result(result);
  } finally {
    await instance.close();
  }
}

/** A mailing's own addresses for its people; nothing needs to be sent for them to be true. */
async function addresses({ application, opened }: BenchInstance) {
  const project = await application.projects.create({
    name: 'Benchmark',
    senderDomain: SENDER_DOMAIN,
    postalAddress: '1 Main Street, 12345 Town',
  });
  const mailingId = uuidv7(Date.now(), randomBytes(10));
  const { keyId } = opened.keys;
  const key = opened.keys.tokenKey(project.id, keyId);
  if (key === undefined) throw new Error('The instance has no key.');
  const tokens = new MessageTokens({ projectId: project.id, mailingId, key, keyId });
  const scope = { kind: 'mailing', projectId: project.id, subjectId: mailingId, key } as const;
  const links = Array.from({ length: 15 }, (_, index) => issueLinkToken(scope, index, `https://shop.example/item/${index}`));
  const paths: string[] = [];
  for (let index = 0; index < PEOPLE; index += 1) {
    const { click, open } = tokens.issue(uuidv7(Date.now(), randomBytes(10)));
    paths.push(index % 4 === 0 ? `/c/${click}/${links[index % links.length]}` : `/o/${open}`);
  }
  return { paths, mailingId };
}

/** One `pennypost serve` and the clients that ask it. */
class Served {
  milliseconds: number[] = [];
  seconds = 0;
  /** Answers of all time. */
  total = 0;
  private next = 0;
  private readonly fleet: ServedFleet;
  private readonly paths: readonly string[];
  private readonly requesters: readonly Requester[];

  private constructor(fleet: ServedFleet, paths: readonly string[], requesters: readonly Requester[]) {
    this.fleet = fleet;
    this.paths = paths;
    this.requesters = requesters;
  }

  /** @param nodeOptions of its process */
  static async start(
    instance: BenchInstance,
    paths: readonly string[],
    connections: number,
    nodeOptions: string,
  ): Promise<Served> {
    const fleet = await startServe(instance, 'none', { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${nodeOptions}`.trim() });
    const requesters = await Promise.all(Array.from({ length: connections }, () => Requester.open(fleet.url)));
    return new Served(fleet, paths, requesters);
  }

  get perSecond(): number {
    return this.milliseconds.length / this.seconds;
  }

  pids(): number[] {
    return this.fleet.pids();
  }

  forget(): void {
    this.milliseconds = [];
    this.seconds = 0;
  }

  async ask(forMs: number): Promise<void> {
    const begun = performance.now();
    await Promise.all(this.requesters.map((requester) => this.askBy(requester, begun + forMs)));
    this.seconds += (performance.now() - begun) / 1_000;
  }

  async stop(): Promise<void> {
    for (const requester of this.requesters) requester.close();
    await this.fleet.stop();
  }

  private async askBy(requester: Requester, until: number): Promise<void> {
    for (let now = performance.now(); now < until; ) {
      const path = this.paths[this.next % this.paths.length] ?? '';
      this.next += 1;
      const { status } = await requester.ask('GET', path, { 'User-Agent': AGENT });
      const end = performance.now();
      if (status !== (path.startsWith('/c/') ? 302 : 200)) throw new Error(`${path.slice(0, 3)} was answered with ${status}.`);
      this.milliseconds.push(end - now);
      this.total += 1;
      now = end;
    }
  }
}
