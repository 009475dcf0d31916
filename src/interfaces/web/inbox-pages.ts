/**
 * The web pages of the development inbox. What they show came from outside, so: texts are escaped, HTML is shown only in a
 * sandboxed frame under a policy of its own that allows neither scripts nor an origin, files are only ever downloaded.
 */
import { type Context, Hono } from 'hono';
import { csrf } from 'hono/csrf';
import { gone, type Html, type ListPlace, shell, welcome } from './inbox-layout.ts';
import { defaultTab, FRAME_SANDBOX, isOffered, messagePage, TABS } from './inbox-message-page.ts';
import { inboxScript } from './inbox-script.ts';
import { inboxStyles } from './inbox-styles.ts';
import { type LocalAccess, localAccess } from './local-access.ts';
import type { InboxMessage, ReadableInbox } from './readable-inbox.ts';

export interface InboxPagesOptions {
  /** Where these routes are mounted, without a slash at its end. Default `/inbox`. */
  readonly base?: string | undefined;
  /** Under which names the pages are shown. Default: `localhost` and IP addresses. */
  readonly access?: LocalAccess | undefined;
}

export function inboxPages(inbox: ReadableInbox, options: InboxPagesOptions = {}): Hono {
  const base = options.base ?? '/inbox';
  const app = new Hono();
  app.use(localAccess(options.access ?? {}));

  app.get('/', (context) => {
    const place = placeOf(context);
    const chosen = context.req.query('chosen');
    return answer(
      context,
      shell({
        base,
        inbox,
        place,
        list: inbox.list(place),
        chosen,
        title: 'Development inbox · pennypost',
        reading: welcome(inbox),
      }),
    );
  });

  app.get('/messages.json', (context) => {
    const limit = Number(context.req.query('limit') ?? 50);
    const list = inbox.list({ ...placeOf(context), limit: Number.isInteger(limit) ? limit : 50 });
    return context.json({ received: inbox.received(), recipients: inbox.recipients(), ...list }, 200, DATA_HEADERS);
  });

  app.get('/messages/:file{[0-9]+\\.json}', async (context) => {
    const message = await inbox.get(context.req.param('file').replace('.json', ''));
    if (message === undefined)
      return context.json({ title: 'This message does not exist, or is no longer stored.', status: 404 }, 404, DATA_HEADERS);
    const attachments = message.attachments.map(({ name, type, size }, index) => ({
      name,
      type,
      size,
      url: `${base}/messages/${message.id}/attachments/${index}`,
    }));
    return context.json({ ...message, attachments }, 200, DATA_HEADERS);
  });

  app.get('/messages/:id{[0-9]+}', async (context) => {
    const id = context.req.param('id');
    const place = placeOf(context);
    const message = await inbox.get(id);
    const frame = { base, inbox, place, list: inbox.list(place), chosen: id };
    if (message === undefined)
      return answer(context, shell({ ...frame, title: 'Message not found · pennypost', reading: gone() }), 404);
    const wanted = TABS.find((tab) => tab === context.req.query('tab') && isOffered(tab, message));
    const reading = messagePage({
      base,
      place,
      message,
      tab: wanted ?? defaultTab(message),
      width: context.req.query('width') === 'phone' ? 'phone' : 'desktop',
      remote: context.req.query('remote') === 'on',
      source: inbox.raw(id) ?? new Uint8Array(),
    });
    return answer(context, shell({ ...frame, title: `${message.subject || '(no subject)'} · pennypost`, reading }));
  });

  app.get('/messages/:id{[0-9]+}/html', async (context) => {
    const message = await inbox.get(context.req.param('id'));
    if (message?.html === undefined) return context.text('This message has no HTML part.\n', 404, DATA_HEADERS);
    return context.body(intoNewTabs(message.html), 200, {
      ...DATA_HEADERS,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': framePolicy(context.req.query('remote') === 'on'),
    });
  });

  app.get('/messages/:id{[0-9]+}/source', (context) => {
    const id = context.req.param('id');
    const source = inbox.raw(id);
    if (source === undefined) return context.text('This message does not exist, or is no longer stored.\n', 404, DATA_HEADERS);
    return download(context, { name: `message-${id}.eml`, type: 'message/rfc822', content: source });
  });

  app.get('/messages/:id{[0-9]+}/attachments/:index{[0-9]+}', async (context) => {
    const message = await inbox.get(context.req.param('id'));
    const attachment: InboxMessage['attachments'][number] | undefined = message?.attachments[Number(context.req.param('index'))];
    if (attachment === undefined) return context.text('There is no such attachment.\n', 404, DATA_HEADERS);
    return download(context, { ...attachment, type: 'application/octet-stream' });
  });

  // A page of another site may make a browser post here; it must not be able to empty the inbox.
  app.post('/clear', csrf(), (context) => {
    inbox.clear();
    return context.redirect(base, 303);
  });

  app.get('/inbox.css', (context) =>
    context.body(inboxStyles, 200, { ...DATA_HEADERS, 'Content-Type': 'text/css; charset=utf-8' }),
  );
  app.get('/inbox.js', (context) =>
    context.body(inboxScript, 200, { ...DATA_HEADERS, 'Content-Type': 'text/javascript; charset=utf-8' }),
  );
  return app;
}

const DATA_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
} as const;

const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** The policy of the message itself: it has no origin (sandbox), runs nothing, sends nothing, and loads from the web only when asked to. */
function framePolicy(remote: boolean): string {
  const web = remote ? ' https: http:' : '';
  return `sandbox ${FRAME_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'${web}; img-src data:${web}; font-src data:${web}; form-action 'none'; base-uri 'none'; frame-ancestors 'self'`;
}

function answer(context: Context, page: Html, status: 200 | 404 = 200) {
  for (const [name, value] of Object.entries(DATA_HEADERS)) context.header(name, value);
  context.header('Content-Security-Policy', PAGE_POLICY);
  context.header('Cross-Origin-Opener-Policy', 'same-origin');
  return context.html(page, status);
}

function placeOf(context: Context): ListPlace {
  return { search: context.req.query('search')?.trim().slice(0, 200) ?? '', after: context.req.query('after') };
}

/** Links of a message must not replace it in its small frame. */
function intoNewTabs(source: string): string {
  const target = '<base target="_blank">';
  const place = /<head(?:\s[^>]{0,1000})?>/i.exec(source) ?? /<!doctype[^>]{0,1000}>/i.exec(source);
  const index = place === null ? 0 : place.index + place[0].length;
  return source.slice(0, index) + target + source.slice(index);
}

function download(context: Context, file: { name: string; type: string; content: Uint8Array }) {
  // RFC 6266: a plain name for old clients, and the real one encoded; nothing of it can end the header.
  const plain = file.name.replace(/[^\w.-]/g, '_').slice(0, 100);
  const encoded = encodeURIComponent(file.name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return context.body(new Uint8Array(file.content), 200, {
    ...DATA_HEADERS,
    'Content-Type': file.type,
    'Content-Disposition': `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`,
    'Content-Security-Policy': "sandbox; default-src 'none'",
  });
}
