import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resealKeys } from '../../../src/application/access/domains.ts';
import {
  AuthorUnverified,
  DomainTaken,
  generateSecretKey,
  KeyRing,
  RotationPending,
  SealBroken,
  sealedPlaceOf,
} from '../../../src/domain/access/index.ts';
import { InvalidInput, NotFound } from '../../../src/domain/shared/errors.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { FakeDns } from '../../support/fake-dns.ts';
import { silentLog, TEST_SECRET } from '../../support/instance.ts';

const dns = new FakeDns();
const DAY_MS = 24 * 3_600_000;

let world: CampaignWorld;
let made = 0;
let name: string;

beforeAll(async () => {
  world = await CampaignWorld.open({ dns, stillTime: true });
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.project();
  made += 1;
  name = `news${made}.example.com`;
});

const domains = () => world.application.domains;
const create = (wish = name) => domains().create(world.projectId, { name: wish });
const check = (domain = name) => domains().check(world.projectId, domain);
const statuses = (domain: Awaited<ReturnType<typeof create>>) =>
  domain.keys.map(({ algorithm, status }) => `${algorithm.split('-')[0]} ${status}`);
const verify = async (wish = name) => {
  dns.publish(await create(wish));
  return check(wish);
};

describe('a sending domain', () => {
  it('has two keys that wait for their records, whose lines are ready to paste', async () => {
    const domain = await create();
    expect(domain).toMatchObject({ name, status: 'pending', findings: [] });
    expect(statuses(domain)).toEqual(['rsa pending', 'ed25519 pending']);
    const [rsa, ed25519, dmarc] = domain.records;
    expect(rsa?.host).toBe(`${domain.keys[0]?.selector}._domainkey.${name}`);
    expect(rsa?.zoneValue).toMatch(/^"v=DKIM1; k=rsa; p=[\w+/]{237}" "[\w+/=]{155}"$/);
    expect(ed25519?.zoneValue).toMatch(/^"v=DKIM1; k=ed25519; p=[\w+/]{43}="$/);
    expect(dmarc).toMatchObject({ host: `_dmarc.${name}`, value: 'v=DMARC1; p=none' });
  });

  it('is verified when the DNS shows its RSA key, and its keys sign then', async () => {
    const domain = await create();
    const before = await check();
    expect([before.status, before.findings.filter(({ level }) => level === 'fail').length]).toEqual(['pending', 3]);
    const [rsa, ed25519] = domain.records;
    dns.set(ed25519!.host, 'TXT', ed25519!.value);
    expect([(await check()).status, statuses(await check())]).toEqual(['pending', ['rsa pending', 'ed25519 active']]);
    dns.set(rsa!.host, 'TXT', rsa!.value);
    expect([(await check()).status, statuses(await check())]).toEqual(['verified', ['rsa active', 'ed25519 active']]);
  });

  it('is found by id and by name, however it is written, and belongs to one project', async () => {
    const domain = await create('Bücher.Example');
    expect(domain.name).toBe('xn--bcher-kva.example');
    for (const wish of [domain.id, domain.id.toUpperCase(), 'bücher.example', 'XN--BCHER-KVA.example.'])
      expect((await domains().get(world.projectId, wish)).id).toBe(domain.id);
    await expect(create('bücher.example')).rejects.toThrow(DomainTaken);
    const own = world.projectId;
    await world.project();
    await expect(domains().get(world.projectId, domain.id)).rejects.toThrow(NotFound);
    expect((await create('bücher.example')).id).not.toBe(domain.id);
    expect((await domains().list(own)).items).toHaveLength(1);
  });

  it.each(['', 'localhost', 'a b.example', 'https://example.com', '192.0.2.1', `${'a'.repeat(64)}.example`])(
    'is not "%s"',
    async (wish) => {
      await expect(create(wish)).rejects.toThrow(InvalidInput);
      await expect(domains().get(world.projectId, wish)).rejects.toThrow(NotFound);
    },
  );
});

describe('a rotation', () => {
  it('publishes first, signs when the DNS shows the new keys, and keeps the old records for seven days', async () => {
    const first = await verify();
    await world.instance.pass(DAY_MS);
    const rotated = await domains().rotate(world.projectId, name);
    expect(statuses(rotated)).toEqual(['rsa active', 'ed25519 active', 'rsa pending', 'ed25519 pending']);
    await expect(domains().rotate(world.projectId, name)).rejects.toThrow(RotationPending);
    // A look that finds nothing new changes nothing.
    expect(statuses(await check())).toEqual(statuses(rotated));
    dns.publish(rotated);
    const after = await check();
    expect(statuses(after)).toEqual(['rsa retiring', 'ed25519 retiring', 'rsa active', 'ed25519 active']);
    expect(after.records.map(({ note }) => note)[0]).toMatch(/^keep until \d{4}-\d\d-\d\d, then remove it$/);
    expect(after.keys[0]?.removableAt).toEqual(new Date(after.checkedAt!.getTime() + 7 * DAY_MS));
    const signing = await world.instance.get(tokens.work).run(({ access }) => access.domains.activeKeys(world.projectId, name));
    expect(signing.map(({ selector }) => selector)).toEqual(rotated.keys.slice(2).map(({ selector }) => selector));
    // Its public key may still be asked for; its private key is gone.
    const kept = await world.sql<{ id: string }>(
      'select id from pennypost_access.dkim_key where project_id = $1 and sealed_private_key is not null order by id',
      [world.projectId],
    );
    const present = rotated.keys.slice(2).map(({ id }) => id);
    expect(kept.map(({ id }) => id)).toEqual(present.sort());
    await world.instance.pass(7 * DAY_MS);
    expect(statuses(await domains().get(world.projectId, name))).toEqual([
      'rsa retired',
      'ed25519 retired',
      'rsa active',
      'ed25519 active',
    ]);
    expect(statuses(await check())).toEqual(['rsa active', 'ed25519 active']);
    expect(first.keys[0]?.selector).not.toBe(after.keys[2]?.selector);
  });
});

describe('an author', () => {
  const author = (address: string) =>
    world.application.messages.send(world.projectId, {
      to: 'ada@example.net',
      content: { ...CampaignWorld.content, author: { address } },
    });

  it('must be of a verified domain once the project has one', async () => {
    await create();
    await author('hello@news.example.com');
    await check(); // Still pending: it restricts nothing.
    await author('hello@news.example.com');
    dns.publish(await domains().get(world.projectId, name));
    await check();
    await expect(author('hello@news.example.com')).rejects.toThrow(AuthorUnverified);
    await author(`hello@${name}`);
    await author(`hello@berlin.${name}`);
    await expect(author(`hello@not${name}`)).rejects.toThrow(AuthorUnverified);
    // A fault in the DNS later on is a matter of checks: the project does not fall back to unsigned mail.
    dns.unset((await domains().get(world.projectId, name)).records[0]!.host, 'TXT');
    expect((await check()).status).toBe('verified');
    await expect(author('hello@news.example.com')).rejects.toThrow(AuthorUnverified);
    await domains().delete(world.projectId, name);
    await author('hello@news.example.com');
  });

  it('of a campaign is held to the same rule', async () => {
    await verify();
    await expect(world.campaign({ lists: [await world.list(0)] })).rejects.toThrow(AuthorUnverified);
  });
});

describe('the private keys', () => {
  it('are nowhere in the database or in an answer', async () => {
    const answer = JSON.stringify(await verify());
    expect(answer).not.toMatch(/private|sealed/i);
    const rows = await world.sql<{ row: string; sealed: Buffer }>(
      'select k::text as row, sealed_private_key as sealed from pennypost_access.dkim_key k where project_id = $1',
      [world.projectId],
    );
    for (const { row, sealed } of rows) {
      expect(row).not.toMatch(/PRIVATE KEY/);
      // The same in the bytes themselves: PEM, and the header of PKCS #8 for RSA and Ed25519.
      expect(sealed.toString('latin1')).not.toMatch(/PRIVATE KEY|MIIE|MC4CAQ/);
    }
    expect(rows).toHaveLength(2);
  });
});

describe('a new key of the instance', () => {
  it('takes over the private keys, so that the old one can be removed', async () => {
    const { keys } = await verify();
    const old = world.instance.keys;
    const ring = new KeyRing([generateSecretKey(), Buffer.from(TEST_SECRET, 'hex')]);
    const work = world.instance.get(tokens.work);
    const sealed = async () => {
      const active = await work.run(({ access }) => access.domains.activeKeys(world.projectId, name));
      return active.map((key) => ({ id: key.id, bytes: key.sealedPrivateKey! }));
    };
    const [before] = await sealed();
    const text = old.open(world.projectId, before!.bytes, sealedPlaceOf(before!.id));
    await resealKeys({ work, keys: ring, log: silentLog });
    const after = await sealed();
    expect(after.map(({ bytes }) => ring.sealedBefore(bytes))).toEqual(keys.map(() => false));
    expect(ring.open(world.projectId, after[0]!.bytes, sealedPlaceOf(after[0]!.id))).toBe(text);
    expect(() => old.open(world.projectId, after[0]!.bytes, sealedPlaceOf(after[0]!.id))).toThrow(SealBroken);
    // A node that lacks the key says so, and changes nothing.
    const told: unknown[] = [];
    await resealKeys({
      work,
      keys: new KeyRing([generateSecretKey()]),
      log: { ...silentLog, error: (fields) => told.push(fields) },
    });
    expect(told).toHaveLength(1);
    expect(await sealed()).toEqual(after);
  });
});
