import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { type Answer, type Call, callsOf, createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

let instance: Instance;
let tenant: Tenant;
let server: Listening;
let call: Call;

beforeAll(async () => {
  instance = await openInstance();
  tenant = await createTenant(instance);
  call = callsOf(instance, tenant);
  server = await listen(instance.app, { port: 0 });
});
afterAll(async () => {
  await server.close(0);
  await instance.close();
});

describe('an API key made over HTTP', () => {
  it('is shown once, works, and stops when it is revoked', async () => {
    const made = await call('POST', '/v1/keys', { name: 'reader', scopes: ['audience.read'] });
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'reader', secret: expect.stringMatching(/^pp_/), requestsPerSecond: 50 },
    });
    const { id, secret } = made.body as { id: string; secret: string };

    const listed = JSON.stringify((await call('GET', '/v1/keys')).body);
    expect(listed).toContain(id);
    expect(listed).not.toMatch(/secret|hash/i);

    const headers = { authorization: `Bearer ${secret}` };
    expect((await instance.app.request('/v1/lists', { headers })).status).toBe(200);
    expect(await call('POST', `/v1/keys/${id}/revoke`)).toMatchObject({ status: 200, body: { revokedAt: expect.any(String) } });
    expect((await instance.app.request('/v1/lists', { headers })).status).toBe(401);
  });

  it('may not outlive its expiry by being made with one in the past', async () => {
    expect(await call('POST', '/v1/keys', { name: 'x', scopes: ['admin'], expiresAt: '2020-01-01T00:00:00Z' })).toMatchObject({
      status: 422,
      body: { pointer: '/expiresAt' },
    });
  });
});

describe('a time in a request', () => {
  const madeWith = async (expiresAt: string) => {
    const { status, body } = await call('POST', '/v1/keys', { name: 'x', scopes: ['report.read'], expiresAt });
    return [status, body.expiresAt ?? body.detail];
  };

  it('is what the command line takes: with an offset, with a zone, or in the zone of the project', async () => {
    await call('PATCH', '/v1/project', { timeZone: 'America/New_York' });
    expect(await madeWith('2090-07-01T09:00:00+02:00')).toEqual([201, '2090-07-01T07:00:00.000Z']);
    expect(await madeWith('2090-07-01 09:00')).toEqual([201, '2090-07-01T13:00:00.000Z']);
    expect(await madeWith('2090-07-01 09:00 Europe/Berlin')).toEqual([201, '2090-07-01T07:00:00.000Z']);
    expect(await madeWith('2090-07-01')).toEqual([201, '2090-07-01T04:00:00.000Z']);
    await call('PATCH', '/v1/project', { timeZone: 'UTC' });
  });

  it('that is none is explained as on the command line', async () => {
    expect(await madeWith('next week')).toEqual([422, expect.stringMatching(/^"next week" is not a time\. Write it like 2026-/)]);
    expect(await madeWith('2090-02-30')).toEqual([422, expect.stringContaining('there is no such day')]);
    expect(await madeWith('2090-07-01 09:00 Mars/Olympus')).toEqual([
      422,
      expect.stringContaining('"Mars/Olympus" is not a time zone'),
    ]);
  });
});

describe('the settings of a project', () => {
  it('are shown and changed, for its administrator', async () => {
    expect(await call('GET', '/v1/project')).toMatchObject({ status: 200, body: { id: tenant.projectId, timeZone: 'UTC' } });
    const changed = await call('PATCH', '/v1/project', {
      timeZone: 'Europe/Berlin',
      authorDomains: ['Example.com', 'other.example'],
    });
    expect(changed).toMatchObject({
      status: 200,
      body: { timeZone: 'Europe/Berlin', authorDomains: ['example.com', 'other.example'], slug: expect.any(String) },
    });
    expect((await call('GET', '/v1/project')).body).toEqual(changed.body);
    expect(await call('PATCH', '/v1/project', { authorDomains: ['no domain'] })).toMatchObject({
      status: 422,
      body: { pointer: '/authorDomains/0' },
    });
    expect(await call('GET', '/v1/project', undefined, await tenant.keyWith('campaign.write'))).toMatchObject({ status: 403 });
    await call('PATCH', '/v1/project', { timeZone: 'UTC' });
  });
});

describe('a subscriber', () => {
  it('is made once, found by address, changed in part, put on a list and taken off', async () => {
    const { body: list } = await call('POST', '/v1/lists', { name: 'News' });
    const first = await call('POST', '/v1/subscribers', {
      email: 'Ada@Example.com',
      attributes: { first_name: 'Ada', plan: 'a' },
    });
    const again = await call('POST', '/v1/subscribers', { email: 'ada@example.com', attributes: { plan: null } });
    expect([first.body.created, again.body.created, again.body.id === first.body.id]).toEqual([true, false, true]);
    expect(again.body).toMatchObject({ email: 'Ada@example.com', attributes: { first_name: 'Ada' }, locale: null });

    const at = `/v1/lists/${list.id}/subscribers/${first.body.id}`;
    expect(await call('PUT', at)).toMatchObject({ status: 200, body: { state: 'confirmed' } });
    expect((await call('GET', `/v1/lists/${list.id}`)).body).toMatchObject({ subscribers: { confirmed: 1 } });
    expect((await call('GET', `/v1/subscribers?listId=${list.id}&state=confirmed`)).body).toMatchObject({
      items: [{ id: first.body.id }],
    });
    expect((await call('DELETE', at)).status).toBe(204);
    expect((await call('GET', `/v1/subscribers/${first.body.id}`)).body).toMatchObject({
      subscriptions: [{ listId: list.id, state: 'unsubscribed' }],
    });
    expect(await call('PUT', at)).toMatchObject({ status: 409, body: { code: 'subscription.refused' } });
    expect(await call('PUT', at, { consent: { source: 'phone call' } })).toMatchObject({
      status: 200,
      body: { state: 'confirmed' },
    });
    expect((await call('GET', `/v1/subscribers/${first.body.id}/consents`)).body).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ source: 'phone call', action: 'subscribe', listIds: [list.id] })]),
    });
  });

  it('is made and joins lists in one call, or neither', async () => {
    const { body: news } = await call('POST', '/v1/lists', { name: 'Joined news' });
    const { body: offers } = await call('POST', '/v1/lists', { name: 'Joined offers', doubleOptIn: true });
    const lists = [news.id, offers.id];
    const consent = { source: 'signup form', text: 'Yes, send me news.', ip: '192.0.2.7' };
    const joined = await call('POST', '/v1/subscribers', { email: 'joins@example.com', lists, consent });
    const states = (answer: Answer) =>
      Object.fromEntries(
        (answer.body.subscriptions as { listId: string; state: string }[]).map((one) => [one.listId, one.state]),
      );
    expect(joined).toMatchObject({ status: 200, body: { created: true } });
    expect(states(joined)).toEqual({ [`${news.id}`]: 'confirmed', [`${offers.id}`]: 'unconfirmed' });
    const confirmed = await call('POST', '/v1/subscribers', { email: 'joins@example.com', lists, consent, confirmed: true });
    expect(confirmed.body.created).toBe(false);
    expect(states(confirmed)[`${offers.id}`]).toBe('confirmed');
    expect((await call('GET', `/v1/subscribers/${joined.body.id}/consents`)).body).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ ...consent, listIds: [offers.id], action: 'subscribe' })]),
    });

    await call('POST', `/v1/lists/${offers.id}/archive`);
    const wish = { email: 'nobody-yet@example.com', lists };
    expect(await call('POST', '/v1/subscribers', wish)).toMatchObject({ status: 409, body: { code: 'list.archived' } });
    expect((await call('GET', '/v1/subscribers?text=nobody-yet@')).body).toMatchObject({ items: [] });
  });

  it.each<[Record<string, unknown>, string]>([
    [{ consent: { source: 'form' } }, '/lists'],
    [{ confirmed: true, lists: [] }, '/lists'],
    [{ lists: ['nonsense'] }, '/lists/0'],
    [{ consent: { source: '' }, lists: 'own' }, '/consent/source'],
    [{ consent: { source: 'form', at: '2999-01-01T00:00:00Z' }, lists: 'own' }, '/consent/at'],
    [{ confirmed: true, lists: 'own' }, '/consent'],
  ])('joins no list with %j', async (joining, pointer) => {
    const lists = joining.lists === 'own' ? [await tenant.make('list')] : joining.lists;
    const answer = await call('POST', '/v1/subscribers', { email: 'joining@example.com', ...joining, lists });
    expect(answer).toMatchObject({ status: 422, body: { code: 'input.invalid', pointer } });
    expect((await call('GET', '/v1/subscribers?text=joining@example.com')).body).toMatchObject({ items: [] });
  });

  it('is erased for good, and nothing of the address is left in any answer', async () => {
    const { body } = await call('POST', '/v1/subscribers', { email: 'forget@example.com' });
    expect((await call('DELETE', `/v1/subscribers/${body.id}`)).status).toBe(204);
    const after = await call('GET', `/v1/subscribers/${body.id}`);
    expect(after.body).toMatchObject({ status: 'erased', email: null });
    expect(JSON.stringify([after.body, (await call('GET', '/v1/suppressions')).body])).not.toContain('forget@');
    expect(await call('POST', '/v1/subscribers', { email: 'forget@example.com' })).toMatchObject({
      status: 409,
      body: { code: 'subscriber.erased' },
    });
  });

  it.each([
    [{ email: 'nonsense' }, '/email'],
    [{ email: 'a@example.com', locale: 'not a language' }, '/locale'],
    [{ email: 'a@example.com', attributes: { a: 'x'.repeat(70_000) } }, '/attributes'],
    [{ email: 'a@example.com', attributes: [] }, '/attributes'],
  ])('is refused where %j is wrong', async (body, pointer) => {
    expect(await call('POST', '/v1/subscribers', body)).toMatchObject({ status: 422, body: { code: 'input.invalid', pointer } });
  });

  it('with attributes of ten megabytes is refused by size', async () => {
    expect(
      (await call('POST', '/v1/subscribers', { email: 'a@example.com', attributes: { a: 'x'.repeat(10_000_000) } })).status,
    ).toBe(413);
  });
});

describe('a listing', () => {
  it('gives every object once, in pages, whatever is added meanwhile', async () => {
    const other = await createTenant(instance);
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await other.make('list'));
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const query = new URLSearchParams({ limit: '2', ...(next !== undefined && { cursor: next }) });
      const response = await instance.app.request(`/v1/lists?${query}`, { headers: other.headers });
      const page = (await response.json()) as { items: { id: string }[]; next?: string };
      seen.push(...page.items.map((item) => item.id));
      next = page.next;
    } while (next !== undefined);
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });
});

describe('an import over a real connection', () => {
  const post = (query: string, body: ReadableStream | string, type = 'text/csv') =>
    fetch(`${server.url}/v1/imports?${query}`, {
      method: 'POST',
      headers: { ...tenant.headers, 'content-type': type },
      body,
      duplex: 'half',
    } as RequestInit);

  it('reads a stream without a length, and its bad rows come back as a file', async () => {
    const list = await tenant.make('list');
    const rows = 20_000;
    const body = ReadableStream.from(
      (function* () {
        const encoder = new TextEncoder();
        yield encoder.encode('E-Mail;Vorname\n');
        for (let index = 0; index < rows; index++) yield encoder.encode(`person${index}@example.com;Name ${index}\n`);
        yield encoder.encode('=cmd|nonsense;x\nperson1@example.com;Twice\n');
      })(),
    );
    const response = await post(`lists=${list}&fileName=people.csv`, body);
    expect(response.status).toBe(200);
    const imported = (await response.json()) as { id: string; totals: Record<string, number> };
    expect(imported).toMatchObject({
      state: 'done',
      fileName: 'people.csv',
      listIds: [list],
      totals: { rows: rows + 2, imported: rows, duplicates: 1, rejected: 1, protected: 0 },
    });
    const file = await fetch(`${server.url}/v1/imports/${imported.id}/rejections.csv`, { headers: tenant.headers });
    expect(file.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(file.headers.get('content-disposition')).toContain('attachment');
    expect(await file.text()).toMatch(/nonsense/);
    expect((await call('GET', `/v1/imports/${imported.id}/rejections`)).body).toMatchObject({ items: [{ line: rows + 2 }] });
  });

  it('takes the encoding and the delimiter that the type states', async () => {
    const bytes = ReadableStream.from([Buffer.from('email\tcity\na@example.com\tSaint-\xc9tienne, Loire\n', 'latin1')]);
    const imported = await post('dryRun=true', bytes, 'text/tab-separated-values; charset=windows-1252');
    expect(await imported.json()).toMatchObject({ encoding: 'windows-1252', warnings: [], columns: ['email', 'city'] });
  });

  it('of JSON Lines, as a dry run, changes nobody', async () => {
    const response = await post('dryRun=true', '{"email":"dry@example.com"}\n', 'application/x-ndjson');
    expect(await response.json()).toMatchObject({ state: 'done', dryRun: true, totals: { rows: 1, imported: 1 } });
    expect((await call('GET', '/v1/subscribers?text=dry@')).body).toMatchObject({ items: [] });
  });

  it.each([
    ['', 'no header here', 422, 'import.unreadable'],
    ['map=nonsense', 'email\na@example.com\n', 422, 'input.invalid'],
    ['map=%7B%22email%22%3A1%7D', 'email\na@example.com\n', 422, 'input.invalid'],
    ['consentText=yes', 'email\na@example.com\n', 422, 'input.invalid'],
    ['lists=nonsense', 'email\na@example.com\n', 422, 'input.invalid'],
    ['lists=0193a1b2-0000-7000-8000-0000000000ff', 'email\na@example.com\n', 404, 'resource.not_found'],
  ])('with %j and the file %j is refused with %i', async (query, body, status, code) => {
    const response = await post(query, body);
    expect({ status: response.status, body: await response.json() }).toMatchObject({ status, body: { code } });
  });
});

describe('a suppression over HTTP', () => {
  it('of a list is found however its id is written', async () => {
    const list = await tenant.make('list');
    const scope = `list:${list.toUpperCase()}`;
    expect((await call('POST', '/v1/suppressions', { email: 'shout@example.com', scope })).status).toBe(200);
    expect((await call('GET', `/v1/suppressions?scope=${scope}`)).body).toMatchObject({ items: [{ scope: `list:${list}` }] });
  });
});

describe('a time that no database or calendar holds', () => {
  it.each([
    '9999-12-31T23:59:59-23:59',
    '0000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:00:00',
    '+010000-01-01T00:00:00Z',
  ])('%s is refused', async (expiresAt) => {
    expect(await call('POST', '/v1/keys', { name: 'x', scopes: ['admin'], expiresAt })).toMatchObject({
      status: 422,
      body: { pointer: '/expiresAt' },
    });
  });

  it.each(['from=0000-01-01', 'from=9999-12-31', 'to=2026-02-30', 'from=0001-01-01&to=9998-12-31'])(
    'so is the series of %s',
    async (query) => {
      expect(await call('GET', `/v1/project/daily?${query}`)).toMatchObject({ status: 422, body: { code: 'input.invalid' } });
    },
  );
});

describe('the state of the instance', () => {
  it('is for administrators', async () => {
    expect((await call('GET', '/v1/status')).body).toMatchObject({
      lanes: expect.arrayContaining([expect.objectContaining({ lane: 'bulk' })]),
      workers: [],
    });
  });

  it('is ready while the database answers', async () => {
    expect(await (await instance.app.request('/health/ready')).json()).toEqual({ status: 'ready' });
  });

  it('was never a fault of ours in all of this', () => {
    expect(instance.reported).toEqual([]);
  });
});

describe('a campaign', () => {
  it('has a slug, by which and by whose name it is listed, and is deleted as a draft only', async () => {
    const { senderDomain } = (await call('GET', '/v1/project')).body as { senderDomain: string };
    const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: `a@${senderDomain}` } };
    const list = await call('POST', '/v1/lists', { name: 'Twins' });
    const { id: listId } = list.body as { id: string };
    const wish = { name: 'Twin', content, audience: { include: [{ list: listId }] } };
    const [first, second] = [await call('POST', '/v1/campaigns', wish), await call('POST', '/v1/campaigns', wish)];
    expect([first, second]).toMatchObject([{ body: { slug: 'twin' } }, { body: { slug: 'twin-2' } }]);
    expect(await call('POST', '/v1/campaigns', { ...wish, slug: 'twin' })).toMatchObject({
      status: 409,
      body: { code: 'campaign.slug_taken' },
    });
    const { id } = second.body as { id: string };
    const slugs = async (query: string) =>
      ((await call('GET', `/v1/campaigns?${query}`)).body as { items: { slug: string }[] }).items.map(({ slug }) => slug);
    expect(await slugs('name=Twin')).toEqual(['twin-2', 'twin']);
    expect(await slugs('slug=twin-2')).toEqual(['twin-2']);
    expect(await call('PATCH', `/v1/campaigns/${id}`, { slug: 'other' })).toMatchObject({ status: 422 });
    await call('POST', `/v1/campaigns/${id}/schedule`, { at: '2199-01-01T08:00:00Z' });
    expect(await call('DELETE', `/v1/campaigns/${id}`)).toMatchObject({ status: 409 });
    await call('POST', `/v1/campaigns/${id}/unschedule`);
    expect(await call('DELETE', `/v1/campaigns/${id}`)).toMatchObject({ status: 204 });
    expect(await call('GET', `/v1/campaigns/${id}`)).toMatchObject({ status: 404 });
  });
});

describe('an address', () => {
  it('is taken with the name before it wherever one is given, and kept without', async () => {
    const named = 'Ada Lee <Ada.Lee@example.com>';
    const { senderDomain } = (await call('GET', '/v1/project')).body as { senderDomain: string };
    const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: `Shop <a@${senderDomain}>` } };
    expect(await call('POST', '/v1/subscribers', { email: named })).toMatchObject({ body: { email: 'Ada.Lee@example.com' } });
    expect(await call('POST', '/v1/messages', { to: named, content })).toMatchObject({
      status: 202,
      body: { recipients: [{ name: 'Ada Lee', address: 'Ada.Lee@example.com' }] },
    });
    const draft = await call('POST', '/v1/campaigns', { name: 'Named', content, audience: { include: [] } });
    expect(draft).toMatchObject({ body: { content: { author: { name: 'Shop', address: `a@${senderDomain}` } } } });
    const { id } = draft.body as { id: string };
    expect(await call('POST', `/v1/campaigns/${id}/test`, { to: [named] })).toMatchObject({
      body: { messages: [{ recipients: [{ address: 'Ada.Lee@example.com' }] }] },
    });
    expect(await call('POST', '/v1/suppressions', { email: named })).toMatchObject({
      body: { items: [{ emailKey: 'ada.lee@example.com' }] },
    });
    expect(await call('POST', '/v1/messages', { to: 'Ada <a@b.example>, Bob <b@b.example>', content })).toMatchObject({
      status: 422,
    });
  });
});
