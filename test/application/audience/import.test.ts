import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ImportRequest } from '../../../src/application/audience/import-subscribers.ts';
import { type Import, type ImportTotals, NO_TOTALS } from '../../../src/domain/audience/index.ts';
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
const totals = (some: Partial<ImportTotals>): ImportTotals => ({ ...NO_TOTALS, ...some });
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

describe('an import', () => {
  it('adds new people, updates known ones, counts duplicates and rejects bad rows with their line', async () => {
    await world.audience((a) =>
      a.subscribers.upsert(project, { email: 'Known@example.com', attributes: { city: 'Rome', kept: true }, locale: 'it' }),
    );
    const done = await run(
      [
        'E-Mail;First Name;City',
        'ada@example.com;Ada;"London;\r\nGreenwich"',
        'nonsense;Bob;x',
        'known@example.com;Kay;Oslo',
        '',
        'ADA@EXAMPLE.COM;Ada Augusta;',
        ';nobody;y',
      ].join('\r\n'),
      { fileName: 'people.csv' },
    );
    expect(done).toMatchObject({
      state: 'done',
      fileName: 'people.csv',
      columns: ['E-Mail', 'First Name', 'City'],
      failure: null,
    });
    expect(done.totals).toEqual(totals({ rows: 5, imported: 2, created: 1, updated: 1, duplicates: 1, rejected: 2 }));
    expect(await find('ada')).toMatchObject({ address: 'ADA@example.com', attributes: { first_name: 'Ada Augusta' } });
    expect(await find('known')).toMatchObject({
      address: 'Known@example.com',
      locale: 'it',
      attributes: { first_name: 'Kay', city: 'Oslo', kept: true },
    });
    expect(await count(news)).toBe(2);
    const { items } = await world.audience((a) => a.imports.rejections(project, done.id));
    expect(items).toEqual([
      { line: 4, reason: expect.stringContaining('"@" is missing'), cells: ['nonsense', 'Bob', 'x'] },
      { line: 8, reason: expect.stringContaining('address is missing'), cells: ['', 'nobody', 'y'] },
    ]);
  });

  it('gives the rejected rows back as CSV without formulas, through pages', async () => {
    const bad = Array.from({ length: 1_201 }, (_, index) => `=cmd()${index},=1+${index}`);
    const done = await run(['email,note', ...bad].join('\n'));
    expect(done.totals).toEqual(totals({ rows: 1_201, rejected: 1_201 }));
    let csv = '';
    for await (const part of world.imports.rejectionsCsv(project, done.id)) csv += part;
    const lines = csv.trimEnd().split('\r\n');
    expect(lines).toHaveLength(1_202);
    expect(lines[0]).toBe('"line","reason","email","note"');
    expect(lines[1]).toMatch(/^"2",".*","'=cmd\(\)0","'=1\+0"$/);
    expect(lines[1_201]).toMatch(/^"1202",/);
  });

  it('twice over changes nothing the second time', async () => {
    const file = 'email,first_name\na@example.com,A\nb@example.com,B\n';
    await run(file);
    const before = await snapshot();
    expect((await run(file)).totals).toEqual(totals({ rows: 2, imported: 2, updated: 2 }));
    expect(await snapshot()).toBe(before);
  });

  it('keeps no rejected row of somebody who is erased, however the address was written', async () => {
    const [ada] = Object.values(await world.people(project, news, 'ada'));
    const { subscriber } = await world.audience((a) => a.subscribers.upsert(project, { email: 'o.neil@b\u00fccher.example' }));
    const bad = 'x,one cell too many';
    const rows = [
      `ADA@Example.com,${bad}`,
      `"Ada <ada@example.com>",Ada,one cell too many`,
      `adalbert@example.com,${bad}`,
      `x.ada@example.com,${bad}`,
      `nonsense,see ada@example.com.`,
      `nonsense,ada@example.com.au`,
      `O.Neil@b\u00fccher.example,${bad}`,
    ];
    const { id, totals: found } = await run(`email,note\n${rows.join('\n')}\n`);
    expect(found.rejected).toBe(7);
    const list = async () => (await world.audience((a) => a.imports.rejections(project, id))).items;
    await world.audience((a) => a.subscribers.erase(project, ada!));
    await world.audience((a) => a.subscribers.erase(project, subscriber.id));
    const left = await list();
    expect(left.filter(({ cells }) => cells.length > 0).map(({ line }) => line)).toEqual([4, 5, 7]);
    expect(left[0]).toEqual({ line: 2, reason: 'The person in this row was erased.', cells: [] });
    let csv = '';
    for await (const part of world.imports.rejectionsCsv(project, id)) csv += part;
    expect(csv).not.toMatch(/[^.l]ada@example\.com["., ]*\n|neil/i);
  });

  it('never changes people who left the list, are suppressed or erased', async () => {
    const p = await world.people(project, news, 'left', 'barred', 'listbarred', 'erased', 'stays');
    await world.audience((a) => a.subscriptions.unsubscribe(project, [news], p.left!, { source: 'one-click' }));
    await world.audience((a) => a.suppressions.add(project, 'barred@example.com', { reason: 'complaint', scope: 'marketing' }));
    await world.audience((a) => a.suppressions.add(project, 'listbarred@example.com', { scope: `list:${news}` }));
    await world.audience((a) => a.suppressions.add(project, 'stranger@example.com', { reason: 'hard_bounce' }));
    await world.audience((a) => a.subscribers.erase(project, p.erased!));
    const before = await snapshot();
    const names = ['Left', 'barred', 'listbarred', 'stranger', 'ERASED'];
    const file = ['email,a', ...names.map((name) => `${name}@example.com,1`)].join('\n');
    expect((await run(file)).totals).toEqual(totals({ rows: 5, protected: 5 }));
    expect((await run(file, { lists: [news, double], consent: { source: 'they said so' } })).totals).toEqual(
      totals({ rows: 5, protected: 5 }),
    );
    expect(await snapshot()).toBe(before);
    expect((await run(`${file}\nstays@example.com,1`)).totals).toEqual(
      totals({ rows: 6, protected: 5, imported: 1, updated: 1 }),
    );
    expect(await count(news)).toBe(1);
  });

  it('protects who left one of its lists, and only those', async () => {
    const p = await world.people(project, double, 'left');
    await world.audience((a) => a.subscriptions.unsubscribe(project, [double], p.left!, { source: 'one-click' }));
    expect((await run('email\nleft@example.com\n')).totals).toEqual(totals({ rows: 1, imported: 1, updated: 1 }));
    expect((await run('email\nleft@example.com\n', { lists: [news, double] })).totals).toEqual(totals({ rows: 1, protected: 1 }));
  });

  it('leaves people of a double opt-in list unconfirmed and unmailed', async () => {
    await run('email\na@example.com\nb@example.com\n', { lists: [double] });
    expect(await count(double)).toBe(0);
    expect(await world.audience((a) => a.lists.counts(project, [double]))).toMatchObject([{ unconfirmed: 2, confirmed: 0 }]);
    const { id } = (await find('a'))!;
    expect(await world.audience((a) => a.subscriptions.consentsOf(project, id))).toEqual([]);
  });

  it('confirms them when the caller states a consent, and stores it for each', async () => {
    await run('email\na@example.com\nb@example.com\n', { lists: [double] });
    const at = new Date('2026-02-01T00:00:00Z');
    const done = await run('email\na@example.com\nb@example.com\nc@example.com\n', {
      lists: [double, news],
      consent: { source: 'trade fair 2026', text: 'I agree', textVersion: '2', at },
    });
    expect(await count(double)).toBe(3);
    expect(done.consent).toMatchObject({ source: 'trade fair 2026', text: 'I agree', at });
    const ada = (await find('a'))!;
    expect(await world.audience((a) => a.subscriptions.consentsOf(project, ada.id))).toMatchObject([
      { action: 'import', source: 'trade fair 2026', textVersion: '2', importId: done.id, listIds: [double, news], givenAt: at },
    ]);
  });

  it('never takes a confirmation back', async () => {
    await world.people(project, double, 'sure');
    await run('email\nsure@example.com\n', { lists: [double] });
    expect(await count(double)).toBe(1);
  });

  it('on a dry run counts the same, keeps the rejections, and changes nobody', async () => {
    await world.people(project, news, 'known');
    await world.audience((a) => a.suppressions.add(project, 'barred@example.com'));
    const file = 'email,x\nnew@example.com,1\nknown@example.com,2\nnew@example.com,3\nbarred@example.com,4\nbad,5\n';
    const before = await snapshot();
    const dry = await run(file, { dryRun: true, consent: { source: 'x' } });
    expect(dry).toMatchObject({ state: 'done', dryRun: true });
    expect(await snapshot()).toBe(before);
    expect((await world.audience((a) => a.imports.rejections(project, dry.id))).items).toMatchObject([{ line: 6 }]);
    const real = await run(file);
    expect(real.totals).toEqual(dry.totals);
    expect(real.totals).toEqual(
      totals({ rows: 5, imported: 2, created: 1, updated: 1, duplicates: 1, rejected: 1, protected: 1 }),
    );
  });

  it('without lists only brings people', async () => {
    expect((await run('email\na@example.com\n', { lists: [] })).totals.created).toBe(1);
    expect((await world.audience((a) => a.subscribers.search(project))).items).toHaveLength(1);
  });

  it('of a person with large attributes changes nothing the second time', async () => {
    const file = `email,b,c\nbig@example.com,${'y'.repeat(40_000)},"${'z"" '.repeat(4_000)}"\n`;
    await run(file);
    const before = await snapshot();
    expect((await run(file)).totals).toMatchObject({ imported: 1, rejected: 0 });
    expect(await snapshot()).toBe(before);
  });

  it('counts a value that it replaces once', async () => {
    for (const letter of ['x', 'y', 'z']) {
      expect((await run(`email,b\nbig@example.com,${letter.repeat(60_000)}\n`)).totals).toMatchObject({ imported: 1 });
    }
    expect(await find('big')).toMatchObject({ attributes: { b: 'z'.repeat(60_000) } });
  });

  it('rejects a row that would make more than 500 attributes, and takes one that replaces some of them', async () => {
    const attributes = Object.fromEntries(Array.from({ length: 499 }, (_, index) => [`a${index}`, 'x']));
    await world.audience((a) => a.subscribers.upsert(project, { email: 'many@example.com', attributes }));
    const done = await run('email,b,c\nmany@example.com,1,2\n');
    expect(done.totals).toMatchObject({ rejected: 1 });
    expect((await world.audience((a) => a.imports.rejections(project, done.id))).items).toMatchObject([
      { line: 2, reason: expect.stringContaining('500 attributes') },
    ]);
    expect((await run('email,b,a7\nmany@example.com,1,2\n')).totals).toMatchObject({ imported: 1, rejected: 0 });
    const lines = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`k${index}`, 'x']));
    expect((await run(JSON.stringify({ email: 'many@example.com', ...lines }))).totals).toMatchObject({ rejected: 1 });
  });

  it('rejects a row that would make attributes too large, and says so', async () => {
    await world.audience((a) =>
      a.subscribers.upsert(project, { email: 'big@example.com', attributes: { a: 'x'.repeat(40_000) } }),
    );
    const done = await run(`email,b\nbig@example.com,${'y'.repeat(40_000)}\n`);
    expect(done.totals).toEqual(totals({ rows: 1, rejected: 1 }));
    expect((await world.audience((a) => a.imports.rejections(project, done.id))).items).toMatchObject([
      { line: 2, reason: expect.stringContaining('65536 bytes') },
    ]);
  });

  it('takes JSON Lines, with lines that are wrong in every way', async () => {
    const done = await run(
      [
        '{"email":"ada@example.com","plan":{"seats":3},"locale":"de"}',
        '{"email":"bob@example.com"',
        '[]',
        '',
        '{"name":"nobody"}',
        '{"email":"eve@example.com","attributes":{"a":"x\\u0000y","b":"tab\\tback\\\\slash\\nnew"}}',
      ].join('\n'),
    );
    expect(done.totals).toEqual(totals({ rows: 5, imported: 2, created: 2, rejected: 3 }));
    expect(await find('ada')).toMatchObject({ locale: 'de', attributes: { plan: { seats: 3 } } });
    expect(await find('eve')).toMatchObject({ attributes: { a: 'xy', b: 'tab\tback\\slash\nnew' } });
    const { items } = await world.audience((a) => a.imports.rejections(project, done.id));
    expect(items.map(({ line }) => line)).toEqual([2, 3, 5]);
    expect(items[0]!.cells).toEqual(['{"email":"bob@example.com"']);
  });

  it('carries every character through COPY as it is', async () => {
    const odd = 'back\\slash \\N \\. "quoted" tab\there ’🦆 \u0001';
    await run(`email,note\n"odd+tag'{}@example.com","${odd.replaceAll('"', '""')}"\n\\N@example.com,x\n`);
    expect(await find("odd+tag'{}")).toMatchObject({ attributes: { note: odd } });
  });

  it('is refused whole when its request is wrong, and nothing is stored', async () => {
    const start = (request: Partial<ImportRequest>) =>
      world.imports.run(project, pieces('email\na@example.com\n'), { lists: [news], ...request });
    await expect(start({ lists: [world.ids.next()] })).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(start({ consent: { source: '' } })).rejects.toMatchObject({ code: 'input.invalid', pointer: '/consent/source' });
    await world.audience((a) => a.lists.archive(project, news));
    await expect(start({})).rejects.toMatchObject({ code: 'list.archived' });
    expect((await world.audience((a) => a.imports.list(project))).items).toEqual([]);
  });

  it.each([
    ['name\nAda\n', /Columns seen: "name"/],
    ['em\0ail,x\na@example.com,1\n', /zero byte/],
    ['', /file is empty/],
    ['email\na@example.com\n"b@example.com\nc@example.com\n', /line 3 .*never closed/],
  ])('of the file %j fails with a clear word and changes nobody', async (content, message) => {
    const before = await snapshot();
    await expect(run(content)).rejects.toMatchObject({ code: 'import.unreadable', message: expect.stringMatching(message) });
    const [failed] = (await world.audience((a) => a.imports.list(project))).items;
    expect(failed).toMatchObject({ state: 'failed', failure: expect.stringMatching(message), endedAt: expect.any(Date) });
    expect(await snapshot()).toBe(before);
  });

  it('whose source breaks in the middle changes nobody, and the next one works', async () => {
    const before = await snapshot();
    async function* broken() {
      yield Buffer.from(`email\n${Array.from({ length: 5_000 }, (_, index) => `p${index}@example.com`).join('\n')}`);
      throw new Error('connection reset');
    }
    await expect(world.imports.run(project, broken(), { lists: [news] })).rejects.toThrow('connection reset');
    expect(await snapshot()).toBe(before);
    expect((await world.audience((a) => a.imports.list(project))).items).toMatchObject([
      { state: 'failed', failure: expect.stringContaining('internal error') },
    ]);
    expect((await run('email\na@example.com\n')).totals.created).toBe(1);
  });

  it('whose list is deleted meanwhile fails and changes nobody', async () => {
    async function* slow() {
      yield Buffer.from('email\na@example.com\n');
      await world.audience((a) => a.lists.delete(project, news));
      yield Buffer.from('b@example.com\n');
    }
    await expect(world.imports.run(project, slow(), { lists: [news] })).rejects.toThrow('list of this import was deleted');
    expect((await world.audience((a) => a.subscribers.search(project))).items).toEqual([]);
  });

  it('of a process that died is found abandoned; a living one is not', async () => {
    const orphan = await world.audience((a) => a.imports.start(project, { lists: [news] }));
    const alive = await world.audience((a) => a.imports.start(project, { lists: [news] }));
    const states = async () =>
      Promise.all([orphan, alive].map(async ({ id }) => (await world.audience((a) => a.imports.get(project, id))).state));
    async function* slow() {
      yield Buffer.from('email\na@example.com\n');
      world.clock.pass(120_000);
      await world.audience((a) => a.imports.failAbandoned(project));
      const [first] = (await world.audience((a) => a.imports.list(project))).items;
      expect(first?.state).toBe('running');
      expect(await states()).toEqual(['failed', 'failed']);
      yield Buffer.from('b@example.com\n');
    }
    expect(await states()).toEqual(['running', 'running']);
    expect((await world.imports.run(project, slow(), { lists: [news] })).totals.created).toBe(2);
  });

  it('of the same people at the same time as three others makes everybody once', async () => {
    const file = ['email,n', ...Array.from({ length: 500 }, (_, index) => `p${index}@example.com,${index}`)];
    const reversed = [file[0]!, ...file.slice(1).toReversed()];
    const runs = await Promise.all([file, reversed, file, reversed].map((lines) => run(lines.join('\n'))));
    expect(runs.reduce((sum, { totals: { created } }) => sum + created, 0)).toBe(500);
    expect(await count(news)).toBe(500);
  });

  it('finds a place while another project has all that it may have', async () => {
    const gate = Promise.withResolvers<void>();
    async function* waiting() {
      yield Buffer.from('email\n');
      await gate.promise;
      yield Buffer.from('a@example.com\n');
    }
    const running = [1, 2, 3, 4, 5].map(() => world.imports.run(project, waiting(), { lists: [] }));
    try {
      // Which of the five finds no place is chance: each reads the database before it takes one.
      const refusals = running.map((one) =>
        one.then(
          () => Promise.reject(new Error('It was taken.')),
          (error: unknown) => error,
        ),
      );
      expect(await Promise.any(refusals)).toMatchObject({ code: 'import.busy', kind: 'limited' });
      const other = world.ids.next();
      expect((await world.imports.run(other, pieces('email\na@example.com', 10), { lists: [] })).totals.created).toBe(1);
    } finally {
      gate.resolve();
      const ends = await Promise.allSettled(running);
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    }
  });

  it('of 20,000 rows keeps its sums, and tells its progress', async () => {
    const lines = ['email,n'];
    for (let index = 0; index < 19_600; index++) lines.push(`p${index}@example.com,${index}`);
    for (let index = 0; index < 200; index++) lines.push(`P${index * 7}@example.com,again`, `bad ${index}`);
    const seen: number[] = [];
    const done = await world.imports.run(project, pieces(lines.join('\r\n'), 10_000), { lists: [news] }, ({ rows }) =>
      seen.push(rows),
    );
    expect(done.totals).toEqual(totals({ rows: 20_000, imported: 19_600, created: 19_600, duplicates: 200, rejected: 200 }));
    expect(await count(news)).toBe(19_600);
    expect(seen.at(-1)).toBe(20_000);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
  });
});

describe('imports of another project', () => {
  it('are not found', async () => {
    const done = await run('email\nbad\n');
    const stranger = world.ids.next();
    await expect(world.audience((a) => a.imports.get(stranger, done.id))).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(world.audience((a) => a.imports.rejections(stranger, done.id))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    expect((await world.audience((a) => a.imports.list(stranger))).items).toEqual([]);
    await expect(world.imports.run(stranger, pieces('email\na@example.com\n'), { lists: [news] })).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });
});
