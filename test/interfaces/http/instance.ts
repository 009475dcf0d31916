import type { Hono } from 'hono';
import type { QueryResultRow } from 'pg';
import type { Application } from '../../../src/application/application.ts';
import type { UnitOfWork } from '../../../src/application/unit-of-work.ts';
import { generateSecretKey, KeyRing, type Scope } from '../../../src/domain/access/index.ts';
import type { Transport } from '../../../src/domain/delivery/index.ts';
import type { Id } from '../../../src/domain/shared/ids.ts';
import { readConfig } from '../../../src/infrastructure/config.ts';
import { tokens, wire } from '../../../src/infrastructure/container.ts';
import { poolOf } from '../../../src/infrastructure/postgres/orm.ts';
import { systemClock } from '../../../src/infrastructure/system.ts';
import { WHOLE_MESSAGES } from '../../../src/infrastructure/transports/whole-messages.ts';
import { createHttpApp } from '../../../src/interfaces/http/app.ts';
import type { HttpEnv } from '../../../src/interfaces/http/dispatch.ts';
import type { ObjectKind } from '../../../src/interfaces/http/schemas.ts';
import { openTestOrm } from '../../support/database.ts';
import { FakeDns } from '../../support/fake-dns.ts';

/** A whole instance over a database of its own: everything real but the transport, which nothing here asks. */
export interface Instance {
  readonly app: Hono<HttpEnv>;
  readonly application: Application;
  readonly work: UnitOfWork;
  /** What would stand in the log. */
  readonly reported: unknown[];
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** One line per table with a hash over its rows; when a key was last used does not count. */
  fingerprint(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface Tenant {
  readonly projectId: Id;
  /** May do everything, and see the instance. */
  readonly headers: { readonly authorization: string };
  /** A fresh object of the kind, so that one test cannot spoil another's. */
  make(kind: ObjectKind): Promise<Id>;
  keyWith(...scopes: Scope[]): Promise<{ readonly authorization: string }>;
}

export async function openInstance(): Promise<Instance> {
  const { orm, connection, close } = await openTestOrm();
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const wired = wire({
    config: readConfig({}),
    connection,
    orm,
    keys: new KeyRing([generateSecretKey()]),
    log,
    transport: NOWHERE,
    openTransport: () => NOWHERE,
    transactionalTransport: NOWHERE,
    localTransport: true,
    publicUrl: 'http://localhost',
    clock: systemClock,
    dns: new FakeDns(),
    processName: undefined,
    isGone: async () => false,
    works: false,
    onFatal: (error) => {
      throw error;
    },
  });
  const jobs = wired.get(tokens.jobs);
  await jobs.start();
  const application = wired.get(tokens.application);
  const reported: unknown[] = [];
  // A still clock: the tests' keys have a thousand requests, whatever the machine needs for them.
  const app = createHttpApp(application, { report: (error) => reported.push(error), monotonic: () => 0 });
  return {
    app,
    application,
    work: wired.get(tokens.work),
    reported,
    async sql<Row extends object>(text: string, values: readonly unknown[] = []) {
      const { rows } = await (await poolOf(orm)).query<Row & QueryResultRow>(text, [...values]);
      return rows;
    },
    async fingerprint() {
      const pool = await poolOf(orm);
      const { rows: tables } = await pool.query<{ name: string }>(
        `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname like 'pennypost%' order by 1`,
      );
      const hashes: string[] = [];
      for (const { name } of tables) {
        const { rows } = await pool.query<{ hash: string }>(
          `select md5(coalesce(string_agg(row, e'\\n' order by row), '')) as hash
           from (select (to_jsonb(t) - 'last_used_at')::text as row from ${name} t) as rows`,
        );
        hashes.push(`${name} ${rows[0]?.hash}`);
      }
      return hashes;
    },
    async close() {
      await jobs.stop();
      await close();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** One request with JSON both ways; headers given here win over the tenant's own key. */
export type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export function callsOf({ app }: Instance, tenant: Tenant): Call {
  return async (method, path, body, headers = {}) => {
    const response = await app.request(path, {
      method,
      headers: { ...tenant.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers: fields } = response;
    return { status, headers: fields, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
}

let tenants = 0;

export async function createTenant({ application, work }: Instance): Promise<Tenant> {
  tenants += 1;
  const number = tenants;
  const project = await application.projects.create({
    name: `Tenant ${number}`,
    senderDomain: `tenant${number}.example`,
    // The author of the examples in the reference.
    authorDomains: ['example.com'],
    postalAddress: '1 Road, Town',
  });
  const projectId = project.id;
  let made = 0;
  let shared: { readonly id: Id } | undefined;
  const keyWith = async (...scopes: Scope[]) => {
    const { secret } = await application.keys.create(projectId, { name: 'test', scopes, requestsPerSecond: 1000 });
    return { authorization: `Bearer ${secret}` };
  };
  const content = {
    kind: 'html',
    subject: 'Hello',
    source: '<p>Hello</p>',
    author: { address: `news@tenant${number}.example` },
  } as const;
  const makers: Readonly<Record<ObjectKind, (name: string) => Promise<{ readonly id: Id }>>> = {
    list: (name) => application.lists.create(projectId, { name }),
    subscriber: (name) => application.subscribers.upsert(projectId, { email: `${name}@example.com` }),
    import: () => work.run(({ audience }) => audience.imports.start(projectId, { lists: [] })),
    template: (name) => application.templates.create(projectId, { name, content }),
    campaign: async (name) =>
      application.campaigns.create(projectId, {
        name,
        content,
        audience: { include: [{ list: (await makers.list(`${name}-list`)).id }] },
      }),
    message: (name) => application.messages.send(projectId, { to: `${name}@example.com`, content }),
    domain: (name) => application.domains.create(projectId, { name: `${name}.example` }),
    transport: (name) =>
      application.transports.create(projectId, { kind: 'smtp', name, settings: { host: '127.0.0.1', port: 9 } }),
    route: async (name) => {
      shared ??= await makers.transport(`${name}-transport`);
      return application.routes.create(projectId, { transport: shared.id, priority: made });
    },
    key: async (name) => (await application.keys.create(projectId, { name, scopes: ['audience.read'] })).key,
  };
  return {
    projectId,
    headers: await keyWith('admin', 'instance.read'),
    keyWith,
    async make(kind) {
      made += 1;
      return (await makers[kind](`${kind}-${number}-${made}`)).id;
    },
  };
}

const ignore = () => undefined;
const unused = async () => {
  throw new Error('Nothing is sent here.');
};

const NOWHERE: Transport = {
  name: 'unused',
  slots: 1,
  depth: 1,
  capabilities: WHOLE_MESSAGES,
  submit: unused,
  waits: () => [],
  verify: unused,
  close: async () => undefined,
};
