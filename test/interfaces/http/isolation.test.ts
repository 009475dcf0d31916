import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Application } from '../../../src/application/application.ts';
import { SCOPES } from '../../../src/domain/access/index.ts';
import { openApiDocument } from '../../../src/interfaces/http/openapi.ts';
import { type Route, scopesOf } from '../../../src/interfaces/http/route.ts';
import { routes } from '../../../src/interfaces/http/routes/index.ts';
import type { ObjectKind } from '../../../src/interfaces/http/schemas.ts';
import {
  documentFaults,
  idPlaces,
  type OpenApiDocument,
  type Operation,
  operationsOf,
  unmarkedIds,
  withAt,
} from './document-faults.ts';
import { createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

/*
 * Generated from the route table: a route that is added is tested without a word here. Every place where a request may name
 * an object (in its path, its query, its body) gets, in turn, an object of another project, all others being one's own.
 */

const document = openApiDocument(routes, { version: 'test', serverUrl: '/' }) as OpenApiDocument;
const operations = operationsOf(document);
const routeOf = new Map(routes.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route]));

interface Place {
  readonly kind: ObjectKind;
  readonly where: 'path' | 'query' | 'body';
  readonly steps: readonly (string | number)[];
}

const cases = operations.flatMap(({ name, operation }) =>
  placesOf(operation).map((place) => ({ name, operation, place, label: `${place.where} ${place.steps.join('/')}` })),
);

let instance: Instance;
let ours: Tenant;
let theirs: Tenant;

beforeAll(async () => {
  instance = await openInstance();
  ours = await createTenant(instance);
  theirs = await createTenant(instance);
});
afterAll(() => instance.close());
beforeEach(() => {
  instance.reported.length = 0;
});

describe('the route table', () => {
  it('has a valid document, without a loose end', () => {
    expect(documentFaults(document)).toEqual([]);
  });

  it('marks every id in a request with the kind of object that it names', () => {
    expect(
      operations.flatMap(({ name, operation }) => unmarkedIds(document, operation).map((where) => `${name}: ${where}`)),
    ).toEqual([]);
  });

  it('gives an example for every JSON body', () => {
    const lacking = operations.filter(({ operation }) => jsonBody(operation) !== undefined && exampleOf(operation) === undefined);
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  it('names objects in more places than it has routes with a path parameter', () => {
    expect(cases.length).toBeGreaterThan(routes.filter((route) => route.params !== undefined).length);
  });
});

/** What a request is answered; of a batch, what its one message is. */
async function refusal(response: Response): Promise<{ status: number; code: unknown; detail: unknown }> {
  const body = (await response.json()) as { code?: string; detail?: string; results?: { error: { code: string } | null }[] };
  const [result] = body.results ?? [];
  const code = body.code ?? result?.error?.code;
  return { status: result?.error?.code === 'resource.not_found' ? 404 : response.status, code, detail: body.detail };
}

describe.each(cases)('$name, $label', ({ name, operation, place }) => {
  it("answers 404 for another project's object, and changes nothing", async () => {
    const foreign = await theirs.make(place.kind);
    const request = await requestFor(name, operation, place, foreign);
    const before = await instance.fingerprint();
    const response = await instance.app.request(request);
    expect(await refusal(response)).toMatchObject({ status: 404, code: 'resource.not_found' });
    expect(await instance.fingerprint()).toEqual(before);
  });

  it('answers the same for an object that does not exist', async () => {
    const response = await instance.app.request(await requestFor(name, operation, place, '0193a1b2-0000-7000-8000-0000000000ff'));
    expect((await refusal(response)).status).toBe(404);
  });

  it("finds one's own", async () => {
    const response = await instance.app.request(await requestFor(name, operation, place, await ours.make(place.kind)));
    expect([404, 500, 503]).not.toContain(response.status);
  });
});

describe.each(operations)('$name', ({ name, operation }) => {
  it('answers 401 without a key, and 403 with a key that lacks one scope of its own', async () => {
    const stranger = await instance.app.request(await requestFor(name, operation, undefined, '', {}));
    expect(stranger.status).toBe(401);
    for (const own of scopesOf(routeOf.get(name)!)) {
      const others = SCOPES.filter((scope) => scope !== 'admin' && scope !== own);
      const response = await instance.app.request(
        await requestFor(name, operation, undefined, '', await ours.keyWith(...others)),
      );
      expect(response.status).toBe(403);
    }
  });

  it('never fails for a reason of its own', async () => {
    const response = await instance.app.request(await requestFor(name, operation, undefined, ''));
    expect(instance.reported).toEqual([]);
    expect(response.status).toBeLessThan(500);
  });
});

/** Writes an address wherever a text of somebody else's may quote one: replies, reasons, names of files. */
async function quoteAddresses(): Promise<void> {
  const reply = `'550 5.1.1 <victim@example.com>: Recipient address rejected; see https://r.example/?to=victim%40example.com'`;
  await instance.sql(`update pennypost_delivery.transactional_message set reply = ${reply}`);
  await instance.sql(
    `insert into pennypost_delivery.attempt (project_id, message_id, number, started_at, ended_at, outcome, code, reply, transport)
     select project_id, id, 1, now(), now(), 'rejected', 550, ${reply}, 'smtp' from pennypost_delivery.transactional_message
     on conflict do nothing`,
  );
  await instance.sql(`update pennypost_campaign.campaign set pause_reason = ${reply}, launch_failure = ${reply}`);
  await instance.sql(`update pennypost_audience.import set failure = ${reply}, file_name = 'victim@example.com.csv'`);
  const progress = `jsonb_build_object('shards', 0, 'submitted', 0, 'perSecond', 0, 'unrecorded', 0, 'trouble', ${reply})`;
  await instance.sql(
    `insert into pennypost_delivery.worker (id, host, pid, lanes, started_at, seen_at, progress)
     select gen_random_uuid(), 'host', 1, '{bulk}', now(), now(), ${progress} where not exists (select from pennypost_delivery.worker)`,
  );
}

describe('what shows people', () => {
  /** Each scope alone, and all but the two that may see people. */
  const grants = [...SCOPES.map((scope) => [scope]), SCOPES.filter((scope) => scope !== 'admin' && scope !== 'audience.read')];
  const blind = grants.filter((scopes) => !scopes.includes('admin') && !scopes.includes('audience.read'));

  it.each(operations)('$name shows no address to a key without audience.read', async ({ name, operation }) => {
    for (const scopes of blind) {
      const request = await requestFor(name, operation, undefined, '', await ours.keyWith(...scopes));
      await quoteAddresses();
      const response = await instance.app.request(request);
      // The author of a content is no recipient, and the example's is at example.com too.
      const text = (await response.text()).replaceAll(/"(author|replyTo)":\{[^}]*\}/g, '');
      expect([scopes, text]).toEqual([scopes, expect.not.stringMatching(/[\w.-]+(@|%40)example\.com/)]);
    }
  });

  it('shows them to a key with audience.read', async () => {
    const messageId = await ours.make('message');
    await quoteAddresses();
    const headers = await ours.keyWith('report.read', 'audience.read');
    const response = await instance.app.request(`/v1/messages/${messageId}`, { headers });
    const { recipients } = (await response.json()) as {
      recipients: { address: string; reply: string; tries: { reply: string }[] }[];
    };
    const [recipient] = recipients;
    expect(recipient?.address).toMatch(/@example\.com$/);
    expect([recipient?.reply, recipient?.tries[0]?.reply]).toEqual(
      Array(2).fill(expect.stringContaining('<victim@example.com>')),
    );
  });

  it('says no address in a refusal either', async () => {
    const { application } = instance;
    await application.subscribers.upsert(ours.projectId, { email: 'taken@example.com' });
    const id = await ours.make('subscriber');
    const change = async (headers: Record<string, string>) => {
      const body = JSON.stringify({ email: 'taken@example.com' });
      const init = { method: 'PATCH', body, headers: { ...headers, 'content-type': 'application/json' } };
      const response = await instance.app.request(`/v1/subscribers/${id}`, init);
      return [response.status, ((await response.json()) as { detail: string }).detail];
    };
    const [status, detail] = await change(await ours.keyWith('audience.write'));
    expect([status, detail]).toEqual([409, expect.stringContaining('(address)')]);
    expect(detail).not.toContain('taken@');
    expect(await change(ours.headers)).toEqual([409, expect.stringContaining('taken@example.com')]);
  });
});

describe('the state of the instance', () => {
  const statusOf = async (headers: Record<string, string>, path: string, body?: object) =>
    (
      await instance.app.request(path, {
        headers: { ...headers, 'content-type': 'application/json' },
        ...(body && { method: 'POST', body: JSON.stringify(body) }),
      })
    ).status;

  it('is shown to a key with instance.read, and not to the administrator of a project', async () => {
    expect(await statusOf(await ours.keyWith('admin'), '/v1/status')).toBe(403);
    expect(await statusOf(await ours.keyWith('instance.read'), '/v1/status')).toBe(200);
    expect(await statusOf(await ours.keyWith('instance.read'), '/v1/lists')).toBe(403);
  });

  it('cannot be opened by an administrator with a key made for it', async () => {
    const wish = { name: 'curious', scopes: ['admin', 'instance.read'] };
    expect(await statusOf(await ours.keyWith('admin'), '/v1/keys', wish)).toBe(403);
    expect(await statusOf(await ours.keyWith('admin', 'instance.read'), '/v1/keys', wish)).toBe(201);
  });
});

const listings = operations.filter(({ operation }) => operation.parameters?.some((parameter) => parameter.name === 'cursor'));

describe.each(listings)('$name, its cursor', ({ name, operation }) => {
  const cursors = [
    '',
    'nonsense',
    '%',
    ...['x', '\0', '', '9999-99-99', '0193a1b2-0000-7000-8000-0000000000ff'].flatMap((key) =>
      [0, 1, 2, 3, 4].map((length) => encoded(Array(length).fill(key))),
    ),
    encoded([1]),
    encoded({}),
    encoded([null, null]),
    encoded(['1', '\0', 'project']),
    encoded(['1', '\ud800', 'project']),
  ];

  it('may be anything, and the answer is a page or a clear refusal', async () => {
    for (const cursor of cursors) {
      const request = await requestFor(name, operation, undefined, '');
      const url = new URL(request.url);
      url.searchParams.set('cursor', cursor);
      const response = await instance.app.request(url, { headers: ours.headers });
      const body = (await response.json()) as { code?: string };
      expect([cursor, response.status === 200 || (response.status === 422 && body.code === 'page.invalid_cursor')]).toEqual([
        cursor,
        true,
      ]);
    }
    expect(instance.reported).toEqual([]);
  });
});

/** A valid request of our own project, but for the id at one place. */
async function requestFor(
  name: string,
  operation: Operation,
  place: Place | undefined,
  id: string,
  headers: Record<string, string> = ours.headers,
): Promise<Request> {
  const route = routeOf.get(name) as Route<Application>;
  const at = (where: Place['where'], step: string) => place?.where === where && place.steps[0] === step;
  let path = route.path;
  const query = new URLSearchParams();
  for (const own of placesOf(operation)) {
    const step = String(own.steps[0]);
    if (own.where === 'path') path = path.replace(`{${step}}`, at('path', step) ? id : await ours.make(own.kind));
    if (own.where === 'query' && at('query', step)) query.set(step, id);
  }
  const url = `http://localhost${path}?${query}`;
  const method = route.method.toUpperCase();
  if (route.upload !== undefined) {
    return new Request(url, {
      method,
      headers: { ...headers, 'content-type': route.upload.types[0]! },
      body: 'email\nada@example.com\n',
    });
  }
  if (route.body === undefined) return new Request(url, { method, headers });
  let body = exampleOf(operation);
  for (const own of bodyPlaces(operation)) {
    const named = place?.where === 'body' && place.steps.join('/') === own.steps.join('/');
    if (named || has(body, own.steps)) body = withAt(body, own.steps, named ? id : await ours.make(own.kind));
  }
  // A body names a content or a template, never both.
  body = eitherOf(body);
  return new Request(url, { method, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

function eitherOf(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(eitherOf);
  const either = (has(body, ['templateId']) || has(body, ['template'])) && has(body, ['content']);
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    entriesOf(body)
      .filter(([key]) => !(either && key === 'content'))
      .map(([key, value]) => [key, key === 'messages' ? eitherOf(value) : value]),
  );
}

const entriesOf = (body: unknown): [string, unknown][] => (typeof body === 'object' && body !== null ? Object.entries(body) : []);

function placesOf(operation: Operation): Place[] {
  const parameters = (operation.parameters ?? []).flatMap(({ name, in: where, schema }) => {
    const kind = (schema as { 'x-object'?: ObjectKind } | undefined)?.['x-object'];
    return kind !== undefined && (where === 'path' || where === 'query') ? [{ kind, where, steps: [name] } as const] : [];
  });
  return [...parameters, ...bodyPlaces(operation)];
}

function bodyPlaces(operation: Operation): Place[] {
  return idPlaces(document, jsonBody(operation)).map(({ kind, steps }) => ({ kind: kind as ObjectKind, where: 'body', steps }));
}

function jsonBody(operation: Operation): unknown {
  return operation.requestBody?.content['application/json']?.schema;
}

function exampleOf(operation: Operation): unknown {
  const schema = jsonBody(operation) as { example?: unknown; $ref?: string } | undefined;
  const steps = schema?.$ref?.split('/').slice(1) ?? [];
  const named = steps.reduce<unknown>((part, step) => Reflect.get(Object(part), step), document);
  return (schema?.$ref === undefined ? schema : (named as typeof schema))?.example;
}

function has(value: unknown, steps: readonly (string | number)[]): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false;
  return has((value as Record<string | number, unknown>)[step], rest);
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
