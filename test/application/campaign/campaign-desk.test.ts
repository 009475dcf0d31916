import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TransactionalMessage } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { idOf } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

const transport = new MemoryTransport();
let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ transport });
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

  const delivered = async (message: TransactionalMessage | undefined): Promise<string> => {
    await world.instance.get(tokens.transactional).send(world.projectId, message?.id ?? '');
    return Buffer.from(transport.messages.at(-1)?.content ?? '').toString();
  };

  it('is one transactional message per address, marked in its subject', async () => {
    const sent = await test(['a@example.com', 'b@example.com']);
    expect(sent.map((message) => message.recipient.address)).toEqual(['a@example.com', 'b@example.com']);
    expect(sent[0]?.content).toMatchObject({ subject: '[Test] For {{ first_name }}' });
    expect(await world.jobs('transactional.send')).toHaveLength(2);
  });

  it('is composed as what recipients get, with links as written and an unsubscribe link that unsubscribes nobody', async () => {
    const list = await world.list(0);
    const source = '<p>Hello, <a href="https://example.com/offer">look</a></p>';
    const campaign = await world.campaign({
      lists: [list],
      content: { ...PERSONAL, source },
      trackOpens: true,
      trackClicks: true,
    });
    const [message] = await world.application.campaign.test(world.projectId, campaign.id, ['a@example.com']);
    const wire = (await delivered(message)).replaceAll('=\r\n', '');
    const unsubscribe = `${world.instance.get(tokens.surroundings).publicUrl}/u/test`;
    expect(wire).toContain('\r\nSubject: [Test] For friend\r\n');
    expect(wire).toContain(`\r\nList-Unsubscribe: <${unsubscribe}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n`);
    expect(wire).toContain(`\r\nList-Id: <${list}.news.example.com>\r\n`);
    expect(wire).toContain('href=3D"https://example.com/offer"');
    expect(wire).toContain(`href=3D"${unsubscribe}"`);
    expect(wire).toContain('1 Road, Town');
    expect(wire).not.toMatch(/<img|\/c\/|\/o\//);
    expect(await world.runs(campaign.id)).toEqual([]);
  });

  it('leads to the project’s own tracking address, where it has one', async () => {
    await world.application.access.updateProject(world.projectId, { trackingBaseUrl: 'https://t.news.example.com' });
    const [message] = await test(['a@example.com']);
    expect(await delivered(message)).toContain('List-Unsubscribe: <https://t.news.example.com/u/test>');
  });

  it('is refused for what would stand in the way of the campaign', async () => {
    const list = await world.list(0);
    const campaign = await world.campaign({ lists: [list], content: { ...PERSONAL, footer: 'none' } });
    await expect(world.application.campaign.test(world.projectId, campaign.id, ['a@example.com'])).rejects.toMatchObject({
      code: 'content.invalid',
      problems: expect.arrayContaining([expect.objectContaining({ code: 'footer.missing' })]),
    });
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
