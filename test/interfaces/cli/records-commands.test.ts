import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  await run(['project', 'create', '--name', 'Harbour Books', '--domain', 'news.harbour.example']);
  await run(['list', 'create', '--name', 'Harbour letter']);
});
afterAll(async () => {
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('templates', () => {
  const file = (subject: string) =>
    `---\nsubject: ${subject}\nauthor: Shop <shop@news.harbour.example>\n---\n<p>Order {{ order }}</p>\n`;

  it('are stored from a file, listed, shown, changed and deleted', async () => {
    const path = join(directory, 'receipt.html');
    await writeFile(path, file('Your receipt'));
    const made = await run(['template', 'create', '--name', 'Receipt', '--file', path, '--json']);
    expect(made.json).toMatchObject({ name: 'Receipt', content: { kind: 'html', subject: 'Your receipt' } });
    const id = String(made.json.id);

    const listed = (await run(['template', 'list', '--json'])).json;
    expect(listed).toMatchObject({ items: [{ id, name: 'Receipt', subject: 'Your receipt' }], next: null });
    expect(JSON.stringify(listed)).not.toContain('Order');
    expect((await run(['template', 'get', id])).stdout).toContain('Order {{ order }}');

    await writeFile(path, file('Receipt for {{ order }}'));
    const changed = await run(['template', 'update', id, '--name', 'Receipts', '--file', path, '--json']);
    expect(changed.json).toMatchObject({ id, name: 'Receipts', content: { subject: 'Receipt for {{ order }}' } });
    expect(await run(['template', 'update', id])).toMatchObject({ status: 2 });

    expect((await run(['template', 'delete', id])).stdout).toContain('The template "Receipts" is deleted.');
    expect(await run(['template', 'get', id])).toMatchObject({ status: 3 });
  });
});

describe('messages', () => {
  it('are listed without content, and shown with their attempts', async () => {
    const author = ['--from', 'Shop <shop@news.harbour.example>', '--subject', 'Hello', '--text', 'secret words'];
    const sent = await run(['message', 'send', '--to', 'ada@example.org', ...author, '--json']);
    const id = String(sent.json.id);
    const listed = await run(['message', 'list', '--json']);
    expect(listed.json).toMatchObject({
      items: [{ id, state: 'accepted', recipients: [{ address: 'ada@example.org' }] }],
      next: null,
    });
    expect(listed.stdout).not.toContain('secret words');
    expect((await run(['message', 'get', id, '--json'])).json).toMatchObject({ id, recipients: [{ attempts: 0, tries: [] }] });
    expect((await run(['message', 'get', id])).stdout).toContain('ada@example.org');
    expect(await run(['message', 'get', '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'])).toMatchObject({ status: 3 });
  });
});

describe('suppressions', () => {
  it('are listed by scope and reason, and shown for an address', async () => {
    await run(['suppression', 'create', 'never@example.org', '--note', 'asked by phone']);
    await run(['suppression', 'create', 'gone@example.org', '--reason', 'hard_bounce', '--scope', 'marketing']);
    const all = (await run(['suppression', 'list', '--json'])).json as { items: { emailKey: string }[] };
    expect(all.items.map(({ emailKey }) => emailKey).sort()).toEqual(['gone@example.org', 'never@example.org']);
    expect((await run(['suppression', 'list', '--reason', 'hard_bounce', '--json'])).json).toMatchObject({
      items: [{ emailKey: 'gone@example.org', scope: 'marketing' }],
    });
    expect((await run(['suppression', 'lookup', 'never@example.org'])).stdout).toContain('note: asked by phone');
    expect((await run(['suppression', 'lookup', 'ada@example.org'])).stdout).toBe('ada@example.org is not suppressed.\n');
    expect((await run(['suppression', 'list', '--reason', 'boredom'])).stderr).toContain(
      'A reason is one of manual, unsubscribe',
    );
    expect(await run(['suppression', 'list', '--scope', 'list:letter'])).toMatchObject({ status: 2 });
  });
});

describe('what is on record about subscribers', () => {
  beforeAll(async () => {
    const join = ['--list', 'harbour-letter', '--consent-source', 'signup form /letter'];
    await run(['subscriber', 'upsert', 'ada@example.org', '--attributes', '{"first_name":"Ada","seats":2}', ...join]);
    await run(['subscriber', 'upsert', 'eve@example.org', '--attribute', 'note==HYPERLINK("x")', ...join]);
    await run(['subscriber', 'unsubscribe', 'eve@example.org']);
  });

  it('history: every consent, oldest first', async () => {
    const { json } = await run(['subscriber', 'consents', 'eve@example.org', '--json']);
    expect(json).toMatchObject({
      items: [
        { action: 'subscribe', source: 'signup form /letter' },
        { action: 'unsubscribe', source: 'command line' },
      ],
    });
    expect((await run(['subscriber', 'consents', 'eve@example.org'])).stdout).toContain('harbour-letter');
    expect(await run(['subscriber', 'consents', 'unknown@example.org'])).toMatchObject({ status: 3 });
  });

  it('export: a row per subscriber and a column per attribute, safe in a spreadsheet', async () => {
    const { stdout, status } = await run(['subscriber', 'export']);
    expect(status).toBe(0);
    const [header, ...rows] = stdout.trimEnd().split('\r\n');
    expect(header).toBe(
      '"id","email","status","locale","time_zone","subscriptions","created_at","updated_at","first_name","note","seats"',
    );
    expect(rows).toHaveLength(2);
    expect(rows.find((row) => row.includes('ada@'))).toMatch(/"harbour-letter=confirmed".*"Ada","","2"$/);
    expect(rows.find((row) => row.includes('eve@'))).toMatch(/"harbour-letter=unsubscribed".*"","'=HYPERLINK\(""x""\)",""$/);
    const confirmed = await run(['subscriber', 'export', '--list', 'harbour-letter', '--state', 'confirmed']);
    expect(confirmed.stdout.split('\r\n').filter((row) => row.includes('@'))).toEqual([expect.stringContaining('ada@')]);
    expect(await run(['subscriber', 'export', '--list', 'nowhere'])).toMatchObject({ status: 3, stdout: '' });
  });
});

describe('lists', () => {
  it('keep their numbers when archived and restored', async () => {
    const numbers = { subscribers: { confirmed: 1, unconfirmed: 0, unsubscribed: 1 } };
    expect((await run(['list', 'archive', 'harbour-letter', '--json'])).json).toMatchObject(numbers);
    expect((await run(['list', 'restore', 'harbour-letter', '--json'])).json).toMatchObject(numbers);
    expect((await run(['list', 'restore', 'harbour-letter'])).stdout).toMatch(/confirmed +1\n/);
  });

  it('are deleted only with --yes, after saying how many subscriptions go', async () => {
    expect(await run(['list', 'delete', 'harbour-letter'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('This deletes the list "Harbour letter" and its 2 subscriptions. Repeat it with --yes.'),
    });
    expect((await run(['list', 'delete', 'harbour-letter', '--yes', '--json'])).json).toMatchObject({ deleted: true });
    expect(await run(['list', 'get', 'harbour-letter'])).toMatchObject({ status: 3 });
  });
});

describe('a project', () => {
  it('is deleted only by name and with --yes', async () => {
    await run(['project', 'create', '--name', 'Old letters', '--domain', 'old.example', '--keep-messages', '30']);
    expect((await run(['project', 'get', '--project', 'old-letters', '--json'])).json).toMatchObject({
      keepMessagesDays: 30,
      keepEventsDays: 365,
    });
    expect(await run(['project', 'delete', '--yes'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Name the project to delete: --project'),
    });
    const named = ['project', 'delete', '--project', 'old-letters'];
    expect(await run(named)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('This deletes the project "Old letters"'),
    });
    expect((await run([...named, '--yes', '--json'])).json).toMatchObject({ slug: 'old-letters', deleted: true });
    expect(await run(['project', 'get', '--project', 'old-letters'])).toMatchObject({ status: 3 });
  });
});
