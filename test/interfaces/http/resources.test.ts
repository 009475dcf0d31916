import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

let instance: Instance;
let tenant: Tenant;
let server: Listening;

beforeAll(async () => {
  instance = await openInstance();
  tenant = await createTenant(instance);
  server = await listen(instance.app, { port: 0 });
});
afterAll(async () => {
  await server.close(0);
  await instance.close();
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await instance.app.request(path, {
    method,
    headers: { ...tenant.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const content = {
  kind: 'html',
  subject: 'Hello {{ first_name }}',
  source: '<p>Hello {{ first_name }}</p>',
  author: { address: 'news@tenant.example' },
  defaults: { first_name: 'friend' },
};

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

describe('a campaign over HTTP', () => {
  async function campaignFor(addresses: readonly string[]) {
    const list = await tenant.make('list');
    for (const email of addresses) {
      const { body } = await call('POST', '/v1/subscribers', { email });
      await call('PUT', `/v1/lists/${list}/subscribers/${body.id}`);
    }
    return (await call('POST', '/v1/campaigns', { name: 'November', content, lists: [list] })).body.id as string;
  }

  it('is drafted, checked, previewed, launched once and reported', async () => {
    const id = await campaignFor(['one@example.com', 'two@example.com']);
    expect((await call('GET', `/v1/campaigns/${id}`)).body).toMatchObject({
      state: 'draft',
      launchedAt: null,
      content: { subject: content.subject },
    });
    const { problems } = (await call('GET', `/v1/campaigns/${id}/check`)).body as { problems: { severity: string }[] };
    expect(problems.filter((problem) => problem.severity === 'error')).toEqual([]);
    expect((await call('POST', `/v1/campaigns/${id}/preview`)).body).toMatchObject({ subject: 'Hello friend' });

    expect(await call('POST', `/v1/campaigns/${id}/launch`)).toMatchObject({
      status: 200,
      body: { state: 'sending', audience: 2 },
    });
    expect(await call('POST', `/v1/campaigns/${id}/launch`)).toMatchObject({
      status: 409,
      body: { code: 'campaign.transition_refused' },
    });
    expect(await call('PATCH', `/v1/campaigns/${id}`, { name: 'Late' })).toMatchObject({
      status: 409,
      body: { code: 'campaign.not_editable' },
    });
    expect(await call('POST', `/v1/campaigns/${id}/pause`)).toMatchObject({ status: 200, body: { state: 'paused' } });
    expect(await call('POST', `/v1/campaigns/${id}/resume`)).toMatchObject({ status: 200, body: { state: 'sending' } });

    expect((await call('GET', `/v1/reports/campaigns/${id}`)).body).toMatchObject({
      audience: 2,
      states: { pending: 2, submitted: 0 },
      opened: { unique: 0, total: 0 },
    });
    const { days } = (await call('GET', `/v1/reports/campaigns/${id}/daily?from=2026-11-01&to=2026-11-30`)).body as {
      days: unknown[];
    };
    expect(days).toHaveLength(30);
    expect((await call('GET', `/v1/campaigns/${id}/recipients`)).body).toEqual({ items: [] });
    expect(await call('POST', `/v1/campaigns/${id}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    expect((await call('GET', '/v1/campaigns')).body).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ id, subject: content.subject })]),
    });
  });

  it('with a broken template is refused with the line at fault', async () => {
    const id = await campaignFor(['three@example.com']);
    await call('PATCH', `/v1/campaigns/${id}`, { content: { ...content, source: '<p>\n{% if x %}\n</p>' } });
    const answer = await call('POST', `/v1/campaigns/${id}/launch`);
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'content.invalid', problems: [expect.objectContaining({ severity: 'error', line: expect.any(Number) })] },
    });
  });

  it('to nobody is refused', async () => {
    const id = await campaignFor([]);
    expect(await call('POST', `/v1/campaigns/${id}/launch`)).toMatchObject({
      status: 409,
      body: { code: 'campaign.audience_empty' },
    });
  });

  it('is previewed as somebody only with a key that may read people', async () => {
    const id = await campaignFor(['seen@example.com']);
    const { items } = (await call('GET', '/v1/subscribers?text=seen@example.com')).body as { items: { id: string }[] };
    const as = { subscriberId: items[0]!.id };
    const reader = await tenant.keyWith('campaign.read');
    expect((await call('POST', `/v1/campaigns/${id}/preview`, {}, reader)).status).toBe(200);
    expect(await call('POST', `/v1/campaigns/${id}/preview`, as, reader)).toMatchObject({
      status: 403,
      body: { code: 'access.scope_missing' },
    });
    const both = await tenant.keyWith('campaign.read', 'audience.read');
    expect((await call('POST', `/v1/campaigns/${id}/preview`, as, both)).status).toBe(200);
    const sender = await tenant.keyWith('campaign.send');
    expect((await call('POST', `/v1/campaigns/${id}/test`, { to: ['me@example.com'], ...as }, sender)).status).toBe(403);
  });

  it('is scheduled for later only, and can be unscheduled', async () => {
    const id = await campaignFor(['later@example.com']);
    expect(await call('POST', `/v1/campaigns/${id}/schedule`, { at: '2020-01-01T00:00:00Z' })).toMatchObject({
      status: 422,
      body: { pointer: '/at' },
    });
    const at = '2999-01-01T08:00:00+01:00';
    expect(await call('POST', `/v1/campaigns/${id}/schedule`, { at })).toMatchObject({
      status: 200,
      body: { state: 'scheduled', scheduledAt: '2999-01-01T07:00:00.000Z' },
    });
    expect(await call('POST', `/v1/campaigns/${id}/unschedule`)).toMatchObject({ body: { state: 'draft', scheduledAt: null } });
  });

  it('with a reply address that is none is refused where it stands', async () => {
    const answer = await call('POST', '/v1/campaigns', {
      name: 'x',
      lists: [],
      content: { ...content, replyTo: { address: 'nonsense' } },
    });
    expect(answer).toMatchObject({ status: 422, body: { pointer: '/content/replyTo/address' } });
  });

  it('with a header that would forge another is refused where it stands', async () => {
    const answer = await call('POST', '/v1/campaigns', {
      name: 'x',
      lists: [],
      content: { ...content, headers: { 'X-Note': 'a\r\nBcc: e@example.com' } },
    });
    expect(answer).toMatchObject({ status: 422, body: { pointer: '/content/headers/X-Note' } });
  });
});

describe('a transactional message over HTTP', () => {
  const message = { to: 'ada@example.com', content, variables: { first_name: 'Ada' } };

  it('is accepted and can be looked up', async () => {
    const accepted = await call('POST', '/v1/messages', message);
    expect(accepted).toMatchObject({ status: 202, body: { to: 'ada@example.com', state: 'accepted', code: null } });
    expect((await call('GET', `/v1/messages/${accepted.body.id}`)).body).toMatchObject({ id: accepted.body.id, tries: [] });
  });

  it('is one message under one Idempotency-Key, and the key belongs to that request', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/v1/messages', message, key)));
    for (const { status } of answers) expect([202, 409]).toContain(status);
    expect(new Set(answers.filter(({ status }) => status === 202).map(({ body }) => body.id)).size).toBe(1);
    expect((await call('POST', '/v1/messages', message, key)).status).toBe(202);
    expect(await call('POST', '/v1/messages', { ...message, to: 'bob@example.com' }, key)).toMatchObject({
      status: 409,
      body: { code: 'message.idempotency_conflict' },
    });
    expect((await call('POST', '/v1/messages', message, { 'idempotency-key': 'x'.repeat(257) })).status).toBe(422);
  });

  it('needs a template or content', async () => {
    expect(await call('POST', '/v1/messages', { to: 'ada@example.com' })).toMatchObject({ status: 422 });
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
      expect(await call('GET', `/v1/reports/daily?${query}`)).toMatchObject({ status: 422, body: { code: 'input.invalid' } });
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
