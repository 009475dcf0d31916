import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DomainNotReady } from '../../../src/application/access/domain-gate.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { FakeDns } from '../../support/fake-dns.ts';
import { openTestInstance } from '../../support/instance.ts';

const dns = new FakeDns();

let world: CampaignWorld;
let made = 0;
let domain: string;
let list: string;

beforeAll(async () => {
  const instance = await openTestInstance({
    dns,
    localTransport: false,
    smtpUrl: 'smtp://203.0.113.7:25',
    overrides: { publicUrl: 'https://mail.example.com' },
  });
  world = CampaignWorld.over(instance);
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.project();
  made += 1;
  domain = `news${made}.example.com`;
  list = await world.list(1);
});

/** A verified domain with all its records. */
async function verified(): Promise<string> {
  const { domains } = world.application;
  dns.publish(await domains.create(world.projectId, { name: domain }));
  dns.set(domain, 'TXT', 'v=spf1 ip4:203.0.113.7 -all');
  dns.set('203.0.113.7', 'PTR', 'mail.example.com').set('mail.example.com', 'A', '203.0.113.7');
  const checked = await domains.check(world.projectId, domain);
  return `${checked.keys[0]?.selector}._domainkey.${domain}`;
}

async function campaign(address = `hello@${domain}`) {
  const { id } = await world.campaign({ lists: [list], content: { ...CampaignWorld.content, author: { address } } });
  return {
    launch: () => world.application.campaigns.launch(world.projectId, id),
    schedule: () => world.application.campaigns.schedule(world.projectId, id, new Date(Date.now() + 3_600_000)),
    state: async () => (await world.get(id)).state,
    problems: async () => {
      const { problems } = await world.application.campaigns.check(world.projectId, id);
      return problems.filter(({ code }) => code.startsWith('domain.')).map(({ severity, code }) => `${severity} ${code}`);
    },
  };
}

describe('a campaign whose author has a verified domain', () => {
  it('is launched when every record is right', async () => {
    await verified();
    const { launch, problems } = await campaign();
    expect(await problems()).toEqual([]);
    expect(await launch()).toMatchObject({ state: 'sending' });
  });

  it.each([
    ['its DKIM key is gone', (key: string) => dns.unset(key, 'TXT'), 'error domain.dkim', /DKIM of pp\w+\._domainkey\./],
    [
      'another key is published',
      (key: string) => dns.set(key, 'TXT', 'v=DKIM1; k=rsa; p=MIIBAAAA'),
      'error domain.dkim',
      /another key/,
    ],
    ['there is no DMARC policy', () => dns.unset(`_dmarc.${domain}`, 'TXT'), 'error domain.dmarc', /no DMARC record/],
    ['its SPF record is an error', () => dns.set(domain, 'TXT', 'v=spf1 mx', 'v=spf1 a'), 'error domain.spf', /2 SPF records/],
    ['its SPF record allows all', () => dns.set(domain, 'TXT', 'v=spf1 +all'), 'error domain.spf', /Remove \+all/],
    ['it takes no mail', () => dns.unset(domain, 'MX'), 'error domain.return_path', /no MX record/],
  ])('is not launched and not scheduled while %s', async (_what, breaks, code, told) => {
    const key = await verified();
    const { launch, schedule, problems, state } = await campaign();
    breaks(key);
    expect(await problems()).toContain(code);
    for (const attempt of [launch, schedule]) {
      const refusal = await attempt().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(DomainNotReady);
      expect((refusal as Error).message).toMatch(told);
    }
    expect(await state()).toBe('draft');
    dns.publish(await world.application.domains.get(world.projectId, domain));
    expect(await launch()).toMatchObject({ state: 'sending' });
  });

  it.each([
    ['SPF does not name the relay', () => dns.set(domain, 'TXT', 'v=spf1 ip4:192.0.2.1 -all'), 'warning domain.spf'],
    ['there is no SPF record', () => dns.set(domain, 'TXT', 'something=else'), 'warning domain.spf'],
    ['the policy has removed tags', () => dns.set(`_dmarc.${domain}`, 'TXT', 'v=DMARC1; p=none; pct=10'), 'warning domain.dmarc'],
    ['the address has no name', () => dns.unset('203.0.113.7', 'PTR'), 'warning domain.ptr'],
    ['the name servers do not answer', (key: string) => dns.fail(key, 'server_failure'), 'warning domain.dkim'],
  ])('is launched with a warning while %s', async (_what, breaks, code) => {
    const key = await verified();
    const { launch, problems } = await campaign();
    breaks(key);
    expect(await problems()).toEqual([code]);
    expect(await launch()).toMatchObject({ state: 'sending' });
  });

  it('may be of a subdomain, whose own strict policy counts', async () => {
    await verified();
    const author = `berlin.${domain}`;
    dns.set(author, 'MX', `10 mx.${domain}`).set(author, 'TXT', 'v=spf1 ip4:203.0.113.7 -all');
    const { launch, problems } = await campaign(`hello@${author}`);
    expect(await problems()).toEqual([]);
    dns.set(`_dmarc.${author}`, 'TXT', 'v=DMARC1; p=reject; adkim=s');
    expect(await problems()).toEqual(['error domain.dmarc']);
    await expect(launch()).rejects.toThrow(/not aligned/);
  });
});

describe('a project with transports of its own', () => {
  it('is asked for its domain unless they all lead to this machine', async () => {
    const { transports } = world.application;
    const { problems } = await campaign('hello@news.example.com');
    await transports.create(world.projectId, { kind: 'smtp', slug: 'here', settings: { host: '127.0.0.1' } });
    expect(await problems()).toEqual([]);
    await transports.create(world.projectId, { kind: 'smtp', slug: 'relay', settings: { host: 'smtp.relay.example' } });
    expect(await problems()).toEqual(['warning domain.not_signed']);
    await transports.update(world.projectId, 'relay', { state: 'disabled' });
    expect(await problems()).toEqual([]);
  });

  it('has the servers of its transports checked', async () => {
    await verified();
    const { transports } = world.application;
    await transports.create(world.projectId, { kind: 'smtp', slug: 'relay', settings: { host: 'smtp.relay.example' } });
    dns.set('smtp.relay.example', 'A', '203.0.113.9');
    expect(await (await campaign()).problems()).toEqual(['warning domain.spf', 'warning domain.ptr']);
  });
});

describe('a campaign of a project without sending domains', () => {
  it('is launched with a warning, without a question to the DNS', async () => {
    dns.asked.length = 0;
    const { launch, problems } = await campaign('hello@news.example.com');
    expect(await problems()).toEqual(['warning domain.not_signed']);
    expect(await launch()).toMatchObject({ state: 'sending' });
    expect(dns.asked).toEqual([]);
  });

  it('is not launched for an author at a mailbox provider', async () => {
    await world.application.projects.update(world.projectId, { authorDomains: ['gmail.com'] });
    const { launch, problems } = await campaign('shop@gmail.com');
    expect(await problems()).toEqual(['error domain.mailbox_provider']);
    await expect(launch()).rejects.toThrow(DomainNotReady);
  });
});
