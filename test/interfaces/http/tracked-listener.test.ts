import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { trackedListener } from '../../../src/interfaces/http/tracked-listener.ts';
import { TrackedRequests } from '../../../src/interfaces/web/tracked-requests.ts';
import { aSite, away, FORGED, VALID } from '../web/public-site.ts';

interface Given {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const servers: Listening[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close(0))));

/** The public pages behind a listener that takes what it can before them, and what reached which of the two. */
async function served(given: Parameters<typeof aSite>[0] = {}) {
  const behind = aSite(given);
  const before = aSite(given);
  const throughApp: string[] = [];
  const tracked = new TrackedRequests(
    { click: (...asked) => before.actions.click(...asked), open: (...asked) => before.actions.open(...asked) },
    (_error, where) => before.recorded.reported.push(where),
  );
  const server = await listen(
    {
      fetch: (asked) => {
        throughApp.push(asked.method);
        return behind.app.fetch(asked);
      },
      direct: trackedListener(tracked),
    },
    { port: 0 },
  );
  servers.push(server);
  return { server, behind, before, throughApp };
}

function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Given = {}) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('latin1');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        // Each frames a body, or none, in its own way.
        const { date: _, 'content-length': __, 'transfer-encoding': ___, ...rest } = response.headers;
        resolve({ status: response.statusCode, headers: rest, body: text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('a tracked request', () => {
  let site: Awaited<ReturnType<typeof served>>;
  beforeAll(async () => {
    site = await served();
  });

  it.each([
    ['a click', `/c/${VALID}/${VALID}`, {}],
    ['a click on a broken link', `/c/${VALID}/${FORGED}`, { headers: { 'accept-language': 'de' } }],
    ['an open', `/o/${VALID}`, {}],
    ['an open of a broken pixel', `/o/${FORGED}`, {}],
  ])('%s gets the same answer before the app as from it', async (_, path, given: Given) => {
    const { port } = site.server;
    site.throughApp.length = 0;
    const direct = await ask(port, path, given);
    expect(site.throughApp).toEqual([]);
    // A query is not part of any address that a message carries.
    const app = await ask(port, `${path}?`, given);
    expect(site.throughApp).toEqual(['GET']);
    expect(direct).toEqual(app);
  });

  it('tells who asked', async () => {
    const { port } = site.server;
    const headers = { 'user-agent': 'A browser', 'sec-fetch-mode': 'navigate', 'x-moz': 'prefetch' };
    site.before.recorded.clicked.length = 0;
    await ask(port, `/c/${VALID}/${VALID}`, { headers });
    expect(site.before.recorded.clicked).toMatchObject([
      { method: 'GET', userAgent: 'A browser', ip: '127.0.0.1', secFetchMode: 'navigate', purpose: 'prefetch' },
    ]);
  });

  it('by HEAD has the headers alone', async () => {
    const { port } = site.server;
    const got = await ask(port, `/o/${VALID}`, { method: 'GET' });
    const head = await ask(port, `/o/${VALID}`, { method: 'HEAD' });
    expect(head).toEqual({ ...got, body: '' });
  });

  it.each([
    ['another method', `/c/${VALID}/${VALID}`, { method: 'OPTIONS' }],
    ['a body', `/o/${VALID}`, { headers: { 'content-length': '2' }, body: 'hm' }],
    ['an encoded address', `/o/%76${VALID.slice(1)}`, {}],
    ['another page', `/u/${VALID}`, {}],
  ])('with %s goes through the app', async (_, path, given: Given) => {
    site.throughApp.length = 0;
    expect((await ask(site.server.port, path, given)).status).toBeLessThan(300);
    expect(site.throughApp).toHaveLength(1);
  });
});

describe('a tracked request while nothing can be stored', () => {
  it('is answered as the app does, and reported', async () => {
    const { server, before, throughApp } = await served({ actions: { click: away, open: away } });
    for (const [path, where] of [
      [`/c/${VALID}/${VALID}`, 'click'],
      [`/o/${VALID}`, 'open'],
    ] as const) {
      before.recorded.reported.length = 0;
      throughApp.length = 0;
      const direct = await ask(server.port, path);
      expect(before.recorded.reported).toEqual([where]);
      expect(throughApp).toEqual([]);
      expect(direct).toEqual(await ask(server.port, `${path}?`));
    }
  });
});
