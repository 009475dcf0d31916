import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Audience } from '../../../src/domain/shared/audience.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { anAudience } from '../../support/audiences.ts';
import { openAudience, type TestAudience } from './support.ts';

let world: TestAudience;
let project: Id;
let news: Id;
let offers: Id;
beforeAll(async () => {
  world = await openAudience();
});
afterAll(() => world.close());
beforeEach(async () => {
  project = world.ids.next();
  news = (await world.audience((a) => a.lists.create(project, { name: 'News' }))).id;
  offers = (await world.audience((a) => a.lists.create(project, { name: 'Offers', doubleOptIn: true }))).id;
});

const leave = (subscriberId: Id, ...lists: readonly Id[]) =>
  world.audience((a) => a.subscriptions.unsubscribe(project, lists, subscriberId, { source: 'test' }));
const suppress = (name: string, scope: string) =>
  world.audience((a) => a.suppressions.add(project, `${name}@example.com`, { scope }));

/** Everybody of the audience, by pages of `limit`. */
async function everybody(lists: readonly Id[], excluded: readonly Id[] = [], limit = 2): Promise<readonly Id[]> {
  const all: Id[] = [];
  for (let after: Id | undefined; ; ) {
    const page = await world.audience((a) => a.recipients.page(project, anAudience(lists, excluded), after, limit));
    if (page === undefined) break;
    const ids = page.ids.slice(1, -1).split(',');
    expect(ids).toHaveLength(page.count);
    expect(page.count).toBeLessThanOrEqual(limit);
    all.push(...ids);
    after = page.last;
  }
  expect(all).toEqual(all.toSorted());
  expect(new Set(all).size).toBe(all.length);
  expect(await world.audience((a) => a.recipients.count(project, anAudience(lists, excluded)))).toBe(all.length);
  return all;
}

describe('the audience of a campaign', () => {
  it('is everybody confirmed on one of its lists, once, in order of id', async () => {
    const a = await world.people(project, news, 'a1', 'both', 'a2', 'a3', 'a4');
    await world.people(project, offers, 'both', 'b1');
    expect(await everybody([news])).toEqual(Object.values(a).toSorted());
    expect(await everybody([news, offers])).toHaveLength(6);
    expect(await everybody([news, news, offers], [], 100)).toHaveLength(6);
    expect(await everybody([])).toEqual([]);
  });

  it('leaves out who is unconfirmed, unsubscribed, suppressed, erased or on an excluded list', async () => {
    const p = await world.people(
      project,
      news,
      'stays',
      'gone',
      'barred',
      'nomarketing',
      'nonews',
      'erased',
      'excluded',
      'waiting',
      'back',
    );
    await leave(p.gone!, news);
    await suppress('barred', 'project');
    await suppress('nomarketing', 'marketing');
    await suppress('nonews', `list:${news}`);
    await world.audience((a) => a.subscribers.erase(project, p.erased!));
    await world.people(project, offers, 'excluded', 'back');
    await world.audience((a) => a.subscriptions.subscribe(project, offers, p.waiting!));
    await leave(p.back!, offers);
    const { subscriber } = await world.audience((a) => a.subscribers.upsert(project, { email: 'unconfirmed@example.com' }));
    await world.audience((a) => a.subscriptions.subscribe(project, offers, subscriber.id));
    expect(await everybody([news], [offers])).toEqual([p.stays!, p.back!].toSorted());
    expect(await everybody([offers])).toEqual([p.excluded!]);
  });

  it('goes on behind a page of which nobody is left', async () => {
    const p = await world.people(project, news, 'x1', 'x2', 'x3', 'x4', 'x5');
    for (const name of ['x1', 'x2', 'x3', 'x4']) await suppress(name, 'project');
    expect(await everybody([news], [], 1)).toEqual([p.x5!]);
  });

  it('reaches somebody whom one list’s suppression leaves another list', async () => {
    const p = await world.people(project, news, 'two');
    await world.people(project, offers, 'two');
    await suppress('two', `list:${news}`);
    expect(await everybody([news])).toEqual([]);
    expect(await everybody([news, offers])).toEqual([p.two!]);
  });
});

describe('the recipients of a page', () => {
  it('come with what a message needs, and a refusal judged now', async () => {
    const { audience } = world;
    const p = await world.people(project, news, 'fine', 'gone', 'barred', 'nomarketing', 'nonews', 'erased');
    await leave(p.gone!, news);
    await suppress('barred', 'project');
    await suppress('nomarketing', 'marketing');
    await suppress('nonews', `list:${news}`);
    await audience((a) => a.subscribers.erase(project, p.erased!));
    await audience((a) =>
      a.subscribers.update(project, p.fine!, { locale: 'de', timeZone: 'Europe/Berlin', attributes: { n: 1 } }),
    );
    const { subscriber: waiting } = await audience((a) => a.subscribers.upsert(project, { email: 'Müller@bücher.example' }));
    await audience((a) => a.subscriptions.subscribe(project, offers, waiting.id));
    const { subscriber: nowhere } = await audience((a) => a.subscribers.upsert(project, { email: 'nowhere@example.com' }));
    const unknown = world.ids.next();
    const ids = [...Object.values(p), waiting.id, nowhere.id, unknown];
    const facts = await audience((a) => a.recipients.read(project, ids, anAudience([news, offers])));
    expect(facts.get(p.fine!)).toEqual({
      id: p.fine,
      address: 'fine@example.com',
      smtputf8: false,
      locale: 'de',
      timeZone: 'Europe/Berlin',
      attributes: { n: 1 },
      refusal: undefined,
    });
    expect(facts.get(waiting.id)).toMatchObject({
      address: 'Müller@xn--bcher-kva.example',
      smtputf8: true,
      refusal: 'unconfirmed',
    });
    const expected = {
      [p.gone!]: 'unsubscribed',
      [p.barred!]: 'suppressed',
      [p.nomarketing!]: 'suppressed',
      [p.nonews!]: 'suppressed',
      [p.erased!]: 'erased',
      [waiting.id]: 'unconfirmed',
      [nowhere.id]: 'unsubscribed',
      [unknown]: 'deleted',
    };
    expect(Object.fromEntries([...facts].flatMap(([id, { refusal }]) => (refusal === undefined ? [] : [[id, refusal]])))).toEqual(
      expected,
    );
  });

  it('may be mailed while confirmed on any of the campaign’s lists', async () => {
    const p = await world.people(project, news, 'one');
    await world.people(project, offers, 'one');
    await leave(p.one!, news);
    const judged = async (...lists: readonly Id[]) => (await refusalsOf([p.one!], anAudience(lists)))[p.one!];
    expect(await judged(news)).toBe('unsubscribed');
    expect(await judged(news, offers)).toBeUndefined();
    await suppress('one', `list:${offers}`);
    expect(await judged(offers)).toBe('suppressed');
    expect(await judged(news, offers)).toBe('suppressed');
  });

  it('are all refused by an audience that includes nothing', async () => {
    const p = await world.people(project, news, 'a', 'b');
    await suppress('b', 'project');
    const nothing = anAudience([], [offers]);
    expect(await refusalsOf([p.a!, p.b!], nothing)).toEqual({ [p.a!]: 'unsubscribed', [p.b!]: 'suppressed' });
    expect(await world.audience((a) => a.recipients.countExclusions(project, nothing))).toMatchObject({ included: 0 });
    expect(await everybody([], [offers])).toEqual([]);
  });

  it('are refused while on an excluded list, confirmed or waiting for confirmation there', async () => {
    const p = await world.people(project, news, 'stays', 'excluded', 'waiting', 'back');
    await world.people(project, offers, 'excluded', 'back');
    await world.audience((a) => a.subscriptions.subscribe(project, offers, p.waiting!));
    await leave(p.back!, offers);
    expect(await refusalsOf(Object.values(p), anAudience([news], [offers]))).toEqual({
      [p.excluded!]: 'excluded_list',
      [p.waiting!]: 'excluded_list',
    });
  });

  it('are judged as the page, the count and the explanation judge them, whatever state they are in', async () => {
    const p = await world.people(
      project,
      news,
      'stays',
      'gone',
      'project',
      'marketing',
      'list',
      'erased',
      'excluded',
      'elsewhere',
    );
    await world.people(project, offers, 'elsewhere', 'list', 'offersonly');
    const third = (await world.audience((a) => a.lists.create(project, { name: 'Third' }))).id;
    await world.people(project, third, 'excluded');
    await leave(p.gone!, news);
    await leave(p.elsewhere!, news);
    await suppress('project', 'project');
    await suppress('marketing', 'marketing');
    for (const list of [news, offers]) await suppress('list', `list:${list}`);
    await world.audience((a) => a.subscribers.erase(project, p.erased!));
    const { subscriber } = await world.audience((a) => a.subscribers.upsert(project, { email: 'waiting@example.com' }));
    await world.audience((a) => a.subscriptions.subscribe(project, offers, subscriber.id));
    const of = anAudience([news, offers], [third]);
    const mailed = await everybody([news, offers], [third]);
    expect(mailed).toHaveLength(3);
    const { included, excluded } = await world.audience((a) => a.recipients.countExclusions(project, of));
    expect({ included, ...excluded }).toEqual({
      included: 3,
      erased: 0,
      suppressed: 3,
      excluded_list: 1,
      unconfirmed: 1,
      unsubscribed: 1,
    });
    const { items } = await world.audience((a) => a.recipients.exclusions(project, of));
    const explained = Object.fromEntries(items.map(({ subscriberId, reason }) => [subscriberId, reason]));
    expect(await refusalsOf([...mailed, ...items.map(({ subscriberId }) => subscriberId)], of)).toEqual(explained);
  });
});

/** Why each of these subscribers may not be mailed, without those who may. */
async function refusalsOf(ids: readonly Id[], of: Audience): Promise<Readonly<Record<Id, string>>> {
  const facts = await world.audience((a) => a.recipients.read(project, ids, of));
  return Object.fromEntries([...facts].flatMap(([id, { refusal }]) => (refusal === undefined ? [] : [[id, refusal]])));
}
