import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyRing } from '../../../src/domain/access/index.ts';
import { DeliveryService, opened } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { postgresDeliveryStores } from '../../../src/infrastructure/postgres/delivery-store.ts';
import { inTransaction } from '../../../src/infrastructure/postgres/session.ts';
import { randomIds } from '../../../src/infrastructure/system.ts';
import { startScriptedProvider } from '../../support/fake-provider.ts';
import { startFaultSink } from '../../support/fault-sink.ts';
import { aHandClock } from '../../support/hand-clock.ts';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../../support/instance.ts';
import { dialectOf } from '../../support/provider-fixture.ts';

const PASSWORD = 'correct horse battery staple';
const SMTP = { kind: 'smtp', settings: { host: '127.0.0.1', port: 25, user: 'mailer', password: PASSWORD } } as const;

let instance: TestInstance;
let projects = 0;

beforeAll(async () => {
  instance = await openTestInstance();
});
afterAll(() => instance?.close());

async function aProject(): Promise<string> {
  projects += 1;
  const project = { name: `Project ${projects}`, senderDomain: `p${projects}.example`, postalAddress: '1 Road, Town' };
  return (await instance.application.projects.create(project)).id;
}

const sql = <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  inTransaction(instance.get(tokens.orm), (session) => session.sql.query<Row>(text, values));

/** The delivery context as a node with these secret keys has it. */
function under<T>(secrets: readonly [Buffer, ...Buffer[]], work: (delivery: DeliveryService) => Promise<T>): Promise<T> {
  const clock = aHandClock(new Date('2026-11-28T07:00:00Z'));
  const deps = { clock, ids: randomIds(clock), random: () => 0.5, credentials: new KeyRing(secrets) };
  return inTransaction(instance.get(tokens.orm), (session) =>
    work(new DeliveryService({ ...deps, stores: postgresDeliveryStores(session) })),
  );
}

describe('a transport', () => {
  it('shows of its credentials whether they are set, and nothing of them is in the database', async () => {
    const { transports } = instance.application;
    const projectId = await aProject();
    const made = await transports.create(projectId, { ...SMTP, name: 'Main relay' });
    expect(made).toMatchObject({
      slug: 'main-relay',
      kind: 'smtp',
      settings: { host: '127.0.0.1', port: 25, user: 'mailer' },
      secrets: { password: 'set', accessToken: 'not set' },
      state: 'active',
      health: { state: 'closed' },
    });
    expect(JSON.stringify([made, await transports.list(projectId), await transports.get(projectId, 'main-relay')])).not.toContain(
      PASSWORD,
    );
    const tables = await sql<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname like 'pennypost%'`,
    );
    for (const { name } of tables) {
      const [row] = await sql<{ text: string; bytes: number }>(
        `select string_agg(t::text, '') as text, count(*) filter (where position('${Buffer.from(PASSWORD).toString('hex')}' in t::text) > 0)::int as bytes from ${name} t`,
      );
      expect([name, row?.text?.includes(PASSWORD) ?? false, row?.bytes]).toEqual([name, false, 0]);
    }
  });

  it('keeps what an update does not name; null removes; a removed password is refused with its user left', async () => {
    const { transports } = instance.application;
    const projectId = await aProject();
    await transports.create(projectId, { ...SMTP, slug: 'main' });
    const updated = await transports.update(projectId, 'main', { settings: { port: 2525 }, maxConnections: 4, name: 'Relay' });
    expect(updated).toMatchObject({
      name: 'Relay',
      slug: 'main',
      settings: { port: 2525, user: 'mailer' },
      secrets: { password: 'set' },
      maxConnections: 4,
      version: 2,
    });
    const delivery = instance.get(tokens.work);
    const settings = () => delivery.run((scope) => scope.delivery.transports.settings(projectId, 'main'));
    expect(await settings()).toMatchObject({ kind: 'smtp', password: PASSWORD, port: 2525 });
    await expect(transports.update(projectId, 'main', { settings: { password: null } })).rejects.toMatchObject({
      pointer: '/settings/user',
    });
    const open = await transports.update(projectId, 'main', { settings: { password: null, user: null }, maxConnections: null });
    expect(open).toMatchObject({ secrets: { password: 'not set' }, maxConnections: undefined });
    expect(await settings()).toMatchObject({ password: undefined, user: undefined });
  });

  it('is refused with a pointer to what is wrong, without the value', async () => {
    const { transports } = instance.application;
    const projectId = await aProject();
    const refused = async (input: object) =>
      transports.create(projectId, { kind: 'smtp', settings: { host: 'localhost' }, ...input }).then(
        () => 'created',
        ({ pointer }) => pointer,
      );
    expect(await refused({ kind: 'pigeon' })).toBe('/kind');
    expect(await refused({ settings: { host: 'localhost', pasword: PASSWORD } })).toBe('/settings/pasword');
    expect(await refused({ settings: { host: 'localhost', kind: 'smtp' } })).toBe('/settings/kind');
    expect(await refused({ slug: 'Not A Slug' })).toBe('/slug');
    expect(await refused({ name: 'two\nlines' })).toBe('/name');
    expect(await refused({ maxConnections: 0 })).toBe('/maxConnections');
    expect(await refused({ messagesPerSecond: -1 })).toBe('/messagesPerSecond');
    await transports.create(projectId, { ...SMTP, slug: 'main' });
    await expect(transports.create(projectId, { ...SMTP, slug: 'main' })).rejects.toMatchObject({ code: 'transport.slug_taken' });
    expect(await transports.create(projectId, { ...SMTP, name: 'Main' })).toMatchObject({ slug: 'main-2' });
  });

  it('is not deleted while a route names it, or while it is the last one and messages wait', async () => {
    const { transports, routes, messages } = instance.application;
    const projectId = await aProject();
    await transports.create(projectId, { ...SMTP, slug: 'main' });
    const route = await routes.create(projectId, { transport: 'main' });
    await expect(transports.delete(projectId, 'main')).rejects.toMatchObject({ code: 'transport.in_use' });
    await routes.delete(projectId, route.id);
    const content = { kind: 'text', source: 'Hello', subject: 'Hello', author: { address: `a@p${projects}.example` } } as const;
    await messages.send(projectId, { to: 'ada@example.org', content });
    await expect(transports.delete(projectId, 'main')).rejects.toThrow('messages that wait: 1');
    await transports.create(projectId, { ...SMTP, slug: 'second' });
    expect(await transports.delete(projectId, 'main')).toMatchObject({ slug: 'main' });
    await expect(transports.get(projectId, 'main')).rejects.toMatchObject({ code: 'resource.not_found' });
  });

  it('counts as well again when it is changed', async () => {
    const { transports } = instance.application;
    const projectId = await aProject();
    const { id } = await transports.create(projectId, { ...SMTP, slug: 'main' });
    const work = instance.get(tokens.work);
    const failed = await work.run(({ delivery }) => delivery.transports.health(projectId, id));
    const failure = { cause: 'authentication', reason: '535 5.7.8 no' } as const;
    const saved = opened(failed, failure, new Date(), 0.5);
    expect(await work.run(({ delivery }) => delivery.transports.saveHealth(projectId, id, saved))).toBe(true);
    expect(await work.run(({ delivery }) => delivery.transports.saveHealth(projectId, id, saved))).toBe(false);
    expect(await transports.get(projectId, 'main')).toMatchObject({
      health: { state: 'open', cause: 'authentication', reason: '535 5.7.8 no' },
    });
    await transports.update(projectId, 'main', { settings: { password: 'another' } });
    expect(await transports.get(projectId, 'main')).toMatchObject({ health: { state: 'closed', reason: '535 5.7.8 no' } });
  });
});

describe('a test of a transport', () => {
  it('connects and authenticates, and sends a real message when it is given an address', async () => {
    const sink = await startFaultSink({ credentials: { user: 'mailer', pass: PASSWORD }, headers: ['Subject', 'From'] });
    const { transports } = instance.application;
    const projectId = await aProject();
    await transports.create(projectId, { kind: 'smtp', slug: 'main', settings: { ...SMTP.settings, port: sink.port } });
    expect(await transports.verify(projectId, 'main')).toMatchObject({ ok: true, message: undefined });
    expect(sink.accepted).toBe(0);
    expect(await transports.verify(projectId, 'main', { to: 'ada@example.org' })).toMatchObject({
      ok: true,
      message: { outcome: 'submitted', code: 250 },
    });
    expect(sink.messages).toHaveLength(1);
    await expect(transports.verify(projectId, 'main', { to: 'nobody' })).rejects.toMatchObject({ pointer: '/to' });
    await transports.update(projectId, 'main', { settings: { password: 'wrong' } });
    const wrong = await transports.verify(projectId, 'main');
    expect(wrong).toMatchObject({ ok: false, problem: expect.stringContaining('535') });
    expect(JSON.stringify(wrong)).not.toContain('wrong');
    await sink.close();
    expect(await transports.verify(projectId, 'main', { to: 'ada@example.org' })).toMatchObject({
      ok: false,
      problem: expect.stringContaining('ECONNREFUSED'),
      message: undefined,
    });
  });
});

describe('a test of a transport over HTTP', () => {
  it('checks the stored key without mail, and hands a message to the provider', async () => {
    const dialect = dialectOf('postmark');
    const fake = await startScriptedProvider(dialect);
    const { transports } = instance.application;
    const projectId = await aProject();
    const settings = { ...dialect.settings, endpoint: fake.url };
    await transports.create(projectId, { kind: 'postmark', slug: 'api', settings });
    expect(await transports.verify(projectId, 'api')).toMatchObject({ ok: true });
    expect(fake.accepted).toEqual([]);
    expect(await transports.verify(projectId, 'api', { to: 'ada@example.org' })).toMatchObject({
      ok: true,
      message: { outcome: 'submitted', code: 200 },
    });
    expect(fake.accepted).toMatchObject([{ to: 'ada@example.org' }]);
    await transports.update(projectId, 'api', { settings: { serverToken: 'another' } });
    const wrong = await transports.verify(projectId, 'api');
    expect(wrong).toMatchObject({ ok: false, problem: expect.stringContaining('401 10 The Server Token') });
    await fake.close();
  });

  it('reaches no private host unless the instance allows it', async () => {
    const fake = await startScriptedProvider(dialectOf('resend'));
    const guarded = await openTestInstance({ overrides: { allowPrivateHosts: false } });
    const { projects: all, transports } = guarded.application;
    const { id } = await all.create({ name: 'Guarded', senderDomain: 'guarded.example', postalAddress: '1 Road, Town' });
    await transports.create(id, {
      kind: 'resend',
      slug: 'api',
      settings: { ...dialectOf('resend').settings, endpoint: fake.url },
    });
    await transports.create(id, { kind: 'smtp', slug: 'relay', settings: { host: 'localhost', port: 5432 } });
    for (const slug of ['api', 'relay'])
      expect(await transports.verify(id, slug)).toMatchObject({
        ok: false,
        problem: expect.stringContaining('not a public address'),
      });
    expect(fake.connections()).toBe(0);
    await guarded.close();
    await fake.close();
  });
});

describe('the secret key', () => {
  const first = Buffer.from(TEST_SECRET, 'hex');
  const second = Buffer.alloc(32, 9);

  it('is replaced while transports are opened: each credential is sealed again, and opens at every moment', async () => {
    const { transports } = instance.application;
    const projectId = await aProject();
    for (let number = 0; number < 7; number += 1) await transports.create(projectId, { ...SMTP, slug: `t${number}` });
    const opensUnder = async (...secrets: readonly [Buffer, ...Buffer[]]) =>
      Promise.all(
        (await transports.list(projectId)).items.map(({ id }) =>
          under(secrets, async (delivery) => (await delivery.transports.settings(projectId, id)).kind === 'smtp').catch(
            () => false,
          ),
        ),
      );
    expect(await opensUnder(second)).not.toContain(true);
    let next: { projectId: string; id: string } | undefined;
    do {
      // As jobs of several workers would: one batch and the next, and all nodes go on sending between them.
      const done = await under([second, first], (delivery) => delivery.transports.reseal(next, 3));
      expect(done.unreadable).toEqual([]);
      expect(await opensUnder(second, first)).not.toContain(false);
      expect(await opensUnder(first, second)).not.toContain(false);
      next = done.next;
    } while (next !== undefined);
    expect(await opensUnder(second)).not.toContain(false);
    expect(await opensUnder(first)).not.toContain(true);
    expect((await transports.list(projectId)).items.map(({ version }) => version)).toEqual(Array.from({ length: 7 }, () => 1));
  });

  it('that is gone leaves the credential as it is, and says which one', async () => {
    const projectId = await aProject();
    const { id } = await under([Buffer.alloc(32, 3)], (delivery) => delivery.transports.create(projectId, SMTP));
    const before = await sql('select secrets from pennypost_delivery.transport where id = $1', [id]);
    expect((await under([second, first], (delivery) => delivery.transports.reseal(undefined, 100))).unreadable).toEqual([id]);
    expect(await sql('select secrets from pennypost_delivery.transport where id = $1', [id])).toEqual(before);
  });
});

describe('an explanation of the way', () => {
  it('names the transport of the environment for a project without transports', async () => {
    const found = await instance.application.routes.explain(await aProject(), 'ada@example.org');
    expect(found).toMatchObject({
      domain: 'example.org',
      lane: 'transactional',
      ways: [],
      why: expect.stringContaining('environment'),
    });
  });

  it('says which transports take the message, in which order, and why one is left out', async () => {
    const { transports, routes } = instance.application;
    const projectId = await aProject();
    for (const slug of ['a', 'b', 'c']) await transports.create(projectId, { ...SMTP, slug });
    await routes.create(projectId, { transport: 'a', weight: 3 });
    await routes.create(projectId, { transport: 'b' });
    await routes.create(projectId, { transport: 'c', receivingGroup: 'gmail', lane: 'bulk' });
    const explain = async (address: string, lane: 'bulk' | 'transactional') => {
      const { ways, why } = await routes.explain(projectId, address, { lane });
      return [ways.map(({ transport, usable }) => `${transport} ${usable}`), why];
    };
    expect(await explain('ada@gmail.com', 'bulk')).toEqual([['c true', 'a true', 'b true'], 'Messages leave by c.']);
    expect(await explain('ada@gmail.com', 'transactional')).toEqual([
      ['a true', 'b true'],
      'Messages are shared by weight among a, b.',
    ]);
    await transports.update(projectId, 'a', { state: 'disabled' });
    const { ways, why } = await routes.explain(projectId, 'ada@example.org');
    expect([why, ways[0]?.why]).toEqual([
      'Messages leave by b. a: left out.',
      'route for all recipients, both lanes, priority 10, 75 % by weight; left out: it is disabled',
    ]);
  });
});
