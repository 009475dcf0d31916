import { beforeEach, describe, expect, it } from 'vitest';
import { checkDomain, type DkimKey, type Finding, SendingDomain } from '../../../src/domain/access/index.ts';
import { FakeDns } from '../../support/fake-dns.ts';

const NOW = new Date('2026-11-28T10:00:00Z');
const RSA = `MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A${'k'.repeat(360)}`;
const key = (more: Partial<DkimKey> = {}): DkimKey => ({
  id: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b',
  selector: 'pp1',
  algorithm: 'rsa-sha256',
  publicKey: RSA,
  sealedPrivateKey: new Uint8Array(1),
  createdAt: NOW,
  activatedAt: NOW,
  replacedAt: undefined,
  ...more,
});
const domainWith = (keys: readonly DkimKey[], name = 'news.example.com') =>
  new SendingDomain({
    projectId: '0193a1b2-0000-7000-8000-000000000001',
    id: '0193a1b2-0000-7000-8000-000000000002',
    name,
    createdAt: NOW,
    verifiedAt: NOW,
    checkedAt: undefined,
    findings: [],
    keys,
  });

let dns: FakeDns;
let domain: SendingDomain;

/** Everything is as it should be; each specification breaks one thing. */
beforeEach(() => {
  dns = new FakeDns();
  domain = domainWith([key()]);
  dns.publish({ name: domain.name, records: domain.records(NOW) });
});

async function findings(about: Finding['about'], facts: { hosts?: readonly string[]; author?: string } = {}) {
  const { findings } = await checkDomain(dns, domain, { hosts: [], now: NOW, ...facts });
  return findings.filter((one) => one.about === about);
}
/** The one of its kind, with what it tells in one text. */
async function finding(about: Finding['about'], facts: { hosts?: readonly string[]; author?: string } = {}): Promise<string> {
  const [one, ...others] = await findings(about, facts);
  if (one === undefined || others.length > 0) throw new Error(`There are ${others.length + 1} findings about ${about}.`);
  return `${one.level}: ${one.found} | ${one.advice}`;
}

describe('a domain with all its records', () => {
  it('passes, with nothing to do', async () => {
    const { findings, shown } = await checkDomain(dns, domain, { hosts: [], now: NOW });
    expect(findings.map(({ about, level, advice }) => [about, level, advice])).toEqual([
      ['dkim', 'pass', ''],
      ['dmarc', 'pass', ''],
      ['spf', 'pass', ''],
      ['return_path', 'pass', ''],
      ['mx', 'pass', ''],
    ]);
    expect(shown).toEqual(new Set([key().id]));
  });

  it('tells of each fault that name servers have, and fails for none of them', async () => {
    for (const name of ['pp1._domainkey.news.example.com', '_dmarc.news.example.com', 'news.example.com'])
      dns.fail(name, name.startsWith('pp1') ? 'server_failure' : name.startsWith('_') ? 'timeout' : 'refused');
    const { findings, shown } = await checkDomain(dns, domain, { hosts: [], now: NOW });
    expect(findings.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn', 'warn']);
    expect(findings.map(({ found }) => found).join('\n')).toMatch(/SERVFAIL.*in time.*refused/s);
    expect(shown.size).toBe(0);
  });
});

describe('a DKIM record', () => {
  const host = 'pp1._domainkey.news.example.com';
  const good = `v=DKIM1; k=rsa; p=${RSA}`;

  it.each([
    ['in several strings and with white space', `v=DKIM1;k=rsa ; p=${RSA.slice(0, 200)} ${RSA.slice(200)};`],
    ['without the optional tags', `p=${RSA}`],
    ['with more tags', `${good}; s=email; h=sha256; n=note`],
  ])('is right %s', async (_what, record) => {
    dns.set(host, 'TXT', record);
    expect(await finding('dkim')).toMatch(/^pass/);
  });

  it.each([
    ['of another key', good.replace('kkkk', 'jjjj'), /another key/],
    ['that is cut off at 255 characters', good.slice(0, 255), /cut off/],
    ['with quotation marks in its value', `"${good}"`, /quotation marks/],
    ['with quotation marks between its strings', `v=DKIM1; k=rsa; p=${RSA.slice(0, 200)}" "${RSA.slice(200)}`, /quotation marks/],
    ['with escaped semicolons', good.replaceAll(';', '\\;'), /backslashes/],
    ['that is revoked', 'v=DKIM1; k=rsa; p=', /revoked/],
    ['without a key', 'v=DKIM1; k=rsa', /no p= tag/],
    ['of another kind of key', good.replace('k=rsa', 'k=ed25519'), /k=ed25519; this key is k=rsa/],
    ['of another version', good.replace('DKIM1', 'DKIM2'), /v=DKIM1/],
    ['for sha1 alone', `${good}; h=sha1`, /h= excludes/],
    ['for another service', `${good}; s=tlsrpt`, /s= excludes/],
  ])('is a fault %s', async (_what, record, told) => {
    dns.set(host, 'TXT', record);
    expect(await finding('dkim')).toMatch(new RegExp(`^fail: .*${told.source}`));
  });

  it('is a fault when it is not there, or there twice', async () => {
    dns.set(host, 'TXT', good, 'v=DKIM1; p=');
    expect(await finding('dkim')).toMatch(/^fail: 2 TXT records/);
    dns.unset(host, 'TXT');
    expect(await finding('dkim')).toMatch(/^fail: .*exists, but has no TXT record/);
    domain = domainWith([key({ selector: 'pp2' })]);
    expect(await finding('dkim')).toMatch(/^fail: .*NXDOMAIN/);
  });

  it('in test mode is a warning', async () => {
    dns.set(host, 'TXT', `${good}; t=y:s`);
    expect(await finding('dkim')).toMatch(/^warn.*t=y/);
  });

  it('of a new key may be missing while the old one signs, and that of a replaced key while mail is on its way not', async () => {
    const pending = key({ id: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c', selector: 'pp2', activatedAt: undefined });
    const retiring = key({ id: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5d', selector: 'pp0', replacedAt: NOW });
    const retired = key({
      id: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5e',
      selector: 'pp-1',
      replacedAt: new Date('2026-11-21T10:00:00Z'),
    });
    domain = domainWith([retired, retiring, key(), pending]);
    expect((await findings('dkim')).map(({ host, level }) => `${host.split('.')[0]} ${level}`)).toEqual([
      'pp0 warn',
      'pp1 pass',
      'pp2 warn',
    ]);
    domain = domainWith([pending]);
    expect(await finding('dkim')).toMatch(/^fail/);
  });
});

describe('a DMARC policy', () => {
  const dmarc = (record: string, at = '_dmarc.news.example.com') => dns.set(at, 'TXT', record);

  it.each([
    ['of the domain itself', 'v=DMARC1; p=reject; rua=mailto:a@example.com', 'pass'],
    ['with capital letters and spaces', 'v = DMARC1 ; P = None', 'pass'],
    ['without a policy, but with reports', 'v=DMARC1; rua=mailto:a@example.com', 'pass'],
    ['with removed tags', 'v=DMARC1; p=none; pct=50; ri=3600', 'warn'],
    ['with a policy of its own invention', 'v=DMARC1; p=monitor', 'fail'],
    ['of another version', 'v=DMARC2; p=none', 'fail'],
  ])('%s', async (_what, record, level) => {
    dmarc(record);
    expect(await finding('dmarc')).toMatch(new RegExp(`^${level}`));
  });

  it('is found above the domain, where sp counts', async () => {
    dns.unset('_dmarc.news.example.com', 'TXT');
    expect(await finding('dmarc')).toMatch(/^fail: no DMARC record/);
    dmarc('v=DMARC1; p=reject; sp=none', '_dmarc.example.com');
    expect(await finding('dmarc')).toMatch(/^pass: .*of _dmarc\.example\.com/);
    dmarc('v=DMARC1; p=reject; sp=all', '_dmarc.example.com');
    expect(await finding('dmarc')).toMatch(/^fail/);
  });

  it('counts as missing when there are two', async () => {
    dns.set('_dmarc.news.example.com', 'TXT', 'v=DMARC1; p=none', 'v=DMARC1; p=reject');
    expect(await finding('dmarc')).toMatch(/^fail: several DMARC records/);
    dmarc('v=DMARC1; p=none', '_dmarc.example.com');
    expect(await finding('dmarc')).toMatch(/^pass/);
  });

  it('asks for eight names at most (RFC 9989 section 4.10)', async () => {
    const name = 'a.b.c.d.e.f.g.h.i.j.mail.example.com';
    domain = domainWith([key()], name);
    await checkDomain(dns, domain, { hosts: [], now: NOW });
    const asked = dns.asked.filter((one) => one.startsWith('TXT _dmarc.'));
    expect(asked[0]).toBe(`TXT _dmarc.${name}`);
    expect(asked[1]).toBe('TXT _dmarc.g.h.i.j.mail.example.com');
    expect(asked.at(-1)).toBe('TXT _dmarc.com');
    expect(asked).toHaveLength(8);
  });

  it('of a subdomain of the signing domain is aligned unless it is strict or an organization of its own', async () => {
    const author = 'berlin.news.example.com';
    dns.set(author, 'MX', '10 mx.news.example.com');
    expect(await finding('dmarc', { author })).toMatch(/^pass/);
    dmarc('v=DMARC1; p=none; adkim=s', `_dmarc.${author}`);
    expect(await finding('dmarc', { author })).toMatch(/^fail: .*not aligned/);
    dmarc('v=DMARC1; p=none; psd=n', `_dmarc.${author}`);
    expect(await finding('dmarc', { author })).toMatch(/^fail: .*not aligned/);
    expect(await finding('dmarc')).toMatch(/^pass/);
  });
});

describe('an SPF record', () => {
  const HOSTS = { hosts: ['203.0.113.7', 'localhost', '10.0.0.1'] };
  const spf = (...records: string[]) => dns.set('news.example.com', 'TXT', 'verification=1', ...records);
  beforeEach(() => {
    dns.set('203.0.113.7', 'PTR', 'mail.example.com').set('mail.example.com', 'A', '203.0.113.7');
    dns.set('_spf.relay.example', 'TXT', 'v=spf1 ip4:203.0.113.0/24 ip6:2001:db8::/32 ?all');
  });

  it.each([
    ['that names the address', 'v=spf1 ip4:203.0.113.7 -all', 'pass'],
    ['that names the network', 'v=spf1 ip4:203.0.112.0/22 ~all', 'pass'],
    ['that includes the relay', 'v=spf1 include:_spf.relay.example -all', 'pass'],
    ['that redirects', 'v=spf1 redirect=_spf.relay.example', 'warn'],
    ['by a host', 'v=spf1 a:mail.example.com -all', 'pass'],
    ['by the network of a host', 'v=spf1 a:mx.news.example.com/8 a:mail.example.com/24//64 -all', 'pass'],
    ['that refuses the address before it allows it', 'v=spf1 -ip4:203.0.113.7 include:_spf.relay.example -all', 'warn'],
    ['that names another address', 'v=spf1 ip4:203.0.113.8 -all', 'warn'],
    ['that allows the world', 'v=spf1 +all', 'fail'],
    ['that allows the world without saying so', 'v=spf1 ip4:203.0.113.7 all', 'fail'],
    ['with ptr', 'v=spf1 ip4:203.0.113.7 ptr -all', 'warn'],
    ['without an end', 'v=spf1 ip4:203.0.113.7', 'warn'],
    ['with a macro', 'v=spf1 ip4:203.0.113.7 exists:%{i}._spf.example.com -all', 'pass'],
    ['with a misspelt mechanism', 'v=spf1 ipv4:203.0.113.7 -all', 'fail'],
    ['with no address', 'v=spf1 ip4:mail.example.com -all', 'fail'],
    ['with an include of nothing', 'v=spf1 include:gone.example -all', 'fail'],
  ])('%s', async (_what, record, level) => {
    spf(record);
    expect(await finding('spf', HOSTS)).toMatch(new RegExp(`^${level}`));
  });

  it('is an error when there are two, and a warning when there is none', async () => {
    spf('v=spf1 -all', 'v=spf1 mx -all');
    expect(await finding('spf')).toMatch(/^fail: .*2 SPF records/);
    spf('v=spf10 -all');
    expect(await finding('spf')).toMatch(/^warn: .*no SPF record/);
  });

  it('may need ten lookups, and not eleven, nested ones included', async () => {
    for (let at = 0; at < 12; at += 1) dns.set(`s${at}.example`, 'TXT', `v=spf1 ip4:192.0.2.${at} -all`);
    const includes = (count: number) => Array.from({ length: count }, (_, at) => `include:s${at}.example`).join(' ');
    dns.set('nested.example', 'TXT', `v=spf1 ${includes(9)} -all`);
    spf('v=spf1 include:nested.example -all');
    expect(await finding('spf')).toMatch(/^pass: .*10 of 10 lookups/);
    dns.set('nested.example', 'TXT', `v=spf1 ${includes(10)} -all`);
    expect(await finding('spf')).toMatch(/^fail: .*more than 10 DNS lookups/);
    spf('v=spf1 include:loop.example -all');
    dns.set('loop.example', 'TXT', 'v=spf1 include:loop.example -all');
    expect(await finding('spf')).toMatch(/^fail: .*more than 10 DNS lookups/);
  });

  it('may ask twice for nothing, and not three times', async () => {
    spf('v=spf1 a:x1.example a:x2.example -all');
    expect(await finding('spf')).toMatch(/^pass/);
    spf('v=spf1 a:x1.example a:x2.example a:x3.example -all');
    expect(await finding('spf')).toMatch(/^fail: .*find nothing/);
  });

  it('says nothing while one of its lookups fails', async () => {
    spf('v=spf1 include:_spf.relay.example -all');
    dns.fail('_spf.relay.example', 'timeout');
    expect(await finding('spf')).toMatch(/^warn: TXT of _spf\.relay\.example: the name server did not answer in time/);
  });
});

describe('the way back', () => {
  it('needs a domain that takes mail', async () => {
    dns.unset('news.example.com', 'MX');
    expect(await finding('return_path')).toMatch(/^fail: .*no MX record/);
    dns.set('news.example.com', 'A', '198.51.100.2');
    expect(await finding('return_path')).toMatch(/^warn: no MX record; mail goes to/);
    dns.set('news.example.com', 'MX', '0 .');
    expect(await finding('return_path')).toMatch(/^warn: the null MX/);
  });

  it('needs MX hosts with an address', async () => {
    dns.set('news.example.com', 'MX', '10 mx.news.example.com', '20 gone.example');
    expect(await finding('mx')).toMatch(/^warn: .*without an address: gone\.example/);
  });
});

describe('the name of a sending address', () => {
  it.each([
    ['leads back', '203.0.113.7', 'pass'],
    ['leads elsewhere', '203.0.113.9', 'warn'],
  ])('%s', async (_what, address, level) => {
    dns.set('smtp.example.com', 'A', '203.0.113.7').set('203.0.113.7', 'PTR', 'a.example', 'mail.example.com');
    dns.set('mail.example.com', 'A', address);
    expect(await finding('ptr', { hosts: ['smtp.example.com'] })).toMatch(new RegExp(`^${level}`));
  });

  it('is looked for over IPv6 too, and never of a private address', async () => {
    expect(await finding('ptr', { hosts: ['2001:db8::25', '::1', 'fd00::1', '192.168.1.1', '127.0.0.1', 'localhost'] })).toMatch(
      /^warn: 2001:db8::25 does not exist/,
    );
  });
});
