import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { eventually } from '../../support/processes.ts';

const CONTENT = {
  kind: 'html',
  source: '<p><a href="{{ shop }}">Your shop</a></p>',
  subject: 'Hello',
  author: { address: 'a@news.example.com' },
  defaults: { shop: 'https://shop.example/' },
} as const;
const POISON = { shop: 'javascript:alert(1)' };

describe('explaining who is left out of a campaign', () => {
  let instance: TestInstance;
  let application: TestInstance['application'];
  let projectId: string;
  let people: Map<string, string>;

  beforeAll(async () => {
    instance = await openTestInstance({ works: true, transport: new MemoryTransport() });
    application = instance.application;
  });
  afterAll(async () => {
    await instance.get(tokens.workers).stop();
    await instance.close();
  });
  beforeEach(async () => {
    const project = await application.projects.create({
      name: `Why ${Math.random()}`,
      senderDomain: 'news.example.com',
      postalAddress: 'Road 1',
    });
    projectId = project.id;
    people = new Map();
  });

  const list = (name: string, doubleOptIn = false) => application.lists.create(projectId, { name, doubleOptIn });
  const join = async (name: string, lists: readonly { id: string }[], attributes: Record<string, string> = {}): Promise<void> => {
    const subscriber = await application.subscribers.upsert(projectId, { email: `${name}@example.net`, attributes });
    people.set(subscriber.id, name);
    for (const one of lists) await application.subscribers.subscribe(projectId, subscriber.id, one.id);
  };
  const idOf = (name: string): string => [...people].find(([, known]) => known === name)?.[0] ?? '';
  const campaignTo = (lists: readonly { id: string }[], excludeLists: readonly { id: string }[] = []) =>
    application.campaigns.create(projectId, {
      name: 'Why',
      audience: {
        include: lists.map(({ id }) => id).map((list) => ({ list })),
        exclude: excludeLists.map(({ id }) => id).map((list) => ({ list })),
      },
      content: CONTENT,
    });
  /** Everybody, by pages of two. */
  const excluded = async (campaignId: string, reason?: 'bad_data' | 'skipped' | 'unsubscribed') => {
    const named: Record<string, string> = {};
    for (let after: string | undefined, pages = 0; pages < 20; pages += 1) {
      const page = await application.campaigns.excluded(projectId, campaignId, { limit: 2, after, reason });
      for (const row of page.items) {
        const name = people.get(row.subscriberId) ?? '';
        expect(named).not.toHaveProperty(name);
        named[name] = row.detail === undefined ? row.reason : `${row.reason}: ${row.detail}`;
      }
      if (page.next === undefined) return named;
      after = page.next;
    }
    throw new Error('The pages have no end.');
  };

  it('names one reason for everybody before the launch, and agrees with it', async () => {
    const news = await list('News');
    const offers = await list('Offers', true);
    const staff = await list('Staff');
    await join('mailed', [news]);
    await join('twice', [news, offers]);
    await join('waiting', [offers]);
    await join('gone', [news]);
    await join('barred', [news]);
    await join('listbarred', [news]);
    await join('staff', [news, staff]);
    await join('elsewhere', [staff]);
    await application.subscribers.unsubscribe(projectId, idOf('gone'), { lists: [news.id], evidence: { source: 'test' } });
    await application.suppressions.create(projectId, 'barred@example.net');
    await application.suppressions.create(projectId, 'listbarred@example.net', { scope: `list:${news.id}` });

    const campaign = await campaignTo([news, offers], [staff]);
    expect(await application.campaigns.explain(projectId, campaign.id)).toEqual({
      launched: false,
      included: 2,
      excluded: { erased: 0, suppressed: 2, excluded_list: 1, unconfirmed: 1, unsubscribed: 1, bad_data: undefined, skipped: 0 },
    });
    expect(await excluded(campaign.id)).toEqual({
      waiting: 'unconfirmed',
      gone: 'unsubscribed',
      barred: 'suppressed',
      listbarred: 'suppressed',
      staff: 'excluded_list',
    });
    expect((await application.campaigns.excluded(projectId, campaign.id, { reason: 'suppressed' })).items).toHaveLength(2);
    expect((await application.campaigns.launch(projectId, campaign.id)).recipients).toBe(2);
  });

  it('composes messages for a try before the launch, where it is asked to', async () => {
    const news = await list('News');
    for (let number = 0; number < 7; number += 1) await join(`p${number}`, [news], number % 3 === 1 ? POISON : {});
    const { id } = await campaignTo([news]);
    const found = await excluded(id, 'bad_data');
    expect(Object.keys(found).sort()).toEqual(['p1', 'p4']);
    expect(found.p1).toMatch(/^bad_data: .*link/);
    expect(await excluded(id, 'skipped')).toEqual({});
    await application.campaigns.update(projectId, id, { content: { ...CONTENT, source: '{% broken' } });
    await expect(application.campaigns.excluded(projectId, id, { reason: 'bad_data' })).rejects.toMatchObject({
      code: 'content.invalid',
    });
  });

  it('tells after the launch what sending met, and not what came later', async () => {
    const news = await list('News');
    for (const name of ['a', 'b', 'c', 'd']) await join(name, [news]);
    await join('poison', [news], POISON);
    await join('gone', [news]);
    await join('late', [news]);
    await application.subscribers.unsubscribe(projectId, idOf('gone'), { lists: [news.id], evidence: { source: 'test' } });
    const { id } = await campaignTo([news]);
    await application.campaigns.launch(projectId, id);
    await application.subscribers.unsubscribe(projectId, idOf('late'), { lists: [news.id], evidence: { source: 'test' } });
    await instance.get(tokens.workers).start(['bulk']);
    await eventually('everybody to have an outcome', async () => {
      const { state } = await application.campaigns.get(projectId, id);
      return state === 'submitted';
    });
    // Reached, and gone since: no reason for not having got it.
    await application.subscribers.unsubscribe(projectId, idOf('a'), { lists: [news.id], evidence: { source: 'test' } });
    await join('newcomer', [news]);

    expect(await application.campaigns.explain(projectId, id)).toEqual({
      launched: true,
      included: 4,
      excluded: {
        erased: 0,
        suppressed: 0,
        excluded_list: 0,
        unconfirmed: 0,
        unsubscribed: 1,
        bad_data: 1,
        skipped: 1,
      },
    });
    expect(await excluded(id)).toEqual({
      gone: 'unsubscribed',
      poison: expect.stringMatching(/^bad_data: .*link/),
      late: 'skipped: unsubscribed',
    });
    expect(await excluded(id, 'bad_data')).toEqual({ poison: expect.stringMatching(/^bad_data: /) });
    expect(await excluded(id, 'skipped')).toEqual({ late: 'skipped: unsubscribed' });
    expect(await excluded(id, 'unsubscribed')).toEqual({ gone: 'unsubscribed' });
  });
});
