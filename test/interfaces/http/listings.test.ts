import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Call, callsOf, createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

const MEGABYTE = 1024 * 1024;

let instance: Instance;
let tenant: Tenant;
let call: Call;

beforeAll(async () => {
  instance = await openInstance();
  tenant = await createTenant(instance);
  call = callsOf(instance, tenant);
});
afterAll(() => instance.close());

/** Every statement on our tables that `work` sends, and the characters of all rows that come back. */
async function statementsOf(work: () => Promise<unknown>) {
  const statements: string[] = [];
  let characters = 0;
  const query = pg.Client.prototype.query;
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    const [first] = args;
    const text = typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text') ?? '');
    const result: unknown = Reflect.apply(query, this, args);
    if (!text.includes('pennypost_')) return result;
    statements.push(text);
    if (result instanceof Promise) void result.then(({ rows }) => (characters += JSON.stringify(rows).length)).catch(() => 0);
    return result;
  });
  try {
    await work();
  } finally {
    spy.mockRestore();
  }
  return { statements, characters };
}

/** What a statement names when it reads content: its columns, the table of campaigns' content, or all columns of the others. */
const READS_CONTENT = /\bcontent\b|\bfrozen\b|\bvariables\b|campaign_content|\*.* from \S*(template|transactional_message)\b/;

describe('a listing, a step and whatever watches', () => {
  const LARGE = 60;

  beforeAll(async () => {
    const content = { kind: 'html', subject: 'Large', source: 'x'.repeat(1_000_000), author: { address: 'news@example.com' } };
    // Text that does not compress, the same in each: making it anew would take most of the time.
    await instance.sql('create table large (content jsonb)');
    await instance.sql(
      `insert into large select jsonb_build_object('subject', 'Large', 'kind', 'html', 'source', string_agg(md5(n::text), ''))
       from generate_series(1, ${MEGABYTE / 32}) n`,
    );
    const many = `generate_series(1, ${LARGE}) n`;
    await instance.sql(
      `with more as (
         insert into pennypost_campaign.campaign (project_id, id, name, slug, subject, author, content_kind, content_version, audience,
           track_opens, track_clicks, state, created_at)
         select project_id, gen_random_uuid(), 'Large ' || n, 'large-' || n, subject, author, content_kind, 1, audience, track_opens,
           track_clicks, state, created_at from pennypost_campaign.campaign, ${many} where id = $1
         returning project_id, id)
       insert into pennypost_campaign.campaign_content (project_id, campaign_id, content) select project_id, id, content from more, large`,
      [await tenant.make('campaign')],
    );
    await instance.sql(
      `insert into pennypost_campaign.template (project_id, id, name, slug, content, created_at, updated_at)
       select $1, gen_random_uuid(), 'Large ' || n, 'large-' || n, content, now(), now() from large, ${many}`,
      [tenant.projectId],
    );
    await instance.sql(
      `insert into pennypost_delivery.transactional_message (project_id, id, recipient, smtputf8, content, variables, fingerprint, state,
         attempts, accepted_at, at)
       select project_id, gen_random_uuid(), recipient, smtputf8, large.content, '{}', fingerprint, 'submitted', 1, now(), now()
       from pennypost_delivery.transactional_message, large, ${many} where id = $1`,
      [await tenant.make('message')],
    );
    expect((await call('POST', '/v1/templates', { name: 'As made', content })).status).toBe(201);
  });

  it.each(['campaigns', 'templates', 'messages'])('of %s with a megabyte each stays small, and shows every one', async (kind) => {
    let answer: { items: object[] } = { items: [] };
    const { statements, characters } = await statementsOf(async () => {
      answer = (await call('GET', `/v1/${kind}?limit=500`)).body as typeof answer;
    });
    expect(answer.items.length).toBeGreaterThan(LARGE);
    expect(JSON.stringify(answer).length).toBeLessThan(150_000);
    expect(characters).toBeLessThan(150_000);
    expect(statements.filter((text) => READS_CONTENT.test(text))).toEqual([]);
  });

  it('shows what a campaign and a template are recognised by', async () => {
    const { body: template } = await call('GET', '/v1/templates?limit=500');
    expect(template.items).toContainEqual(expect.objectContaining({ name: 'As made', subject: 'Large' }));
    const { body: campaign } = await call('GET', '/v1/campaigns?limit=1');
    expect((campaign.items as object[])[0]).toMatchObject({ subject: expect.any(String) });
    expect((campaign.items as object[])[0]).not.toHaveProperty('content');
  });

  it('reads no content, whatever a campaign is asked to do or asked for', async () => {
    const { application } = instance;
    const { projectId } = tenant;
    const id = await tenant.make('campaign');
    const message = await tenant.make('message');
    const { audience } = await application.campaigns.get(projectId, id);
    const subscriber = await application.subscribers.upsert(projectId, { email: 'reader@example.com' });
    await application.subscribers.subscribe(projectId, subscriber.id, audience.include[0]?.list ?? '');
    await application.campaigns.launch(projectId, id);
    const { statements } = await statementsOf(async () => {
      await application.campaigns.pause(projectId, id);
      await application.campaigns.progress(projectId, id);
      await application.campaigns.recipients(projectId, id, {});
      await application.campaigns.explain(projectId, id);
      await application.campaigns.excluded(projectId, id, {});
      await application.campaigns.daily(projectId, id);
      await application.campaigns.resume(projectId, id);
      await application.campaigns.cancel(projectId, id);
      await application.campaigns.archive(projectId, id);
      await application.messages.get(projectId, message);
      await application.status.get();
    });
    expect(statements.filter((text) => READS_CONTENT.test(text))).toEqual([]);
  });

  it('replaces and shows the content where that is asked for', async () => {
    const id = await tenant.make('campaign');
    const content = { kind: 'text', subject: 'Second', source: 'Second text', author: { address: 'news@example.com' } };
    const { status, body } = await call('PATCH', `/v1/campaigns/${id}`, { content });
    expect([status, body.subject]).toEqual([200, 'Second']);
    expect(body.content).toMatchObject({ source: 'Second text' });
    expect((await call('GET', `/v1/campaigns/${id}`)).body.content).toEqual(body.content);
  });

  it('is not launched with content that was replaced while it was being checked', async () => {
    const id = await tenant.make('campaign');
    const before = await instance.sql<{ version: number }>('select version from pennypost_campaign.campaign where id = $1', [id]);
    // The same subject, author and kind: only the text is another one.
    const { content } = await instance.application.campaigns.get(tenant.projectId, id);
    await instance.application.campaigns.update(tenant.projectId, id, { content: { ...content, source: '<p>Another</p>' } });
    const after = await instance.sql<{ version: number }>('select version from pennypost_campaign.campaign where id = $1', [id]);
    expect(after[0]?.version).toBe((before[0]?.version ?? 0) + 1);
  });
});

describe('a page of large rows', () => {
  it('ends early, and the pages together show everybody once', async () => {
    const other = await createTenant(instance);
    const ask = callsOf(instance, other);
    await instance.sql(
      `insert into pennypost_audience.subscriber (project_id, id, address, email_key, status, attributes, created_at, updated_at)
       select $1, gen_random_uuid(), 'p' || n || '@example.com', 'p' || n || '@example.com', 'active',
         jsonb_build_object('note', repeat('x', 60000)), now(), now() from generate_series(1, 150) n`,
      [other.projectId],
    );
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await ask('GET', `/v1/subscribers?limit=500${cursor}`);
      const { items, next } = body as { items: { email: string }[]; next?: string };
      seen.push(...items.map(({ email }) => email));
      sizes.push(JSON.stringify(body).length);
      if (next === undefined) break;
      cursor = `&cursor=${next}`;
    }
    expect(new Set(seen).size).toBe(150);
    expect(seen).toHaveLength(150);
    expect(Math.max(...sizes)).toBeLessThan(5 * MEGABYTE);
    expect(sizes.length).toBeGreaterThan(1);
  });

  it('shows one row at least, however large it is, and its limit holds', async () => {
    const other = await createTenant(instance);
    const importId = await other.make('import');
    await instance.sql(
      `insert into pennypost_audience.import_rejection (project_id, import_id, line, reason, cells)
       select $1, $2, n, 'broken', jsonb_build_array(repeat('x', case when n = 2 then 6000000 else 10 end)) from generate_series(1, 4) n`,
      [other.projectId, importId],
    );
    const ask = callsOf(instance, other);
    const lines: number[][] = [];
    for (let cursor = ''; ; ) {
      const { body } = await ask('GET', `/v1/imports/${importId}/rejections?limit=2${cursor}`);
      const { items, next } = body as { items: { line: number }[]; next?: string };
      lines.push(items.map(({ line }) => line));
      if (next === undefined) break;
      cursor = `&cursor=${next}`;
    }
    expect(lines).toEqual([[1], [2], [3, 4]]);
  });
});
