import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngagementRecorder } from '../../../src/application/tracking/engagement-recorder.ts';
import { type CampaignReport, mailingSubject } from '../../../src/domain/analytics/index.ts';
import { type EngagementEvent, RepeatedRequests } from '../../../src/domain/tracking/index.ts';
import { isTransient } from '../../../src/infrastructure/postgres/errors.ts';
import { aClick, anOpen, anUnsubscribe, type EngagementWorld, openEngagementWorld } from './engagement-world.ts';

let world: EngagementWorld;
beforeAll(async () => {
  world = await openEngagementWorld();
});
afterAll(() => world.close());

/** A campaign of two links, as its report shows it. */
function reportOf(projectId: string, mailingId: string): Promise<CampaignReport> {
  const links = [0, 1].map((index) => ({ mailingId, index, target: `https://example.com/${index}` }));
  const facts = {
    campaignId: projectId,
    mailingIds: [mailingId],
    name: 'Winter sale',
    recipients: 10,
    states: { submitted: 10 },
    links,
  };
  return world.run(({ analytics }) => analytics.campaignReport(projectId, facts));
}

async function aCampaign(timeZone = 'UTC') {
  const projectId = await world.createProject(timeZone);
  const mailingId = randomUUID();
  return {
    projectId,
    mailingId,
    person: (): { projectId: string; mailingId: string; subscriberId: string } => ({
      projectId,
      mailingId,
      subscriberId: randomUUID(),
    }),
  };
}

describe('a batch of opens and clicks', () => {
  it('counts every event, and each person and each link once', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const [ann, bob] = [person(), person()];
    await world.record([anOpen(ann), anOpen(ann), anOpen(bob), aClick({ ...ann, link: 0 }), aClick({ ...ann, link: 1 })]);
    await world.record([anOpen(ann), aClick({ ...ann, link: 1 }), aClick({ ...bob, link: 1 })]);
    expect(await reportOf(projectId, mailingId)).toMatchObject({
      opened: { unique: 2, total: 4 },
      clicked: { unique: 2, total: 4 },
      links: [
        { index: 0, unique: 1, total: 1 },
        { index: 1, unique: 2, total: 3 },
      ],
    });
  });

  it('changes nothing when it is written again, whole or mixed with new ones', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const batch = [anOpen(ann), aClick({ ...ann, link: 0 })];
    await world.record(batch);
    const once = await reportOf(projectId, mailingId);
    await world.record(batch);
    await world.record([...batch, ...batch]);
    expect(await reportOf(projectId, mailingId)).toEqual(once);
    await world.record([...batch, anOpen(ann)]);
    expect((await reportOf(projectId, mailingId)).opened).toEqual({ unique: 1, total: 2 });
  });

  it('keeps first and last times, in whatever order they arrive', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const at = (hour: number): Date => new Date(Date.UTC(2026, 10, 22, hour));
    await world.record([anOpen({ ...ann, at: at(12) }), aClick({ ...ann, link: 0, at: at(13) })]);
    await world.record([anOpen({ ...ann, at: at(14) }), anOpen({ ...ann, at: at(9) })]);
    expect(await world.run(({ tracking }) => tracking.engagement(projectId, mailingId, ann.subscriberId))).toEqual({
      firstOpenAt: at(9),
      lastOpenAt: at(14),
      opens: { human: 0, machine: 0, unknown: 3 },
      firstClickAt: at(13),
      lastClickAt: at(13),
      clicks: { human: 0, machine: 0, unknown: 1 },
      unsubscribedAt: undefined,
    });
    expect(await world.run(({ tracking }) => tracking.engagement(projectId, mailingId, randomUUID()))).toBeUndefined();
  });

  it('keeps projects apart, also with the same ids in both', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const other = await world.createProject('Asia/Tokyo');
    const ann = person();
    await world.record([anOpen(ann), anOpen({ ...ann, projectId: other }), aClick({ ...ann, projectId: other, link: 0 })]);
    expect(await reportOf(projectId, mailingId)).toMatchObject({ opened: { unique: 1, total: 1 }, clicked: { total: 0 } });
    expect(await reportOf(other, mailingId)).toMatchObject({ opened: { unique: 1, total: 1 }, clicked: { total: 1 } });
  });

  it('counts a transactional message in totals', async () => {
    const { projectId } = await aCampaign();
    const nobody = { projectId, mailingId: undefined, subscriberId: undefined };
    await world.record([{ ...anOpen(nobody), messageId: randomUUID() }]);
    expect(
      await world.rows('select subject, kind, value from pennypost_analytics.counter where project_id = $1 order by subject', [
        projectId,
      ]),
    ).toEqual([
      { subject: 'project', kind: 'opened_total', value: '1' },
      { subject: 'transactional', kind: 'opened_total', value: '1' },
    ]);
  });

  it('stores the raw facts, without a verdict and without the whole address', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const click = { ...aClick({ ...ann, link: 1 }), network: '2001:db8:0::/48' };
    await world.record([click]);
    expect(await world.rows('select * from pennypost_tracking.event where project_id = $1', [projectId])).toEqual([
      {
        project_id: projectId,
        at: click.at,
        id: click.id,
        kind: 'click',
        mailing_id: mailingId,
        subscriber_id: ann.subscriberId,
        message_id: null,
        link: 1,
        method: 'GET',
        user_agent: 'Mozilla/5.0',
        sec_fetch_site: null,
        sec_fetch_mode: 'navigate',
        sec_fetch_dest: null,
        purpose: null,
        network: '2001:db8::/48',
        requests: 1,
        requests_before: 0,
        last_at: click.lastAt,
        verdict: 'unknown',
        reason: null,
        rule_version: null,
      },
    ]);
  });
});

describe('an unsubscribe', () => {
  it('is the first one of a person and campaign exactly once', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const event = anUnsubscribe(ann);
    const record = (given = event): Promise<boolean> => world.run(({ tracking }) => tracking.recordUnsubscribe(given));
    expect([await record(), await record(), await record(anUnsubscribe(ann))]).toEqual([true, false, false]);
    expect(await record(anUnsubscribe(person()))).toBe(true);
    expect(await world.run(({ tracking }) => tracking.engagement(projectId, mailingId, ann.subscriberId))).toMatchObject({
      unsubscribedAt: event.at,
      opens: { unknown: 0 },
    });
  });
});

describe('eight writers at once', () => {
  it('neither deadlock nor lose or double a figure, with the same people, links and even events', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const others = await Promise.all([world.createProject('UTC'), world.createProject('UTC')]);
    const people = Array.from({ length: 20 }, person);
    const events: EngagementEvent[] = people.flatMap((who) =>
      [projectId, ...others].flatMap((project) => {
        const given = { ...who, projectId: project };
        return [
          anOpen(given),
          anOpen(given),
          aClick({ ...given, link: 0 }),
          aClick({ ...given, link: 1 }),
          aClick({ ...given, link: 1 }),
        ];
      }),
    );
    // Every event is written by every writer, each in an order and in batches of its own.
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const own = events.toSorted((a, b) => orderOf(a.id, writer) - orderOf(b.id, writer));
      for (let start = 0; start < own.length; start += 25) await world.record(own.slice(start, start + 25));
    });
    await Promise.all(writers);
    for (const project of [projectId, ...others]) {
      expect(await reportOf(project, mailingId)).toMatchObject({
        opened: { unique: 20, total: 40 },
        clicked: { unique: 20, total: 60 },
        links: [
          { unique: 20, total: 20 },
          { unique: 20, total: 40 },
        ],
      });
    }
  });
});

describe('the engagement recorder on PostgreSQL', () => {
  it('bisects out the row that the database refuses, and answers for the others when they are stored', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const complaints: object[] = [];
    const recorder = new EngagementRecorder({
      commit: (batch) => world.record(batch),
      isTransient,
      clock: { now: () => new Date(), monotonic: () => performance.now() },
      log: { info: () => undefined, warn: () => undefined, error: (facts) => complaints.push(facts) },
      patienceMs: 60_000,
    });
    const good = Array.from({ length: 30 }, () => anOpen(person()));
    const poison = { ...anOpen(person()), network: 'nowhere' };
    const ofNoProject = anOpen({ ...person(), projectId: randomUUID() });
    const batch = [...good.slice(0, 10), poison, ...good.slice(10, 20), ofNoProject, ...good.slice(20)];
    const answers = await Promise.all(batch.map((event) => recorder.record(event)));
    expect(answers.filter((answer) => answer === 'durable')).toHaveLength(30);
    expect(complaints).toMatchObject([{ event: poison.id }, { event: ofNoProject.id }]);
    await recorder.close();
    const [stored] = await world.rows<{ count: string }>('select count(*) from pennypost_tracking.event where project_id = $1', [
      projectId,
    ]);
    expect(stored?.count).toBe('30');
    expect((await reportOf(projectId, mailingId)).opened).toEqual({ unique: 30, total: 30 });
    expect(recorder.stats).toMatchObject({ recorded: 30, lost: 2, refused: 2, waiting: 0 });
  });
});

describe('a link that is followed again and again', () => {
  const recorderAt = () => {
    const repeated = new RepeatedRequests();
    const recorder = new EngagementRecorder({
      commit: (batch) => world.record(batch),
      isTransient,
      clock: { now: () => new Date(), monotonic: () => performance.now() },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      patienceMs: 60_000,
    });
    return { record: (event: EngagementEvent) => recorder.record(repeated.fold(event)) };
  };
  const events = (projectId: string) =>
    world.rows<{ requests: number; kind: string; user_agent: string }>(
      'select requests, kind, user_agent from pennypost_tracking.event where project_id = $1 order by at, id',
      [projectId],
    );
  const minute = new Date('2026-11-22T10:00:00Z').getTime();

  it('is one event in a minute, and every hit counts', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const recorder = recorderAt();
    // One after the other, so that every one is a commit of its own; then all at once.
    for (let hit = 0; hit < 10; hit += 1) await recorder.record(aClick({ ...ann, link: 0, at: new Date(minute + hit) }));
    await Promise.all(
      Array.from({ length: 190 }, (_, hit) => recorder.record(aClick({ ...ann, link: 0, at: new Date(minute + 59_000 + hit) }))),
    );
    expect(await events(projectId)).toMatchObject([{ requests: 200 }]);
    expect(await reportOf(projectId, mailingId)).toMatchObject({
      clicked: { unique: 1, total: 200 },
      links: [
        { unique: 1, total: 200 },
        { unique: 0, total: 0 },
      ],
    });
    expect(await world.run(({ tracking }) => tracking.engagement(projectId, mailingId, ann.subscriberId))).toMatchObject({
      firstClickAt: new Date(minute),
      lastClickAt: new Date(minute + 59_189),
      clicks: { unknown: 200 },
    });
    await recorder.record(aClick({ ...ann, link: 0, at: new Date(minute + 60_000) }));
    expect(await events(projectId)).toMatchObject([{ requests: 200 }, { requests: 1 }]);
  });

  it('is one event for each link, pixel and person, from one network too', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const people = Array.from({ length: 20 }, person);
    const recorder = recorderAt();
    const requests = people.flatMap((who) => [anOpen(who), aClick({ ...who, link: 0 }), aClick({ ...who, link: 1 })]);
    for (let round = 0; round < 5; round += 1)
      await Promise.all(requests.map((hit) => recorder.record({ ...hit, id: randomUUID() })));
    expect((await events(projectId)).map((event) => event.requests)).toEqual(Array.from({ length: 60 }, () => 5));
    expect(await reportOf(projectId, mailingId)).toMatchObject({
      opened: { unique: 20, total: 100 },
      clicked: { unique: 20, total: 200 },
    });
  });

  it('keeps a scanner apart from a person, and is bounded for who calls itself something else each time', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const ann = person();
    const recorder = recorderAt();
    for (let hit = 0; hit < 50; hit += 1) await recorder.record(anOpen({ ...ann, userAgent: `Agent ${hit}` }));
    const stored = await events(projectId);
    expect(stored.map((event) => event.user_agent)).toEqual(expect.arrayContaining(['Agent 0', 'Agent 1', 'Agent 2']));
    expect(stored.map((event) => event.requests).toSorted()).toEqual([1, 1, 48]);
    expect((await reportOf(projectId, mailingId)).opened).toEqual({ unique: 1, total: 50 });
  });

  it('counts once when a commit is repeated, with and without further requests', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const click = aClick({ ...person(), link: 0 });
    await world.record([click, { ...click, requests: 3 }]);
    await world.record([click, { ...click, requests: 3 }]);
    await world.record([{ ...click, requests: 2 }]);
    await world.record([{ ...click, requests: 4 }, click]);
    expect(await events(projectId)).toMatchObject([{ requests: 4 }]);
    expect((await reportOf(projectId, mailingId)).clicked).toEqual({ unique: 1, total: 4 });
  });

  it('of transactional mail is bounded in the same way', async () => {
    const { projectId } = await aCampaign();
    const nobody = { projectId, mailingId: undefined, subscriberId: undefined };
    const recorder = recorderAt();
    const messages = [randomUUID(), randomUUID()];
    for (let hit = 0; hit < 20; hit += 1)
      await recorder.record({ ...aClick({ ...nobody, link: 0 }), messageId: messages[hit % 2] });
    expect((await events(projectId)).map((event) => event.requests)).toEqual([10, 10]);
  });
});

describe('partitions of events', () => {
  it('are made for this month and the next ones, once, whoever asks', async () => {
    world.now = new Date('2026-12-31T23:59:59Z');
    await Promise.all(Array.from({ length: 4 }, () => world.run(({ tracking }) => tracking.ensurePartitions())));
    expect(await partitions()).toEqual(['event_2026_12', 'event_2027_01', 'event_2027_02', 'event_default']);
  });

  it('take over what came before them', async () => {
    const { projectId, mailingId, person } = await aCampaign();
    const edges = ['2028-03-31T23:59:59.999Z', '2028-04-01T00:00:00Z', '2028-04-30T23:59:59.999Z', '2028-05-01T00:00:00Z'];
    const ann = person();
    await world.record(edges.map((at) => anOpen({ ...ann, at: new Date(at) })));
    await world.run(({ tracking }) => {
      world.now = new Date('2028-04-15T00:00:00Z');
      return tracking.ensurePartitions(0);
    });
    const lying = await world.rows<{ place: string }>(
      `select tableoid::regclass::text as place from pennypost_tracking.event where project_id = $1 order by at`,
      [projectId],
    );
    expect(lying.map((row) => row.place.replace('pennypost_tracking.', ''))).toEqual([
      'event_default',
      'event_2028_04',
      'event_2028_04',
      'event_default',
    ]);
    expect((await reportOf(projectId, mailingId)).opened).toEqual({ unique: 1, total: 4 });
  });

  async function partitions(): Promise<string[]> {
    const rows = await world.rows<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'pennypost_tracking.event'::regclass order by 1`,
    );
    return rows.map((row) => row.name.replace('pennypost_tracking.', ''));
  }
});

describe('a day', () => {
  it('is the project’s own when it was counted', async () => {
    const { projectId, mailingId, person } = await aCampaign('America/New_York');
    await world.record([
      anOpen({ ...person(), at: new Date('2026-11-22T04:59:59Z') }),
      anOpen({ ...person(), at: new Date('2026-11-22T05:00:00Z') }),
    ]);
    const series = await world.run(({ analytics }) =>
      analytics.dailySeries(projectId, {
        subject: 'campaign',
        counters: [mailingSubject(mailingId)],
        kinds: ['opened_total', 'opened_unique'],
        from: '2026-11-20',
        to: '2026-11-23',
        timeZone: 'America/New_York',
      }),
    );
    expect(series.days).toEqual([
      { day: '2026-11-20', counts: { opened_total: 0, opened_unique: 0 } },
      { day: '2026-11-21', counts: { opened_total: 1, opened_unique: 1 } },
      { day: '2026-11-22', counts: { opened_total: 1, opened_unique: 1 } },
      { day: '2026-11-23', counts: { opened_total: 0, opened_unique: 0 } },
    ]);
  });
});

/** A different but fixed order for each writer. */
function orderOf(id: string, writer: number): number {
  return (Number.parseInt(id.slice(0, 8), 16) * (2 * writer + 1)) % 65_537;
}
