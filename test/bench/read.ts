/**
 * What PostgreSQL spends on the reads of a project with many large campaigns: a page of the list of campaigns, one look of
 * `campaign watch`, and the page behind an unsubscribe link. None of them reads content. CPU of the server's processes per call:
 * unlike the time of a statement it does not grow with what else the machine does.
 */
import { parseArgs } from 'node:util';
import { MessageTokens } from '../../src/domain/tracking/index.ts';
import { whole } from './support/arguments.ts';
import { type BenchInstance, openBenchInstance, sqlOf } from './support/instance.ts';
import { cpuMicros, percentile, rounded } from './support/machine.ts';
import { newsletter, SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';

const WARM_UP = 20;

export async function benchRead(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      campaigns: { type: 'string', default: '10000' },
      bytes: { type: 'string', default: '100000' },
      calls: { type: 'string', default: '500' },
    },
  });
  const campaigns = whole('campaigns', values.campaigns);
  const calls = whole('calls', values.calls);
  const instance = await openBenchInstance({});
  try {
    const { application } = instance;
    const { projectId, campaignId, token } = await fill(instance, campaigns, whole('bytes', values.bytes));
    const reads = {
      list: () => application.campaigns.list(projectId, { limit: 50 }),
      watch: () => application.campaigns.progress(projectId, campaignId),
      unsubscribe: () => application.recipients.openUnsubscribe(token),
    };
    const rows: { read: string; databaseMs: number; p50: number }[] = [];
    for (const [read, call] of Object.entries(reads)) rows.push({ read, ...(await measured(instance, call, calls)) });
    output.table(
      `read: ${campaigns.toLocaleString('en-US')} campaigns of ${values.bytes} bytes, milliseconds per call`,
      rows.map(({ read, databaseMs, p50 }) => ({ read, 'PostgreSQL CPU': databaseMs, 'whole call p50': p50 })),
    );
    output.result({
      bench: 'read',
      campaigns,
      bytes: Number(values.bytes),
      ...Object.fromEntries(rows.map(({ read, databaseMs }) => [`${read}DatabaseMs`, rounded(databaseMs, 2)])),
    });
  } finally {
    await instance.close();
  }
}

async function measured(instance: BenchInstance, call: () => Promise<unknown>, calls: number) {
  for (let count = 0; count < WARM_UP; count += 1) await call();
  const pids = await instance.serverPids();
  const before = cpuMicros(pids);
  const milliseconds: number[] = [];
  for (let count = 0; count < calls; count += 1) {
    const begun = performance.now();
    await call();
    milliseconds.push(performance.now() - begun);
  }
  return { databaseMs: (cpuMicros(pids) - before) / calls / 1_000, p50: percentile(milliseconds, 0.5) };
}

/** One campaign by the public verbs, copied by SQL; each copy has content, and a mailing with its frozen content. */
async function fill({ application, opened }: BenchInstance, campaigns: number, bytes: number) {
  const { id: projectId } = await application.projects.create({
    name: 'Benchmark',
    senderDomain: SENDER_DOMAIN,
    postalAddress: '1 Main Street, 12345 Town',
  });
  const list = await application.lists.create(projectId, { name: 'Everybody' });
  const subscriber = await application.subscribers.upsert(projectId, { email: 'ada@customers.example', lists: [list.id] });
  const small = newsletter('5k');
  const filler = '<p>Chosen with care, and made to last.</p>\n';
  const source = small.source.replace('</body>', `${filler.repeat(Math.ceil(bytes / filler.length))}</body>`);
  const { id: campaignId } = await application.campaigns.create(projectId, {
    name: 'Letter',
    audience: { include: [{ list: list.id }] },
    content: { ...small, source },
  });
  const sql = sqlOf(opened);
  const columns = `name, subject, author, content_kind, content_version, audience, track_opens, track_clicks, state, created_at`;
  await sql.query(
    `insert into pennypost_campaign.campaign (project_id, id, slug, ${columns})
     select project_id, gen_random_uuid(), slug || '-' || copy, ${columns}
     from pennypost_campaign.campaign, generate_series(2, $3) copy where project_id = $1 and id = $2`,
    [projectId, campaignId, campaigns],
  );
  await sql.query(
    `insert into pennypost_campaign.campaign_content (project_id, campaign_id, content)
     select project_id, id, (select content from pennypost_campaign.campaign_content where project_id = $1 and campaign_id = $2)
     from pennypost_campaign.campaign where project_id = $1 and id <> $2`,
    [projectId, campaignId],
  );
  await sql.query(
    `insert into pennypost_campaign.mailing (project_id, id, campaign_id, launched_on, unsubscribe_lists, frozen, links)
     select project_id, gen_random_uuid(), campaign_id, current_date, array[$2::uuid], content, '[]'
     from pennypost_campaign.campaign_content where project_id = $1`,
    [projectId, list.id],
  );
  await sql.query('vacuum analyze');
  const [mailing] = await sql.query<{ id: string }>(
    'select id from pennypost_campaign.mailing where project_id = $1 and campaign_id = $2',
    [projectId, campaignId],
  );
  const { keyId } = opened.keys;
  const key = opened.keys.tokenKey(projectId, keyId);
  if (key === undefined || mailing === undefined) throw new Error('The instance has no key, or the campaign no mailing.');
  const tokens = new MessageTokens({ projectId, mailingId: mailing.id, key, keyId });
  return { projectId, campaignId, token: tokens.issue(subscriber.id).unsubscribe };
}
