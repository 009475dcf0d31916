import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, callsOf, createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

let instance: Instance;
let tenant: Tenant;
let call: Call;

beforeAll(async () => {
  instance = await openInstance();
  tenant = await createTenant(instance);
  call = callsOf(instance, tenant);
});
afterAll(async () => {
  expect(instance.reported).toEqual([]);
  await instance.close();
});

const content = {
  kind: 'html',
  subject: 'Hello {{ first_name }}',
  source: '<p>Hello {{ first_name }}</p>',
  author: { address: 'news@example.com' },
  defaults: { first_name: 'friend' },
};

describe('a campaign over HTTP', () => {
  async function campaignFor(addresses: readonly string[]) {
    const list = await tenant.make('list');
    for (const email of addresses) {
      const { body } = await call('POST', '/v1/subscribers', { email });
      await call('PUT', `/v1/lists/${list}/subscribers/${body.id}`);
    }
    return (await call('POST', '/v1/campaigns', { name: 'November', content, audience: { include: [{ list: list }] } })).body
      .id as string;
  }

  it('whose content takes long to check keeps no other request waiting', async () => {
    const slow = { ...content, source: '<table><tr><td>'.repeat(60) + '<td><br><br>'.repeat(30_000) };
    const id = (await call('POST', '/v1/campaigns', { name: 'Slow', content: slow, audience: { include: [] } })).body
      .id as string;
    let checked = false;
    const checking = call('GET', `/v1/campaigns/${id}/check`).finally(() => {
      checked = true;
    });
    let answered = 0;
    while (!checked) {
      expect(await call('GET', '/v1/lists')).toMatchObject({ status: 200 });
      answered += 1;
    }
    expect(await checking).toMatchObject({ status: 200 });
    // On a blocked event loop these are the few between reading the campaign and reading its content.
    expect(answered).toBeGreaterThan(10);
  });

  it('is made from a stored template, and keeps its content when the template changes', async () => {
    const list = await tenant.make('list');
    const template = (await call('POST', '/v1/templates', { name: 'Monthly', content })).body;
    const made = await call('POST', '/v1/campaigns', {
      name: 'May',
      templateId: template.id,
      audience: { include: [{ list: list }] },
    });
    expect(made).toMatchObject({ status: 201, body: { content: { subject: content.subject, source: content.source } } });
    const letter = { ...content, kind: 'markdown', source: '# May' };
    await call('PATCH', `/v1/templates/${template.id}`, { content: letter });
    expect((await call('GET', `/v1/campaigns/${made.body.id}`)).body.content).toMatchObject({
      kind: 'html',
      source: content.source,
    });
    expect(await call('PATCH', `/v1/campaigns/${made.body.id}`, { templateId: template.id })).toMatchObject({
      status: 200,
      body: { name: 'May', content: { kind: 'markdown', source: '# May', layout: 'default' } },
    });
    for (const given of [{}, { content, templateId: template.id }]) {
      expect(
        await call('POST', '/v1/campaigns', { name: 'June', audience: { include: [{ list: list }] }, ...given }),
      ).toMatchObject({ status: 422 });
    }
    const foreign = await createTenant(instance);
    const strange = await foreign.make('template');
    expect(
      await call('POST', '/v1/campaigns', { name: 'June', templateId: strange, audience: { include: [{ list: list }] } }),
    ).toMatchObject({
      status: 404,
    });
    expect(await call('POST', '/v1/messages', { to: 'a@b.example', content, template: template.slug })).toMatchObject({
      status: 422,
    });
  });

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
      body: { state: 'sending', recipients: 2 },
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

    expect((await call('GET', `/v1/campaigns/${id}/report`)).body).toMatchObject({
      recipients: 2,
      states: { pending: 2, submitted: 0 },
      opened: { unique: 0, total: 0 },
    });
    const { days } = (await call('GET', `/v1/campaigns/${id}/daily?from=2026-11-01&to=2026-11-30`)).body as {
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
      body: {
        code: 'content.invalid',
        problems: expect.arrayContaining([expect.objectContaining({ severity: 'error', line: 2 })]),
      },
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
      audience: { include: [] },
      content: { ...content, replyTo: { address: 'nonsense' } },
    });
    expect(answer).toMatchObject({ status: 422, body: { pointer: '/content/replyTo/address' } });
  });

  it('with a header that would forge another is refused where it stands', async () => {
    const answer = await call('POST', '/v1/campaigns', {
      name: 'x',
      audience: { include: [] },
      content: { ...content, headers: { 'X-Note': 'a\r\nBcc: e@example.com' } },
    });
    expect(answer).toMatchObject({ status: 422, body: { pointer: '/content/headers/X-Note' } });
  });
});

describe('a transactional message over HTTP', () => {
  const message = { to: 'ada@example.com', content, variables: { first_name: 'Ada' } };

  it('is accepted and can be looked up', async () => {
    const accepted = await call('POST', '/v1/messages', message);
    expect(accepted).toMatchObject({
      status: 202,
      body: { state: 'accepted', recipients: [{ address: 'ada@example.com', code: null }] },
    });
    expect((await call('GET', `/v1/messages/${accepted.body.id}`)).body).toMatchObject({
      id: accepted.body.id,
      recipients: [{ tries: [] }],
    });
  });

  it('is one message under one Idempotency-Key, and the key belongs to that request', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/v1/messages', message, key)));
    for (const { status } of answers) expect([202, 409]).toContain(status);
    expect(new Set(answers.filter(({ status }) => status === 202).map(({ body }) => body.id)).size).toBe(1);
    const again = await call('POST', '/v1/messages', message, key);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(await call('POST', '/v1/messages', { ...message, to: 'bob@example.com' }, key)).toMatchObject({
      status: 409,
      body: { code: 'message.idempotency_conflict' },
    });
    expect((await call('POST', '/v1/messages', message, { 'idempotency-key': 'x'.repeat(257) })).status).toBe(422);
  });

  it('is one of many in a batch, each with its own result', async () => {
    const key = { 'idempotency-key': 'batch-1' };
    const messages = [
      message,
      { ...message, to: 'nobody' },
      { ...message, colour: 'red' },
      { ...message, sendAt: 'tomorrow 9:00' },
    ];
    const answer = await call('POST', '/v1/messages/batch', { messages }, key);
    expect(answer).toMatchObject({
      status: 202,
      body: {
        results: [
          { message: { state: 'accepted' }, error: null },
          { message: null, error: { code: 'input.invalid', pointer: '/messages/1/to' } },
          { message: null, error: { code: 'input.invalid', message: 'Unknown field', pointer: '/messages/2/colour' } },
          { message: { state: 'scheduled' }, error: null },
        ],
      },
    });
    expect(answer.headers.get('idempotent-replayed')).toBeNull();
    const again = await call('POST', '/v1/messages/batch', { messages }, key);
    expect([again.body, again.headers.get('idempotent-replayed')]).toEqual([answer.body, 'true']);
    expect((await call('POST', '/v1/messages/batch', { messages: [] })).status).toBe(422);
  });

  it('is found by what it is about, and cancelled while it waits', async () => {
    const later = {
      ...message,
      cc: 'cy@example.com',
      stream: 'receipts',
      tags: ['order'],
      metadata: { order: 1 },
      sendAt: '2199-01-01',
    };
    const { id } = (await call('POST', '/v1/messages', later)).body as { id: string };
    for (const search of [
      'recipient=cy@example.com',
      'tag=order',
      'stream=receipts',
      'state=scheduled&tag=order',
      'since=today&tag=order',
    ])
      expect([search, (await call('GET', `/v1/messages?${search}`)).body]).toMatchObject([search, { items: [{ id }] }]);
    expect((await call('GET', '/v1/messages?tag=none')).body).toMatchObject({ items: [] });
    expect(await call('POST', `/v1/messages/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { state: 'cancelled', metadata: { order: 1 } },
    });
    expect(await call('POST', `/v1/messages/${id}/cancel`)).toMatchObject({ status: 409, body: { code: 'message.not_waiting' } });
    const blind = await tenant.keyWith('report.read');
    expect((await call('GET', '/v1/messages?recipient=cy@example.com', undefined, blind)).status).toBe(403);
    expect((await call('GET', '/v1/messages?tag=order', undefined, blind)).body).toMatchObject({ items: [{ id }] });
  });

  it('needs a template or content', async () => {
    expect(await call('POST', '/v1/messages', { to: 'ada@example.com' })).toMatchObject({ status: 422 });
  });
});
