import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeDns } from '../../support/fake-dns.ts';
import { root } from '../../support/imports.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { commandLine, workbenchOn } from './workshop.ts';

const dns = new FakeDns();
const NAME = 'news.example.com';
let instance: TestInstance;
let run: ReturnType<typeof commandLine>;

beforeAll(async () => {
  instance = await openTestInstance({ dns });
  run = commandLine(workbenchOn(instance));
  await run(['project', 'create', '--name', 'News', '--domain', 'example.org']);
  dns.set(NAME, 'MX', '10 mx.example.com').set('mx.example.com', 'A', '198.51.100.1').set(NAME, 'TXT', 'v=spf1 mx -all');
});
afterAll(() => instance?.close());

/** Takes the printed lines as a zone file is read. */
function paste(printed: string): void {
  for (const [, host = '', strings = ''] of printed.matchAll(/^(\S+)\. TXT ((?:"[^"]*" ?)+)$/gm))
    dns.set(host, 'TXT', [...strings.matchAll(/"([^"]*)"/g)].map((match) => match[1]).join(''));
}

/** The commands of a section of docs/deliverability.md, as words. */
function commandsOf(heading: string): string[][] {
  const page = readFileSync(`${root}docs/deliverability.md`, 'utf8');
  const section = page.slice(page.indexOf(heading));
  const block = /```sh\n([^`]*)```/.exec(section)?.[1] ?? '';
  return block
    .trim()
    .split('\n')
    .map((line) => line.split(' ').slice(1));
}

describe('docs/deliverability.md', () => {
  it('sets up a domain, and changes its keys', async () => {
    const [create = [], check = [], get = []] = commandsOf('# Deliverability');
    const created = await run(create);
    expect(created.stdout).toContain('Then run: pennypost domain check news.example.com');
    expect(created.stdout.split('\n').filter((line) => / TXT /.test(line))).toHaveLength(3);

    const early = await run(check);
    expect([early.status, early.stdout]).toEqual([
      4,
      expect.stringMatching(/FAIL {2}dkim .*\n {6}found: .*NXDOMAIN.*\n {6}wanted: v=DKIM1/),
    ]);
    paste(created.stdout);
    const checked = await run(check);
    expect([checked.status, checked.stdout]).toEqual([0, expect.stringMatching(/status +verified/)]);
    expect(checked.stdout).not.toMatch(/FAIL|WARN/);
    expect((await run(get)).stdout).toMatch(/; in use: keep it\npp\w+\._domainkey\.news\.example\.com\. TXT "v=DKIM1; k=rsa; p=/);

    const [rotate = [], again = []] = commandsOf('## Change the keys');
    paste((await run(rotate)).stdout);
    const rotated = await run(again);
    expect([rotated.status, rotated.stdout.match(/ed25519-sha256, \w+/g)]).toEqual([
      0,
      expect.arrayContaining(['ed25519-sha256, active', 'ed25519-sha256, retiring']),
    ]);
    expect((await run(get)).stdout).toMatch(/; keep until \d{4}-\d\d-\d\d, then remove it\n/);
  });
});

describe('a domain', () => {
  it('is listed and deleted, and its private keys are in no answer', async () => {
    const made = await run(['domain', 'create', 'other.example', '--json']);
    expect(made.json).toMatchObject({
      name: 'other.example',
      status: 'pending',
      keys: [{ status: 'pending' }, { status: 'pending' }],
    });
    expect(made.stdout).not.toMatch(/private|sealed/i);
    expect((await run(['domain', 'list'])).stdout).toMatch(/other\.example +pending +pending pending/);
    expect((await run(['domain', 'delete', 'other.example'])).stdout).toContain('other.example was deleted.');
    expect((await run(['domain', 'get', 'other.example'])).status).toBe(3);
  });

  it.each([
    [['domain', 'create', 'not a domain'], 2],
    [['domain', 'create', NAME], 4],
    [['domain', 'check', 'gone.example'], 3],
  ])('refuses %j', async (words, status) => {
    expect((await run(words)).status).toBe(status);
  });
});
