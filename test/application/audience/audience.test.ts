import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { anAudience } from '../../support/audiences.ts';
import { openAudience, type TestAudience } from './support.ts';

let world: TestAudience;
let project: Id;
beforeAll(async () => {
  world = await openAudience();
  project = world.ids.next();
});
afterAll(() => world.close());

const code = (value: string) => expect.objectContaining({ code: value });

describe('a list', () => {
  it('gets a slug of its own, and keeps it when renamed', async () => {
    const { audience } = world;
    const first = await audience((a) => a.lists.create(project, { name: 'Weekly News' }));
    const second = await audience((a) => a.lists.create(project, { name: 'Weekly news!', doubleOptIn: true }));
    expect([first.slug, second.slug]).toEqual(['weekly-news', 'weekly-news-2']);
    const yearly = async () => (await audience((a) => a.lists.create(project, { name: 'News 2026' }))).slug;
    expect([await yearly(), await yearly(), await yearly()]).toEqual(['news-2026', 'news-2026-2', 'news-2026-3']);
    await audience((a) => a.lists.update(project, 'weekly-news', { name: 'Daily News', description: 'every day' }));
    expect(await audience((a) => a.lists.get(project, first.id))).toMatchObject({
      name: 'Daily News',
      slug: 'weekly-news',
      version: 2,
    });
    await expect(audience((a) => a.lists.create(project, { name: 'x', slug: 'weekly-news' }))).rejects.toThrow(
      code('list.slug_taken'),
    );
  });

  it('that is archived is shown only on demand and takes nobody; that is deleted is gone with its subscriptions', async () => {
    const { audience, people } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Old' }));
    const { ada } = await people(project, list.id, 'ada');
    await audience((a) => a.lists.archive(project, list.id));
    expect((await audience((a) => a.lists.list(project))).items.map(({ id }) => id)).not.toContain(list.id);
    expect((await audience((a) => a.lists.list(project, { includeArchived: true }))).items.map(({ id }) => id)).toContain(
      list.id,
    );
    await expect(audience((a) => a.subscriptions.subscribe(project, list.id, ada!))).rejects.toThrow(code('list.archived'));
    await audience((a) => a.lists.delete(project, list.id));
    await expect(audience((a) => a.lists.get(project, list.id))).rejects.toThrow(code('resource.not_found'));
    expect(await audience((a) => a.subscriptions.of(project, [ada!]))).toEqual([]);
  });

  it('tells how many are on it', async () => {
    const { audience, people } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Counted', doubleOptIn: true }));
    const { anna, ben } = await people(project, list.id, 'anna', 'ben');
    await audience((a) => a.subscriptions.unsubscribe(project, [list.id], anna!, { source: 'test' }));
    const { subscriber } = await audience((a) => a.subscribers.upsert(project, { email: 'carl@example.com' }));
    await audience((a) => a.subscriptions.subscribe(project, list.id, subscriber.id));
    expect(await audience((a) => a.lists.counts(project, [list.id]))).toEqual([
      { listId: list.id, unconfirmed: 1, confirmed: 1, unsubscribed: 1 },
    ]);
    expect(ben).toBeDefined();
  });
});

describe('a subscriber', () => {
  it('is one per address, however it is written, and keeps the first writing', async () => {
    const { audience } = world;
    const first = await audience((a) =>
      a.subscribers.upsert(project, { email: 'Grace@Bücher.example', attributes: { a: 1, b: 2 } }),
    );
    const second = await audience((a) =>
      a.subscribers.upsert(project, { email: 'grace@xn--bcher-kva.EXAMPLE', attributes: { b: null, c: 3 }, locale: 'de' }),
    );
    expect([first.created, second.created]).toEqual([true, false]);
    expect(await audience((a) => a.subscribers.findByAddress(project, 'GRACE@bücher.example'))).toMatchObject({
      id: first.subscriber.id,
      address: 'Grace@xn--bcher-kva.example',
      attributes: { a: 1, c: 3 },
      locale: 'de',
      version: 2,
    });
  });

  it('is made once when many try at the same moment', async () => {
    const { audience } = world;
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        audience((a) => a.subscribers.upsert(project, { email: 'race@example.com', attributes: { [`k${index}`]: index } })),
      ),
    );
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    const found = await audience((a) => a.subscribers.findByAddress(project, 'race@example.com'));
    expect(Object.keys(found!.attributes)).toHaveLength(8);
  });

  it('may move to a free address only', async () => {
    const { audience } = world;
    const { subscriber } = await audience((a) => a.subscribers.upsert(project, { email: 'old@example.com' }));
    await audience((a) => a.subscribers.upsert(project, { email: 'taken@example.com' }));
    await expect(audience((a) => a.subscribers.update(project, subscriber.id, { email: 'Taken@example.com' }))).rejects.toThrow(
      code('subscriber.address_taken'),
    );
    await audience((a) => a.subscribers.update(project, subscriber.id, { email: 'New@example.com', attributes: { x: 1 } }));
    expect(await audience((a) => a.subscribers.findByAddress(project, 'new@example.com'))).toMatchObject({
      id: subscriber.id,
      address: 'New@example.com',
      attributes: { x: 1 },
    });
    expect(await audience((a) => a.subscribers.findByAddress(project, 'old@example.com'))).toBeUndefined();
  });

  it('loses the race for an address with a clear word', async () => {
    const { audience } = world;
    const people = await Promise.all(
      ['r1', 'r2', 'r3'].map((name) => audience((a) => a.subscribers.upsert(project, { email: `${name}@example.com` }))),
    );
    const moved = await Promise.allSettled(
      people.map(({ subscriber }) =>
        audience((a) => a.subscribers.update(project, subscriber.id, { email: 'prize@example.com' })),
      ),
    );
    expect(moved.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of moved)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'subscriber.address_taken' });
  });

  it('survives what PostgreSQL cannot store', async () => {
    const { audience } = world;
    const { subscriber } = await audience((a) =>
      a.subscribers.upsert(project, { email: 'nul@example.com', attributes: { a: 'x\0\ud800', quote: `"'\\ $1 ?` } }),
    );
    expect(await audience((a) => a.subscribers.get(project, subscriber.id))).toMatchObject({
      attributes: { a: 'x\ufffd', quote: `"'\\ $1 ?` },
    });
  });

  it('is found by a part of the address or of an attribute, by list and by state, page by page', async () => {
    const { audience } = world;
    const other = world.ids.next();
    const list = await audience((a) => a.lists.create(other, { name: 'Searched' }));
    for (let index = 0; index < 5; index++) {
      await audience(async (a) => {
        const { subscriber } = await a.subscribers.upsert(other, {
          email: `p${index}@example.com`,
          attributes: { city: index < 2 ? '100% Zürich' : 'Bern', n: index },
        });
        if (index !== 4) await a.subscriptions.subscribe(other, list.id, subscriber.id);
        if (index === 3) await a.subscriptions.unsubscribe(other, [list.id], subscriber.id, { source: 'test' });
      });
    }
    const names = async (search: object): Promise<string[]> =>
      (await audience((a) => a.subscribers.search(other, search))).items.map(({ address }) => address!.slice(0, 2));
    expect(await names({})).toEqual(['p4', 'p3', 'p2', 'p1', 'p0']);
    expect(await names({ text: 'zürich' })).toEqual(['p1', 'p0']);
    expect(await names({ text: '0% z' })).toEqual(['p1', 'p0']);
    expect(await names({ text: '_' })).toEqual([]);
    expect(await names({ text: 'P3@' })).toEqual(['p3']);
    expect(await names({ text: 'P3@EXAMPLE.com' })).toEqual(['p3']);
    expect(await names({ text: 'city' })).toEqual([]);
    expect(await names({ listId: list.id })).toEqual(['p3', 'p2', 'p1', 'p0']);
    expect(await names({ listId: list.id, state: 'unsubscribed' })).toEqual(['p3']);
    await expect(audience((a) => a.subscribers.search(other, { state: 'confirmed' }))).rejects.toThrow(code('input.invalid'));
    const page = await audience((a) => a.subscribers.search(other, { limit: 3 }));
    expect(page.items).toHaveLength(3);
    const rest = await audience((a) => a.subscribers.search(other, { limit: 3, after: page.next }));
    expect(rest.items.map(({ address }) => address)).toEqual(['p1@example.com', 'p0@example.com']);
    expect(rest.next).toBeUndefined();
    await expect(audience((a) => a.subscribers.search(other, { after: 'bm9wZQ' }))).rejects.toThrow(code('page.invalid_cursor'));
  });

  it('that is erased leaves an id and a hash, and comes back only when the erasure is lifted', async () => {
    const { audience, people, sql } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Erasing' }));
    const { forgotten } = await people(project, list.id, 'forgotten');
    await audience((a) => a.suppressions.add(project, 'forgotten@example.com', { reason: 'complaint', scope: 'marketing' }));
    await audience((a) => a.subscribers.erase(project, forgotten!));
    await audience((a) => a.subscribers.erase(project, forgotten!));
    expect(await audience((a) => a.subscribers.get(project, forgotten!))).toMatchObject({
      status: 'erased',
      address: null,
      attributes: {},
    });
    for (const table of ['subscriber', 'subscription', 'suppression', 'consent', 'import_rejection']) {
      expect(await sql.query(`select from pennypost_audience.${table} x where x::text ilike '%forgotten%'`)).toEqual([]);
    }
    expect(await audience((a) => a.suppressions.of(project, 'Forgotten@example.com'))).toMatchObject([
      { scope: 'project', reason: 'erased' },
    ]);
    expect(await audience((a) => a.suppressions.transactionalRefusal(project, 'forgotten@example.com'))).toBe('erased');
    await expect(audience((a) => a.subscribers.upsert(project, { email: 'forgotten@example.com' }))).rejects.toThrow(
      code('subscriber.erased'),
    );
    await expect(audience((a) => a.subscribers.update(project, forgotten!, { locale: 'de' }))).rejects.toThrow(
      code('subscriber.erased'),
    );
    await expect(audience((a) => a.subscriptions.subscribe(project, list.id, forgotten!))).rejects.toThrow(
      code('subscriber.erased'),
    );
    expect(await audience((a) => a.suppressions.lift(project, 'forgotten@example.com'))).toBe(true);
    expect(await audience((a) => a.subscribers.upsert(project, { email: 'forgotten@example.com' }))).toMatchObject({
      created: true,
    });
  });
});

describe('a subscription', () => {
  it('on a double opt-in list waits for the confirmation, and keeps the proof', async () => {
    const { audience } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Double', doubleOptIn: true }));
    const { subscriber } = await audience((a) => a.subscribers.upsert(project, { email: 'double@example.com' }));
    const form = { source: 'form /spring', ip: '192.0.2.1', userAgent: 'Browser', text: 'I agree', textVersion: '3' };
    expect(await audience((a) => a.subscriptions.subscribe(project, list.id, subscriber.id, { consent: form }))).toMatchObject({
      changed: true,
      subscription: { state: 'unconfirmed' },
    });
    expect(
      await audience((a) => a.subscriptions.confirm(project, list.id, subscriber.id, { source: 'confirmation mail' })),
    ).toMatchObject({
      changed: true,
      subscription: { state: 'confirmed' },
    });
    expect(
      await audience((a) => a.subscriptions.confirm(project, list.id, subscriber.id, { source: 'confirmation mail' })),
    ).toMatchObject({
      changed: false,
    });
    const [asked, confirmed] = await audience((a) => a.subscriptions.consentsOf(project, subscriber.id));
    expect(asked).toMatchObject({
      action: 'subscribe',
      listIds: [list.id],
      source: 'form /spring',
      ip: '192.0.2.1',
      text: 'I agree',
      textVersion: '3',
    });
    expect(confirmed).toMatchObject({ action: 'confirm', source: 'confirmation mail' });
  });

  it('that was ended is not begun again by somebody else', async () => {
    const { audience, people } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Left' }));
    const { gone } = await people(project, list.id, 'gone');
    expect(await audience((a) => a.subscriptions.unsubscribe(project, [list.id], gone!, { source: 'one-click' }))).toEqual([
      list.id,
    ]);
    expect(await audience((a) => a.subscriptions.unsubscribe(project, [list.id], gone!, { source: 'one-click' }))).toEqual([]);
    await expect(audience((a) => a.subscriptions.subscribe(project, list.id, gone!))).rejects.toThrow(
      code('subscription.refused'),
    );
    await expect(audience((a) => a.subscriptions.confirm(project, list.id, gone!, { source: 'old link' }))).rejects.toThrow(
      code('subscription.refused'),
    );
    expect(
      await audience((a) => a.subscriptions.subscribe(project, list.id, gone!, { consent: { source: 'form' } })),
    ).toMatchObject({
      subscription: { state: 'confirmed' },
    });
  });

  it('can be refused in advance: leaving a list that one is not on is remembered', async () => {
    const { audience } = world;
    const list = await audience((a) => a.lists.create(project, { name: 'Never' }));
    const { subscriber } = await audience((a) => a.subscribers.upsert(project, { email: 'never@example.com' }));
    expect(
      await audience((a) =>
        a.subscriptions.unsubscribe(project, [list.id, world.ids.next()], subscriber.id, { source: 'one-click' }),
      ),
    ).toEqual([list.id]);
    await expect(audience((a) => a.subscriptions.subscribe(project, list.id, subscriber.id))).rejects.toThrow(
      code('subscription.refused'),
    );
  });

  it('is ended once when the same click comes many times at once', async () => {
    const { audience, people } = world;
    const lists = await Promise.all(
      ['A', 'B', 'C'].map((name) => audience((a) => a.lists.create(project, { name: `Many ${name}` }))),
    );
    const listIds = lists.map(({ id }) => id);
    const { many } = await people(project, listIds[0]!, 'many');
    const left = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        audience((a) =>
          a.subscriptions.unsubscribe(project, index % 2 === 0 ? listIds : listIds.toReversed(), many!, { source: 'one-click' }),
        ),
      ),
    );
    expect(left.flat().toSorted()).toEqual(listIds.toSorted());
  });
});

describe('a suppression', () => {
  it('is kept per address and scope, and only a graver reason replaces it', async () => {
    const { audience } = world;
    expect(
      await audience((a) =>
        a.suppressions.add(project, 'Spam@example.com', { reason: 'hard_bounce', evidence: { reply: '550 5.1.1' } }),
      ),
    ).toBe(true);
    expect(await audience((a) => a.suppressions.add(project, 'spam@example.com'))).toBe(false);
    expect(await audience((a) => a.suppressions.add(project, 'spam@example.com', { reason: 'complaint' }))).toBe(true);
    expect(await audience((a) => a.suppressions.add(project, 'spam@example.com', { scope: 'marketing' }))).toBe(true);
    expect(
      (await audience((a) => a.suppressions.of(project, 'spam@EXAMPLE.com'))).map(({ scope, reason }) => [scope, reason]),
    ).toEqual(
      expect.arrayContaining([
        ['project', 'complaint'],
        ['marketing', 'manual'],
      ]),
    );
    expect(await audience((a) => a.suppressions.transactionalRefusal(project, 'spam@EXAMPLE.com'))).toBe('complaint');
    expect(await audience((a) => a.suppressions.lift(project, 'spam@example.com'))).toBe(true);
    expect(await audience((a) => a.suppressions.lift(project, 'spam@example.com'))).toBe(false);
    expect(await audience((a) => a.suppressions.transactionalRefusal(project, 'spam@example.com'))).toBeUndefined();
  });

  it('is listed newest first, page by page, without gaps among equal times', async () => {
    const { audience, clock } = world;
    const other = world.ids.next();
    for (let index = 0; index < 7; index++) {
      if (index % 3 === 0) clock.pass(1_000);
      await audience((a) =>
        a.suppressions.add(other, `s${index}@example.com`, { reason: index % 2 === 0 ? 'manual' : 'complaint' }),
      );
    }
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await audience((a) => a.suppressions.list(other, { limit: 2, after }));
      seen.push(...page.items.map(({ emailKey }) => emailKey.slice(0, 2)));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen).toEqual(['s6', 's5', 's4', 's3', 's2', 's1', 's0']);
    expect((await audience((a) => a.suppressions.list(other, { reason: 'complaint' }))).items).toHaveLength(3);
  });

  it('of a list needs that list', async () => {
    await expect(
      world.audience((a) => a.suppressions.add(project, 'x@example.com', { scope: `list:${world.ids.next()}` })),
    ).rejects.toThrow(code('resource.not_found'));
  });
});

describe('another project', () => {
  it('finds nothing of this one and changes nothing in it', async () => {
    const { audience, people } = world;
    const stranger = world.ids.next();
    const list = await audience((a) => a.lists.create(project, { name: 'Mine' }));
    const { mine } = await people(project, list.id, 'mine');
    const missing = code('resource.not_found');
    const before = await audience((a) => a.subscribers.get(project, mine!));
    await expect(audience((a) => a.lists.get(stranger, list.id))).rejects.toThrow(missing);
    await expect(audience((a) => a.lists.update(stranger, list.id, { name: 'x' }))).rejects.toThrow(missing);
    await expect(audience((a) => a.lists.delete(stranger, list.id))).rejects.toThrow(missing);
    await expect(audience((a) => a.subscribers.get(stranger, mine!))).rejects.toThrow(missing);
    await expect(audience((a) => a.subscribers.update(stranger, mine!, { locale: 'de' }))).rejects.toThrow(missing);
    await expect(audience((a) => a.subscribers.erase(stranger, mine!))).rejects.toThrow(missing);
    await expect(audience((a) => a.subscriptions.subscribe(stranger, list.id, mine!))).rejects.toThrow(missing);
    expect(await audience((a) => a.subscriptions.unsubscribe(stranger, [list.id], mine!, { source: 'x' }))).toEqual([]);
    expect(await audience((a) => a.subscribers.findByAddress(stranger, 'mine@example.com'))).toBeUndefined();
    expect((await audience((a) => a.subscribers.search(stranger, { listId: list.id }))).items).toEqual([]);
    expect(await audience((a) => a.subscriptions.of(stranger, [mine!]))).toEqual([]);
    expect(await audience((a) => a.subscriptions.consentsOf(stranger, mine!))).toEqual([]);
    expect(await audience((a) => a.recipients.page(stranger, anAudience([list.id]), undefined, 10))).toBeUndefined();
    expect(await audience((a) => a.recipients.count(stranger, anAudience([list.id])))).toBe(0);
    expect((await audience((a) => a.recipients.read(stranger, [mine!], anAudience([list.id])))).get(mine!)).toMatchObject({
      refusal: 'deleted',
      address: '',
    });
    await audience((a) => a.suppressions.add(stranger, 'mine@example.com'));
    expect((await audience((a) => a.recipients.read(project, [mine!], anAudience([list.id])))).get(mine!)).toMatchObject({
      refusal: undefined,
    });
    expect(await audience((a) => a.subscribers.get(project, mine!))).toEqual(before);
  });
});
