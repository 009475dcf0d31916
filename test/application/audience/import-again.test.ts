import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImportRequest } from '../../../src/application/audience/import-subscribers.ts';
import type { Import, ImportTotals } from '../../../src/domain/audience/index.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { anAudience } from '../../support/audiences.ts';
import { openAudience, pieces, type TestAudience } from './support.ts';

let world: TestAudience;
let project: Id;
let news: Id;
let double: Id;
beforeAll(async () => {
  world = await openAudience();
});
afterAll(() => world.close());
beforeEach(async () => {
  project = world.ids.next();
  news = (await world.audience((a) => a.lists.create(project, { name: 'News' }))).id;
  double = (await world.audience((a) => a.lists.create(project, { name: 'Double', doubleOptIn: true }))).id;
});

async function run(content: string | Buffer, request: Partial<ImportRequest> = {}): Promise<Import> {
  const done = await world.imports.run(project, pieces(content), { lists: [news], ...request });
  const { rows, imported, duplicates, rejected, protected: kept, created, updated } = done.totals;
  expect(rows).toBe(imported + duplicates + rejected + kept);
  expect(imported).toBe(created + updated);
  return done;
}
const totals = (some: Partial<ImportTotals>): ImportTotals => ({
  rows: 0,
  imported: 0,
  created: 0,
  updated: 0,
  duplicates: 0,
  rejected: 0,
  protected: 0,
  ...some,
});
const find = (name: string) => world.audience((a) => a.subscribers.findByAddress(project, `${name}@example.com`));
const count = (...lists: readonly Id[]) => world.audience((a) => a.recipients.count(project, anAudience(lists)));
/** Everything that an import could change, as text. */
const snapshot = async (): Promise<string> => {
  const tables = ['subscriber', 'subscription', 'suppression', 'consent'];
  const rows = await Promise.all(
    tables.map((table) =>
      world.sql.query(`select x::text from pennypost_audience.${table} x where project_id = $1 order by 1`, [project]),
    ),
  );
  return JSON.stringify(rows);
};

describe('an import of the same file', () => {
  it('twice over stores the same statement of consent once, and a new one again', async () => {
    const file = 'email\na@example.com\n';
    const consent = { source: 'trade fair', text: 'I agree' };
    await run(file, { consent, lists: [double] });
    const before = await snapshot();
    world.clock.pass(60_000);
    await run(file, { consent, lists: [double] });
    expect(await snapshot()).toBe(before);
    await run(file, { consent: { ...consent, text: 'I agree to more' }, lists: [double] });
    expect(
      await world.audience(async (a) =>
        a.subscriptions.consentsOf(project, (await a.subscribers.findByAddress(project, 'a@example.com'))!.id),
      ),
    ).toHaveLength(2);
  });

  it('of any file twice over changes nothing the second time', async () => {
    const cell = fc.oneof(
      fc.constantFrom('', '-', 'NULL', 'German', 'Klingon', 'Europe/Berlin', '1.0', 'x'.repeat(30_000), '"', ' \u200b', 'ü'),
      fc.string({ maxLength: 5 }),
    );
    const address = fc.constantFrom('a@example.com', 'A@Example.com ', '<b@example.com>', 'mailto:c@example.com', 'nonsense', '');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(address, cell, cell, cell), { maxLength: 6 }), async (rows) => {
        project = world.ids.next();
        const list = (await world.audience((a) => a.lists.create(project, { name: 'Any' }))).id;
        const quoted = rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(';'));
        const file = ['email;language;tz;note', ...quoted].join('\n');
        const first = await run(file, { lists: [list], encoding: 'utf-8' });
        const before = await snapshot();
        world.clock.pass(60_000);
        const again = await run(file, { lists: [list], encoding: 'utf-8' });
        expect(await snapshot()).toBe(before);
        expect(again.totals).toEqual({ ...first.totals, created: 0, updated: first.totals.imported });
        expect(again.warnings).toEqual(first.warnings);
      }),
      { numRuns: 12 },
    );
  });
});

describe('an import of people who left elsewhere', () => {
  const states = async (...names: readonly string[]) =>
    Promise.all(
      names.map(async (name) => {
        const email = `${name}@example.com`;
        const found = (await world.audience((a) => a.suppressions.of(project, email))).map(
          ({ scope, reason }) => `${scope} ${reason}`,
        );
        const rows = await world.sql.query<{ state: string }>(
          `select n.state from pennypost_audience.subscription n join pennypost_audience.subscriber s
             on s.project_id = n.project_id and s.id = n.subscriber_id where n.project_id = $1 and s.email_key = $2`,
          [project, email],
        );
        return [...rows.map(({ state }) => state), ...found].join(', ');
      }),
    );
  const mixed =
    'email,status\na@example.com,subscribed\nb@example.com,unsubscribed\nc@example.com,bounced\nd@example.com,complained\n';

  it('is refused with what was found, and changes nobody, until the caller decides', async () => {
    const before = await snapshot();
    await expect(run(mixed)).rejects.toMatchObject({
      code: 'import.people_left',
      kind: 'conflict',
      pointer: '/as',
      message: expect.stringMatching(/^3 rows say .*column "status" is "unsubscribed" \(1\).*"bounced" \(1\).*stated/),
    });
    await expect(run(mixed, { dryRun: true })).rejects.toMatchObject({ code: 'import.people_left' });
    expect(await snapshot()).toBe(before);
  });

  it('follows the file row by row, as stated', async () => {
    const done = await run(mixed, { as: 'stated' });
    expect(done.totals).toEqual(totals({ rows: 4, imported: 4, created: 4 }));
    expect(done.as).toBe('stated');
    expect(done.warnings).toMatchObject([
      { message: expect.stringContaining('3 rows were imported as unsubscribed or suppressed') },
    ]);
    expect(await states('a', 'b', 'c', 'd')).toEqual(['confirmed', 'unsubscribed', 'project hard_bounce', 'marketing complaint']);
    expect(await count(news)).toBe(1);
    const before = await snapshot();
    await run(mixed, { as: 'stated' });
    expect(await snapshot()).toBe(before);
    expect((await run('email\nb@example.com\nc@example.com\n')).totals).toMatchObject({ protected: 2 });
  });

  it('makes everybody leave the lists, or all marketing without a list', async () => {
    await world.people(project, news, 'a');
    await run('email\na@example.com\nb@example.com\n', { as: 'unsubscribed' });
    expect(await states('a', 'b')).toEqual(['unsubscribed', 'unsubscribed']);
    await run('email\nc@example.com\n', { as: 'unsubscribed', lists: [] });
    expect(await states('c')).toEqual(['marketing unsubscribe']);
    expect(await count(news)).toBe(0);
  });

  it('suppresses everybody, also people who are on a list or left it before', async () => {
    const people = await world.people(project, news, 'a', 'b');
    await world.audience((a) => a.subscriptions.unsubscribe(project, [news], people.b!, { source: 'one-click' }));
    await run('email\na@example.com\nb@example.com\nc@example.com\n', { as: 'suppressed' });
    expect(await states('a', 'b', 'c')).toEqual([
      'confirmed, marketing manual',
      'unsubscribed, marketing manual',
      'marketing manual',
    ]);
    expect(await count(news)).toBe(0);
  });

  it('lets everybody join when the caller says so', async () => {
    await run(mixed, { as: 'subscribed' });
    expect(await count(news)).toBe(4);
  });

  it('hears the row that says so, wherever it stands in the file', async () => {
    await run('email,status\na@example.com,unsubscribed\na@example.com,subscribed\n', { as: 'stated' });
    expect(await states('a')).toEqual(['unsubscribed']);
  });

  it('brings nothing of an erased person back, and changes no attribute of somebody who leaves', async () => {
    const people = await world.people(project, news, 'gone', 'a');
    await world.audience((a) => a.subscribers.erase(project, people.gone!));
    const done = await run('email,city\ngone@example.com,Rome\na@example.com,Oslo\n', { as: 'suppressed' });
    expect(done.totals).toMatchObject({ protected: 1, updated: 1 });
    expect((await find('a'))?.attributes).toEqual({});
  });

  it('takes no consent along, and knows no other words', async () => {
    const start = (request: Partial<ImportRequest>) => run('email\na@example.com\n', request);
    await expect(start({ as: 'suppressed', consent: { source: 'x' } })).rejects.toMatchObject({ pointer: '/consent' });
    await expect(start({ as: 'gone' as 'stated' })).rejects.toMatchObject({ pointer: '/as' });
    await run('email,status\na@example.com,subscribed\nb@example.com,unsubscribed\n', { as: 'stated', consent: { source: 'x' } });
    expect(await states('a', 'b')).toEqual(['confirmed', 'unsubscribed']);
    expect(await world.audience(async (a) => a.subscriptions.consentsOf(project, (await find('b'))!.id))).toEqual([]);
  });

  it.each([
    'unsubscribed_members_export_8f2a.csv',
    'cleaned_members_export.csv',
    'Bounces.csv',
    'blocklist.csv',
    'opt-outs 2026.csv',
  ])('is noticed by the name of the file: %s', async (fileName) => {
    await expect(run('email\na@example.com\n', { fileName })).rejects.toMatchObject({
      code: 'import.people_left',
      message: expect.stringContaining(fileName),
    });
    expect((await run('email\na@example.com\n', { fileName: `subscribed_${fileName}` })).totals.created).toBe(1);
  });

  it('is not noticed where the map leaves the column out', async () => {
    expect((await run(mixed, { map: { status: '-' } })).totals.created).toBe(4);
  });
});
