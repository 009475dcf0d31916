/**
 * Everything that listens, in one server: the HTTP face, the pages for recipients, and the development inbox at /inbox. It
 * binds first and is given something to serve later, so that a port in use is known before a database is started, and links
 * in mail can be made with the port that was really taken.
 */
import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import type { Application } from '../../application/application.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { inboxPages } from '../web/inbox-pages.ts';
import { localAccess } from '../web/local-access.ts';
import { publicPages, publicRoot } from '../web/public-pages.ts';
import type { ReadableInbox } from '../web/readable-inbox.ts';
import { TrackedRequests } from '../web/tracked-requests.ts';
import { createHttpApp } from './app.ts';
import { type Listening, listen } from './listen.ts';
import { problemResponse } from './problem.ts';
import { type DirectListener, trackedListener } from './tracked-listener.ts';

export interface Served {
  readonly application: Application;
  readonly publicUrl: string;
  readonly version: string;
  /** Undefined: none, or none that is shown. */
  readonly inbox: ReadableInbox | undefined;
  /** Names under which pages without a key are shown, beside `localhost` and IP addresses. */
  readonly names: readonly string[];
  /** True: pages without a key are for this machine alone. */
  readonly local: boolean;
  /** Rejects when this process cannot serve now. */
  readonly ready: () => Promise<void>;
  /** Called for every failure of the server, without addresses, bodies or tokens. */
  readonly report: (error: unknown, where: string) => void;
}

export interface Server extends Pick<Listening, 'url' | 'port' | 'loopback' | 'close'> {
  /** From here on requests are answered; before, only `/health/live` is. */
  serve(served: Served): void;
}

class CannotListen extends DomainError {
  readonly code = 'server.cannot_listen';
  readonly kind = 'unavailable';
}

class Starting extends DomainError {
  readonly code = 'server.starting';
  readonly kind = 'unavailable';
}

/** @param port 0 takes a free one. @throws CannotListen that names the address */
export async function startServer(options: { readonly host: string; readonly port: number }): Promise<Server> {
  let fetch: Hono['fetch'] = starting;
  let direct: DirectListener = () => false;
  const listening = await listen(
    { fetch: (request, env) => fetch(request, env as object), direct: (request, response) => direct(request, response) },
    options,
  ).catch((error: unknown) => {
    const known = error instanceof Error && error.message.startsWith('Cannot listen on');
    throw known ? new CannotListen(error.message) : error;
  });
  return {
    url: reachable(listening.url),
    port: listening.port,
    loopback: listening.loopback,
    close: (graceMs) => listening.close(graceMs),
    serve(served) {
      fetch = faces(served).fetch;
      direct = trackedListener(new TrackedRequests(served.application.recipients, served.report));
    },
  };
}

/** The process lives and cannot serve yet: it opens the database, or brings the schema up to date. */
function starting(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname === '/health/live' && (request.method === 'GET' || request.method === 'HEAD'))
    return Response.json({ status: 'live' }, { headers: { 'Cache-Control': 'no-store' } });
  return problemResponse(new Starting('The server is starting. Try again in a few seconds.'), {
    requestId: randomUUID(),
    errorPage: '/docs/errors',
  });
}

function faces(served: Served): Pick<Hono, 'fetch'> {
  const { application, publicUrl, version, ready, report } = served;
  const pages = [publicPages(application.recipients, { report }), front(served)];
  return createHttpApp(application, {
    publicUrl,
    version,
    pages,
    ready,
    report: (error, { id, method, route }) => report(error, `${method} ${route} (${id})`),
  });
}

/** The inbox, where there is one, and the bare address leads to it; otherwise a page that says nothing about the instance. */
function front({ inbox, names, local }: Served): Hono {
  const app = new Hono();
  const access = { names, direct: local };
  if (local) for (const path of ['/', '/docs', '/docs/*', '/openapi.json']) app.use(path, localAccess({ names }));
  if (inbox === undefined) return app.route('/', publicRoot());
  app.route('/inbox', inboxPages(inbox, { access }));
  app.get('/', (context) => context.redirect('/inbox', 302));
  return app;
}

/** The address to display: a server that listens on all addresses is reached by this machine's own name. */
const reachable = (url: string): string => url.replace(/^http:\/\/(0\.0\.0\.0|\[::\]):/, 'http://localhost:');
