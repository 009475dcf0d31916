import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Id } from '../../../src/domain/shared/ids.ts';
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
    const first = await audience((a) => a.createList(project, { name: 'Weekly News' }));
    const second = await audience((a) => a.createList(project, { name: 'Weekly news!', doubleOptIn: true }));
    expect([first.slug, second.slug]).toEqual(['weekly-news', 'weekly-news-2']);
    const yearly = async () => (await audience((a) => a.createList(project, { name: 'News 2026' }))).slug;
    expect([await yearly(), await yearly(), await yearly()]).toEqual(['news-2026', 'news-2026-2', 'news-2026-3']);
    await audience((a) => a.updateList(project, 'weekly-news', { name: 'Daily News', description: 'every day' }));
    expect(await audience((a) => a.getList(project, first.id))).toMatchObject({
      name: 'Daily News',
      slug: 'weekly-news',
      version: 2,
    });
    await expect(audience((a) => a.createList(project, { name: 'x', slug: 'weekly-news' }))).rejects.toThrow(
      code('list.slug_taken'),
    );
  });

  it('that is archived is shown only on demand and takes nobody; that is deleted is gone with its subscriptions', async () => {
    const { audience, people } = world;
    const list = await audience((a) => a.createList(project, { name: 'Old' }));
    const { ada } = await people(project, list.id, 'ada');
    await audience((a) => a.archiveList(project, list.id));
    expect((await audience((a) => a.lists(project))).items.map(({ id }) => id)).not.toContain(list.id);
    expect((await audience((a) => a.lists(project, { includeArchived: true }))).items.map(({ id }) => id)).toContain(list.id);
    await expect(audience((a) => a.subscribe(project, list.id, ada!))).rejects.toThrow(code('list.archived'));
    await audience((a) => a.deleteList(project, list.id));
    await expect(audience((a) => a.getList(project, list.id))).rejects.toThrow(code('resource.not_found'));
    expect(await audience((a) => a.subscriptionsOf(project, [ada!]))).toEqual([]);
  });

  it('tells how many are on it', async () => {
    const { audience, people } = world;
    const list = await audience((a) => a.createList(project, { name: 'Counted', doubleOptIn: true }));
    const { anna, ben } = await people(project, list.id, 'anna', 'ben');
    await audience((a) => a.unsubscribe(project, [list.id], anna!, { source: 'test' }));
    const { subscriber } = await audience((a) => a.upsertSubscriber(project, { email: 'carl@example.com' }));
    await audience((a) => a.subscribe(project, list.id, subscriber.id));
    expect(await audience((a) => a.listCounts(project, [list.id]))).toEqual([
      { listId: list.id, unconfirmed: 1, confirmed: 1, unsubscribed: 1 },
    ]);
    expect(ben).toBeDefined();
  });
});

describe('a subscriber', () => {
  it('is one per address, however it is written, and keeps the first writing', async () => {
    const { audience } = world;
    const first = await audience((a) =>
      a.upsertSubscriber(project, { email: 'Grace@Bücher.example', attributes: { a: 1, b: 2 } }),
    );
    const second = await audience((a) =>
      a.upsertSubscriber(project, { email: 'grace@xn--bcher-kva.EXAMPLE', attributes: { b: null, c: 3 }, locale: 'de' }),
    );
    expect([first.created, second.created]).toEqual([true, false]);
    expect(await audience((a) => a.findByAddress(project, 'GRACE@bücher.example'))).toMatchObject({
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
        audience((a) => a.upsertSubscriber(project, { email: 'race@example.com', attributes: { [`k${index}`]: index } })),
      ),
    );
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    const found = await audience((a) => a.findByAddress(project, 'race@example.com'));
    expect(Object.keys(found!.attributes)).toHaveLength(8);
  });

  it('may move to a free address only', async () => {
    const { audience } = world;
    const { subscriber } = await audience((a) => a.upsertSubscriber(project, { email: 'old@example.com' }));
    await audience((a) => a.upsertSubscriber(project, { email: 'taken@example.com' }));
    await expect(audience((a) => a.updateSubscriber(project, subscriber.id, { email: 'Taken@example.com' }))).rejects.toThrow(
      code('subscriber.address_taken'),
    );
    await audience((a) => a.updateSubscriber(project, subscriber.id, { email: 'New@example.com', attributes: { x: 1 } }));
    expect(await audience((a) => a.findByAddress(project, 'new@example.com'))).toMatchObject({
      id: subscriber.id,
      address: 'New@example.com',
      attributes: { x: 1 },
    });
    expect(await audience((a) => a.findByAddress(project, 'old@example.com'))).toBeUndefined();
  });

  it('loses the race for an address with a clear word', async () => {
    const { audience } = world;
    const people = await Promise.all(
      ['r1', 'r2', 'r3'].map((name) => audience((a) => a.upsertSubscriber(project, { email: `${name}@example.com` }))),
    );
    const moved = await Promise.allSettled(
      people.map(({ subscriber }) => audience((a) => a.updateSubscriber(project, subscriber.id, { email: 'prize@example.com' }))),
    );
    expect(moved.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of moved)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'subscriber.address_taken' });
  });

  it('survives what PostgreSQL cannot store', async () => {
    const { audience } = world;
    const { subscriber } = await audience((a) =>
      a.upsertSubscriber(project, { email: 'nul@example.com', attributes: { a: 'x\0\ud800', quote: `"'\\ $1 ?` } }),
    );
    expect(await audience((a) => a.getSubscriber(project, subscriber.id))).toMatchObject({
      attributes: { a: 'x\ufffd', quote: `"'\\ $1 ?` },
    });
  });

  it('is found by a part of the address or of an attribute, by list and by state, page by page', async () => {
    const { audience } = world;
    const other = world.ids.next();
    const list = await audience((a) => a.createList(other, { name: 'Searched' }));
    for (let index = 0; index < 5; index++) {
      await audience(async (a) => {
        const { subscriber } = await a.upsertSubscriber(other, {
          email: `p${index}@example.com`,
          attributes: { city: index < 2 ? '100% Zürich' : 'Bern', n: index },
        });
        if (index !== 4) await a.subscribe(other, list.id, subscriber.id);
        if (index === 3) await a.unsubscribe(other, [list.id], subscriber.id, { source: 'test' });
      });
    }
    const names = async (search: object): Promise<string[]> =>
      (await audience((a) => a.searchSubscribers(other, search))).items.map(({ address }) => address!.slice(0, 2));
    expect(await names({})).toEqual(['p4', 'p3', 'p2', 'p1', 'p0']);
    expect(await names({ text: 'zürich' })).toEqual(['p1', 'p0']);
    expect(await names({ text: '0% z' })).toEqual(['p1', 'p0']);
    expect(await names({ text: '_' })).toEqual([]);
    expect(await names({ text: 'P3@' })).toEqual(['p3']);
    expect(await names({ text: 'P3@EXAMPLE.com' })).toEqual(['p3']);
    expect(await names({ text: 'city' })).toEqual([]);
    expect(await names({ listId: list.id })).toEqual(['p3', 'p2', 'p1', 'p0']);
    expect(await names({ listId: list.id, state: 'unsubscribed' })).toEqual(['p3']);
    await expect(audience((a) => a.searchSubscribers(other, { state: 'confirmed' }))).rejects.toThrow(code('input.invalid'));
    const page = await audience((a) => a.searchSubscribers(other, { limit: 3 }));
    expect(page.items).toHaveLength(3);
    const rest = await audience((a) => a.searchSubscribers(other, { limit: 3, after: page.next }));
    expect(rest.items.map(({ address }) => address)).toEqual(['p1@example.com', 'p0@example.com']);
    expect(rest.next).toBeUndefined();
    await expect(audience((a) => a.searchSubscribers(other, { after: 'bm9wZQ' }))).rejects.toThrow(code('page.invalid_cursor'));
  });

  it('that is erased leaves an id and a hash, and comes back only when the erasure is lifted', async () => {
    const { audience, people, sql } = world;
    const list = await audience((a) => a.createList(project, { name: 'Erasing' }));
    const { forgotten } = await people(project, list.id, 'forgotten');
    await audience((a) => a.suppress(project, 'forgotten@example.com', { reason: 'complaint', scope: 'marketing' }));
    await audience((a) => a.deleteSubscriber(project, forgotten!));
    await audience((a) => a.deleteSubscriber(project, forgotten!));
    expect(await audience((a) => a.getSubscriber(project, forgotten!))).toMatchObject({
      status: 'erased',
      address: null,
      attributes: {},
    });
    for (const table of ['subscriber', 'subscription', 'suppression', 'consent', 'import_rejection']) {
      expect(await sql.query(`select from pennypost_audience.${table} x where x::text ilike '%forgotten%'`)).toEqual([]);
    }
    expect(await audience((a) => a.suppressionsOf(project, 'Forgotten@example.com'))).toMatchObject([
      { scope: 'project', reason: 'erased' },
    ]);
    expect(await audience((a) => a.transactionalRefusal(project, 'forgotten@example.com'))).toBe('erased');
    await expect(audience((a) => a.upsertSubscriber(project, { email: 'forgotten@example.com' }))).rejects.toThrow(
      code('subscriber.erased'),
    );
    await expect(audience((a) => a.updateSubscriber(project, forgotten!, { locale: 'de' }))).rejects.toThrow(
      code('subscriber.erased'),
    );
    await expect(audience((a) => a.subscribe(project, list.id, forgotten!))).rejects.toThrow(code('subscriber.erased'));
    expect(await audience((a) => a.unsuppress(project, 'forgotten@example.com'))).toBe(true);
    expect(await audience((a) => a.upsertSubscriber(project, { email: 'forgotten@example.com' }))).toMatchObject({
      created: true,
    });
  });
});

describe('a subscription', () => {
  it('on a double opt-in list waits for the confirmation, and keeps the proof', async () => {
    const { audience } = world;
    const list = await audience((a) => a.createList(project, { name: 'Double', doubleOptIn: true }));
    const { subscriber } = await audience((a) => a.upsertSubscriber(project, { email: 'double@example.com' }));
    const form = { source: 'form /spring', ip: '192.0.2.1', userAgent: 'Browser', text: 'I agree', textVersion: '3' };
    expect(await audience((a) => a.subscribe(project, list.id, subscriber.id, { consent: form }))).toMatchObject({
      changed: true,
      subscription: { state: 'unconfirmed' },
    });
    expect(await audience((a) => a.confirm(project, list.id, subscriber.id, { source: 'confirmation mail' }))).toMatchObject({
      changed: true,
      subscription: { state: 'confirmed' },
    });
    expect(await audience((a) => a.confirm(project, list.id, subscriber.id, { source: 'confirmation mail' }))).toMatchObject({
      changed: false,
    });
    const [asked, confirmed] = await audience((a) => a.consentsOf(project, subscriber.id));
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
    const list = await audience((a) => a.createList(project, { name: 'Left' }));
    const { gone } = await people(project, list.id, 'gone');
    expect(await audience((a) => a.unsubscribe(project, [list.id], gone!, { source: 'one-click' }))).toEqual([list.id]);
    expect(await audience((a) => a.unsubscribe(project, [list.id], gone!, { source: 'one-click' }))).toEqual([]);
    await expect(audience((a) => a.subscribe(project, list.id, gone!))).rejects.toThrow(code('subscription.refused'));
    await expect(audience((a) => a.confirm(project, list.id, gone!, { source: 'old link' }))).rejects.toThrow(
      code('subscription.refused'),
    );
    expect(await audience((a) => a.subscribe(project, list.id, gone!, { consent: { source: 'form' } }))).toMatchObject({
      subscription: { state: 'confirmed' },
    });
  });

  it('can be refused in advance: leaving a list that one is not on is remembered', async () => {
    const { audience } = world;
    const list = await audience((a) => a.createList(project, { name: 'Never' }));
    const { subscriber } = await audience((a) => a.upsertSubscriber(project, { email: 'never@example.com' }));
    expect(
      await audience((a) => a.unsubscribe(project, [list.id, world.ids.next()], subscriber.id, { source: 'one-click' })),
    ).toEqual([list.id]);
    await expect(audience((a) => a.subscribe(project, list.id, subscriber.id))).rejects.toThrow(code('subscription.refused'));
  });

  it('is ended once when the same click comes many times at once', async () => {
    const { audience, people } = world;
    const lists = await Promise.all(
      ['A', 'B', 'C'].map((name) => audience((a) => a.createList(project, { name: `Many ${name}` }))),
    );
    const listIds = lists.map(({ id }) => id);
    const { many } = await people(project, listIds[0]!, 'many');
    const left = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        audience((a) => a.unsubscribe(project, index % 2 === 0 ? listIds : listIds.toReversed(), many!, { source: 'one-click' })),
      ),
    );
    expect(left.flat().toSorted()).toEqual(listIds.toSorted());
  });
});

describe('a suppression', () => {
  it('is kept per address and scope, and only a graver reason replaces it', async () => {
    const { audience } = world;
    expect(
      await audience((a) => a.suppress(project, 'Spam@example.com', { reason: 'hard_bounce', evidence: { reply: '550 5.1.1' } })),
    ).toBe(true);
    expect(await audience((a) => a.suppress(project, 'spam@example.com'))).toBe(false);
    expect(await audience((a) => a.suppress(project, 'spam@example.com', { reason: 'complaint' }))).toBe(true);
    expect(await audience((a) => a.suppress(project, 'spam@example.com', { scope: 'marketing' }))).toBe(true);
    expect(
      (await audience((a) => a.suppressionsOf(project, 'spam@EXAMPLE.com'))).map(({ scope, reason }) => [scope, reason]),
    ).toEqual(
      expect.arrayContaining([
        ['project', 'complaint'],
        ['marketing', 'manual'],
      ]),
    );
    expect(await audience((a) => a.transactionalRefusal(project, 'spam@EXAMPLE.com'))).toBe('complaint');
    expect(await audience((a) => a.unsuppress(project, 'spam@example.com'))).toBe(true);
    expect(await audience((a) => a.unsuppress(project, 'spam@example.com'))).toBe(false);
    expect(await audience((a) => a.transactionalRefusal(project, 'spam@example.com'))).toBeUndefined();
  });

  it('is listed newest first, page by page, without gaps among equal times', async () => {
    const { audience, clock } = world;
    const other = world.ids.next();
    for (let index = 0; index < 7; index++) {
      if (index % 3 === 0) clock.pass(1_000);
      await audience((a) => a.suppress(other, `s${index}@example.com`, { reason: index % 2 === 0 ? 'manual' : 'complaint' }));
    }
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await audience((a) => a.listSuppressions(other, { limit: 2, after }));
      seen.push(...page.items.map(({ emailKey }) => emailKey.slice(0, 2)));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen).toEqual(['s6', 's5', 's4', 's3', 's2', 's1', 's0']);
    expect((await audience((a) => a.listSuppressions(other, { reason: 'complaint' }))).items).toHaveLength(3);
  });

  it('of a list needs that list', async () => {
    await expect(
      world.audience((a) => a.suppress(project, 'x@example.com', { scope: `list:${world.ids.next()}` })),
    ).rejects.toThrow(code('resource.not_found'));
  });
});

describe('another project', () => {
  it('finds nothing of this one and changes nothing in it', async () => {
    const { audience, people } = world;
    const stranger = world.ids.next();
    const list = await audience((a) => a.createList(project, { name: 'Mine' }));
    const { mine } = await people(project, list.id, 'mine');
    const missing = code('resource.not_found');
    const before = await audience((a) => a.getSubscriber(project, mine!));
    await expect(audience((a) => a.getList(stranger, list.id))).rejects.toThrow(missing);
    await expect(audience((a) => a.updateList(stranger, list.id, { name: 'x' }))).rejects.toThrow(missing);
    await expect(audience((a) => a.deleteList(stranger, list.id))).rejects.toThrow(missing);
    await expect(audience((a) => a.getSubscriber(stranger, mine!))).rejects.toThrow(missing);
    await expect(audience((a) => a.updateSubscriber(stranger, mine!, { locale: 'de' }))).rejects.toThrow(missing);
    await expect(audience((a) => a.deleteSubscriber(stranger, mine!))).rejects.toThrow(missing);
    await expect(audience((a) => a.subscribe(stranger, list.id, mine!))).rejects.toThrow(missing);
    expect(await audience((a) => a.unsubscribe(stranger, [list.id], mine!, { source: 'x' }))).toEqual([]);
    expect(await audience((a) => a.findByAddress(stranger, 'mine@example.com'))).toBeUndefined();
    expect((await audience((a) => a.searchSubscribers(stranger, { listId: list.id }))).items).toEqual([]);
    expect(await audience((a) => a.subscriptionsOf(stranger, [mine!]))).toEqual([]);
    expect(await audience((a) => a.consentsOf(stranger, mine!))).toEqual([]);
    expect(
      await audience((a) => a.audiencePage(stranger, { lists: [list.id], excludeLists: [] }, undefined, 10)),
    ).toBeUndefined();
    expect(await audience((a) => a.countAudience(stranger, [list.id]))).toBe(0);
    expect((await audience((a) => a.recipients(stranger, [mine!], { lists: [list.id] }))).get(mine!)).toMatchObject({
      refusal: 'deleted',
      address: '',
    });
    await audience((a) => a.suppress(stranger, 'mine@example.com'));
    expect((await audience((a) => a.refusals(project, [mine!], { lists: [list.id] }))).size).toBe(0);
    expect(await audience((a) => a.getSubscriber(project, mine!))).toEqual(before);
  });
});
