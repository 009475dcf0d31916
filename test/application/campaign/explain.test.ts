import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';

describe('explaining an audience', () => {
  let instance: TestInstance;

  beforeAll(async () => {
    instance = await openTestInstance();
  });
  afterAll(() => instance.close());

  it('names one reason for everybody who is left out, and agrees with the launch', async () => {
    const { application } = instance;
    const { id: projectId } = await application.access.createProject({
      name: 'Why',
      senderDomain: 'news.example.com',
      postalAddress: 'Road 1',
    });
    const news = await application.audience.createList(projectId, { name: 'News' });
    const offers = await application.audience.createList(projectId, { name: 'Offers', doubleOptIn: true });
    const staff = await application.audience.createList(projectId, { name: 'Staff' });
    const people = new Map<string, string>();
    const join = async (name: string, ...lists: { id: string }[]): Promise<void> => {
      const { subscriber } = await application.audience.upsertSubscriber(projectId, { email: `${name}@example.net` });
      people.set(subscriber.id, name);
      for (const list of lists) await application.audience.subscribe(projectId, list.id, subscriber.id);
    };
    const idOf = (name: string): string => [...people].find(([, known]) => known === name)?.[0] ?? '';
    await join('mailed', news);
    await join('twice', news, offers);
    await join('waiting', offers);
    await join('gone', news);
    await join('barred', news);
    await join('listbarred', news);
    await join('staff', news, staff);
    await join('elsewhere', staff);
    await application.audience.unsubscribe(projectId, [news.id], idOf('gone'), { source: 'test' });
    await application.audience.suppress(projectId, 'barred@example.net');
    await application.audience.suppress(projectId, 'listbarred@example.net', { scope: `list:${news.id}` });

    const campaign = await application.campaign.create(projectId, {
      name: 'Why',
      lists: [news.id, offers.id],
      excludeLists: [staff.id],
      content: { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'a@news.example.com' } },
    });
    expect(await application.campaign.explain(projectId, campaign.id)).toEqual({
      included: 2,
      excluded: { erased: 0, suppressed: 2, excluded_list: 1, unconfirmed: 1, unsubscribed: 1 },
    });
    const first = await application.campaign.excluded(projectId, campaign.id, { limit: 3 });
    const rest = await application.campaign.excluded(projectId, campaign.id, { limit: 3, after: first.next });
    expect(rest.next).toBeUndefined();
    const named = [...first.items, ...rest.items].map((row) => [people.get(row.subscriberId), row.reason]);
    expect(Object.fromEntries(named)).toEqual({
      waiting: 'unconfirmed',
      gone: 'unsubscribed',
      barred: 'suppressed',
      listbarred: 'suppressed',
      staff: 'excluded_list',
    });
    expect((await application.campaign.excluded(projectId, campaign.id, { reason: 'suppressed' })).items).toHaveLength(2);
    expect((await application.campaign.launch(projectId, campaign.id)).audience).toBe(2);
  });
});
