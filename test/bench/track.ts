/**
 * Clicks and opens per second that `pennypost serve` answers, each durable before its answer. Three opens to a click, from people
 * of one campaign, over connections that stay open and ask again as soon as they are answered.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { uuidv7 } from '../../src/domain/shared/ids.ts';
import { issueLinkToken, MessageTokens } from '../../src/domain/tracking/index.ts';
import { whole } from './support/arguments.ts';
import { type BenchInstance, openBenchInstance, sqlOf } from './support/instance.ts';
import { cpuMicros, percentile, rounded } from './support/machine.ts';
import { newsletter, SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';
import { Requester } from './support/requests.ts';
import { startServe } from './support/workers.ts';

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const PEOPLE = 20_000;
const WARM_UP_MS = 2_000;

export async function benchTrack(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '10' }, connections: { type: 'string', default: '256' } },
  });
  const seconds = whole('seconds', values.seconds);
  const connections = whole('connections', values.connections);
  const instance = await openBenchInstance({});
  try {
    const { paths, campaignId } = await addresses(instance);
    const serve = await startServe(instance, 'none');
    const requesters = await Promise.all(Array.from({ length: connections }, () => Requester.open(serve.url)));
    await hit(requesters, paths, WARM_UP_MS);
    const before = [cpuMicros(serve.pids()), cpuMicros(await instance.serverPids())];
    const measured = await hit(requesters, paths, seconds * 1_000);
    const after = [cpuMicros(serve.pids()), cpuMicros(await instance.serverPids())];
    for (const requester of requesters) requester.close();
    await serve.stop();
    const [stored] = await sqlOf(instance.opened).query<{ count: number }>(
      'select count(*)::int as count from pennypost_tracking.event where campaign_id = $1',
      [campaignId],
    );
    const answered = measured.milliseconds.length;
    const perSecond = answered / measured.seconds;
    const [server = 0, database = 0] = after.map((cpu, at) => (cpu - (before[at] ?? 0)) / answered);
    const result = {
      bench: 'track',
      seconds: rounded(measured.seconds, 2),
      answered,
      perSecond: rounded(perSecond),
      p50Ms: rounded(percentile(measured.milliseconds, 0.5), 2),
      p99Ms: rounded(percentile(measured.milliseconds, 0.99), 2),
      /** Of all that was answered, the warm-up included. */
      notStored: measured.total - (stored?.count ?? 0),
      connections,
    };
    output.table(`track: ${connections} connections; CPU in microseconds per hit`, [
      {
        'hits/s': result.perSecond,
        'p50 ms': result.p50Ms,
        'p99 ms': result.p99Ms,
        'not stored': result.notStored,
        'server CPU': server,
        'PostgreSQL CPU': database,
      },
    ]);
    output.result(result);
  } finally {
    await instance.close();
  }
}

/** A campaign's own addresses for its people; nothing needs to be sent for them to be true. */
async function addresses({ application, opened }: BenchInstance) {
  const project = await application.access.createProject({
    name: 'Benchmark',
    senderDomain: SENDER_DOMAIN,
    postalAddress: '1 Main Street, 12345 Town',
  });
  const list = await application.audience.createList(project.id, { name: 'Everybody' });
  const campaign = await application.campaign.create(project.id, { name: 'Hits', lists: [list.id], content: newsletter('5k') });
  const { keyId } = opened.keys;
  const key = opened.keys.tokenKey(project.id, keyId);
  if (key === undefined) throw new Error('The instance has no key.');
  const tokens = new MessageTokens({ projectId: project.id, campaignId: campaign.id, key, keyId });
  const scope = { kind: 'campaign', projectId: project.id, subjectId: campaign.id, key } as const;
  const links = Array.from({ length: 15 }, (_, index) => issueLinkToken(scope, index, `https://shop.example/item/${index}`));
  const paths: string[] = [];
  for (let index = 0; index < PEOPLE; index += 1) {
    const { click, open } = tokens.issue(uuidv7(Date.now(), randomBytes(10)));
    paths.push(index % 4 === 0 ? `/c/${click}/${links[index % links.length]}` : `/o/${open}`);
  }
  return { paths, campaignId: campaign.id };
}

let total = 0;

async function hit(requesters: readonly Requester[], paths: readonly string[], forMs: number) {
  const milliseconds: number[] = [];
  const begun = performance.now();
  const until = begun + forMs;
  let next = 0;
  await Promise.all(
    requesters.map(async (requester) => {
      for (let now = performance.now(); now < until; ) {
        const path = paths[next % paths.length] ?? '';
        next += 1;
        const { status } = await requester.ask('GET', path, { 'User-Agent': AGENT });
        const end = performance.now();
        if (status !== (path.startsWith('/c/') ? 302 : 200)) throw new Error(`${path.slice(0, 3)} was answered with ${status}.`);
        milliseconds.push(end - now);
        now = end;
      }
    }),
  );
  total += milliseconds.length;
  return { milliseconds, seconds: (performance.now() - begun) / 1_000, total };
}
