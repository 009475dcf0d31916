import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CampaignInput } from '../../../src/domain/campaign/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { type Opened, openPennypost } from '../../../src/infrastructure/open.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAudience } from '../../support/audiences.ts';
import { idOf } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { openTestInstance, silentLog, TEST_SECRET } from '../../support/instance.ts';

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ shardSize: 10 });
});
afterAll(() => world.close());
beforeEach(() => world.project());

describe('a launch', () => {
  it('fixes who gets it: shards of a first run, in order of id, each person once', async () => {
    const [one, other] = [await world.list(25), await world.list(0)];
    const people = await world.peopleOf(one);
    for (const person of people.slice(0, 5)) await world.join(person, other);
    const campaign = await world.campaign({ lists: [one, other] });
    const launched = await world.application.campaigns.launch(world.projectId, campaign.id);
    expect(launched).toMatchObject({ state: 'sending', recipients: 25 });
    const shards = await world.shards(campaign.id);
    expect(shards.map((shard) => shard.size)).toEqual([10, 10, 5]);
    expect(shards.flatMap((shard) => shard.recipients)).toEqual(people.toSorted());
    expect(await world.jobs('bulk.wake')).toEqual([{ projectId: world.projectId, campaignId: campaign.id }]);
  });

  it('leaves out who is on an excluded list, unsubscribed or suppressed', async () => {
    const [list, excluded] = [await world.list(6), await world.list(0)];
    const [a, b, c] = await world.peopleOf(list);
    await world.join(a!, excluded);
    await world.application.subscribers.unsubscribe(world.projectId, b!, { lists: [list], evidence: { source: 'test' } });
    await world.application.suppressions.create(world.projectId, await world.addressOf(c!));
    const campaign = await world.campaign({ lists: [list], excludeLists: [excluded] });
    expect((await world.application.campaigns.launch(world.projectId, campaign.id)).recipients).toBe(3);
  });

  it('freezes content, links and project: what is edited later changes nothing', async () => {
    const list = await world.list(1);
    const campaign = await world.campaign({ lists: [list] });
    await world.application.campaigns.launch(world.projectId, campaign.id);
    const frozen = await world.frozen(campaign.id);
    expect(frozen).toMatchObject({
      publicUrl: 'http://127.0.0.1:8025',
      project: { senderDomain: 'news.example.com' },
      parts: { links: [{ index: 0, target: 'https://example.com/offer' }] },
    });
    expect(frozen.content.kind).toBe('html');
    await expect(world.application.campaigns.update(world.projectId, campaign.id, { name: 'Another' })).rejects.toMatchObject({
      code: 'campaign.not_editable',
    });
  });

  it('happens once, whoever asks how often at the same time', async () => {
    const campaign = await world.campaign({ lists: [await world.list(12)] });
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => world.application.campaigns.launch(world.projectId, campaign.id)),
    );
    expect(asked.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const one of asked)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'campaign.transition_refused' });
    expect((await world.runs(campaign.id)).map((run) => run.audience)).toEqual([12]);
  });

  it('happens once, also when the campaign is paused and launched again', async () => {
    const campaign = await world.campaign({ lists: [await world.list(3)] });
    await world.application.campaigns.launch(world.projectId, campaign.id);
    await world.application.campaigns.pause(world.projectId, campaign.id);
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({
      code: 'campaign.transition_refused',
    });
    expect(await world.runs(campaign.id)).toHaveLength(1);
  });

  it('is refused when the campaign was edited while it was being prepared', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    const renderer = world.instance.get(tokens.renderer);
    const freeze = renderer.freeze.bind(renderer);
    let edited = false;
    renderer.freeze = async (content, context) => {
      if (!edited) {
        edited = true;
        await world.application.campaigns.update(world.projectId, campaign.id, { name: 'Edited' });
      }
      return freeze(content, context);
    };
    try {
      await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({
        code: 'campaign.edited_meanwhile',
      });
    } finally {
      renderer.freeze = freeze;
    }
    expect([(await world.get(campaign.id)).state, await world.runs(campaign.id)]).toEqual(['draft', []]);
  });

  it('and an edit at the same time never both win', async () => {
    const list = await world.list(1);
    for (let rounds = 0; rounds < 5; rounds += 1) {
      const campaign = await world.campaign({ lists: [list], name: 'Before' });
      const [launched, edited] = await Promise.allSettled([
        world.application.campaigns.launch(world.projectId, campaign.id),
        world.application.campaigns.update(world.projectId, campaign.id, { name: 'After' }),
      ]);
      const now = await world.get(campaign.id);
      if (launched.status === 'fulfilled' && edited.status === 'fulfilled')
        expect(now).toMatchObject({ state: 'sending', name: 'After' });
      else expect(now.state === 'sending').toBe(launched.status === 'fulfilled');
      if (edited.status === 'rejected') expect(now.name).toBe('Before');
    }
  });

  it('is refused when nobody would get it, and leaves nothing behind', async () => {
    const campaign = await world.campaign({ lists: [await world.list(0)] });
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({
      code: 'campaign.audience_empty',
    });
    expect([(await world.get(campaign.id)).state, await world.runs(campaign.id), await world.jobs('bulk.wake')]).toEqual([
      'draft',
      [],
      [],
    ]);
  });

  it.each<[string, Partial<CampaignInput>, string]>([
    ['no list', { audience: anAudience([]) }, 'input.invalid'],
    ['a template that cannot be parsed', { content: { ...CampaignWorld.content, source: '{% if %}' } }, 'content.invalid'],
    [
      'a variable without a default',
      { content: { ...CampaignWorld.content, source: '<p>{{ first_name }}</p>' } },
      'content.invalid',
    ],
  ])('is refused for %s', async (_, given, code) => {
    const list = await world.list(1);
    const campaign = await world.campaign({ lists: [list], ...given });
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({ code });
    expect((await world.get(campaign.id)).state).toBe('draft');
  });

  it('is not there for another project', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.project();
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await expect(world.application.campaigns.launch(world.projectId, idOf(1))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });
});

describe('a campaign for real people', () => {
  it('needs a public URL with https', async () => {
    const instance = await openTestInstance({ smtpUrl: 'smtp://relay.example.com:587' });
    try {
      const real = CampaignWorld.over(instance);
      await real.project();
      const campaign = await real.campaign({ lists: [await real.list(1)] });
      await expect(real.application.campaigns.launch(real.projectId, campaign.id)).rejects.toMatchObject({
        code: 'campaign.public_url_not_secure',
      });
      await expect(
        real.application.campaigns.schedule(real.projectId, campaign.id, new Date(Date.now() + 3_600_000)),
      ).rejects.toMatchObject({
        code: 'campaign.public_url_not_secure',
      });
      expect(await real.application.campaigns.check(real.projectId, campaign.id)).toMatchObject({
        problems: [
          { severity: 'error', code: 'campaign.public_url_not_secure', part: 'settings' },
          { severity: 'warning', code: 'domain.not_signed', part: 'settings' },
        ],
      });
      await expect(real.application.campaigns.test(real.projectId, campaign.id, ['a@example.com'])).rejects.toMatchObject({
        code: 'campaign.public_url_not_secure',
      });
      expect((await real.get(campaign.id)).state).toBe('draft');
    } finally {
      await instance.close();
    }
  });

  it('needs it too when the project has a transport that leaves this machine, and the environment has none', async () => {
    await world.project();
    const smtp = (slug: string, host: string) => ({ kind: 'smtp', slug, settings: { host } });
    await world.application.transports.create(world.projectId, smtp('here', '127.0.0.1'));
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    expect(await world.application.campaigns.check(world.projectId, campaign.id)).toMatchObject({ problems: [] });
    await world.application.transports.create(world.projectId, smtp('relay', 'relay.example.com'));
    await expect(world.application.campaigns.launch(world.projectId, campaign.id)).rejects.toMatchObject({
      code: 'campaign.public_url_not_secure',
    });
  });

  it('is launched with one', async () => {
    const instance = await openTestInstance({
      smtpUrl: 'smtp://relay.example.com:587',
      overrides: { publicUrl: 'https://mail.example.com' },
    });
    try {
      const real = CampaignWorld.over(instance);
      await real.project();
      const campaign = await real.campaign({ lists: [await real.list(1)] });
      await real.application.campaigns.launch(real.projectId, campaign.id);
      expect((await real.frozen(campaign.id)).publicUrl).toBe('https://mail.example.com');
    } finally {
      await instance.close();
    }
  });

  it('has the public URL of the process that serves, in whichever process it is checked and launched', async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (_facts: object, message: string) => void lines.push(message) };
    const serving = await openTestInstance({
      smtpUrl: 'smtp://relay.example.com:587',
      overrides: { publicUrl: 'https://mail.example.com' },
      keepsPublicUrl: 'replaces',
    });
    const processWith = async (publicUrl: string | undefined, keepsPublicUrl?: 'once') =>
      openPennypost({
        config: { ...serving.config, publicUrl },
        keepsPublicUrl,
        destination: 'none',
        works: false,
        log,
        secretKeys: [Buffer.from(TEST_SECRET, 'hex')],
      });
    const others: Opened[] = [];
    try {
      const real = CampaignWorld.over(serving);
      await real.project();
      for (const url of [undefined, 'http://old.example.com', 'https://other.example.com'])
        others.push(await processWith(url, url === undefined ? undefined : 'once'));
      for (const other of [serving, ...others]) {
        const { campaigns, status } = other.get(tokens.application);
        const campaign = await real.campaign({ lists: [await real.list(1)] });
        expect(other.publicUrl).toBe('https://mail.example.com');
        expect((await status.get()).publicUrl.stored).toBe('https://mail.example.com');
        const { problems } = await campaigns.check(real.projectId, campaign.id);
        expect(problems.map(({ code }) => code)).toEqual(['domain.not_signed']);
        await campaigns.launch(real.projectId, campaign.id);
        expect((await real.frozen(campaign.id))?.publicUrl).toBe('https://mail.example.com');
      }
      expect(lines).toEqual([
        expect.stringContaining(
          'PENNYPOST_PUBLIC_URL is http://old.example.com here, but https://mail.example.com for this instance',
        ),
        expect.stringContaining('PENNYPOST_PUBLIC_URL is https://other.example.com here'),
      ]);
    } finally {
      for (const other of others) await other.close();
      await serving.close();
    }
  });

  it('needs none while its mail leads only to this machine', async () => {
    const instance = await openTestInstance({ transport: new MemoryTransport() });
    try {
      const local = CampaignWorld.over(instance);
      await local.project();
      const campaign = await local.campaign({ lists: [await local.list(1)] });
      expect((await local.application.campaigns.launch(local.projectId, campaign.id)).state).toBe('sending');
    } finally {
      await instance.close();
    }
  });
});
