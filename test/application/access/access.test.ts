import type { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AccessService,
  ForeignSecretKey,
  generateApiSecret,
  ScopeMissing,
  SlugTaken,
  Unauthenticated,
} from '../../../src/domain/access/index.ts';
import { NotFound } from '../../../src/domain/shared/errors.ts';
import { uuidv7 } from '../../../src/domain/shared/ids.ts';
import { InvalidCursor } from '../../../src/domain/shared/page.ts';
import { PostgresDomainStore } from '../../../src/infrastructure/postgres/access-domains.ts';
import { PostgresAccessStore } from '../../../src/infrastructure/postgres/access-store.ts';
import { inTransaction } from '../../../src/infrastructure/postgres/session.ts';
import { openTestOrm } from '../../support/database.ts';

const START = Date.parse('2026-11-22T10:00:00Z');

let orm: MikroORM;
let close: () => Promise<void>;
let now: number;
let made = 0;

beforeAll(async () => {
  ({ orm, close } = await openTestOrm());
});
afterAll(() => close());
beforeEach(() => {
  now = START;
});

/** Each call is a transaction of its own, as each verb is for the faces. */
function access<T>(work: (service: AccessService) => Promise<T>): Promise<T> {
  return inTransaction(orm, (session) =>
    work(
      new AccessService({
        store: new PostgresAccessStore(session),
        domains: new PostgresDomainStore(session),
        clock: { now: () => new Date(now), monotonic: () => now },
        ids: { next: () => uuidv7(START + ++made, Buffer.alloc(10, made)) },
      }),
    ),
  );
}

const unique = (name: string) => `${name}-${++made}`;
const createProject = (slug = unique('project')) =>
  access((service) => service.createProject({ name: slug, slug, senderDomain: 'news.example.com' }));
const createKey = (projectId: string, wish: object = {}) =>
  access((service) => service.createKey(projectId, { name: 'deploy', scopes: ['audience.read'], ...wish }));
const authenticate = (secret: string) => access((service) => service.authenticate(secret));

describe('a project', () => {
  it('is found by its id and by its slug', async () => {
    const project = await createProject();
    for (const name of [project.id, project.id.toUpperCase(), project.slug]) {
      expect(await access((service) => service.getProject(name))).toMatchObject({ id: project.id, slug: project.slug });
    }
  });

  it('is not found by anything else', async () => {
    for (const name of ['nobody', '0193a1b2-0000-7000-8000-000000000001', '']) {
      await expect(access((service) => service.getProject(name))).rejects.toThrow(NotFound);
    }
  });

  it('keeps what was changed', async () => {
    const project = await createProject();
    await access((service) =>
      service.updateProject(project.id, { timeZone: 'Europe/Berlin', trackingBaseUrl: 'https://t.example.com' }),
    );
    await access((service) => service.updateProject(project.id, { postalAddress: '1 Main Street' }));
    expect(await access((service) => service.getProject(project.id))).toMatchObject({
      timeZone: 'Europe/Berlin',
      trackingBaseUrl: 'https://t.example.com',
      postalAddress: '1 Main Street',
      version: 3,
    });
  });

  it('needs a slug of its own', async () => {
    await createProject('taken');
    await expect(createProject('taken')).rejects.toThrow(SlugTaken);
  });

  it('is listed in pages, each project once', async () => {
    for (const slug of ['list-a', 'list-b', 'list-c']) await createProject(slug);
    const slugs: string[] = [];
    let after: string | undefined;
    do {
      const page = await access((service) => service.listProjects({ limit: 2, after }));
      slugs.push(...page.items.map((project) => project.slug));
      after = page.next;
    } while (after !== undefined);
    expect(slugs).toEqual([...new Set(slugs)].sort());
    expect(slugs).toEqual(expect.arrayContaining(['list-a', 'list-b', 'list-c']));
  });
});

describe('an API key', () => {
  it('tells whose it is and what it may do', async () => {
    const project = await createProject();
    const { key, secret } = await createKey(project.id, { scopes: ['campaign.read', 'audience.read'], requestsPerSecond: 7 });
    const caller = await authenticate(secret);
    expect(caller).toMatchObject({ keyId: key.id, scopes: ['audience.read', 'campaign.read'], requestsPerSecond: 7 });
    expect(caller.project.id).toBe(project.id);
    expect(() => caller.requireScope('campaign.read')).not.toThrow();
    expect(() => caller.requireScope('campaign.send')).toThrow(ScopeMissing);
  });

  it('with the scope admin may do everything', async () => {
    const { secret } = await createKey((await createProject()).id, { scopes: ['admin'] });
    const caller = await authenticate(secret);
    expect(() => caller.requireScope('message.send')).not.toThrow();
  });

  it('is nowhere in the database', async () => {
    const { secret } = await createKey((await createProject()).id);
    const rows = await inTransaction(orm, ({ sql }) =>
      sql.query<{ row: string }>(`select k::text as row from pennypost_access.api_key k`),
    );
    for (const { row } of rows) {
      expect(row).not.toContain(secret.slice(3, 46));
      expect(row).not.toContain(Buffer.from(secret).toString('base64').slice(0, 40));
    }
  });

  it('that is unknown, expired or revoked gets one answer, and the log the reason', async () => {
    const project = await createProject();
    const expiring = await createKey(project.id, { expiresAt: new Date(START + 1000) });
    const revoked = await createKey(project.id);
    await access((service) => service.revokeKey(project.id, revoked.key.id));
    now += 1000;
    const errors = await Promise.all(
      ['nonsense', generateApiSecret(), expiring.secret, revoked.secret].map((secret) =>
        authenticate(secret).then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    );
    for (const error of errors) expect(error).toBeInstanceOf(Unauthenticated);
    expect(errors.map((error) => (error as Unauthenticated).reason)).toEqual(['malformed', 'unknown', 'expired', 'revoked']);
    expect(new Set(errors.map((error) => `${(error as Unauthenticated).code} ${(error as Unauthenticated).message}`)).size).toBe(
      1,
    );
  });

  it('writes its use once a minute', async () => {
    const project = await createProject();
    const { secret } = await createKey(project.id);
    const lastUsed = async () => (await access((service) => service.listKeys(project.id))).items[0]!.lastUsedAt?.getTime();
    const seen: (number | undefined)[] = [await lastUsed()];
    for (const step of [0, 59_999, 1]) {
      now += step;
      await authenticate(secret);
      seen.push(await lastUsed());
    }
    expect(seen).toEqual([undefined, START, START, START + 60_000]);
  });

  it('of another project is neither listed nor revoked', async () => {
    const [mine, theirs] = [await createProject(), await createProject()];
    const { key, secret } = await createKey(mine.id);
    expect((await access((service) => service.listKeys(theirs.id))).items).toEqual([]);
    await expect(access((service) => service.revokeKey(theirs.id, key.id))).rejects.toThrow(NotFound);
    await expect(authenticate(secret)).resolves.toBeDefined();
  });

  it('cannot be made for a project that does not exist', async () => {
    await expect(createKey('0193a1b2-0000-7000-8000-000000000001')).rejects.toThrow(NotFound);
  });

  it('is listed in pages, the oldest first; a cursor of another listing is refused', async () => {
    const project = await createProject();
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) ids.push((await createKey(project.id)).key.id);
    const first = await access((service) => service.listKeys(project.id, { limit: 2 }));
    const second = await access((service) => service.listKeys(project.id, { limit: 2, after: first.next }));
    expect([...first.items, ...second.items].map((key) => key.id)).toEqual(ids);
    expect(second.next).toBeUndefined();
    const foreign = Buffer.from(JSON.stringify(['some-slug'])).toString('base64url');
    for (const after of ['nonsense', foreign]) {
      await expect(access((service) => service.listKeys(project.id, { after }))).rejects.toThrow(InvalidCursor);
    }
  });
});

describe("the instance's secret key", () => {
  it('is remembered from the first node on, and a node with another one is refused', async () => {
    await access((service) => service.checkFingerprint('a'.repeat(64)));
    await Promise.all([1, 2, 3].map(() => access((service) => service.rememberFingerprint('a'.repeat(64)))));
    await access((service) => service.checkFingerprint('a'.repeat(64)));
    await expect(access((service) => service.checkFingerprint('b'.repeat(64)))).rejects.toThrow(ForeignSecretKey);
    await expect(access((service) => service.rememberFingerprint('b'.repeat(64)))).rejects.toThrow(ForeignSecretKey);
  });

  it('is replaced by a node that knows the one before, and then a node without the new one is refused', async () => {
    const [old, next, other] = ['a', 'c', 'd'].map((letter) => letter.repeat(64)) as [string, string, string];
    await expect(access((service) => service.rememberFingerprint(next, [other]))).rejects.toThrow(ForeignSecretKey);
    await access((service) => service.rememberFingerprint(next, [other, old]));
    await access((service) => service.rememberFingerprint(next, [other, old]));
    await expect(access((service) => service.rememberFingerprint(old))).rejects.toThrow(ForeignSecretKey);
  });
});
