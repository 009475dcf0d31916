import { readFile } from 'node:fs/promises';
import type { Application } from '../../application/application.ts';
import { createHttpApp } from '../http/app.ts';
import { inboxPages } from '../web/inbox-pages.ts';
import { hostsOf } from '../web/local-access.ts';
import { publicPages } from '../web/public-pages.ts';
import type { ReadableInbox } from '../web/readable-inbox.ts';
import type { CheckedOptions, Log } from './options.ts';

export type FetchHandler = (request: Request, env?: unknown) => Promise<Response>;

/** The relative path is the same from `src/interfaces/npm` and from `dist/interfaces/npm`. */
const MANIFEST = new URL('../../../package.json', import.meta.url);

/**
 * The HTTP API, the pages for recipients and, if enabled, the development inbox as one function. The path of the public URL
 * is optional in requests: under `https://example.com/mail`, `/mail/c/...` and `/c/...` are the same.
 */
export async function webHandler(parts: {
  readonly application: Application;
  readonly inbox: ReadableInbox | undefined;
  readonly log: Log;
  readonly ready: () => Promise<void>;
  readonly options: Pick<CheckedOptions, 'publicUrl' | 'clientAddress'>;
}): Promise<FetchHandler> {
  const { application, inbox, log, ready } = parts;
  const { publicUrl, clientAddress } = parts.options;
  const { version } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { version: string };
  const pages = publicPages(application.recipients, {
    clientAddress: clientAddress === undefined ? undefined : (context) => clientAddress(context.req.raw),
    report: (error, where) => log.error({ where, reason: error }, 'a request to a page for recipients failed'),
  });
  const app = createHttpApp(application, {
    version,
    publicUrl,
    pages: [pages],
    ready,
    clientAddress: clientAddress === undefined ? undefined : (context) => clientAddress(context.req.raw),
    report: (error, request) => log.error({ ...request, reason: error }, 'a request failed'),
  });
  const base = new URL(publicUrl).pathname.replace(/\/$/, '');
  const inboxApp =
    inbox === undefined ? undefined : inboxPages(inbox, { base: `${base}/inbox`, access: { names: hostsOf(publicUrl) } });
  return async (request, env = {}) => {
    const inside = withoutPrefix(request, base) ?? request;
    const inInbox = inboxApp === undefined ? undefined : withoutPrefix(inside, '/inbox');
    return inInbox === undefined || inboxApp === undefined ? app.fetch(inside, env) : inboxApp.fetch(inInbox, env);
  };
}

/** Returns the request with the prefix removed from its path, or undefined when it has no prefix. The body is streamed. */
function withoutPrefix(request: Request, prefix: string): Request | undefined {
  if (prefix === '') return undefined;
  const url = new URL(request.url);
  if (url.pathname !== prefix && !url.pathname.startsWith(`${prefix}/`)) return undefined;
  url.pathname = url.pathname.slice(prefix.length) || '/';
  return new Request(url, request);
}
