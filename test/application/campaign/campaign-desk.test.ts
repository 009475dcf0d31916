import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAudience } from '../../support/audiences.ts';
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
  await world.application.subscribers.update(world.projectId, person!, { attributes: { first_name: 'Ada' } });
  return { list, person: person! };
};

describe('a campaign', () => {
  it.each(['lists', 'excludeLists'] as const)('cannot name %s of another project', async (field) => {
    const foreign = await world.list(0);
    await world.project();
    const own = await world.list(0);
    await expect(world.campaign({ lists: [own], [field]: [foreign] })).rejects.toMatchObject({ code: 'resource.not_found' });
    const campaign = await world.campaign({ lists: [own] });
    await expect(
      world.application.campaigns.update(world.projectId, campaign.id, {
        audience: field === 'lists' ? anAudience([foreign]) : anAudience([own], [foreign]),
      }),
    ).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('names a list once, however often it is given', async () => {
    const list = await world.list(0);
    expect((await world.campaign({ lists: [list, list], excludeLists: [list, list] })).audience).toEqual(
      anAudience([list], [list]),
    );
  });

  it('takes lists by id or slug, and refuses a kind of entry that does not exist', async () => {
    const { id, slug } = await world.application.lists.get(world.projectId, await world.list(0));
    expect((await world.campaign({ lists: [slug] })).audience).toEqual(anAudience([id]));
    const of = (...include: readonly object[]) =>
      world.application.campaigns.create(world.projectId, {
        name: 'Kinds',
        content: CampaignWorld.content,
        audience: { include: include as readonly { list: string }[] },
      });
    await expect(of({ list: id }, { segment: id })).rejects.toMatchObject({
      code: 'input.invalid',
      pointer: '/audience/include/1',
      message: expect.stringContaining('"segment" is not a kind of audience entry. The kinds are: list.'),
    });
    await expect(of({ list: id, segment: id })).rejects.toMatchObject({ code: 'input.invalid' });
    await expect(of({})).rejects.toMatchObject({ code: 'input.invalid', message: expect.stringContaining('needs a kind') });
    // As a newer release may have stored it: refused by name, and not taken for an audience that matches no subscriber.
    const stored = await world.campaign({ lists: [id] });
    await world.sql(
      `update pennypost_campaign.campaign set audience = '{"include": [{"segment": "x"}], "exclude": []}' where id = $1`,
      [stored.id],
    );
    await expect(world.application.campaigns.launch(world.projectId, stored.id)).rejects.toMatchObject({
      message: expect.stringContaining('"segment" is not a kind'),
    });
  });

  it('has a slug of its own, also when many of one name are made at once, and keeps it', async () => {
    const lists = [await world.list(0)];
    const create = (name: string, slug?: string) =>
      world.application.campaigns.create(world.projectId, {
        name,
        slug,
        audience: anAudience(lists),
        content: CampaignWorld.content,
      });
    const made = await Promise.all(Array.from({ length: 6 }, () => create('Été à Straße 2026')));
    const stem = 'ete-a-strasse-2026';
    expect(made.map(({ slug }) => slug).sort()).toEqual([stem, ...[2, 3, 4, 5, 6].map((number) => `${stem}-${number}`)]);
    expect((await create('Новости')).slug).toBe('campaign');
    expect((await create('x'.repeat(200))).slug).toHaveLength(63);
    expect((await create('x'.repeat(200))).slug).toMatch(/^x{61}-2$/);
    expect((await create(made[0]!.id)).slug).toBe('campaign-2');
    await expect(create('y', stem)).rejects.toMatchObject({ code: 'campaign.slug_taken', pointer: '/slug' });
    await expect(create('y', 'Not one')).rejects.toMatchObject({ code: 'input.invalid', pointer: '/slug' });
    await world.application.campaigns.archive(world.projectId, made[0]!.id);
    await expect(create('y', made[0]!.slug)).rejects.toMatchObject({ code: 'campaign.slug_taken' });
    expect(await world.application.campaigns.update(world.projectId, made[1]!.id, { name: 'Other' })).toMatchObject({
      slug: made[1]!.slug,
    });
  });

  it('is deleted as a draft only, and then with its content', async () => {
    const list = await world.list(1);
    const remove = (id: string) => world.application.campaigns.delete(world.projectId, id);
    const draft = await world.campaign({ lists: [list] });
    await remove(draft.id);
    await expect(remove(draft.id)).rejects.toMatchObject({ code: 'resource.not_found' });
    expect(await world.sql('select 1 from pennypost_campaign.campaign_content where campaign_id = $1', [draft.id])).toEqual([]);
    const { application, projectId } = world;
    for (const reach of [
      (id: string) => application.campaigns.schedule(projectId, id, new Date('2199-01-01')),
      (id: string) => application.campaigns.launch(projectId, id),
      (id: string) => application.campaigns.cancel(projectId, id),
    ]) {
      const { id } = await world.campaign({ lists: [list] });
      await reach(id);
      await expect(remove(id)).rejects.toMatchObject({ code: 'campaign.transition_refused' });
    }
  });

  it('is made and scheduled in one step, or not at all', async () => {
    const lists = [await world.list(1)];
    const all = async () => (await world.application.campaigns.list(world.projectId, {})).items.length;
    const create = (source: string, writing: { checked?: boolean; scheduleAt?: Date }) =>
      world.application.campaigns.create(
        world.projectId,
        { name: 'One', audience: anAudience(lists), content: { ...CampaignWorld.content, source } },
        writing,
      );
    await expect(create('{{ nobody }}', { checked: true })).rejects.toMatchObject({ code: 'content.invalid' });
    await expect(create('{{ nobody }}', { scheduleAt: new Date('2199-01-01') })).rejects.toMatchObject({
      code: 'content.invalid',
    });
    await expect(create('x', { scheduleAt: new Date('2001-01-01') })).rejects.toMatchObject({ pointer: '/at' });
    expect(await all()).toBe(0);
    const { id } = await create('x', { checked: true, scheduleAt: new Date('2199-01-01') });
    expect(await world.get(id)).toMatchObject({ state: 'scheduled', scheduledAt: new Date('2199-01-01') });
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
      (await world.application.campaigns.check(world.projectId, id)).problems.filter((problem) => problem.severity === 'error');
    expect(await errors(sound.id)).toEqual([]);
    expect(await errors(broken.id)).toMatchObject([{ code: 'template.unknown_variable', part: 'source', line: 2 }]);
  });
});

describe('a preview', () => {
  it('is as one subscriber would see it, or with the defaults', async () => {
    const { list, person } = await known();
    const campaign = await personal(list);
    const shown = async (as?: { subscriber: string }) =>
      (await world.application.campaigns.preview(world.projectId, campaign.id, as)).subject;
    expect([await shown(), await shown({ subscriber: person })]).toEqual(['For friend', 'For Ada']);
    await expect(shown({ subscriber: idOf(5) })).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});

describe('a test send', () => {
  const test = async (to: readonly string[], as?: { subscriber: string }) => {
    const { list } = await known();
    const campaign = await personal(list);
    return world.application.campaigns.test(world.projectId, campaign.id, to, as);
  };

  const delivered = async (message: { readonly id: string } | undefined): Promise<string> => {
    await world.instance.get(tokens.transactional).send(world.projectId, message?.id ?? '');
    return Buffer.from(transport.messages.at(-1)?.content ?? '').toString();
  };

  it('is one transactional message per address, marked in its subject', async () => {
    const sent = await test(['a@example.com', 'b@example.com']);
    expect(sent.map((message) => message.recipients[0]?.address)).toEqual(['a@example.com', 'b@example.com']);
    expect(await delivered(sent[0])).toContain('\r\nSubject: [Test] For friend\r\n');
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
    const [message] = await world.application.campaigns.test(world.projectId, campaign.id, ['a@example.com']);
    const wire = (await delivered(message)).replaceAll('=\r\n', '');
    const unsubscribe = `${world.instance.get(tokens.publicUrl)}/u/test`;
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
    await world.application.projects.update(world.projectId, { trackingBaseUrl: 'https://t.news.example.com' });
    const [message] = await test(['a@example.com']);
    expect(await delivered(message)).toContain('List-Unsubscribe: <https://t.news.example.com/u/test>');
  });

  it('is refused for what would stand in the way of the campaign', async () => {
    const list = await world.list(0);
    const campaign = await world.campaign({ lists: [list], content: { ...PERSONAL, footer: 'none' } });
    await expect(world.application.campaigns.test(world.projectId, campaign.id, ['a@example.com'])).rejects.toMatchObject({
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

describe('a list that a campaign uses', () => {
  const inOneHour = () => new Date(Date.now() + 3_600_000);
  const lists = () => world.application.lists;
  const steps = ['delete', 'archive'] as const;
  /** Every state in which a campaign would miss its list, each reached as people reach it. */
  const USES: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    scheduled: (id) => world.application.campaigns.schedule(world.projectId, id, inOneHour()),
    sending: (id) => world.application.campaigns.launch(world.projectId, id),
    paused: async (id) => {
      await world.application.campaigns.launch(world.projectId, id);
      await world.application.campaigns.pause(world.projectId, id);
    },
    submitted: async (id) => {
      await world.application.campaigns.launch(world.projectId, id);
      await world.instance.get(tokens.work).run((scope) => scope.campaign.finish(world.projectId, id));
    },
  };
  /** Every state in which it does not. */
  const FREE: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    draft: async () => undefined,
    cancelled: async (id) => {
      await world.application.campaigns.launch(world.projectId, id);
      await world.application.campaigns.cancel(world.projectId, id);
    },
    unscheduled: async (id) => {
      await world.application.campaigns.schedule(world.projectId, id, inOneHour());
      await world.application.campaigns.unschedule(world.projectId, id);
    },
  };

  describe.each(Object.keys(USES))('that is %s', (state) => {
    it.each(['lists', 'excludeLists'] as const)('among its %s is neither deleted nor archived, but by force', async (field) => {
      const [mailed, used] = [await world.list(1), await world.list(0)];
      const campaign = await world.campaign({
        lists: field === 'lists' ? [mailed, used] : [mailed],
        excludeLists: field === 'lists' ? [] : [used],
      });
      await USES[state]!(campaign.id);
      for (const step of steps) {
        await expect(lists()[step](world.projectId, used)).rejects.toMatchObject({
          code: 'list.in_use',
          message: expect.stringContaining(`"Spring" (${state}, ${campaign.slug})`),
        });
        expect(await world.application.lists.get(world.projectId, used)).toMatchObject({ archivedAt: null });
      }
      await lists().archive(world.projectId, used, { force: true });
      await lists().delete(world.projectId, used, { force: true });
      await expect(lists().get(world.projectId, used)).rejects.toMatchObject({ code: 'resource.not_found' });
    });
  });

  it.each(Object.keys(FREE))('that is %s can be deleted and archived', async (state) => {
    for (const step of steps) {
      const list = await world.list(1);
      await FREE[state]!((await world.campaign({ lists: [list] })).id);
      await lists()[step](world.projectId, list);
    }
  });

  it.each(['lists', 'excludeLists'] as const)(
    'and that was deleted from its %s keeps it from being launched, scheduled and resent',
    async (field) => {
      const [mailed, gone] = [await world.list(1), await world.list(0)];
      const { campaigns: desk } = world.application;
      const given = { lists: field === 'lists' ? [mailed, gone] : [mailed], excludeLists: field === 'lists' ? [] : [gone] };
      const [draft, sent] = [await world.campaign(given), await world.campaign(given)];
      await desk.launch(world.projectId, sent.id);
      await world.instance.get(tokens.work).run((scope) => scope.campaign.finish(world.projectId, sent.id));
      await lists().delete(world.projectId, gone, { force: true });
      const missing = { code: 'campaign.list_missing', message: expect.stringContaining(gone) };
      await expect(desk.launch(world.projectId, draft.id)).rejects.toMatchObject(missing);
      await expect(desk.schedule(world.projectId, draft.id, inOneHour())).rejects.toMatchObject(missing);
      await expect(desk.resend(world.projectId, sent.id, 'new')).rejects.toMatchObject(missing);
      await desk.update(world.projectId, draft.id, { audience: anAudience([mailed]) });
      expect(await desk.launch(world.projectId, draft.id)).toMatchObject({ state: 'sending' });
    },
  );

  it('is not deleted under a launch at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const list = await world.list(1);
      const { id } = await world.campaign({ lists: [list] });
      const [launched, deleted] = await Promise.allSettled([
        world.application.campaigns.launch(world.projectId, id),
        lists().delete(world.projectId, list),
      ]);
      expect([launched.status, deleted.status].toSorted()).toEqual(['fulfilled', 'rejected']);
      const [failed] = [launched, deleted].flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(['list.in_use', 'campaign.list_missing']).toContain(failed);
    }
  });
});

describe('an author outside the project’s domain', () => {
  const foreign = { ...CampaignWorld.content, author: { address: 'news@elsewhere.example' } };
  const refused = { code: 'project.author_refused', pointer: '/content/author/address' };
  const allow = (authorDomains: readonly string[]) => world.application.projects.update(world.projectId, { authorDomains });

  it('is refused for campaigns, and nothing is kept', async () => {
    const lists = [await world.list(1)];
    const known = (await world.application.campaigns.list(world.projectId, {})).items.length;
    await expect(world.campaign({ lists, content: foreign })).rejects.toMatchObject(refused);
    expect((await world.application.campaigns.list(world.projectId, {})).items).toHaveLength(known);
    const { id } = await world.campaign({ lists });
    await expect(world.application.campaigns.update(world.projectId, id, { content: foreign })).rejects.toMatchObject(refused);
    expect((await world.get(id)).content.author.address).toBe('hello@news.example.com');
  });

  it('is refused for messages, inline and from a template', async () => {
    const send = (wish: object) => world.application.messages.send(world.projectId, { to: 'a@example.com', ...wish });
    await expect(send({ content: foreign })).rejects.toMatchObject(refused);
    const template = await world.application.templates.create(world.projectId, { name: 'Foreign', content: foreign });
    await expect(send({ template: template.id })).rejects.toMatchObject(refused);
    expect((await world.application.messages.list(world.projectId, {})).items).toEqual([]);
  });

  it('is taken when the project allows it, and refused again at launch when it does no longer', async () => {
    await allow(['elsewhere.example']);
    const campaign = await world.campaign({ lists: [await world.list(1)], content: foreign });
    await allow([]);
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject(refused);
    const at = new Date(Date.now() + 3_600_000);
    await expect(world.application.campaigns.schedule(world.projectId, campaign.id, at)).rejects.toMatchObject(refused);
    await allow(['*']);
    expect((await world.application.campaigns.launch(world.projectId, campaign.id)).state).toBe('sending');
  });
});
