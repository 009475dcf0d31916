import { randomUUID } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { routePath } from 'hono/route';
import { networkOf } from '../../application/application.ts';
import { type ClientAddress, socketAddress } from '../web/request-facts.ts';
import type { Caller } from './authentication.ts';
import { dispatch, type HttpEnv } from './dispatch.ts';
import { errorsPage } from './errors-page.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { answerGuard } from './field-scopes.ts';
import { openApiDocument } from './openapi.ts';
import { HttpProblem, isUnexpected, problemResponse } from './problem.ts';
import { RateLimiter } from './rate-limit.ts';
import { referencePage } from './reference-page.ts';
import type { BodyPace } from './request-body.ts';
import type { Route } from './route.ts';

export interface HttpOptions {
  /** Shown in the OpenAPI document; default `0.0.0`. */
  readonly version?: string;
  /** URL at which clients reach this instance, without a trailing slash. Default: relative URLs. */
  readonly publicUrl?: string;
  /** Most bytes of a JSON body. Default 1 MB (1,048,576). */
  readonly maxJsonBytes?: number;
  /** Most bytes of a streamed body such as an import. Default 4 GiB. */
  readonly maxUploadBytes?: number;
  /** Milliseconds that only grow, for rate limits; default `performance.now`. */
  readonly monotonic?: () => number;
  /** Least speed of a body; slower bodies are refused. Default 30 kB in 30 seconds. */
  readonly pace?: BodyPace;
  /** Returns the address of a client. Behind a proxy, read it from the proxy's header. Default: the peer of the socket. */
  readonly clientAddress?: ClientAddress | undefined;
  /** Called for every failure of the server (500, 503). Never gets a body or a secret. */
  readonly report?: (error: unknown, request: { readonly id: string; readonly method: string; readonly route: string }) => void;
  /** Further pages at the root, such as those for recipients. They come before the API and set their own headers. */
  readonly pages?: readonly Hono[];
  /** Rejects when this process cannot serve now. Default: always ready. */
  readonly ready?: () => Promise<void>;
}

export interface HttpSurface<Application> extends HttpOptions {
  readonly application: Application;
  readonly authenticate: (secret: string) => Promise<Caller>;
  readonly routes: readonly Route<Application>[];
}

/** The HTTP interface for any table of routes. `createHttpApp` uses pennypost's routes; tests use smaller tables. */
export function httpSurface<Application>(surface: HttpSurface<Application>): Hono<HttpEnv> {
  const publicUrl = surface.publicUrl ?? '';
  const app = new Hono<HttpEnv>();
  const problem = (error: unknown, requestId: string, seesPeople = true) =>
    problemResponse(error, { requestId, errorPage: `${publicUrl}/docs/errors`, seesPeople });

  // Before the headers below: a tracking pixel must load in webmail, so it must not have the security headers of the API.
  for (const page of surface.pages ?? []) app.route('/', page);
  app.use(async (context, next) => {
    const wanted = context.req.header('x-request-id') ?? '';
    const requestId = /^[\w.:-]{1,100}$/.test(wanted) ? wanted : randomUUID();
    context.set('requestId', requestId);
    await next();
    const { headers } = context.res;
    headers.set('x-request-id', requestId);
    for (const [name, value] of Object.entries(context.get('rateLimit') ?? {})) headers.set(name, value);
    for (const [name, value] of Object.entries(DEFAULT_HEADERS)) if (!headers.has(name)) headers.set(name, value);
  });
  const report = (error: unknown, context: Context<HttpEnv>): void => {
    const { method } = context.req;
    if (isUnexpected(error)) surface.report?.(error, { id: context.get('requestId'), method, route: routePath(context, -1) });
  };
  app.onError((error, context) => {
    // An error on one of the further pages occurs before the request has an id.
    const requestId = context.get('requestId') ?? randomUUID();
    context.set('requestId', requestId);
    report(error, context);
    return problem(error, requestId, context.get('seesPeople'));
  });

  app.get('/health/live', (context) => context.json({ status: 'live' }));
  app.get('/health/ready', async (context) => {
    await surface.ready?.();
    return context.json({ status: 'ready' });
  });
  const document = openApiDocument(surface.routes, {
    version: surface.version ?? '0.0.0',
    serverUrl: publicUrl === '' ? '/' : publicUrl,
  });
  app.get('/openapi.json', (context) => context.json(document));
  app.route('/', errorsPage());
  app.route('/', referencePage());

  const monotonic = surface.monotonic ?? (() => performance.now());
  const clientAddress = surface.clientAddress ?? socketAddress;
  const options = {
    application: surface.application,
    authenticate: surface.authenticate,
    failedAttempts: new FailedAttempts(monotonic),
    networkOf: (context: Context<HttpEnv>) => networkOf(clientAddress(context) ?? '') ?? 'unknown',
    rateLimiter: new RateLimiter(monotonic),
    maxJsonBytes: surface.maxJsonBytes ?? 1_048_576,
    maxUploadBytes: surface.maxUploadBytes ?? 4 * 1024 ** 3,
    pace: surface.pace ?? { bytes: 30 * 1024, withinMs: 30_000 },
    report,
  };
  for (const route of surface.routes) {
    const guard = answerGuard(route.reply);
    app.on(route.method.toUpperCase(), honoPath(route.path), (context) => dispatch(route, context, { ...options, guard }));
  }

  const methodsAt = methodTable(surface.routes);
  app.notFound((context) => {
    const requestId = context.get('requestId');
    const allowed = methodsAt(context.req.path);
    if (allowed.length === 0) {
      return problem(
        new HttpProblem(
          404,
          'route.not_found',
          `There is no ${context.req.method} ${context.req.path.slice(0, 200)}. See ${publicUrl}/docs/.`,
        ),
        requestId,
      );
    }
    const allow = allowed.join(', ');
    return problem(
      new HttpProblem(405, 'route.method_not_allowed', `${context.req.method} is not supported for this path; use ${allow}.`, {
        headers: { allow },
      }),
      requestId,
    );
  });
  return app;
}

/** Headers of every answer, unless the page sets them itself. */
const DEFAULT_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

const FIXED_PATHS = ['/health/live', '/health/ready', '/openapi.json', '/docs', '/docs/'];

/** Returns the methods that a path supports, for 405 (RFC 9110 section 15.5.6). */
function methodTable(routes: readonly { readonly method: string; readonly path: string }[]): (path: string) => readonly string[] {
  const table = routes.map((route) => ({
    method: route.method.toUpperCase(),
    pattern: new RegExp(`^${route.path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (path) => {
    if (FIXED_PATHS.includes(path)) return ['GET', 'HEAD'];
    const methods = new Set(table.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
    if (methods.has('GET')) methods.add('HEAD');
    return [...methods].sort();
  };
}
