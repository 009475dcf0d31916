/**
 * Milliseconds for the 30-day daily report and for a campaign's report over so many events, against the naive way: a
 * `generate_series` of days joined to the raw events. Events and the counters that a recorder would have kept from them are
 * written in bulk before, and both ways must give the same figures.
 */
import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { tokens } from '../../src/infrastructure/container.ts';
import { whole } from './support/arguments.ts';
import { type BenchInstance, openBenchInstance, sqlOf, withClientOf } from './support/instance.ts';
import { median, rounded } from './support/machine.ts';
import { newsletter, peopleCsv, SENDER_DOMAIN } from './support/newsletters.ts';
import type { BenchOutput } from './support/output.ts';

const DAYS = 30;
const CAMPAIGNS = 20;
const OURS = 21;
const NAIVE = 3;

export async function benchReport(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { events: { type: 'string', default: '10000000' } } });
  const events = whole('events', values.events);
  const instance = await openBenchInstance({});
  try {
    const { projectId, campaignId, mailingId } = await fill(instance, events, output);
    const { campaigns, projects } = instance.application;
    const daily = await timed(OURS, () => projects.daily(projectId));
    const campaign = await timed(OURS, () => campaigns.report(projectId, campaignId));
    output.note('asking the naive way');
    const sql = sqlOf(instance.opened);
    const naiveDaily = await timed(NAIVE, () =>
      sql.query<{ day: string; opened: number; clicked: number }>(NAIVE_DAILY, [projectId]),
    );
    const naiveCampaign = await timed(NAIVE, () =>
      sql.query<{ opened: number; clicked: number }>(NAIVE_CAMPAIGN, [projectId, mailingId]),
    );

    const counted = daily.answer.days.map(({ day, counts }) => ({
      day,
      opened: counts.opened_unique,
      clicked: counts.clicked_unique,
    }));
    assert.deepEqual(naiveDaily.answer, counted, 'the daily figures of both ways');
    const { opened, clicked } = campaign.answer;
    assert.deepEqual(
      naiveCampaign.answer,
      [{ opened: opened.total, clicked: clicked.total }],
      "the campaign's figures of both ways",
    );

    output.table(`reports over ${events.toLocaleString('en-US')} events, milliseconds (median)`, [
      { report: '30 days, daily', ours: daily.ms, naive: naiveDaily.ms, times: naiveDaily.ms / daily.ms },
      { report: 'one campaign', ours: campaign.ms, naive: naiveCampaign.ms, times: naiveCampaign.ms / campaign.ms },
    ]);
    output.result({
      bench: 'report',
      events,
      dailyMs: rounded(daily.ms, 2),
      campaignMs: rounded(campaign.ms, 2),
      naiveDailyMs: rounded(naiveDaily.ms, 1),
      naiveCampaignMs: rounded(naiveCampaign.ms, 1),
    });
  } finally {
    await instance.close();
  }
}

async function timed<T>(times: number, ask: () => Promise<T>): Promise<{ ms: number; answer: T }> {
  let answer = await ask();
  const taken: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const begun = performance.now();
    answer = await ask();
    taken.push(performance.now() - begun);
  }
  return { ms: median(taken), answer };
}

/** The first open and the first click of each person and campaign, day by day. */
const NAIVE_DAILY = `select d.day::date::text as day, count(f.day) filter (where f.kind = 'open')::int as opened,
    count(f.day) filter (where f.kind = 'click')::int as clicked
  from generate_series(current_date - ${DAYS - 1}, current_date, interval '1 day') as d (day)
  left join (select mailing_id, subscriber_id, kind, min(at)::date as day from pennypost_tracking.event
    where project_id = $1 group by mailing_id, subscriber_id, kind) f on f.day = d.day::date
  group by d.day order by d.day`;
const NAIVE_CAMPAIGN = `select count(*) filter (where kind = 'open')::int as opened, count(*) filter (where kind = 'click')::int as clicked
  from pennypost_tracking.event where project_id = $1 and mailing_id = $2`;

async function fill(instance: BenchInstance, events: number, output: BenchOutput) {
  const { application, opened } = instance;
  const project = await application.projects.create({
    name: 'Benchmark',
    senderDomain: SENDER_DOMAIN,
    postalAddress: '1 Main Street, 12345 Town',
  });
  const projectId = project.id;
  const list = await application.lists.create(projectId, { name: 'Everybody' });
  await application.imports.create(projectId, peopleCsv(10), { lists: [list.id] });
  const campaign = await application.campaigns.create(projectId, {
    name: 'Reported',
    audience: { include: [{ list: list.id }] },
    content: newsletter('40k'),
  });
  await application.campaigns.launch(projectId, campaign.id);
  const [mailing] = await instance.opened.get(tokens.work).run((scope) => scope.campaign.mailings.of(projectId, campaign.id));
  const mailingId = mailing?.mailingId ?? '';
  const campaigns = [mailingId, ...Array.from({ length: CAMPAIGNS - 1 }, () => randomUUID())];
  output.note(`making ${events.toLocaleString('en-US')} events`);
  await withClientOf(opened, async (client) => {
    await client.query('begin');
    // Partitions for the past month are made as the recorder makes those of the next.
    for (const month of ["now() - interval '1 month'"]) {
      await client.query(`do $$ declare first date := date_trunc('month', ${month}); begin
        execute format('create table if not exists pennypost_tracking.%I partition of pennypost_tracking.event for values from (%L) to (%L)',
          'event_' || to_char(first, 'YYYY_MM'), first || ' 00:00:00+00', (first + interval '1 month')::date || ' 00:00:00+00'); end $$`);
    }
    // Everybody gets each campaign at its own time and comes back for some days; three opens to a click.
    await client.query(
      `insert into pennypost_tracking.event (project_id, at, last_at, id, kind, mailing_id, subscriber_id, link, method, user_agent, network)
       select $1, at, at, gen_random_uuid(),
         case when n % 4 = 0 then 'click' else 'open' end, ($2::uuid[])[1 + n % ${CAMPAIGNS}],
         ('00000000-0000-7000-8000-' || lpad(to_hex(n / ${CAMPAIGNS} % 100000), 12, '0'))::uuid, case when n % 4 = 0 then n / 80 % 15 end, 'GET',
         'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', '192.0.2.0/24'
       from (select n, least(now(), date_trunc('day', now()) - interval '${DAYS - 1} days' + (random() * ${DAYS}) * interval '1 day') as at
         from generate_series(0, $3::int - 1) n) numbered`,
      [projectId, campaigns, events],
    );
    await client.query(COUNTERS, [projectId]);
    await client.query('commit');
    await client.query('vacuum analyze pennypost_tracking.event');
    await client.query('vacuum analyze pennypost_analytics.counter');
  });
  return { projectId, campaignId: campaign.id, mailingId };
}

/** What the recorder counts while events arrive: totals by hour, firsts once per person, for the project, each campaign and each link. */
const COUNTERS = `insert into pennypost_analytics.counter (project_id, subject, day, hour, kind, value)
  with firsts as (select *, row_number() over (partition by mailing_id, subscriber_id, kind order by at) = 1 as first,
      row_number() over (partition by mailing_id, subscriber_id, kind, link order by at) = 1 as first_link
    from pennypost_tracking.event where project_id = $1),
  hits as (select at::date as day, extract(hour from at)::smallint as hour, case kind when 'open' then 'opened' else 'clicked' end as verb,
      mailing_id, link, first, first_link from firsts),
  counted as (
    select 'project' as subject, day, hour, verb || '_total' as kind, count(*) as value from hits group by day, hour, verb
    union all select 'project', day, hour, verb || '_unique', count(*) from hits where first group by day, hour, verb
    union all select 'mailing:' || mailing_id, day, hour, verb || '_total', count(*) from hits group by mailing_id, day, hour, verb
    union all select 'mailing:' || mailing_id, day, hour, verb || '_unique', count(*) from hits where first group by mailing_id, day, hour, verb
    union all select 'mailing:' || mailing_id || ':link:' || link, day, hour, verb || '_total', count(*) from hits where link is not null
      group by mailing_id, link, day, hour, verb
    union all select 'mailing:' || mailing_id || ':link:' || link, day, hour, verb || '_unique', count(*) from hits
      where link is not null and first_link group by mailing_id, link, day, hour, verb)
  select $1, subject, day, hour, kind, value from counted`;
