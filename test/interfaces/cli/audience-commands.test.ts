import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { commandLine, workbenchOn } from './workshop.ts';

let instance: TestInstance;
let directory: string;
let run: ReturnType<typeof commandLine>;

beforeAll(async () => {
  instance = await openTestInstance();
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
  run = commandLine(workbenchOn(instance));
});
afterAll(async () => {
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('without a project', () => {
  it('a command says how to make one', async () => {
    const { status, stderr } = await run(['list', 'list']);
    expect(status).toBe(2);
    expect(stderr).toContain('There is no project yet. Create one: pennypost project create');
  });
});

describe('project and key', () => {
  it('are made together, and the first secret is shown once', async () => {
    const { status, json } = await run([
      'project',
      'create',
      '--json',
      '--name',
      'Harbour Books',
      '--domain',
      'news.harbour.example',
      '--postal-address',
      'Quay 1\\n20457 Hamburg',
    ]);
    expect(status).toBe(0);
    expect(json).toMatchObject({
      slug: 'harbour-books',
      postalAddress: 'Quay 1\n20457 Hamburg',
      timeZone: 'UTC',
      key: { scopes: ['admin'], secret: expect.stringMatching(/^pp_\w{40,}$/) },
    });
    const { secret } = json.key as { secret: string };
    expect((await instance.application.keys.authenticate(secret)).project.id).toBe(json.id);
    expect((await run(['project', 'get', '--json'])).stdout).not.toContain(secret);
    expect((await run(['key', 'list', '--json'])).stdout).not.toContain(secret.slice(3));
  });

  it('change by what is named only', async () => {
    const { json } = await run(['project', 'update', '--time-zone', 'Europe/Vienna', '--json']);
    expect(json).toMatchObject({ name: 'Harbour Books', timeZone: 'Europe/Vienna' });
  });

  it('keys are made for a purpose, listed and revoked, without their hash', async () => {
    const made = await run([
      'key',
      'create',
      '--name',
      'shop',
      '--scope',
      'message.send,audience.read',
      '--scope',
      'report.read',
      '--rate',
      '5',
      '--json',
    ]);
    expect(made.json).toMatchObject({
      scopes: ['audience.read', 'message.send', 'report.read'],
      status: 'active',
      requestsPerSecond: 5,
    });
    expect(Object.keys(made.json)).not.toContain('secretHash');
    expect((await run(['key', 'revoke', String(made.json.id), '--json'])).json).toMatchObject({ status: 'revoked' });
    expect((await run(['key', 'list'])).stdout).toMatch(/shop +revoked/);
    const wrong = await run(['key', 'create', '--name', 'x', '--scope', 'everything']);
    expect({ status: wrong.status, said: wrong.stderr.includes('"everything" is not a scope') }).toEqual({
      status: 2,
      said: true,
    });
  });
});

describe('lists and subscribers', () => {
  it('lists are made and shown with how many are on them', async () => {
    await run(['list', 'create', '--name', 'Harbour letter', '--description', 'Once a month']);
    await run([
      'subscriber',
      'upsert',
      'zoe@bücher.example',
      '--attribute',
      'first_name=Zoë',
      '--attributes',
      '{"seats":2}',
      '--list',
      'harbour-letter',
      '--consent-source',
      'form',
    ]);
    const { json } = await run(['list', 'list', '--json']);
    expect(json).toMatchObject({
      items: [{ slug: 'harbour-letter', subscribers: { confirmed: 1, unconfirmed: 0, unsubscribed: 0 } }],
      next: null,
    });
    expect((await run(['list', 'get', 'harbour-letter'])).stdout).toMatch(/confirmed +1\n/);
  });

  it('a subscriber is shown with lists and attributes, found by address in any writing', async () => {
    const { json } = await run(['subscriber', 'get', 'ZOE@BÜCHER.example', '--json']);
    expect(json).toMatchObject({
      email: 'zoe@xn--bcher-kva.example',
      attributes: { first_name: 'Zoë', seats: 2 },
      subscriptions: [{ list: 'harbour-letter', state: 'confirmed' }],
      suppressions: [],
    });
  });

  it('leaves every list, and comes back by an own word only', async () => {
    expect((await run(['subscriber', 'unsubscribe', 'zoe@bücher.example', '--json'])).json).toMatchObject({
      subscriptions: [{ state: 'unsubscribed' }],
    });
    const refused = await run(['subscriber', 'upsert', 'zoe@bücher.example', '--list', 'harbour-letter']);
    expect({ status: refused.status, said: refused.stderr.includes('(subscription.refused)') }).toEqual({
      status: 4,
      said: true,
    });
    const back = await run([
      'subscriber',
      'upsert',
      'zoe@bücher.example',
      '--list',
      'harbour-letter',
      '--consent-source',
      'asked again',
      '--json',
    ]);
    expect(back.json).toMatchObject({ subscriptions: [{ state: 'confirmed' }] });
  });

  it('is suppressed and freed by address, known or not', async () => {
    expect((await run(['suppression', 'create', 'nobody@example.org', '--note', 'called', '--json'])).json).toMatchObject({
      changed: true,
      scope: 'project',
      reason: 'manual',
    });
    expect((await run(['suppression', 'create', 'nobody@example.org', '--json'])).json).toMatchObject({ changed: false });
    expect((await run(['suppression', 'lift', 'nobody@example.org', '--json'])).json).toMatchObject({ changed: true });
  });

  it('is erased only when that is really meant', async () => {
    await run(['subscriber', 'upsert', 'gone@example.org']);
    expect(await run(['subscriber', 'erase', 'gone@example.org'])).toMatchObject({ status: 2 });
    expect((await run(['subscriber', 'erase', 'gone@example.org', '--yes', '--json'])).json).toMatchObject({ status: 'erased' });
    expect(await run(['subscriber', 'upsert', 'gone@example.org'])).toMatchObject({ status: 4 });
  });

  it('who is not there is missing', async () => {
    expect(await run(['subscriber', 'get', 'who@example.org'])).toMatchObject({
      status: 3,
      stderr: 'error: There is no subscriber who@example.org in this project. (resource.not_found)\n',
    });
  });
});

describe('import', () => {
  const csv =
    'mail;Vorname;Ort\r\nada@example.org;Ada;London\r\nADA@example.org;Ada;Paris\r\nnobody;Bad;"a;b"\r\nbjörk@example.is;Björk;Reykjavík\r\n';
  const file = (name: string): string => join(directory, name);

  it('counts every row, and writes those that could not be read into a file', async () => {
    await writeFile(file('people.csv'), csv);
    const { status, json, stderr } = await run([
      'import',
      file('people.csv'),
      '--list',
      'harbour-letter',
      '--map',
      'Ort=city',
      '--rejected',
      file('rejected.csv'),
      '--json',
    ]);
    expect(status).toBe(0);
    expect(json).toMatchObject({
      state: 'done',
      dryRun: false,
      fileName: 'people.csv',
      listIds: [expect.any(String)],
      as: null,
      columns: ['mail', 'Vorname', 'Ort'],
      encoding: 'utf-8',
      warnings: [],
      totals: { rows: 4, imported: 2, created: 2, updated: 0, duplicates: 1, rejected: 1, protected: 0 },
      failure: null,
      createdAt: expect.any(String),
      endedAt: expect.any(String),
    });
    expect(Object.keys(json)).not.toContain('projectId');
    expect(stderr).toContain('import: 4 in');
    const rejected = await readFile(file('rejected.csv'), 'utf8');
    expect(rejected.split('\r\n')[0]).toBe('"line","reason","mail","Vorname","Ort"');
    expect(rejected).toContain('"4","""nobody"" is not a valid e-mail address: the ""@"" is missing.","nobody","Bad","a;b"');
    expect((await run(['subscriber', 'get', 'ada@example.org', '--json'])).json).toMatchObject({
      attributes: { first_name: 'Ada', city: 'Paris' },
    });
  });

  it('shows people the first faults', async () => {
    const { stdout } = await run(['import', file('people.csv'), '--dry-run']);
    expect(stdout).toMatch(/^dry run +[0-9a-f-]{36}\nrows +4\nimported +2 \(0 new, 2 known\)\n/);
    expect(stdout).toMatch(/ 4 {2}"nobody" is not a valid e-mail address/);
  });

  it('reads standard input, in whatever pieces it comes', async () => {
    const lines = '{"email":"ōe@example.jp","first_name":"健三郎"}\n{"email":"x"}\n';
    const { json } = await run(['import', '-', '--list', 'harbour-letter', '--json'], { stdin: lines });
    expect(json).toMatchObject({ totals: { rows: 2, imported: 1, rejected: 1 } });
  });

  it('ends with 2 when every row was rejected, and only then', async () => {
    const bad = await run(['import', '-', '--list', 'harbour-letter', '--json'], { stdin: 'email\nnobody\nnothing\n' });
    expect(bad).toMatchObject({
      status: 2,
      json: { totals: { rows: 2, rejected: 2 } },
      stderr: expect.stringContaining('no row could be imported'),
    });
    expect((await run(['import', '-', '--list', 'harbour-letter'], { stdin: 'email\nnobody\nx@example.org\n' })).status).toBe(0);
    expect((await run(['import', '-', '--list', 'harbour-letter'], { stdin: 'email\n' })).status).toBe(0);
  });

  it('never writes over the file that it reads, and leaves what was there when it fails', async () => {
    await writeFile(file('own.csv'), csv);
    await symlink(file('own.csv'), file('link.csv'));
    for (const path of [file('own.csv'), file('link.csv')]) {
      const ran = await run(['import', file('own.csv'), '--list', 'harbour-letter', '--rejected', path]);
      expect([ran.status, ran.stderr]).toEqual([2, expect.stringContaining('which is the file that is read')]);
    }
    expect(await readFile(file('own.csv'), 'utf8')).toBe(csv);
    await writeFile(file('old.csv'), 'old');
    expect((await run(['import', '-', '--rejected', file('old.csv')], { stdin: 'a,b\n1,2\n' })).status).toBe(2);
    expect(await readFile(file('old.csv'), 'utf8')).toBe('old');
    expect((await run(['import', file('own.csv'), '--rejected', join(directory, 'no', 'r.csv')])).stderr).toContain(
      'its directory does not exist',
    );
  });

  it('says which encoding it assumed, and what it left out', async () => {
    await writeFile(file('latin.csv'), Buffer.from('email,name,lang\na@example.org,J\u00fcrgen M\u00fcller,Klingon\n', 'latin1'));
    const { stdout, stderr } = await run(['import', file('latin.csv'), '--dry-run']);
    expect(stdout).toMatch(/^encoding +windows-1252$/m);
    expect(stderr).toContain('warning: The file does not state its encoding; it was read as windows-1252');
    expect(stderr).toContain('warning: column "lang": "Klingon" is not a language');
    expect(stderr).toContain('(1 row, on line 2)');
  });

  it('asks what is to become of people who left elsewhere', async () => {
    const left = 'email,status\nleft@example.org,unsubscribed\n';
    const asked = await run(['import', '-', '--list', 'harbour-letter'], { stdin: left });
    expect(asked.status).toBe(4);
    expect(asked.stderr).toContain('1 row says that subscribers must not be mailed: column "status" is "unsubscribed" (1).');
    const told = await run(['import', '-', '--list', 'harbour-letter', '--as', 'stated', '--json'], { stdin: left });
    expect(told).toMatchObject({ status: 0, json: { as: 'stated', totals: { imported: 1 } } });
    expect((await run(['import', '-', '--as', 'gone'], { stdin: left })).stderr).toContain(
      '--as must be subscribed, unsubscribed',
    );
  });

  it('warns when these people join nothing', async () => {
    expect((await run(['import', '-'], { stdin: csv })).stderr).toContain(
      'warning: no --list is given: these subscribers join no list',
    );
  });

  it.each([
    [
      'a file that is not there',
      ['import', '/nowhere/people.csv', '--list', 'harbour-letter'],
      2,
      'There is no file /nowhere/people.csv.',
    ],
    ['a directory', ['import', '/', '--list', 'harbour-letter'], 2, '/ is a directory. Name a file.'],
    ['a list that is not there', ['import', '-', '--list', 'nowhere'], 3, 'There is no list nowhere in this project.'],
    [
      'a map without a name',
      ['import', '-', '--list', 'harbour-letter', '--map', 'city'],
      2,
      '--map must be name=value, not "city".',
    ],
    [
      'a map of no column',
      ['import', '-', '--list', 'harbour-letter', '--map', 'town=city'],
      2,
      'Columns seen: "mail", "Vorname", "Ort".',
    ],
    ['words without a source', ['import', '-', '--consent-text', 'I agree'], 2, '--consent-text needs --consent-source'],
    ['an unknown format', ['import', '-', '--list', 'harbour-letter', '--format', 'xlsx'], 2, '--format must be csv or jsonl.'],
  ])('refuses %s', async (_name, words, status, message) => {
    const ran = await run(words, { stdin: csv });
    expect(ran.status).toBe(status);
    expect(ran.stderr).toContain(message);
    expect(ran.stdout).toBe('');
  });
});

describe('with several projects', () => {
  it('a command wants one named, by slug or id', async () => {
    const { json } = await run(['project', 'create', '--name', 'Second', '--domain', 'second.example', '--json']);
    expect(await run(['list', 'list'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('There are several projects (harbour-books, second). Name one: --project harbour-books'),
    });
    expect((await run(['list', 'list', '--project', 'second', '--json'])).json).toEqual({ items: [], next: null });
    expect((await run(['--project', String(json.id), 'project', 'get', '--json'])).json).toMatchObject({ slug: 'second' });
    expect(await run(['list', 'get', 'harbour-letter', '--project', 'second'])).toMatchObject({ status: 3 });
    expect(await run(['list', 'list', '--project', 'third'])).toMatchObject({ status: 3 });
  });

  it('pages go on where they ended', async () => {
    const first = await run(['project', 'list', '--limit', '1', '--json']);
    expect(first.json).toMatchObject({ items: [{ slug: 'harbour-books' }], next: expect.any(String) });
    const second = await run(['project', 'list', '--limit', '1', '--after', String(first.json.next), '--json']);
    expect(second.json).toMatchObject({ items: [{ slug: 'second' }], next: null });
    expect((await run(['project', 'list', '--limit', '1'])).stdout).toContain(`More: --after ${first.json.next}`);
    expect(await run(['project', 'list', '--after', 'x'])).toMatchObject({ status: 2 });
    expect(await run(['project', 'list', '--limit', '0'])).toMatchObject({ status: 2 });
  });
});
