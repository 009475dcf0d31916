import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { linkSubject, mailingSubject, PROJECT } from '../../../src/domain/analytics/index.ts';
import type { EngagementEvent } from '../../../src/domain/tracking/index.ts';
import { aClick, anOpen, type EngagementWorld, openEngagementWorld } from './engagement-world.ts';

let world: EngagementWorld;
beforeAll(async () => {
  world = await openEngagementWorld();
});
afterAll(() => world.close());

/** One arrival: who did what and when (two days around a change of clocks), or an old event once more. */
const arrivals = fc.array(
  fc.record({
    person: fc.nat({ max: 4 }),
    campaign: fc.nat({ max: 1 }),
    link: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
    hour: fc.nat({ max: 47 }),
    replayOf: fc.option(fc.nat({ max: 30 }), { nil: undefined, freq: 3 }),
  }),
  { maxLength: 30 },
);

it('figures equal a recount from the events, whatever arrives twice, late, out of order or at once', async () => {
  const people = Array.from({ length: 5 }, () => randomUUID());
  await fc.assert(
    fc.asyncProperty(arrivals, fc.integer({ min: 1, max: 10 }), fc.boolean(), async (given, batchSize, atOnce) => {
      const projectId = await world.createProject('Europe/Berlin');
      const campaigns = [randomUUID(), randomUUID()];
      const events: EngagementEvent[] = [];
      for (const { person, campaign, link, hour, replayOf } of given) {
        const old = replayOf === undefined ? undefined : events[replayOf];
        const at = new Date(Date.UTC(2026, 9, 24, hour));
        const who = { projectId, mailingId: campaigns[campaign], subscriberId: people[person], at };
        events.push(old ?? (link === undefined ? anOpen(who) : aClick({ ...who, link })));
      }
      const batches = Array.from({ length: Math.ceil(events.length / batchSize) }, (_, index) =>
        events.slice(index * batchSize, (index + 1) * batchSize),
      );
      if (atOnce) await Promise.all(batches.map((batch) => world.record(batch)));
      else for (const batch of batches) await world.record(batch);

      expect(await counted(projectId)).toEqual(await recounted(projectId, campaigns));
      expect(await countedByDay(projectId)).toEqual(await recountedByDay(projectId));
      expect(await engagementRows(projectId)).toEqual(await recountedEngagement(projectId));
    }),
    { numRuns: 40 },
  );
});

async function counted(projectId: string): Promise<Record<string, number>> {
  const rows = await world.rows<{ name: string; value: string }>(
    `select subject || ' ' || kind as name, sum(value) as value from pennypost_analytics.counter where project_id = $1 group by 1`,
    [projectId],
  );
  return Object.fromEntries(rows.map((row) => [row.name, Number(row.value)]));
}

async function recounted(projectId: string, campaigns: readonly string[]): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  const note = (subject: string, verb: string, total: number, unique: number): void => {
    if (total === 0) return;
    figures[`${subject} ${verb}_total`] = (figures[`${subject} ${verb}_total`] ?? 0) + total;
    figures[`${subject} ${verb}_unique`] = (figures[`${subject} ${verb}_unique`] ?? 0) + unique;
  };
  const recount = (columns: string): Promise<Recount[]> =>
    world.rows<Recount>(
      `select mailing_id, kind, ${columns} as link, count(*)::int as total, count(distinct subscriber_id)::int as unique
       from pennypost_tracking.event where project_id = $1 group by 1, 2, 3`,
      [projectId],
    );
  for (const { mailing_id, kind, total, unique } of await recount('null::int')) {
    expect(campaigns).toContain(mailing_id);
    for (const subject of [PROJECT, mailingSubject(mailing_id)])
      note(subject, kind === 'open' ? 'opened' : 'clicked', total, unique);
  }
  for (const { mailing_id, link, total, unique } of await recount('link')) {
    if (link !== null) note(linkSubject(mailing_id, link), 'clicked', total, unique);
  }
  return figures;
}

interface Recount {
  mailing_id: string;
  kind: string;
  link: number | null;
  total: number;
  unique: number;
}

const countedByDay = (projectId: string): Promise<object[]> =>
  world.rows(
    `select day::text, hour, kind, value::int from pennypost_analytics.counter
     where project_id = $1 and subject = 'project' and kind like '%total' order by 1, 2, 3`,
    [projectId],
  );

const recountedByDay = (projectId: string): Promise<object[]> =>
  world.rows(
    `select (at at time zone 'Europe/Berlin')::date::text as day, extract(hour from at at time zone 'Europe/Berlin')::int as hour,
       case kind when 'open' then 'opened_total' else 'clicked_total' end as kind, count(*)::int as value
     from pennypost_tracking.event where project_id = $1 group by 1, 2, 3 order by 1, 2, 3`,
    [projectId],
  );

const engagementRows = (projectId: string): Promise<object[]> =>
  world.rows(
    `select mailing_id, subscriber_id, first_open_at, last_open_at, opens_unknown as opens, first_click_at, last_click_at,
       clicks_unknown as clicks
     from pennypost_tracking.engagement where project_id = $1 order by 1, 2`,
    [projectId],
  );

const recountedEngagement = (projectId: string): Promise<object[]> =>
  world.rows(
    `select mailing_id, subscriber_id,
       min(at) filter (where kind = 'open') as first_open_at, max(at) filter (where kind = 'open') as last_open_at,
       (count(*) filter (where kind = 'open'))::int as opens,
       min(at) filter (where kind = 'click') as first_click_at, max(at) filter (where kind = 'click') as last_click_at,
       (count(*) filter (where kind = 'click'))::int as clicks
     from pennypost_tracking.event where project_id = $1 group by 1, 2 order by 1, 2`,
    [projectId],
  );
