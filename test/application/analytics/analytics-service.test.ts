import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AnalyticsService,
  type CounterKind,
  domainSubject,
  type Increment,
  linkSubject,
  localHours,
  mailingSubject,
  PROJECT,
} from '../../../src/domain/analytics/index.ts';
import { InvalidInput } from '../../../src/domain/shared/errors.ts';
import { PostgresAnalyticsStore } from '../../../src/infrastructure/postgres/analytics-store.ts';
import { inTransaction } from '../../../src/infrastructure/postgres/session.ts';
import { openTestOrm } from '../../support/database.ts';

let database: Awaited<ReturnType<typeof openTestOrm>>;
beforeAll(async () => {
  database = await openTestOrm();
});
afterAll(() => database.close());

const clock = { now: () => new Date('2026-11-22T23:30:00Z'), monotonic: () => 0 };
const run = <T>(work: (analytics: AnalyticsService) => Promise<T>): Promise<T> =>
  inTransaction(database.orm, (session) => work(new AnalyticsService({ store: new PostgresAnalyticsStore(session), clock })));

const at = new Date('2026-11-22T10:00:00Z');
const mailingId = '01936c5e-1111-7111-9111-111111111111';

describe('counting', () => {
  it('adds up whatever eight writers count in different orders, without a deadlock', async () => {
    const projectId = randomUUID();
    const subjects = [
      PROJECT,
      ...Array.from({ length: 20 }, (_, link) => linkSubject(mailingId, link)),
      ...Array.from({ length: 20 }, (_, number) => domainSubject(mailingId, `d${number}.example`)),
    ];
    const increments: Increment[] = subjects.flatMap((subject) =>
      (['submitted', 'clicked_total'] as const).map((kind) => ({ subject, kind, at, by: 2 })),
    );
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let round = 0; round < 15; round += 1) {
        const turn = (writer * 7 + round * 11) % increments.length;
        const own = [...increments.slice(turn), ...increments.slice(0, turn)];
        await run((analytics) => analytics.count(projectId, 'UTC', writer % 2 === 0 ? own : own.toReversed()));
      }
    });
    await Promise.all(writers);
    const totals = await inTransaction(database.orm, (session) =>
      new PostgresAnalyticsStore(session).totals(projectId, [mailingSubject(mailingId)]),
    );
    expect(totals).toHaveLength(80);
    expect(new Set(totals.map(({ value }) => value))).toEqual(new Set([8 * 15 * 2]));
  });

  it('is undone with its transaction', async () => {
    const projectId = randomUUID();
    const undone = run(async (analytics) => {
      await analytics.count(projectId, 'UTC', [{ subject: PROJECT, kind: 'submitted', at }]);
      throw new Error('changed its mind');
    });
    await expect(undone).rejects.toThrow('changed its mind');
    const series = await run((analytics) =>
      analytics.dailySeries(projectId, { subject: PROJECT, counters: [PROJECT], kinds: ['submitted'], timeZone: 'UTC' }),
    );
    expect(series.days.every(({ counts }) => counts.submitted === 0)).toBe(true);
  });

  it('does nothing for nothing', async () => {
    await run((analytics) => analytics.count(randomUUID(), 'UTC', []));
    await run((analytics) => analytics.count(randomUUID(), 'UTC', [{ subject: PROJECT, kind: 'submitted', at, by: 0 }]));
  });
});

describe('a campaign report', () => {
  it('holds its own counters, links and domains and nobody else’s', async () => {
    const projectId = randomUUID();
    const one: Increment[] = [
      { subject: mailingSubject(mailingId), kind: 'opened_unique', at, by: 3 },
      { subject: mailingSubject(mailingId), kind: 'opened_unique', at: new Date('2027-01-01T00:00:00Z'), by: 4 },
      { subject: linkSubject(mailingId, 1), kind: 'clicked_total', at },
      { subject: linkSubject(mailingId, 10), kind: 'clicked_total', at, by: 5 },
      { subject: domainSubject(mailingId, 'example.com'), kind: 'submitted', at, by: 6 },
    ];
    const foreign = [mailingSubject('01936c5e-1111-7111-9111-111111111112'), 'mailing', `${mailingSubject(mailingId)}0`, PROJECT];
    await run(async (analytics) => {
      await analytics.count(projectId, 'UTC', [
        ...one,
        ...foreign.map((subject) => ({ subject, kind: 'opened_unique', at }) as const),
      ]);
      await analytics.count(randomUUID(), 'UTC', one);
    });
    const links = [1, 10].map((index) => ({ mailingId, index, target: `https://example.com/${index}` }));
    const report = await run((analytics) =>
      analytics.campaignReport(projectId, {
        campaignId: randomUUID(),
        mailingIds: [mailingId],
        name: 'Winter sale',
        recipients: 8,
        states: { submitted: 6 },
        links,
      }),
    );
    expect(report).toMatchObject({
      opened: { unique: 7, total: 0 },
      links: [{ total: 1 }, { total: 5 }],
      domains: [{ domain: 'example.com', counts: { submitted: 6 } }],
    });
  });
});

describe('a daily series', () => {
  const ask = (projectId: string, range: { from?: string; to?: string }, timeZone = 'UTC') =>
    run((analytics) =>
      analytics.dailySeries(projectId, { subject: PROJECT, counters: [PROJECT], kinds: ['submitted'], timeZone, ...range }),
    );

  it('shows the last 30 days of the project’s time zone when not asked otherwise', async () => {
    const days = async (timeZone: string) => (await ask(randomUUID(), {}, timeZone)).days.map(({ day }) => day);
    expect((await days('UTC')).at(-1)).toBe('2026-11-22');
    expect((await days('Europe/Berlin')).at(-1)).toBe('2026-11-23');
    expect((await days('Europe/Berlin'))[0]).toBe('2026-10-25');
    expect(await days('UTC')).toHaveLength(30);
  });

  it.each([
    { from: '2026-11-23' },
    { from: '2026-11-02', to: '2026-11-01' },
    { from: '1999-01-01' },
    { from: '2026-02-29' },
    { to: 'yesterday' },
  ])('is refused for %j', async (range) => {
    await expect(ask(randomUUID(), range)).rejects.toThrow(InvalidInput);
  });

  it('has every day once, and its sum is what was counted, over every change of clocks', async () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'America/Santiago', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
    const kinds: readonly CounterKind[] = ['submitted', 'opened_total'];
    const facts = fc.array(
      fc.record({
        kind: fc.constantFrom<CounterKind>(...kinds),
        at: fc.date({ min: new Date('2026-01-01T12:00:00Z'), max: new Date('2026-12-30T12:00:00Z'), noInvalidDate: true }),
      }),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...zones), facts, async (timeZone, given) => {
        const projectId = randomUUID();
        await run((analytics) =>
          analytics.count(
            projectId,
            timeZone,
            given.map((fact) => ({ subject: PROJECT, ...fact })),
          ),
        );
        const year = { from: '2026-01-01', to: '2026-12-31' };
        const { days } = await run((analytics) =>
          analytics.dailySeries(projectId, { subject: PROJECT, counters: [PROJECT], kinds, timeZone, ...year }),
        );
        expect(days).toHaveLength(365);
        expect(new Set(days.map(({ day }) => day)).size).toBe(365);
        const local = localHours(timeZone);
        for (const { day, counts } of days) {
          for (const kind of kinds) {
            expect(counts[kind]).toBe(given.filter((fact) => fact.kind === kind && local(fact.at).day === day).length);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});
