import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { commandLine, workbenchOn } from './workshop.ts';

let instance: TestInstance;
let directory: string;
let run: ReturnType<typeof commandLine>;
let path: string;

const LETTER = `---
name: November letter
subject: "{{ first_name }}, news"
author: Harbour Books <hello@news.harbour.example>
lists: [harbour-letter]
defaults: { first_name: reader }
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {{ first_name }}, <a href="https://harbour.example/new">look</a>.</mj-text>
</mj-column></mj-section></mj-body></mjml>
`;

beforeAll(async () => {
  instance = await openTestInstance({ destination: 'inbox', works: true });
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
  path = join(directory, 'november.mjml');
  await writeFile(path, LETTER);
  run = commandLine(workbenchOn(instance));
  await run(['project', 'create', '--name', 'Harbour', '--domain', 'news.harbour.example', '--postal-address', 'Quay 1']);
  await run(['list', 'create', '--name', 'Harbour letter']);
  await run(['import', '-', '--list', 'harbour-letter'], { stdin: 'email,first_name\nada@example.org,Ada\nbob@example.net,\n' });
});
afterAll(async () => {
  await instance?.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a campaign from a template', () => {
  it('has its content, by id or name, and everything else from the options', async () => {
    const { json: template } = await run(['template', 'create', '--name', 'Monthly', '--file', path, '--json']);
    for (const wanted of ['Monthly', String(template.id)]) {
      const made = await run([
        'campaign',
        'create',
        '--template',
        wanted,
        '--name',
        `From ${wanted}`,
        '--list',
        'harbour-letter',
        '--json',
      ]);
      expect(made).toMatchObject({ status: 0, json: { name: `From ${wanted}`, state: 'draft', problems: [] } });
      expect(made.json.audience).toMatchObject({ include: [{ list: expect.any(String) }], exclude: [] });
    }
    const create = ['campaign', 'create', '--template'];
    expect(await run([...create, 'Monthly'])).toMatchObject({ status: 2, stderr: expect.stringContaining('Give --name') });
    expect(await run([...create, 'Monthly', '--file', path])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--file or --template'),
    });
    expect(await run([...create, 'Yearly', '--name', 'x'])).toMatchObject({ status: 3 });
    await run(['template', 'create', '--name', 'Monthly', '--file', path]);
    expect(await run([...create, 'Monthly', '--name', 'x'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Several templates are named "Monthly"'),
    });
  });
});

describe('a campaign from a file', () => {
  it('is a draft, by JSON with everything that programs need', async () => {
    const { status, json } = await run(['campaign', 'create', '--file', path, '--json']);
    expect(status).toBe(0);
    expect(json).toMatchObject({
      name: 'November letter',
      state: 'draft',
      subject: '{{ first_name }}, news',
      problems: [],
      launchedAt: null,
    });
  });

  it('is found by its slug, and by its name as long as that names one that is not archived', async () => {
    expect((await run(['campaign', 'get', 'November letter', '--json'])).json).toMatchObject({
      slug: 'november-letter',
      content: { kind: 'mjml', author: { name: 'Harbour Books' } },
    });
    expect((await run(['campaign', 'create', '--file', path])).stdout).toMatch(/^slug +november-letter-2$/m);
    for (const command of ['get', 'launch', 'check', 'archive', 'report', 'explain', 'delete'])
      expect(await run(['campaign', command, 'November letter'])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(
          'Several campaigns are named "November letter". Give a slug: november-letter-2 (draft), november-letter (draft)',
        ),
      });
    expect((await run(['campaign', 'get', 'november-letter-2', '--json'])).json).toMatchObject({ slug: 'november-letter-2' });
    expect((await run(['campaign', 'list'])).stdout).toContain('november-letter-2');
    expect((await run(['campaign', 'archive', 'november-letter-2'])).status).toBe(0);
    expect((await run(['campaign', 'get', 'November letter', '--json'])).json).toMatchObject({ slug: 'november-letter' });
    expect((await run(['campaign', 'get', 'november-letter-2'])).status).toBe(0);
    expect(await run(['campaign', 'get', 'December letter'])).toMatchObject({ status: 3 });
  });

  it('of the name of an archived one is meant by that name, also where it is the slug of the archived one', async () => {
    const file = ['--file', '-', '--json'];
    const stdin = LETTER.replace('November letter', 'again');
    await run(['campaign', 'create', ...file], { stdin });
    await run(['campaign', 'archive', 'again']);
    expect((await run(['campaign', 'get', 'again', '--json'])).json).toMatchObject({ slug: 'again' });
    await run(['campaign', 'create', ...file], { stdin });
    expect((await run(['campaign', 'get', 'again', '--json'])).json).toMatchObject({ slug: 'again-2' });
    await run(['campaign', 'create', '--name', 'Old one', ...file], { stdin });
    await run(['campaign', 'archive', 'old-one']);
    expect(await run(['campaign', 'get', 'Old one'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"Old one" is archived. Give its slug: old-one'),
    });
  });

  it('is deleted as a draft, once that is confirmed, and its slug is free again', async () => {
    const create = ['campaign', 'create', '--file', path, '--name', 'Short life', '--json'];
    await run(create);
    expect(await run(['campaign', 'delete', 'short-life'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('This deletes the draft "Short life" (short-life). Repeat it with --yes.'),
    });
    expect((await run(['campaign', 'delete', 'Short life', '--yes'])).stdout).toBe('The draft "Short life" is deleted.\n');
    expect(await run(['campaign', 'get', 'short-life'])).toMatchObject({ status: 3 });
    expect((await run([...create, '--slug', 'short-life'])).json).toMatchObject({ slug: 'short-life' });
    expect(await run([...create, '--slug', 'short-life'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('campaign.slug_taken'),
    });
    await run(['campaign', 'schedule', 'short-life', '--at', '2199-01-01T08:00:00Z']);
    expect(await run(['campaign', 'delete', 'short-life', '--yes'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('Only a draft can be deleted.'),
    });
    await run(['campaign', 'unschedule', 'short-life']);
    expect((await run(['campaign', 'delete', 'short-life', '--yes'])).status).toBe(0);
  });

  it.each([
    ['content that cannot be sent', LETTER.replace('{{ first_name }}, <a', '{{ nick }},\n<a'), 'source, line 9'],
    ['a list that is not there', LETTER.replace('---\n', '---\nexclude_lists: [nowhere]\n'), 'nowhere'],
    ['a time that has passed', LETTER.replace('---\n', '---\nschedule: 2001-01-01T08:00:00+01:00\n'), 'has passed'],
  ])('with %s makes no draft, and changes none', async (_, stdin, said) => {
    const before = (await run(['campaign', 'list', '--json'])).json;
    const { status, stderr } = await run(['campaign', 'create', '--file', '-'], { stdin });
    expect(stderr).toContain(said);
    expect([2, 3]).toContain(status);
    expect((await run(['campaign', 'list', '--json'])).json).toEqual(before);
    const shown = (await run(['campaign', 'get', 'november-letter', '--json'])).json;
    expect((await run(['campaign', 'update', 'november-letter', '--file', '-'], { stdin })).status).toBe(status);
    expect((await run(['campaign', 'get', 'november-letter', '--json'])).json).toEqual(shown);
  });

  it('that cannot be sent says each fault once, by lines of the file, for people and programs', async () => {
    const stdin = LETTER.replace('{{ first_name }}, <a', '{{ nick }},\n<a').replace('footer', '');
    const { stderr } = await run(['campaign', 'create', '--file', '-'], { stdin });
    expect(stderr.trim().split('\n')).toHaveLength(1);
    const faults = JSON.parse((await run(['campaign', 'create', '--file', '-', '--json'], { stdin })).stderr);
    expect(faults.error.problems).toMatchObject([{ code: 'template.unknown_variable', part: 'source', line: 9 }]);
    const mended = LETTER.replace('November letter', 'Faulty');
    expect((await run(['campaign', 'create', '--file', '-'], { stdin: mended })).status).toBe(0);
    expect((await run(['campaign', 'check', 'Faulty'])).stdout).toBe('No problems found.\n2 recipients would get it.\n');
  });

  it('that cannot be read is refused with the line, before anything is opened', async () => {
    const { status, stderr } = await run(['campaign', 'create', '--file', '-'], {
      stdin: '---\nsubject: x\nauthor: a@b.example\nlist: y\n---\nz',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('error: standard input, line 4: "list" is not a field of the front matter.');
    expect(stderr).toContain('(content.file_invalid)');
    expect(await run(['campaign', 'create', '--file', join(directory, 'none.mjml')])).toMatchObject({ status: 2 });
  });

  it('that is scheduled by its front matter waits for its time', async () => {
    const { json } = await run(['campaign', 'create', '--file', '-', '--json'], {
      stdin: LETTER.replace('---\n', '---\nschedule: 2199-01-01T08:00:00+01:00\n').replace('November', 'Far'),
    });
    expect(json).toMatchObject({ state: 'scheduled', scheduledAt: '2199-01-01T07:00:00.000Z' });
    expect((await run(['campaign', 'unschedule', 'Far letter', '--json'])).json).toMatchObject({
      state: 'draft',
      scheduledAt: null,
    });
    const again = await run(['campaign', 'schedule', 'Far letter', '--at', '2199-01-01T08:00:00Z', '--json']);
    expect(again.json).toMatchObject({ state: 'scheduled' });
    expect(again.stderr).toContain('warning: no worker is running.');
    expect((await run(['campaign', 'cancel', 'Far letter', '--json'])).json).toMatchObject({ state: 'cancelled' });
  });
});

describe('looking at a campaign', () => {
  it('shows it as a subscriber would see it', async () => {
    const html = join(directory, 'preview.html');
    const { json } = await run(['campaign', 'preview', 'Faulty', '--as', 'ada@example.org', '--html', html, '--json']);
    expect(json).toMatchObject({ subject: 'Ada, news', text: expect.stringContaining('Hello Ada, look') });
    expect(await readFile(html, 'utf8')).toContain('Hello Ada,');
    expect((await run(['campaign', 'preview', 'Faulty'])).stdout).toMatch(/^subject {2}reader, news\n/);
  });

  it('a test send without a worker waits for one, and says so', async () => {
    const { status, json, stderr } = await run([
      'campaign',
      'test',
      'Faulty',
      '--to',
      'me@example.org',
      '--to',
      'you@example.org',
      '--json',
    ]);
    expect(status).toBe(0);
    expect(json).toMatchObject({
      messages: [
        { state: 'accepted', recipients: [{ address: 'me@example.org' }] },
        { state: 'accepted', recipients: [{ address: 'you@example.org' }] },
      ],
    });
    expect(stderr).toContain('warning: no worker is running');
  });
});

describe('sending', () => {
  it('is refused before the launch when this process would have to and cannot', async () => {
    expect(await run(['campaign', 'launch', 'Faulty', '--watch'])).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('(transport.not_configured)'),
    });
    expect((await run(['campaign', 'get', 'Faulty', '--json'])).json).toMatchObject({ state: 'draft' });
    expect(
      await run([
        'message',
        'send',
        '--to',
        'a@example.org',
        '--from',
        'b@example.org',
        '--subject',
        'x',
        '--text',
        'y',
        '--wait',
      ]),
    ).toMatchObject({ status: 5 });
  });

  it('warns after a plain launch that nobody works, and launching twice is refused', async () => {
    const { status, json, stderr } = await run(['campaign', 'launch', 'Faulty', '--json']);
    expect({ status, state: json.state, recipients: json.recipients }).toEqual({ status: 0, state: 'sending', recipients: 2 });
    expect(stderr).toContain(`To send in this process: pennypost campaign watch ${json.slug}`);
    expect(await run(['campaign', 'launch', 'Faulty'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('(campaign.transition_refused)'),
    });
  });

  it('pauses and goes on', async () => {
    expect((await run(['campaign', 'pause', 'Faulty', '--json'])).json).toMatchObject({ state: 'paused' });
    expect((await run(['campaign', 'resume', 'Faulty', '--json'])).json).toMatchObject({ state: 'sending' });
    expect(await run(['campaign', 'resume', 'Faulty'])).toMatchObject({ status: 4 });
  });

  it('is done by the process that watches, when nobody else works', async () => {
    const sending = commandLine(workbenchOn(instance, true));
    const { status, json, stderr } = await sending(['campaign', 'watch', 'Faulty', '--json']);
    expect(status).toBe(0);
    expect(json).toMatchObject({ state: 'submitted', recipients: 2, states: { submitted: 2, pending: 0 } });
    expect(stderr).toContain('No worker for the bulk lane is running: this process works until the command is done.');
    expect(stderr).toContain('Faulty: 2 of 2 in');
    expect(instance.inbox?.recipients()).toBe(2);
  });
});

describe('the report', () => {
  it('is the one that HTTP gives, and days beside it', async () => {
    const { json } = await run(['campaign', 'report', 'Faulty', '--json']);
    expect(json).toMatchObject({
      state: 'submitted',
      recipients: 2,
      opened: { unique: 0, total: 0 },
      links: [{ target: 'https://harbour.example/new', unique: 0, total: 0 }],
      rates: expect.arrayContaining([
        expect.objectContaining({ name: 'open', definition: 'recipients that opened / messages submitted' }),
      ]),
    });
    const { days } = json.daily as { days: { counts: { submitted: number } }[] };
    expect(days).toHaveLength(7);
    expect(days.at(-1)?.counts.submitted).toBe(2);
  });

  it('is tables and a chart for people, that fit the terminal', async () => {
    const { stdout } = await run(['campaign', 'report', 'Faulty'], { columns: 60 });
    expect(stdout).toMatch(/submitted +2 +100\.0 %/);
    expect(stdout).toContain('accepted by the next mail server');
    expect(stdout).toMatch(/clicked +0 +0 +0\.0 %/);
    expect(stdout).toContain('https://harbour.example/new');
    expect(stdout).toContain('Submitted per day');
    expect(Math.max(...stdout.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(60);
  });

  it('names every recipient with an outcome', async () => {
    const { json } = await run(['campaign', 'recipients', 'Faulty', '--json']);
    const items = json.items as { address: string; state: string }[];
    expect(items.map(({ address, state }) => `${address} ${state}`).toSorted()).toEqual([
      'ada@example.org submitted',
      'bob@example.net submitted',
    ]);
    expect((await run(['campaign', 'recipients', 'Faulty', '--state', 'rejected'])).stdout).toBe('(none)\n');
    expect(await run(['campaign', 'recipients', 'Faulty', '--state', 'lost'])).toMatchObject({ status: 2 });
  });
});
