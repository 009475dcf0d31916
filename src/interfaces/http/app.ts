/**
 * The HTTP face: `/v1/...` for holders of API keys, `/health`, `/openapi.json` and `/docs`.
 *
 * A route is one declaration (`route.ts`): schema, permission and handler. `dispatch.ts` takes a request through it, always
 * in this order: key (401), rate limit (429), scope (403), path (404), query and headers (422), body (400, 413, 415, 422),
 * handler. `problem.ts` is the only place that knows statuses; every failure has the one shape of RFC 9457.
 *
 * Promises: a body is never buffered beyond its limit, whether or not it announces its length; an upload is never buffered at
 * all; an answer holds the fields of its schema and no other; a 500 reveals a request id and nothing else. Rate limits count
 * in this process only. Listings are keyset pages and stay stable under writes.
 */
import type { Hono } from 'hono';
import type { Application } from '../../application/application.ts';
import type { HttpEnv } from './dispatch.ts';
import { routes } from './routes/index.ts';
import { type HttpOptions, httpSurface } from './surface.ts';

export type { HttpOptions } from './surface.ts';

/** An app whose `fetch` answers everything; `listen` serves it, or a host mounts it. Opens nothing and starts nothing. */
export function createHttpApp(application: Application, options: HttpOptions = {}): Hono<HttpEnv> {
  return httpSurface({
    application,
    routes,
    authenticate: (secret) => application.keys.authenticate(secret),
    // The cheapest verb that needs the database.
    ready: async () => void (await application.projects.list({ limit: 1 })),
    ...options,
  });
}
