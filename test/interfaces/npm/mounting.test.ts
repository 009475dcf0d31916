import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { draft, reaches } from './campaigns.ts';
import { type Host, openHost } from './host.ts';

describe('fetch in a server of the host', () => {
  let host: Host;
  let key: string;
  let click: string;
  const addresses: (string | undefined)[] = [];
  const servers: Server[] = [];

  beforeAll(async () => {
    host = await openHost({
      publicUrl: 'https://example.com/mail',
      showInbox: true,
      clientAddress: (request) => {
        addresses.push(request.headers.get('x-real-ip') ?? undefined);
        return addresses.at(-1);
      },
    });
    const { pennypost } = host;
    await pennypost.start();
    const { projectId, campaignId } = await draft(pennypost);
    key = (await pennypost.keys.create(projectId, { name: 'host', scopes: ['audience.read', 'audience.write'] })).secret;
    await pennypost.project(projectId).campaigns.launch(campaignId);
    await reaches(pennypost, projectId, campaignId, 'submitted');
    const [summary] = pennypost.inbox?.list({}).items ?? [];
    const message = await pennypost.inbox?.get(summary?.id ?? '');
    click = message?.links.find(({ url }) => url.includes('/c/'))?.url.replace('https://example.com', '') ?? 'no link';
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  afterAll(() => host.close());

  const listening = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const mounts: readonly [string, () => RequestListener][] = [
    [
      'node:http, below a path',
      () => {
        const mail = getRequestListener(host.pennypost.fetch);
        return (request, response) => {
          if (request.url?.startsWith('/mail/')) return void mail(request, response);
          response.end('the host');
        };
      },
    ],
    [
      'node:http, without touching the globals',
      () => {
        const mail = getRequestListener(host.pennypost.fetch, { overrideGlobalObjects: false });
        return (request, response) => void (request.url === '/' ? response.end('the host') : mail(request, response));
      },
    ],
    [
      'Hono, mounted',
      () => {
        const app = new Hono();
        app.get('/', (context) => context.text('the host'));
        app.mount('/mail', host.pennypost.fetch);
        return getRequestListener(app.fetch);
      },
    ],
    [
      'Hono, as a route',
      () => {
        const app = new Hono();
        app.get('/', (context) => context.text('the host'));
        app.all('/mail/*', (context) => host.pennypost.fetch(context.req.raw, context.env));
        return getRequestListener(app.fetch);
      },
    ],
  ];

  it.each(mounts)('answers links, the API and uploads: %s', async (_, listener) => {
    const url = await listening(listener());
    expect(await (await fetch(url)).text()).toBe('the host');
    const redirect = await fetch(url + click, { redirect: 'manual', headers: { 'x-real-ip': '192.0.2.7' } });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'https://example.com/offer']);
    expect(addresses.at(-1)).toBe('192.0.2.7');

    const headers = { authorization: `Bearer ${key}` };
    const list = await fetch(`${url}/mail/v1/lists`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ name: `List of ${url}` }),
    });
    expect(list.status).toBe(201);
    const imported = await fetch(`${url}/mail/v1/imports?dryRun=true`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'text/csv' },
      body: `email\n${Array.from({ length: 20_000 }, (__, index) => `person${index}@example.org`).join('\n')}\n`,
    });
    expect(await imported.json()).toMatchObject({ totals: { rows: 20_000 } });
    expect((await fetch(`${url}/mail/v1/lists`)).status).toBe(401);
    expect((await fetch(`${url}/mail/v1/none`, { headers })).status).toBe(404);
  });

  it('shows the development inbox where it was asked to', async () => {
    const page = await host.pennypost.fetch(new Request('https://example.com/mail/inbox'));
    expect(page.status).toBe(200);
    const text = await page.text();
    expect(text).toContain('Hello Ada');
    const link = /href="(\/mail\/inbox\/messages\/\d+)/.exec(text)?.[1] ?? 'no link';
    expect((await host.pennypost.fetch(new Request(`https://example.com${link}`))).status).toBe(200);
    const other = await host.another();
    expect((await other.fetch(new Request('http://127.0.0.1:8025/inbox'))).status).toBe(404);
  });
});
