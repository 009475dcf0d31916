/**
 * Everything that listens, in one server: the HTTP face, the pages for recipients, and the development inbox at /inbox. It
 * binds first and is given something to serve later, so that a port in use is known before a database is started, and links
 * in mail can be made with the port that was really taken.
 */
import { Hono } from 'hono';
import type { Application } from '../../application/application.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { inboxPages } from '../web/inbox-pages.ts';
import { publicPages } from '../web/public-pages.ts';
import type { ReadableInbox } from '../web/readable-inbox.ts';
import { createHttpApp } from './app.ts';
import { type Listening, listen } from './listen.ts';

export interface Served {
  readonly application: Application;
  readonly publicUrl: string;
  readonly version: string;
  readonly inbox: ReadableInbox | undefined;
  /** Hears of every failure that is ours, without addresses, bodies or tokens. */
  readonly report: (error: unknown, where: string) => void;
}

export interface Server extends Pick<Listening, 'url' | 'port' | 'close'> {
  /** From here on requests are answered; before, they get 503. */
  serve(served: Served): void;
}

class CannotListen extends DomainError {
  readonly code = 'server.cannot_listen';
  readonly kind = 'unavailable';
}

/** @param port 0 takes a free one. @throws CannotListen that names the address */
export async function startServer(options: { readonly host: string; readonly port: number }): Promise<Server> {
  let fetch: Hono['fetch'] = () => new Response('Starting.\n', { status: 503, headers: { 'Retry-After': '2' } });
  const listening = await listen({ fetch: (request, env) => fetch(request, env as object) }, options).catch((error: unknown) => {
    const known = error instanceof Error && error.message.startsWith('Cannot listen on');
    throw known ? new CannotListen(error.message) : error;
  });
  return {
    url: reachable(listening.url),
    port: listening.port,
    close: (graceMs) => listening.close(graceMs),
    serve(served) {
      fetch = faces(served).fetch;
    },
  };
}

function faces(served: Served): Pick<Hono, 'fetch'> {
  const { application, publicUrl, version, inbox, report } = served;
  const pages = [publicPages(application.recipients, { report }), front(inbox)];
  return createHttpApp(application, {
    publicUrl,
    version,
    pages,
    report: (error, { id, method, route }) => report(error, `${method} ${route} (${id})`),
  });
}

/** The inbox, where there is one; and somewhere to go for who opens the bare address. */
function front(inbox: ReadableInbox | undefined): Hono {
  const app = new Hono();
  if (inbox !== undefined) app.route('/inbox', inboxPages(inbox));
  app.get('/', (context) => context.redirect(inbox === undefined ? '/docs/' : '/inbox', 302));
  return app;
}

/** An address for people: a server that listens on all of them is reached by this machine's own name. */
const reachable = (url: string): string => url.replace(/^http:\/\/(0\.0\.0\.0|\[::\]):/, 'http://localhost:');
