import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { NotFound } from '../../../src/domain/shared/errors.ts';
import { FIELD_SCOPES } from '../../../src/interfaces/http/field-scopes.ts';
import { withoutAddresses } from '../../../src/interfaces/http/without-addresses.ts';
import { documentFaults, type OpenApiDocument, operationsOf } from './document-faults.ts';
import { probeApp } from './support.ts';

const { app } = probeApp();

describe('the OpenAPI document', () => {
  it('describes the routes that are mounted, without a loose end', async () => {
    const document = (await (await app.request('/openapi.json')).json()) as OpenApiDocument;
    expect(documentFaults(document)).toEqual([]);
    expect(
      operationsOf(document)
        .map(({ name }) => name)
        .sort(),
    ).toEqual([
      'DELETE /v1/things/{thingId}',
      'GET /v1/failure',
      'GET /v1/file',
      'GET /v1/things/{thingId}',
      'POST /v1/things',
      'POST /v1/things/{thingId}/start',
      'POST /v1/uploads',
    ]);
  });

  it('is found faulty when it is', () => {
    const faults = documentFaults({
      openapi: '3.0.0',
      components: {},
      paths: {
        '/a/{b}': {
          get: {
            operationId: 'a',
            responses: { 500: {} },
            parameters: [{ name: 'c', in: 'path', schema: { $ref: '#/nowhere' } }],
          },
        },
      },
    });
    expect(faults).toEqual(
      expect.arrayContaining([
        'openapi is 3.0.0',
        '#/nowhere leads nowhere',
        'GET /a/{b} has no security',
        'GET /a/{b} never succeeds',
      ]),
    );
    expect(faults).toContain('GET /a/{b} describes no problem for 500');
    expect(faults).toContain('GET /a/{b} declares the path parameters "c"');
  });
});

describe('the reference page', () => {
  it('is built from files of this installation only', async () => {
    const page = await (await app.request('/docs/')).text();
    const files = [...page.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map((match) => match[1]!);
    expect(files).toEqual(['scalar.js', 'start.js']);
    for (const file of files) {
      const response = await app.request(new URL(file, 'http://localhost/docs/').pathname);
      expect([file, response.status]).toEqual([file, 200]);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  it('may load nothing from elsewhere and talk to nobody else', async () => {
    const policy = (await app.request('/docs/')).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/https?:|\*/);
    expect(await (await app.request('/docs/start.js')).text()).toContain('telemetry: false');
  });

  it('is found without the slash as well', async () => {
    const response = await app.request('/docs');
    expect([response.status, response.headers.get('location')]).toEqual([302, 'docs/']);
  });
});

describe('the page of errors', () => {
  it('has the anchor that the type of a problem leads to', async () => {
    const { type } = (await (await app.request('/v1/failure')).json()) as { type: string };
    const page = await (await app.request(type)).text();
    expect(page).toContain(`<a id="${type.split('#')[1]}"></a>`);
  });

  it('shows code, kind, meaning and remedy of each as a row, and no Markdown', async () => {
    const page = await (await app.request('/docs/errors')).text();
    expect(page).toContain('<tr><td><a id="input.invalid"></a><code>input.invalid</code></td><td>invalid</td>');
    expect(page).not.toMatch(/^[|#]|&lt;a id/m);
  });
});

describe('health', () => {
  it('says live and ready without a key', async () => {
    expect(await (await app.request('/health/live')).json()).toEqual({ status: 'live' });
    expect(await (await app.request('/health/ready')).json()).toEqual({ status: 'ready' });
  });

  it('is not ready, but live, while the database is away', async () => {
    const away = probeApp({
      async ready() {
        throw Object.assign(new NotFound('database', 'x'), { kind: 'unavailable' });
      },
    });
    expect((await away.app.request('/health/ready')).status).toBe(503);
    expect((await away.app.request('/health/live')).status).toBe(200);
  });
});

describe('further pages', () => {
  const pages = [
    new Hono()
      .get('/o/:token', (context) => context.body('pixel', 200, { 'content-type': 'image/gif' }))
      .get('/broken', () => {
        throw new Error('secret');
      }),
  ];
  const withPages = probeApp({ pages });

  it('are served with their own headers and without the restrictions of the API', async () => {
    const response = await withPages.app.request('/o/abc');
    expect(await response.text()).toBe('pixel');
    for (const name of ['cross-origin-resource-policy', 'content-security-policy', 'x-frame-options'])
      expect(response.headers.has(name)).toBe(false);
    expect((await withPages.app.request('/health/live')).headers.get('cross-origin-resource-policy')).toBe('same-origin');
  });

  it('that break reveal nothing', async () => {
    const response = await withPages.app.request('/broken');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
  });
});

describe('the fields that show people', () => {
  it('stand in docs/reference/http.md, each with the scope that it needs', async () => {
    const page = await readFile(new URL('../../../docs/reference/http.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([\w.]+)` \| `([\w.]+)` \| (absent|masked) \|$/gm)].map(([, ...row]) => row);
    expect(rows).toEqual(Object.entries(FIELD_SCOPES).map(([field, { scope, others }]) => [field, scope, others]));
  });

  it.each([
    ['550 5.1.1 <ada@example.com> unknown', '550 5.1.1 <(address)> unknown'],
    ['user=ada@example.com;x', '(address);x'],
    ['see https://r.example/?to=ada%40example.com&x', 'see https:(address)'],
    ['"ada lovelace"@example.com is full', '(address) is full'],
    ['ada@[192.0.2.1] refused', '(address) refused'],
    ['grüße@bücher.example: no', '(address): no'],
    ['bounce+ada=example.com@mail.example', '(address)'],
    ['452 4.2.2 mailbox full', '452 4.2.2 mailbox full'],
  ])('lose addresses in texts: %s', (text, shown) => {
    expect(withoutAddresses(text)).toBe(shown);
  });
});
