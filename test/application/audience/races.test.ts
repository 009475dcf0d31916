import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AudienceService } from '../../../src/domain/audience/index.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { withClient } from '../../../src/infrastructure/postgres/session.ts';
import { anAudience } from '../../support/audiences.ts';
import { eventually } from '../../support/processes.ts';
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

const FORM = { source: 'form', ip: '192.0.2.1', userAgent: 'Browser', text: 'I agree' };

/** How many sessions of this database wait for a lock of another one. */
const waiting = async (): Promise<number> =>
  (
    await world.sql.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
  )[0]!.count;

function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

interface Person {
  readonly id: Id;
  readonly address: string;
}

/** Confirmed on `news`, waiting on `double`. */
async function person(name: string): Promise<Person> {
  const address = `${name}@example.com`;
  const joined = await world.audience((a) =>
    a.subscribers.join(project, { email: address, attributes: { city: 'Oslo' } }, [news, double]),
  );
  return { id: joined.subscriber.id, address };
}

const imported = ({ address }: Person) =>
  world.imports.run(project, pieces(`email,city\n${address},Rome\nsee ${address},Rome\n`), {
    lists: [news, double],
    consent: FORM,
  });

/** Everything that adds something about a person. */
const VERBS: Readonly<Record<string, (who: Person) => Promise<unknown>>> = {
  subscribe: ({ id }) =>
    world.audience((a) => a.subscriptions.subscribe(project, double, id, { consent: FORM, confirmed: true })),
  confirm: ({ id }) => world.audience((a) => a.subscriptions.confirm(project, double, id, FORM)),
  join: ({ address }) =>
    world.audience((a) => a.subscribers.join(project, { email: address }, [news, double], { consent: FORM })),
  upsert: ({ address }) => world.audience((a) => a.subscribers.upsert(project, { email: address, attributes: { x: address } })),
  update: ({ id, address }) => world.audience((a) => a.subscribers.update(project, id, { attributes: { x: address } })),
  unsubscribe: ({ id }) => world.audience((a) => a.subscriptions.unsubscribe(project, [news, double], id, FORM)),
  'opt out': ({ id }) =>
    world.audience((a) => a.subscriptions.optOut(project, id, { campaignId: world.ids.next(), listIds: [] }, FORM)),
  suppress: ({ address }) => world.audience((a) => a.suppressions.add(project, address, { reason: 'complaint' })),
  import: imported,
};

async function expectForgotten({ id, address }: Person): Promise<void> {
  const tables = ['subscriber', 'subscription', 'suppression', 'consent', 'import_rejection', 'import_rejection_address'];
  for (const table of tables) {
    const rows = await world.sql.query(`select from pennypost_audience.${table} x where x::text ilike $1`, [`%${address}%`]);
    expect({ table, rows }).toEqual({ table, rows: [] });
  }
  expect(await world.audience((a) => a.subscriptions.of(project, [id]))).toEqual([]);
  for (const consent of await world.audience((a) => a.subscriptions.consentsOf(project, id)))
    expect(consent).toMatchObject({ ip: null, userAgent: null, text: null });
  expect(await world.audience((a) => a.subscribers.get(project, id))).toMatchObject({ status: 'erased', attributes: {} });
}

describe('a person who is being erased', () => {
  it.each(Object.keys(VERBS))('keeps nothing of %s that comes before the erasure is committed', async (verb) => {
    const who = await person(`before-${verb.replace(' ', '-')}`);
    const [held, go] = [gate(), gate()];
    const erased = world.audience(async (a: AudienceService) => {
      await a.subscribers.erase(project, who.id);
      held.open();
      await go.passed;
    });
    await held.passed;
    let done = false;
    const racing = VERBS[verb]!(who).then(
      () => (done = true),
      () => (done = true),
    );
    await eventually(`${verb} to wait or to end`, async () => done || (await waiting()) > 0);
    go.open();
    await Promise.all([erased, racing]);
    await expectForgotten(who);
  });

  it('loses what is just being added by others', async () => {
    const who = await person('after');
    const [held, go] = [gate(), gate()];
    const adding = world.audience(async (a: AudienceService) => {
      await a.subscriptions.subscribe(project, double, who.id, { consent: FORM, confirmed: true });
      held.open();
      await go.passed;
    });
    await held.passed;
    const erased = world.audience((a) => a.subscribers.erase(project, who.id));
    await eventually('the erasure to wait', async () => (await waiting()) > 0);
    go.open();
    await Promise.all([adding, erased]);
    await expectForgotten(who);
  });

  it('keeps nothing of 32 others at once, in any order', async () => {
    const verbs = Object.values(VERBS);
    for (let round = 0; round < 4; round += 1) {
      const who = await person(`round-${round}`);
      const racers = Array.from({ length: 32 }, (_, index) => () => verbs[(index * (round + 1)) % verbs.length]!(who));
      racers.splice(round * 10, 0, () => world.audience((a) => a.subscribers.erase(project, who.id)));
      const settled = await Promise.allSettled(racers.map((race) => race()));
      const failures = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      // Refused for a reason that can be told; never a deadlock or a broken rule of a table.
      for (const failure of failures) expect(failure.code).toMatch(/^(subscriber|subscription|import|resource)\./);
      await expectForgotten(who);
    }
  });

  it('does not come back by a subscriber who moves to the erased address', async () => {
    const [who, mover] = [await person('moved-to'), await person('mover')];
    await world.audience((a) => a.subscribers.erase(project, who.id));
    const moving = world.audience((a) => a.subscribers.update(project, mover.id, { email: who.address }));
    await expect(moving).rejects.toMatchObject({ code: 'subscriber.erased' });
    await expectForgotten(who);
  });
});

describe('an erasure', () => {
  it('finds rejected rows by an index, whatever else the project has rejected', async () => {
    const who = await person('indexed');
    await imported(who);
    const plan = await world.sql.query<{ 'QUERY PLAN': string }>(
      `explain select import_id, line from pennypost_audience.import_rejection_address where project_id = '${project}' and email_key = 'x'`,
    );
    expect(JSON.stringify(plan)).toContain('import_rejection_address_key');
    await world.audience((a) => a.subscribers.erase(project, who.id));
    await expectForgotten(who);
  });

  it('is known to an import that brings rejected rows about the person later', async () => {
    const who = await person('later');
    await world.audience((a) => a.subscribers.erase(project, who.id));
    const done = await imported(who);
    expect(done.totals).toMatchObject({ rejected: 1, protected: 1 });
    const { items } = await world.audience((a) => a.imports.rejections(project, done.id));
    expect(items).toEqual([{ line: 3, reason: 'The person in this row was erased.', cells: [] }]);
    await expectForgotten(who);
  });
});

describe('an import of known people', () => {
  const PEOPLE = 5_000;
  const file = (city: string): string =>
    `email,city\n${Array.from({ length: PEOPLE }, (_, index) => `p${index}@example.com,${city}`).join('\n')}\n`;
  const run = (city: string) => world.imports.run(project, pieces(file(city), 65_536), { lists: [news] });
  const idOf = async (index: number): Promise<Id> =>
    (await world.audience((a) => a.subscribers.findByAddress(project, `p${index}@example.com`)))!.id;
  const countOf = async (city: string): Promise<number> =>
    (
      await world.sql.query<{ count: number }>(
        `select count(*)::int as count from pennypost_audience.subscriber where project_id = $1 and attributes->>'city' = $2`,
        [project, city],
      )
    )[0]!.count;

  it('locks a batch of them and no more, and makes nobody wait who leaves, is suppressed or read', async () => {
    await run('Oslo');
    const [first, second, last] = await Promise.all([idOf(0), idOf(1), idOf(PEOPLE - 1)]);
    // The import's own row is what every batch writes last: whoever holds it sees a batch with all its locks.
    await withClient(world.orm, async (client) => {
      await client.query('begin');
      const running = run('Rome');
      await eventually('the import to be there', async () => {
        const found = await client.query(
          `select id from pennypost_audience.import where project_id = $1 and state = 'running' for update`,
          [project],
        );
        return found.rowCount === 1;
      });
      await eventually('its first batch to wait', async () => (await waiting()) > 0);
      const [free] = await world.sql.query<{ count: number }>(
        `select count(*)::int as count from (select from pennypost_audience.subscriber where project_id = $1 for update skip locked) x`,
        [project],
      );
      expect(PEOPLE - free!.count).toBe(2_000);
      expect(await world.audience((a) => a.subscriptions.unsubscribe(project, [news], first, { source: 'link' }))).toEqual([
        news,
      ]);
      expect(
        await world.audience((a) =>
          a.subscriptions.optOut(project, second, { campaignId: world.ids.next(), listIds: [news] }, { source: 'link' }),
        ),
      ).toBe(true);
      expect(await world.audience((a) => a.suppressions.add(project, 'p2@example.com', { reason: 'complaint' }))).toBe(true);
      await world.audience((a) => a.subscribers.join(project, { email: `p${PEOPLE - 2}@example.com` }, [double]));
      await world.audience((a) => a.subscribers.erase(project, last));
      const page = await world.audience((a) => a.recipients.page(project, anAudience([news]), undefined, 10));
      expect(page?.count).toBeGreaterThan(0);
      await client.query('rollback');
      const { totals } = await running;
      expect(totals).toMatchObject({ rows: PEOPLE, imported: PEOPLE - 1, created: 0, protected: 1 });
    });
    // Who left while the import ran has left; the rest is as the file says.
    expect(await world.audience((a) => a.recipients.count(project, anAudience([news])))).toBe(PEOPLE - 4);
    expect(await countOf('Rome')).toBe(PEOPLE - 1);
  });

  it('keeps the batches before it breaks off, and says how many people they were', async () => {
    await run('Oslo');
    const last = await idOf(PEOPLE - 1);
    const result = await withClient(world.orm, async (client) => {
      await client.query('begin');
      await client.query('select from pennypost_audience.subscriber where id = $1 for update', [last]);
      const running = run('Rome').catch((error: unknown) => error);
      await eventually('two batches to be merged', async () => (await countOf('Rome')) === 4_000);
      await eventually('the third to wait', async () => (await waiting()) > 0);
      await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`);
      const error = await running;
      await client.query('rollback');
      return error;
    });
    expect(result).toBeInstanceOf(Error);
    const [failed] = (await world.audience((a) => a.imports.list(project))).items;
    expect(failed).toMatchObject({
      state: 'failed',
      failure: expect.stringContaining('Import the file again'),
      totals: { rows: 4_000, imported: 4_000, updated: 4_000 },
    });
    expect((await run('Rome')).totals).toMatchObject({ imported: PEOPLE, updated: PEOPLE });
    expect(await countOf('Rome')).toBe(PEOPLE);
  });
});
