import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { createHttpApp } from '../../../src/interfaces/http/app.ts';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { openTestInstance, type TestInstance } from '../../support/instance.ts';
import { eventually } from '../../support/processes.ts';

const PEOPLE = 700;
const LIMIT = 100_000;
const REPLY = '550 5.1.1 no such user, "really"';
/** What a server could say to have it run in somebody's spreadsheet. */
const EVIL = '=HYPERLINK("https://evil.example")';

interface Row {
  subscriberId: string;
  address?: string | null;
}

let instance: TestInstance;
let server: Listening;
let projectId: string;
let headers: Readonly<Record<string, string>>;
const reported: unknown[] = [];

beforeAll(async () => {
  const transport = new MemoryTransport({
    answer: ({ envelope }) =>
      /^person(1|2)@/.test(envelope.to)
        ? {
            outcome: 'rejected',
            code: 550,
            enhancedCode: '5.1.1',
            reply: envelope.to.startsWith('person1@') ? REPLY : EVIL,
            fault: 'recipient',
          }
        : { outcome: 'submitted', code: 250, enhancedCode: '2.0.0', reply: '250 Ok', fault: 'none' },
  });
  instance = await openTestInstance({ works: true, transport });
  const project = await instance.application.projects.create({
    name: 'Files',
    senderDomain: 'news.example.com',
    postalAddress: '1 Road, Town',
  });
  projectId = project.id;
  headers = await keyWith('admin');
  const app = createHttpApp(instance.application, {
    maxUploadBytes: LIMIT,
    report: (error) => reported.push(error),
    monotonic: () => 0,
  });
  server = await listen(app, { port: 0 });
});
afterAll(async () => {
  await server.close(0);
  await instance.close();
});

async function keyWith(...scopes: string[]) {
  const { secret } = await instance.application.keys.create(projectId, { name: 'test', scopes, requestsPerSecond: 1000 });
  return { authorization: `Bearer ${secret}` };
}

const get = (path: string) => fetch(`${server.url}${path}`, { headers });
const cellsOf = (line: string) => [...line.matchAll(/"((?:[^"]|"")*)"/g)].map((cell) => cell[1]!.replaceAll('""', '"'));

describe('the recipients of a campaign as a file', () => {
  let campaignId: string;

  beforeAll(async () => {
    const { application } = instance;
    const workers = instance.get(tokens.workers);
    const { id: list } = await application.lists.create(projectId, { name: 'News' });
    const rows = Array.from({ length: PEOPLE }, (_, index) => `person${index + 1}@example.com`);
    const file = Buffer.from(`email\n${rows.join('\n')}\n`);
    await application.imports.create(
      projectId,
      (async function* () {
        yield file;
      })(),
      { lists: [list] },
    );
    const campaign = await application.campaigns.create(projectId, {
      name: 'News',
      audience: { include: [{ list: list }] },
      content: { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'news@news.example.com' } },
    });
    campaignId = campaign.id;
    await application.campaigns.launch(projectId, campaignId);
    await workers.start(['bulk', 'background']);
    await eventually(
      'everybody to have a row',
      async () => (await application.campaigns.report(projectId, campaignId)).states.pending === 0,
    );
    await workers.stop();
  });

  it('holds everybody once, over all pages, with what became of them', async () => {
    const response = await get(`/v1/campaigns/${campaignId}/recipients.csv`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="recipients-${campaignId}.csv"`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const [head, ...lines] = (await response.text()).trimEnd().split('\r\n');
    expect(cellsOf(head!).slice(0, 3)).toEqual(['subscriber_id', 'email', 'state']);
    const rows = lines.map(cellsOf);
    expect(new Set(rows.map((row) => row[1])).size).toBe(PEOPLE);
    expect(rows).toHaveLength(PEOPLE);
    expect(rows.filter((row) => row[2] === 'submitted')).toHaveLength(PEOPLE - 2);
    expect(rows.find((row) => row[1] === 'person1@example.com')).toEqual(expect.arrayContaining(['rejected', '550', REPLY]));
  });

  it('holds nothing that a spreadsheet would run', async () => {
    const text = await (await get(`/v1/campaigns/${campaignId}/recipients.csv?state=rejected`)).text();
    const rows = text.trimEnd().split('\r\n').slice(1).map(cellsOf);
    expect(rows.map((row) => row[1]).sort()).toEqual(['person1@example.com', 'person2@example.com']);
    expect(rows.flat()).toContain(`'${EVIL}`);
    expect(rows.flat().filter((cell) => /^[=+\-@]/.test(cell))).toEqual([]);
  });

  it('has no address for somebody who was erased since', async () => {
    const { application } = instance;
    const person = await application.subscribers.get(projectId, 'person3@example.com');
    await application.subscribers.erase(projectId, person!.id);
    const text = await (await get(`/v1/campaigns/${campaignId}/recipients.csv`)).text();
    expect(text).not.toContain('person3@');
    expect(cellsOf(text.split('\r\n').find((line) => line.includes(person!.id))!)[1]).toBe('');
  });

  it('has the addresses as JSON too, null for who was erased since', async () => {
    const { application } = instance;
    const rejected = (await (await get(`/v1/campaigns/${campaignId}/recipients?state=rejected`)).json()) as { items: Row[] };
    expect(rejected.items.map(({ address }) => address).sort()).toEqual(['person1@example.com', 'person2@example.com']);
    const person = await application.subscribers.get(projectId, 'person4@example.com');
    await application.subscribers.erase(projectId, person!.id);
    const items: Row[] = [];
    for (let cursor = ''; ; ) {
      const page = await get(`/v1/campaigns/${campaignId}/recipients?limit=500${cursor}`);
      const body = (await page.json()) as { items: Row[]; next?: string };
      items.push(...body.items);
      if (body.next === undefined) break;
      cursor = `&cursor=${body.next}`;
    }
    expect(items).toHaveLength(PEOPLE);
    expect(items.find(({ subscriberId }) => subscriberId === person!.id)).toMatchObject({ address: null, state: 'submitted' });
    expect(items.every((row) => 'address' in row)).toBe(true);
  });

  it('is not for a key that may read reports but no people, nor are the addresses in JSON', async () => {
    const path = `${server.url}/v1/campaigns/${campaignId}/recipients`;
    const reader = await keyWith('report.read');
    const response = await fetch(path, { headers: reader });
    expect(response.status).toBe(200);
    const { items } = (await response.json()) as { items: Row[] };
    expect(items.length).toBeGreaterThan(0);
    expect(items.some((row) => 'address' in row)).toBe(false);
    expect((await fetch(`${path}.csv`, { headers: reader })).status).toBe(403);
  });
});

describe('the subscribers as a file', () => {
  it('holds everybody once over all pages, with their subscriptions, and wants audience.read', async () => {
    const response = await get('/v1/subscribers.csv');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="subscribers.csv"');
    const [head, ...lines] = (await response.text()).trimEnd().split('\r\n');
    expect(cellsOf(head!).slice(0, 6)).toEqual(['id', 'email', 'status', 'locale', 'time_zone', 'subscriptions']);
    const rows = lines.map(cellsOf);
    // Two were erased above.
    expect(rows).toHaveLength(PEOPLE - 2);
    expect(new Set(rows.map((row) => row[1])).size).toBe(PEOPLE - 2);
    expect(new Set(rows.map((row) => row[5]))).toEqual(new Set(['news=confirmed']));

    const refused = await fetch(`${server.url}/v1/subscribers.csv`, { headers: await keyWith('report.read') });
    expect(refused.status).toBe(403);
    expect((await get('/v1/subscribers.csv?listId=0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')).status).toBe(404);
  });
});

describe('a request without a body that names a type all the same', () => {
  it('has no body', async () => {
    const campaign = await instance.application.campaigns.create(projectId, {
      name: 'x',
      audience: { include: [] },
      content: { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: 'news@news.example.com' } },
    });
    const response = await fetch(`${server.url}/v1/campaigns/${campaign.id}/preview`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
    });
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ subject: 'Hello' })]);
  });
});

describe('an upload', () => {
  const imports = async () =>
    ((await (await get('/v1/imports?limit=1')).json()) as { items: { id: string; state: string; failure: string | null }[] })
      .items[0];
  const head = () =>
    `POST /v1/imports?fileName=people.csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${headers.authorization}\r\nContent-Type: text/csv\r\n`;

  it('that breaks off is a failed import which says so, and changed nobody', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const before = (await imports())?.id;
    socket.write(`${head()}Content-Length: 90000\r\n\r\nemail\nbroken@example.com\n${'x'.repeat(70_000)}`);
    await eventually('the import to run', async () => (await imports())?.id !== before);
    socket.destroy();
    await eventually('the import to fail', async () => (await imports())?.state === 'failed');
    expect((await imports())?.failure).toContain('The body ended before its end');
    expect(await (await get('/v1/subscribers?text=broken@example.com')).json()).toEqual({ items: [] });
    expect(reported).toEqual([]);
  });

  it('that is too large, and did not say so, is a failed import which tells the limit', async () => {
    const response = await fetch(`${server.url}/v1/imports`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'Text/CSV; charset=utf-8' },
      body: ReadableStream.from(
        (function* () {
          const row = new TextEncoder().encode(`large@example.com,${'x'.repeat(1_000)}\n`);
          yield new TextEncoder().encode('email,note\n');
          for (let sent = 0; sent < LIMIT * 2; sent += row.byteLength) yield row;
        })(),
      ),
      duplex: 'half',
    } as RequestInit);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([413, 'request.too_large']);
    expect(await imports()).toMatchObject({ state: 'failed', failure: expect.stringContaining(`${LIMIT} bytes`) });
  });

  it('of which nothing could be read is one as well', async () => {
    const response = await fetch(`${server.url}/v1/imports`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'text/csv' },
      body: '',
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([422, 'import.unreadable']);
    expect(await imports()).toMatchObject({ state: 'failed', failure: 'The file is empty.' });
  });
});
