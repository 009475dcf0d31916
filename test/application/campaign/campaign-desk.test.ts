import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idOf } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open();
});
afterAll(() => world.close());
beforeEach(() => world.project());

const PERSONAL = {
  ...CampaignWorld.content,
  source: '<p>Hello {{ first_name }}</p>',
  subject: 'For {{ first_name }}',
  defaults: { first_name: 'friend' },
};
const personal = async (list: string) => world.campaign({ lists: [list], content: PERSONAL });

/** A list with one person whose first name is known. */
const known = async (): Promise<{ list: string; person: string }> => {
  const list = await world.list(1);
  const [person] = await world.peopleOf(list);
  await world.application.audience.updateSubscriber(world.projectId, person!, { attributes: { first_name: 'Ada' } });
  return { list, person: person! };
};

describe('a campaign', () => {
  it.each(['lists', 'excludeLists'] as const)('cannot name %s of another project', async (field) => {
    const foreign = await world.list(0);
    await world.project();
    const own = await world.list(0);
    await expect(world.campaign({ lists: [own], [field]: [foreign] })).rejects.toMatchObject({ code: 'resource.not_found' });
    const campaign = await world.campaign({ lists: [own] });
    await expect(world.application.campaign.edit(world.projectId, campaign.id, { [field]: [foreign] })).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('names a list once, however often it is given', async () => {
    const list = await world.list(0);
    expect((await world.campaign({ lists: [list, list] })).lists).toEqual([list]);
  });

  it('keeps a text that PostgreSQL would refuse out, with a pointer', async () => {
    const list = await world.list(0);
    await expect(world.campaign({ lists: [list], content: { ...CampaignWorld.content, source: 'a\0b' } })).rejects.toMatchObject({
      pointer: '/content/source',
    });
    const cleaned = await world.campaign({
      lists: [list],
      content: { ...CampaignWorld.content, defaults: { name: '\ud800\0' } },
    });
    expect((await world.get(cleaned.id)).content.defaults).toEqual({ name: '\ufffd' });
  });

  it('says what stands in the way of its launch', async () => {
    const list = await world.list(0);
    const sound = await world.campaign({ lists: [list] });
    const broken = await world.campaign({
      lists: [list],
      content: { ...CampaignWorld.content, source: '<p>\n{{ nobody_knows }}</p>' },
    });
    const errors = async (id: string) =>
      (await world.application.campaign.check(world.projectId, id)).filter((problem) => problem.severity === 'error');
    expect(await errors(sound.id)).toEqual([]);
    expect(await errors(broken.id)).toMatchObject([{ code: 'template.unknown_variable', part: 'source', line: 2 }]);
  });
});

describe('a preview', () => {
  it('is as one subscriber would see it, or with the defaults', async () => {
    const { list, person } = await known();
    const campaign = await personal(list);
    const shown = async (as?: { subscriberId: string }) =>
      (await world.application.campaign.preview(world.projectId, campaign.id, as)).subject;
    expect([await shown(), await shown({ subscriberId: person })]).toEqual(['For friend', 'For Ada']);
    await expect(shown({ subscriberId: idOf(5) })).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});

describe('a test send', () => {
  const test = async (to: readonly string[], as?: { subscriberId: string }) => {
    const { list } = await known();
    const campaign = await personal(list);
    return world.application.campaign.test(world.projectId, campaign.id, to, as);
  };

  it('is one transactional message per address, marked in its subject', async () => {
    const sent = await test(['a@example.com', 'b@example.com']);
    expect(sent.map((message) => message.recipient.address)).toEqual(['a@example.com', 'b@example.com']);
    expect(sent[0]?.content).toMatchObject({ subject: '[Test] For {{ first_name }}' });
    expect(await world.jobs('transactional.send')).toHaveLength(2);
  });

  it('goes to nobody when one address is wrong', async () => {
    await expect(test(['a@example.com', 'not an address', 'c@example.com'])).rejects.toMatchObject({ pointer: '/to' });
    expect((await world.application.messages.list(world.projectId, {})).items).toEqual([]);
  });

  it.each([0, 21])('to %i addresses is refused', async (count) => {
    const to = Array.from({ length: count }, (_, index) => `p${index}@example.com`);
    await expect(test(to)).rejects.toMatchObject({ pointer: '/to' });
  });
});
