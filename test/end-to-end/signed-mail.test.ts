import { afterAll, beforeAll, expect, it } from 'vitest';
import { tokens } from '../../src/infrastructure/container.ts';
import type { Inbox } from '../../src/infrastructure/inbox/inbox.ts';
import { CampaignWorld } from '../support/campaign-world.ts';
import { verdicts } from '../support/dkim.ts';
import { FakeDns } from '../support/fake-dns.ts';
import { openTestInstance } from '../support/instance.ts';
import { eventually } from '../support/processes.ts';

const RECIPIENTS = 60;

const dns = new FakeDns();
let world: CampaignWorld;
let inbox: Inbox;
let records: Map<string, string>;

beforeAll(async () => {
  const instance = await openTestInstance({ works: true, destination: 'inbox', dns });
  world = CampaignWorld.over(instance);
  inbox = instance.inbox as Inbox;
  await world.project();
  const domain = await world.application.domains.create(world.projectId, { name: 'example.com' });
  dns.publish(domain);
  records = new Map(domain.records.map(({ host, value }) => [host, value]));
  await world.application.domains.check(world.projectId, domain.id);
  await instance.get(tokens.workers).start(['bulk', 'transactional']);
});
afterAll(async () => {
  await world.instance.get(tokens.workers).stop();
  await world.close();
});

/** What an independent verifier says of each message of the inbox, the same verdicts once. */
async function verdictsOf(count: number): Promise<readonly string[]> {
  await eventually('all messages', () => inbox.list({ limit: 100 }).items.length === count);
  const raws = inbox.list({ limit: 100 }).items.map(({ id }) => Buffer.from(inbox.raw(id) ?? []));
  inbox.clear();
  const found = await Promise.all(raws.map((raw) => verdicts(raw, records)));
  return [
    ...new Set(found.map((one) => one.map(({ result, algorithm, domain }) => `${result} ${algorithm} ${domain}`).join(', '))),
  ];
}

const BOTH = ['pass rsa-sha256 example.com, pass ed25519-sha256 example.com'];

it('every message of a campaign is signed by both keys of the domain above its author', async () => {
  const campaign = await world.campaign({ lists: [await world.list(RECIPIENTS)] });
  await world.application.campaigns.launch(world.projectId, campaign.id);
  expect(await verdictsOf(RECIPIENTS)).toEqual(BOTH);
  const submitted = async () => (await world.application.campaigns.report(world.projectId, campaign.id)).states.submitted;
  await eventually('all outcomes', async () => (await submitted()) === RECIPIENTS);
});

it('a transactional message is signed as well', async () => {
  const { content } = CampaignWorld;
  await world.application.messages.send(world.projectId, { to: 'ada@example.net', content });
  expect(await verdictsOf(1)).toEqual(BOTH);
});

it('a project without a domain sends unsigned mail', async () => {
  await world.project();
  await world.application.messages.send(world.projectId, { to: 'ada@example.net', content: CampaignWorld.content });
  expect(await verdictsOf(1)).toEqual(['none undefined undefined']);
});
