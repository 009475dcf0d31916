import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiDocument } from '../../../src/interfaces/http/openapi.ts';
import { routes } from '../../../src/interfaces/http/routes/index.ts';
import { type OpenApiDocument, operationsOf, withAt } from './document-faults.ts';
import { callsOf, createTenant, type Instance, openInstance, type Tenant } from './instance.ts';

/*
 * Whatever the OpenAPI document allows is not refused by a rule that it does not state. Generated from the document: each text of
 * each JSON body takes, in turn, values that its stated length, pattern and format allow.
 */

const document = openApiDocument(routes, { version: 'test', serverUrl: '/' }) as OpenApiDocument;

interface Stated {
  readonly type?: string | readonly string[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Stated>>;
  readonly items?: Stated;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly example?: unknown;
  readonly 'x-object'?: string;
}

const resolved = (schema: Stated): Stated =>
  schema.$ref === undefined ? schema : (document.components.schemas?.[schema.$ref.split('/').at(-1) ?? ''] as Stated);

type Steps = readonly (string | number)[];

function textsOf(schema: Stated, steps: Steps = []): { readonly steps: Steps; readonly schema: Stated }[] {
  const known = resolved(schema);
  if (known.properties !== undefined)
    return Object.entries(known.properties).flatMap(([name, inner]) => textsOf(inner, [...steps, name]));
  if (known.items !== undefined) return textsOf(known.items, [...steps, 0]);
  const isText = [known.type].flat().includes('string') && known.enum === undefined && known['x-object'] === undefined;
  return isText ? [{ steps, schema: known }] : [];
}

const letter = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789');
const word = fc.string({ unit: letter, minLength: 1, maxLength: 12 });
/** What the named formats mean, for a generator that has no idea of them. */
const FORMATS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  email: fc
    .tuple(fc.emailAddress(), fc.boolean())
    .map(([address]) => address)
    .filter((address) => !/["[]|xn--/.test(address)),
  'language-tag': fc.constantFrom('en', 'de-AT', 'zh-Hant-TW', 'sr-Latn', 'pt-BR', 'es-419', 'de-1996'),
  'time-zone': fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
  'idn-hostname': fc.tuple(word, word).map(([one, two]) => `${one}.${two}.example`),
  /** Ahead where it is about a plan, past where it is about a consent: the descriptions say so. */
  moment: fc.constantFrom('2090-07-01T09:00:00+02:00', '2090-07-01 09:00', '2090-07-01 09:00 Europe/Berlin', '2090-07-01'),
  uri: word.map((path) => `https://example.com/${path}`),
};

/** Texts as PostgreSQL can hold them: everything else is refused by the one rule that the introduction states for all. */
const anyText = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed() && !text.includes('\0'));

function valuesOf({ format, pattern, minLength = 0, maxLength = 1_000 }: Stated): fc.Arbitrary<string> {
  const known = format === undefined ? undefined : FORMATS[format];
  if (known !== undefined) return known;
  const fits = (text: string) =>
    [...text].length >= minLength &&
    [...text].length <= maxLength &&
    (pattern === undefined || new RegExp(pattern, 'u').test(text));
  const longest = fc.constant('a'.repeat(Math.min(maxLength, 5_000)));
  const texts = pattern === undefined ? [anyText, longest] : [fc.stringMatching(new RegExp(pattern)), anyText, longest];
  return fc.oneof(...texts).filter((text) => text.isWellFormed() && fits(text));
}

const bodies = operationsOf(document).flatMap(({ name, method, path, operation }) => {
  const schema = operation.requestBody?.content['application/json']?.schema as Stated | undefined;
  if (schema === undefined) return [];
  const example = resolved(schema).example ?? schema.example ?? {};
  return textsOf(schema).map(({ steps, schema: text }) => ({
    label: `${name} ${steps.join('/')}`,
    method,
    path,
    steps,
    text,
    example,
  }));
});

describe('a value that the document allows', () => {
  let instance: Instance;
  let tenant: Tenant;
  beforeAll(async () => {
    instance = await openInstance();
    tenant = await createTenant(instance);
  });
  afterAll(() => instance.close());

  it.each(bodies)('is not refused by a rule that is not stated: $label', async ({ method, path, steps, text, example }) => {
    const call = callsOf(instance, tenant);
    let url = path;
    for (const [place, kind] of path.matchAll(/\{(\w+)Id\}/g))
      url = url.replace(place, await tenant.make(kind as Parameters<Tenant['make']>[0]));
    await fc.assert(
      fc.asyncProperty(valuesOf(text), async (value) => {
        const { status, body } = await call(method.toUpperCase(), url, withAt(example, steps, value));
        // Times must lie ahead, content must render, things that are named must exist: stated in words.
        const future = text.format === 'moment' && steps.includes('consent');
        const atFault = !future && status === 422 && body.code === 'input.invalid' && body.pointer === `/${steps.join('/')}`;
        expect([value, status < 500, atFault ? body.detail : 'fine']).toEqual([value, true, 'fine']);
      }),
      { numRuns: text.format === undefined && text.pattern === undefined && text.maxLength === undefined ? 15 : 8 },
    );
  });
});
