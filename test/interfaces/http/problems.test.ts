import { describe, expect, it } from 'vitest';
import { ContentInvalid } from '../../../src/domain/campaign/index.ts';
import { DomainError, type ErrorKind, NotFound } from '../../../src/domain/shared/errors.ts';
import { authorized, json, PROJECT, probeApp } from './support.ts';

const { app, probe, clock, reported } = probeApp();

/** Every answer of a failure is checked for the one shape before its own facts are. */
async function failed(path: string, init: RequestInit = {}) {
  clock.now += 1000;
  const response = await app.request(path, init);
  const body = (await response.json()) as Record<string, unknown>;
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(body).toMatchObject({
    type: `/docs/errors#${body.code}`,
    title: expect.any(String),
    status: response.status,
    detail: expect.any(String),
    instance: `urn:request:${response.headers.get('x-request-id')}`,
    code: expect.stringMatching(/^[a-z_]+\.[a-z_]+$/),
  });
  return { status: response.status, headers: response.headers, body };
}

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = json): RequestInit => ({
  method: 'POST',
  headers,
  body,
});

class Sample extends DomainError {
  readonly code = 'sample.failed';
  readonly kind: ErrorKind;
  constructor(kind: ErrorKind) {
    super('A sample.', '/name');
    this.kind = kind;
  }
}

describe('a failed request', () => {
  it.each<[ErrorKind, number]>([
    ['invalid', 422],
    ['missing', 404],
    ['conflict', 409],
    ['forbidden', 403],
    ['unauthenticated', 401],
    ['limited', 429],
    ['unavailable', 503],
  ])('of kind %s is answered with %i', async (kind, status) => {
    probe.failure = new Sample(kind);
    const answer = await failed('/v1/failure', { headers: authorized });
    const detail = kind === 'unavailable' ? expect.stringContaining('Try again') : 'A sample.';
    expect(answer).toMatchObject({ status, body: { code: 'sample.failed', detail, pointer: '/name' } });
    expect(answer.headers.has('retry-after')).toBe(status === 429 || status === 503);
    expect(answer.headers.has('www-authenticate')).toBe(status === 401);
  });

  it('for what is away names no host, path or statement', async () => {
    class Away extends DomainError {
      readonly code = 'database.unavailable';
      readonly kind = 'unavailable';
    }
    probe.failure = new Away('connect ECONNREFUSED 10.0.0.7:5432 (/var/lib/pennypost/.s.PGSQL.5432), password for user letters');
    const { body } = await failed('/v1/failure', { headers: authorized });
    expect(JSON.stringify(body)).not.toMatch(/10\.0\.0|5432|PGSQL|\/var|letters|ECONN/);
    expect(reported.at(-1)).toMatchObject([probe.failure, { id: expect.any(String) }]);
  });

  it('that is our fault reveals its id and nothing else', async () => {
    probe.failure = new TypeError('connect ECONNREFUSED postgres://user:password@db');
    const answer = await failed('/v1/failure', { headers: { ...authorized, 'x-request-id': 'from-the-proxy' } });
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal.error', instance: 'urn:request:from-the-proxy' } });
    expect(JSON.stringify(answer.body)).not.toMatch(/ECONNREFUSED|password|TypeError/);
    expect(reported.at(-1)).toEqual([probe.failure, { id: 'from-the-proxy', method: 'GET', route: '/v1/failure' }]);
  });

  it('in the content of a message shows every problem with its line', async () => {
    const problem = { severity: 'error', code: 'template.syntax', part: 'source', line: 3, message: 'tag not closed' } as const;
    probe.failure = new ContentInvalid([problem]);
    expect((await failed('/v1/failure', { headers: authorized })).body).toMatchObject({
      status: 422,
      pointer: '/content',
      problems: [problem],
    });
  });

  it.each(['a b', 'x'.repeat(101), 'a\tb'])('never repeats the odd request id %j', async (id) => {
    probe.failure = new NotFound('list', 'x');
    const answer = await failed('/v1/failure', { headers: { ...authorized, 'x-request-id': id } });
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('without a valid key', () => {
  it.each([
    [undefined],
    ['Basic cHBfdGVzdA=='],
    ['Bearer'],
    ['Bearer a b'],
    ['Bearer pp_wrong'],
    ['pp_test'],
    ['Bearer pp_t\u00ebst'],
  ])('%j gets 401 and is told how', async (authorization) => {
    const answer = await failed('/v1/failure', { headers: authorization === undefined ? {} : { authorization } });
    expect(answer).toMatchObject({ status: 401, body: { code: 'access.unauthenticated' } });
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="pennypost"/);
  });

  it('neither a cookie nor a query parameter counts', async () => {
    expect((await failed('/v1/failure?access_token=pp_test', { headers: { cookie: 'access_token=pp_test' } })).status).toBe(401);
  });

  it('the scheme is read in any case', async () => {
    probe.failure = new NotFound('list', 'x');
    expect((await failed('/v1/failure', { headers: { authorization: 'bEARER pp_test' } })).status).toBe(404);
  });

  it('the body is not even looked at', async () => {
    let pulled = 0;
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += 1;
          controller.enqueue(new Uint8Array(1024));
        },
      },
      { highWaterMark: 0 },
    );
    const answer = await failed('/v1/things', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(answer.status).toBe(401);
    expect(pulled).toBe(0);
  });
});

describe('without the scope', () => {
  it('gets 403 and the name of the scope, before its input is judged', async () => {
    const answer = await failed('/v1/things/nonsense', { method: 'DELETE', headers: authorized });
    expect(answer).toMatchObject({ status: 403, body: { code: 'access.scope_missing' } });
    expect(answer.headers.get('www-authenticate')).toContain('scope="admin"');
  });
});

describe('an unknown place', () => {
  it.each([
    '/',
    '/v1',
    '/v1/nothing',
    '/v2/things',
    '//v1/failure',
    '/v1/failure/',
    '/v1%2Ffailure',
    '/docs/../v1/nothing',
    '/docs/%2e%2e/package.json',
    '/docs/other.js',
  ])('%s gets 404', async (path) => {
    expect(await failed(path, { headers: authorized })).toMatchObject({ status: 404, body: { code: 'route.not_found' } });
  });

  it.each(['nonsense', '0193a1b2', "'; drop table x;--", '%00'])(
    'with %j for an id gets the 404 of an unknown id',
    async (id) => {
      expect(await failed(`/v1/things/${encodeURIComponent(id)}`, { headers: authorized })).toMatchObject({
        status: 404,
        body: { code: 'resource.not_found' },
      });
    },
  );

  it.each([
    ['PUT', '/v1/things/x', 'DELETE, GET, HEAD'],
    ['GET', '/v1/things', 'POST'],
    ['OPTIONS', '/v1/things', 'POST'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['PROPFIND', '/v1/failure', 'GET, HEAD'],
  ])('%s %s gets 405 and the methods that there are', async (method, path, allow) => {
    const answer = await failed(path, { method });
    expect(answer).toMatchObject({ status: 405, body: { code: 'route.method_not_allowed' } });
    expect(answer.headers.get('allow')).toBe(allow);
  });
});

describe('a body', () => {
  it.each(['', '{', '{"name":"x"', 'name=x', '{"name":"x"}}', "{'name':1}"])('of %j is no JSON', async (body) => {
    expect(await failed('/v1/things', post(body))).toMatchObject({ status: 400, body: { code: 'request.bad_json' } });
  });

  it('that is not UTF-8 is no JSON', async () => {
    const answer = await failed('/v1/things', post(Buffer.from('{"name":"caf\xe9"}', 'latin1')));
    expect(answer).toMatchObject({ status: 400, body: { code: 'request.bad_json' } });
  });

  it('may start with a byte order mark', async () => {
    expect((await app.request('/v1/things', post('\ufeff{"name":"x"}'))).status).toBe(201);
  });

  it('nested deeper than anybody needs is refused before it can hurt', async () => {
    const deep = (levels: number) => `{"name":"[[[","attributes":{"a":${'['.repeat(levels)}${']'.repeat(levels)}}}`;
    expect((await app.request('/v1/things', post(deep(50)))).status).toBe(201);
    for (const levels of [65, 100_000]) {
      expect(await failed('/v1/things', post(deep(levels)))).toMatchObject({ status: 400, body: { code: 'request.bad_json' } });
    }
  });

  it.each<[string, Record<string, string>]>([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['something that begins like JSON', { 'content-type': 'application/jsonp' }],
    ['compressed JSON', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('as %s gets 415', async (_, headers) => {
    expect(await failed('/v1/things', post('{"name":"x"}', { ...authorized, ...headers }))).toMatchObject({
      status: 415,
      body: { code: 'request.unsupported_type' },
    });
  });

  it('may declare its charset', async () => {
    expect(
      (
        await app.request(
          '/v1/things',
          post('{"name":"x"}', { ...authorized, 'content-type': 'Application/JSON; charset=utf-8' }),
        )
      ).status,
    ).toBe(201);
  });

  it('over the limit gets 413, whether or not it says its length', async () => {
    const big = JSON.stringify({ name: 'x'.repeat(1_048_576) });
    expect(await failed('/v1/things', post(big, { ...json, 'content-length': String(big.length) }))).toMatchObject({
      status: 413,
      body: { code: 'request.too_large' },
    });
    expect(await failed('/v1/things', post(big))).toMatchObject({ status: 413, body: { code: 'request.too_large' } });
  });

  it('that breaks the schema gets a pointer for every field', async () => {
    const answer = await failed('/v1/things', post(JSON.stringify({ nmae: 'x', tags: [{ 'a/b': 'x' }, { 'a/b': 1, '~': 2 }] })));
    expect(answer).toMatchObject({ status: 422, body: { code: 'input.invalid' } });
    const errors = answer.body.errors as { in: string; pointer: string }[];
    expect(errors.map((error) => `${error.in} ${error.pointer}`).sort()).toEqual([
      'body /name',
      'body /nmae',
      'body /tags/1/a~1b',
      'body /tags/1/~0',
    ]);
  });

  it('with one fault names it at the top', async () => {
    expect((await failed('/v1/things', post('{"name":1}'))).body).toMatchObject({
      pointer: '/name',
      errors: [{ in: 'body', pointer: '/name' }],
    });
  });

  it('is refused where the route takes none, since the caller expects it to count', async () => {
    const start = '/v1/things/0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/start';
    expect((await failed(start, post('{"at":"tomorrow 9:00"}'))).body).toMatchObject({
      status: 422,
      pointer: '/at',
      detail: 'This route takes no body (body /at).',
    });
    expect((await app.request(start, post('{}'))).status).toBe(204);
  });

  it('that is missing altogether is a fault of the body as a whole', async () => {
    expect(await failed('/v1/things', { method: 'POST', headers: authorized })).toMatchObject({
      status: 422,
      body: { pointer: '' },
    });
  });

  it.each([
    ['NUL', '{"name":"a\\u0000b"}', '/name'],
    ['half a surrogate pair', '{"name":"x","attributes":{"a":{"b":["\\ud800"]}}}', '/attributes/a/b/0'],
    ['NUL in a key', '{"name":"x","attributes":{"a\\u0000":1}}', '/attributes/a\0'],
  ])('with %s is refused where it stands', async (_, body, pointer) => {
    expect(await failed('/v1/things', post(body))).toMatchObject({ status: 422, body: { code: 'input.invalid', pointer } });
  });

  it('may hold a whole surrogate pair', async () => {
    expect((await app.request('/v1/things', post('{"name":"\\ud83d\\ude00 \\\\u0000"}'))).status).toBe(201);
  });

  it('with the key __proto__ changes no prototype', async () => {
    expect(await failed('/v1/things', post('{"name":"x","__proto__":{"admin":true}}'))).toMatchObject({ status: 422 });
  });
});

describe('a query', () => {
  it.each([
    ['limit=0', '/limit'],
    ['limit=501', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=1e2', '/limit'],
    ['limit=', '/limit'],
    ['limit=5&limit=6', '/limit'],
    ['limt=5', '/limt'],
    ['__proto__=5', '/__proto__'],
    ['constructor=5', '/constructor'],
    ['cursor=%00', '/cursor'],
  ])('of %s is refused where it stands', async (query, pointer) => {
    const answer = await failed(`/v1/things/${PROJECT}?${query}`, { headers: authorized });
    expect(answer).toMatchObject({ status: 422, body: { code: 'input.invalid', pointer, errors: [{ in: 'query', pointer }] } });
  });

  it('is refused where a route takes none', async () => {
    expect(await failed('/v1/failure?x=1', { headers: authorized })).toMatchObject({ status: 422, body: { pointer: '/x' } });
  });
});

describe('an answer', () => {
  it('holds what its schema names and nothing else', async () => {
    const response = await app.request(`/v1/things/${PROJECT.toUpperCase()}?limit=500`, { headers: authorized });
    expect(await response.json()).toEqual({ thingId: PROJECT, limit: 500 });
  });

  it('to HEAD has no body', async () => {
    const response = await app.request(`/v1/things/${PROJECT}`, { method: 'HEAD', headers: authorized });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });
});
