import { z } from '@hono/zod-openapi';
import { type Scope, ScopeMissing, Unauthenticated } from '../../../src/domain/access/index.ts';
import type { Caller } from '../../../src/interfaces/http/authentication.ts';
import { type Route, routesOf } from '../../../src/interfaces/http/route.ts';
import { idOf, pageQuery } from '../../../src/interfaces/http/schemas.ts';
import { type HttpSurface, httpSurface } from '../../../src/interfaces/http/surface.ts';

/** What the probe routes do with a request, instead of an application. */
export interface Probe {
  /** Thrown by `GET /v1/failure`. */
  failure: unknown;
  /** What `GET /v1/file` consists of; after the last part `failure` is thrown. */
  parts: readonly string[];
  /** Bytes that `POST /v1/uploads` has read. */
  uploaded: number;
  handled: number;
}

export const PROJECT = '0193a1b2-0000-7000-8000-000000000001';
export const SECRET = 'pp_test';
export const authorized = { authorization: `Bearer ${SECRET}` };
export const json = { ...authorized, 'content-type': 'application/json' };

const route = routesOf<Probe>();

const probeRoutes: readonly Route<Probe>[] = [
  route({
    verb: 'things.verb1',
    method: 'get',
    path: '/v1/things/{thingId}',
    summary: 'One thing',
    permission: 'audience.read',
    params: z.object({ thingId: idOf('list') }),
    query: pageQuery,
    reply: z.object({ thingId: z.string(), limit: z.int().optional() }),
    async handle({ application, params, query }) {
      application.handled += 1;
      return { thingId: params.thingId, limit: query.limit, secret: 'never leaves' };
    },
  }),
  route({
    verb: 'things.verb2',
    method: 'post',
    path: '/v1/things',
    summary: 'Make a thing',
    permission: 'audience.write',
    body: z.strictObject({
      name: z.string(),
      attributes: z.record(z.string(), z.unknown()).optional(),
      tags: z.array(z.strictObject({ 'a/b': z.string() })).optional(),
    }),
    status: 201,
    reply: z.object({ name: z.string() }),
    async handle({ application, body }) {
      application.handled += 1;
      return { name: body.name };
    },
  }),
  route({
    verb: 'things.verb3',
    method: 'delete',
    path: '/v1/things/{thingId}',
    summary: 'Forget a thing',
    permission: 'admin',
    params: z.object({ thingId: idOf('list') }),
    handle: async () => undefined,
  }),
  route({
    verb: 'things.verb7',
    method: 'post',
    path: '/v1/things/{thingId}/start',
    summary: 'Start a thing',
    permission: 'audience.write',
    params: z.object({ thingId: idOf('list') }),
    handle: async () => undefined,
  }),
  route({
    verb: 'things.verb4',
    method: 'get',
    path: '/v1/failure',
    summary: 'Fails',
    permission: 'audience.read',
    async handle({ application }) {
      throw application.failure;
    },
  }),
  route({
    verb: 'things.verb5',
    method: 'get',
    path: '/v1/file',
    summary: 'A file that breaks off',
    permission: ['audience.read', 'audience.write'],
    replyType: 'text/csv',
    handle: async ({ application }) => ({
      name: 'file.csv',
      parts: (async function* () {
        yield* application.parts;
        throw application.failure;
      })(),
    }),
  }),
  route({
    verb: 'things.verb6',
    method: 'post',
    path: '/v1/uploads',
    summary: 'Counts bytes',
    permission: 'audience.write',
    upload: { types: ['text/csv'] },
    reply: z.object({ bytes: z.int() }),
    async handle({ application, upload }) {
      for await (const chunk of upload) application.uploaded += chunk.byteLength;
      return { bytes: application.uploaded };
    },
  }),
];

/** A key that may do all but `admin`, 10 requests a second. */
function callerWith(scopes: readonly Scope[]): Caller {
  return {
    project: { id: PROJECT, timeZone: 'UTC' },
    keyId: 'key-1',
    requestsPerSecond: 10,
    hasScope: (scope) => scopes.includes(scope),
    requireScope(scope) {
      if (!scopes.includes(scope)) throw new ScopeMissing(scope);
    },
  };
}

/** An app of probe routes with a clock in hand. */
export function probeApp(options: Partial<HttpSurface<Probe>> = {}) {
  const probe: Probe = { failure: new Error('unset'), parts: [], uploaded: 0, handled: 0 };
  const clock = { now: 0 };
  const reported: unknown[] = [];
  const app = httpSurface<Probe>({
    application: probe,
    routes: probeRoutes,
    monotonic: () => clock.now,
    report: (error, request) => reported.push([error, request]),
    async authenticate(secret) {
      if (secret !== SECRET) throw new Unauthenticated('unknown');
      return callerWith(['audience.read', 'audience.write']);
    },
    ...options,
  });
  return { app, probe, clock, reported };
}
