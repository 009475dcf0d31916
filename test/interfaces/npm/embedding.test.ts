import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Inbox, startInbox } from '../../../src/infrastructure/inbox/inbox.ts';
import { DomainError, InstanceStopped, type Pennypost } from '../../../src/interfaces/npm/index.ts';
import { TEST_SECRET, urlOf } from '../../support/instance.ts';
import { eventually, startNode } from '../../support/processes.ts';
import { draft, reaches } from './campaigns.ts';
import { type Host, openHost } from './host.ts';

const hosts: Host[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close();
});

async function aHost(...options: Parameters<typeof openHost>): Promise<Host> {
  const host = await openHost(...options);
  hosts.push(host);
  return host;
}

describe('an application that embeds pennypost', () => {
  let inbox: Inbox;
  beforeAll(async () => {
    inbox = await startInbox();
  });
  afterAll(() => inbox.close());
  afterEach(() => inbox.clear());

  const linkIn = async (to: string, path: '/c/' | '/u/'): Promise<string> => {
    const summary = inbox.list().items.find((item) => item.to.includes(to));
    const message = await inbox.get(summary?.id ?? '');
    return message?.links.find((link) => link.url.includes(path))?.url ?? `no ${path} for ${to}`;
  };

  it('goes from a file of people over SMTP and a click to the report, in its own process', async () => {
    const { pennypost } = await aHost({ smtp: inbox.url, publicUrl: 'https://example.com/mail/' });
    const { projectId, campaignId } = await draft(pennypost);
    expect(await pennypost.project(projectId).campaigns.check(campaignId)).toEqual({ problems: [], recipients: 2 });
    await pennypost.start();
    expect((await pennypost.project(projectId).campaigns.launch(campaignId)).recipients).toBe(2);
    await reaches(pennypost, projectId, campaignId, 'submitted');
    expect(
      inbox
        .list()
        .items.map(({ to, subject }) => `${to} ${subject}`)
        .sort(),
    ).toEqual(['ada@example.net Hello Ada', 'bo@example.net Hello Bo']);

    const click = await linkIn('ada@example.net', '/c/');
    expect(click).toMatch(/^https:\/\/example\.com\/mail\/c\//);
    const redirect = await pennypost.fetch(new Request(click));
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'https://example.com/offer']);
    const leave = await linkIn('bo@example.net', '/u/');
    const left = await pennypost.fetch(new Request(leave, { method: 'POST', body: 'List-Unsubscribe=One-Click' }));
    expect(left.status).toBe(200);

    const report = await pennypost.project(projectId).campaigns.report(campaignId);
    expect(report).toMatchObject({
      recipients: 2,
      states: { submitted: 2, pending: 0 },
      clicked: { unique: 1, total: 1 },
      unsubscribed: 1,
    });
  });

  it('may only enqueue, and leave the work to another process', async () => {
    const { pennypost, another } = await aHost({ smtp: inbox.url, lanes: [] });
    await pennypost.start();
    const { projectId, campaignId } = await draft(pennypost);
    await pennypost.project(projectId).campaigns.launch(campaignId);
    expect((await pennypost.status.get()).workers).toEqual([]);
    const worker = await another({ smtp: inbox.url, lanes: ['bulk'] });
    await worker.start();
    await reaches(pennypost, projectId, campaignId, 'submitted');
    expect((await pennypost.status.get()).workers.map(({ lanes }) => lanes)).toEqual([['bulk']]);
    expect(inbox.recipients()).toBe(2);
  });

  it('may hold two instances, which know nothing of each other', async () => {
    const [one, two] = [await aHost({ smtp: inbox.url }), await aHost()];
    await Promise.all([one.pennypost.start(), two.pennypost.start()]);
    const [first, second] = [await draft(one.pennypost), await draft(two.pennypost)];
    await two.pennypost.project(second.projectId).campaigns.launch(second.campaignId);
    await reaches(two.pennypost, second.projectId, second.campaignId, 'submitted');
    expect([two.pennypost.inbox?.received(), inbox.received()]).toEqual([2, 0]);
    await expect(one.pennypost.project(second.projectId).campaigns.get(second.campaignId)).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await two.pennypost.stop();
    await one.pennypost.project(first.projectId).campaigns.launch(first.campaignId);
    await reaches(one.pennypost, first.projectId, first.campaignId, 'submitted');
    expect(inbox.recipients()).toBe(2);
  });

  it('sends one message at once, and looks at it in the development inbox', async () => {
    const { pennypost } = await aHost();
    await pennypost.start();
    await pennypost.start();
    expect((await pennypost.status.get()).workers).toHaveLength(1);
    const { id } = await pennypost.projects.create({
      name: 'Shop',
      senderDomain: 'shop.example.com',
      postalAddress: 'Road 1',
    });
    const message = await pennypost.project(id).messages.send({
      to: 'ada@example.net',
      content: {
        kind: 'text',
        subject: 'Your code',
        source: '{{ code }}',
        author: { address: 'shop@shop.example.com' },
      },
      variables: { code: '4711' },
    });
    await eventually('the message', () => pennypost.inbox?.received() === 1);
    await eventually('its state', async () => (await pennypost.project(id).messages.get(message.id)).state === 'submitted');
    const [summary] = pennypost.inbox?.list({}).items ?? [];
    expect(await pennypost.inbox?.get(summary?.id ?? '')).toMatchObject({ subject: 'Your code', text: '4711\n' });
  });
});

describe('stopping', () => {
  it('refuses verbs, requests and another start afterwards, and may be asked twice', async () => {
    const { pennypost } = await aHost({ logLevel: 'silent' });
    await pennypost.start();
    await Promise.all([pennypost.stop(), pennypost.stop()]);
    await pennypost.stop();
    const refused = { code: 'instance.stopped', kind: 'unavailable' };
    await expect(pennypost.status.get()).rejects.toMatchObject(refused);
    await expect(pennypost.projects.list({})).rejects.toBeInstanceOf(InstanceStopped);
    await expect(pennypost.start()).rejects.toMatchObject(refused);
    expect(() => pennypost.project('').imports.rejectionsCsv('')).toThrow(InstanceStopped);
    const answer = await pennypost.fetch(new Request('http://host/health/ready'));
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'instance.stopped' }]);
  });

  it('waits for the verbs that are running', async () => {
    const { pennypost } = await aHost();
    const { id } = await pennypost.projects.create({
      name: 'Slow',
      senderDomain: 'slow.example.com',
      postalAddress: 'Road 1',
    });
    const { promise: rest, resolve: go } = Promise.withResolvers<void>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const imported = pennypost.project(id).imports.create(
      (async function* () {
        yield Buffer.from('email\nada@example.net\n');
        ask();
        await rest;
        yield Buffer.from('bo@example.net\n');
      })(),
      { lists: [] },
    );
    await asked;
    let ended = false;
    const stopped = pennypost.stop().then(() => {
      ended = true;
    });
    await eventually('verbs to be refused', () =>
      pennypost.status.get().then(
        () => false,
        (error: unknown) => error instanceof InstanceStopped,
      ),
    );
    expect(ended).toBe(false);
    go();
    expect((await imported).totals.imported).toBe(2);
    await stopped;
  });

  it('works while start is on its way', async () => {
    const { pennypost } = await aHost();
    const started = pennypost.start();
    await pennypost.stop();
    await started;
    await expect(pennypost.status.get()).rejects.toBeInstanceOf(InstanceStopped);
  });

  it('leaves nothing that keeps the process alive', async () => {
    const host = await aHost();
    const child = startNode('test/interfaces/npm/host-process.ts', [urlOf(host.database.connection), TEST_SECRET]);
    expect(await child.ended, child.errors()).toBe(0);
    expect(JSON.parse(child.lines.at(-1) ?? '')).toEqual({ received: 2, submitted: 2, status: 200 });
  });
});

describe('the options', () => {
  const fault = async (options: object): Promise<unknown> => {
    const { createPennypost } = await import('../../../src/interfaces/npm/index.ts');
    return createPennypost(options).then(
      async (pennypost: Pennypost) => {
        await pennypost.stop();
        return 'accepted';
      },
      (error: unknown) => (error instanceof DomainError ? `${error.code} ${error.pointer}: ${error.message}` : error),
    );
  };

  it.each([
    [{ databse: 'x' }, /^input\.invalid \/databse: createPennypost has no option databse\. It has database, dataDir/],
    [{ database: 'postgresql://u:secret@localhost' }, /\/secretKey: .* `secretKey` is required/],
    [{ database: 'mysql://u:hidden@localhost/x', secretKey: 'a'.repeat(64) }, /must look like postgresql:\/\//],
    [{ database: 5 }, /^input\.invalid \/database: createPennypost: database must be a URL/],
    [{ database: 'postgresql://localhost/x', secretKey: 'hidden' }, /^\S+secret_key\S* /],
    [{ smtp: 'mail.example.com' }, /^input\.invalid \/smtp: createPennypost: smtp must be like smtp:\/\//],
    [{ publicUrl: 'example.com' }, /^input\.invalid \/publicUrl: .* must be like https:\/\//],
    [{ lanes: ['bulk', 'fast'] }, /^input\.invalid \/lanes\/1: createPennypost: lanes\.1 is wrong: /],
    [{ maxConnections: 0 }, /^input\.invalid \/maxConnections: /],
    [{ recipientData: new Map() }, /^input\.invalid \/recipientData: .* must be a function/],
    [{ log: { info: () => undefined } }, /^input\.invalid \/log: .* info, warn and error/],
  ])('say what is wrong with %o, and keep secrets to themselves', async (options, message) => {
    const said = await fault(options);
    expect(said).toMatch(message);
    expect(said).not.toMatch(/hidden|secret@/);
  });

  it('name a database that does not answer', async () => {
    const database = { url: 'postgresql://nobody@127.0.0.1:1/nothing' };
    expect(await fault({ database, secretKey: 'ab'.repeat(32) })).toMatch(/^database\.unavailable undefined: .*127\.0\.0\.1:1/);
  });

  it('refuse a secret key that the database was not set up with', async () => {
    const { database } = await aHost();
    expect(await fault({ database: urlOf(database.connection), secretKey: 'ab'.repeat(32) })).toMatch(/^config\.|^access\.|key/);
  });

  it('may bring a log of the host’s own', async () => {
    const lines: string[] = [];
    const note = (level: string) => (facts: object, message: string) =>
      void lines.push(`${level} ${message} ${JSON.stringify(facts)}`);
    const { pennypost } = await aHost({ log: { info: note('info'), warn: note('warn'), error: note('error') } });
    await pennypost.stop();
    await pennypost.fetch(new Request('http://host/health/ready'));
    expect(lines.filter((line) => line.startsWith('error a request failed'))).toHaveLength(1);
  });
});
