/** The parts of an OpenAPI document that the tests look at. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface Operation {
  readonly operationId: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: unknown;
  }[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema?: unknown; readonly example?: unknown }>>;
  };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, unknown>> }>
  >;
}

const PROBLEMS = ['401', '403', '404', '409', '422', '429', '500', '503'];

/** Everything about the document that a generated client would stumble over; one line each. */
export function documentFaults(document: OpenApiDocument): string[] {
  const faults: string[] = [];
  if (!document.openapi.startsWith('3.1.')) faults.push(`openapi is ${document.openapi}`);
  for (const reference of referencesIn(document)) {
    if (resolve(document, reference) === undefined) faults.push(`${reference} leads nowhere`);
  }
  const operations = operationsOf(document);
  const ids = operations.map(({ operation }) => operation.operationId);
  for (const id of ids.filter((one, index) => ids.indexOf(one) !== index)) faults.push(`operationId ${id} is used twice`);
  for (const { name, path, operation } of operations) {
    const schemes = (operation.security ?? []).flatMap((one) => Object.keys(one));
    if (schemes.length === 0) faults.push(`${name} has no security`);
    for (const scheme of schemes)
      if (!(scheme in (document.components.securitySchemes ?? {}))) faults.push(`${name}: no scheme ${scheme}`);
    for (const status of PROBLEMS) {
      if (!(`application/problem+json` in (operation.responses[status]?.content ?? {})))
        faults.push(`${name} describes no problem for ${status}`);
    }
    if (!Object.keys(operation.responses).some((status) => status.startsWith('2'))) faults.push(`${name} never succeeds`);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const declared = (operation.parameters ?? [])
      .filter((parameter) => parameter.in === 'path')
      .map((parameter) => parameter.name);
    if (inPath.sort().join() !== declared.sort().join()) faults.push(`${name} declares the path parameters "${declared.join()}"`);
  }
  return faults;
}

export function operationsOf(document: OpenApiDocument) {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, method, path, operation })),
  );
}

/** A place in a body where an id of a kind may stand: the steps to it, `0` for an element of an array. */
export interface IdPlace {
  readonly kind: string;
  readonly steps: readonly (string | number)[];
}

/** Every property that is marked `x-object`, however deep; alternatives are all walked. */
export function idPlaces(document: OpenApiDocument, schema: unknown, steps: readonly (string | number)[] = []): IdPlace[] {
  if (!isObject(schema) || steps.length > 10) return [];
  if (typeof schema.$ref === 'string') return idPlaces(document, resolve(document, schema.$ref), steps);
  if (typeof schema['x-object'] === 'string') return [{ kind: schema['x-object'], steps }];
  const alternatives = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((list) => (Array.isArray(list) ? list : []));
  return [
    ...Object.entries(isObject(schema.properties) ? schema.properties : {}).flatMap(([name, inner]) =>
      idPlaces(document, inner, [...steps, name]),
    ),
    ...idPlaces(document, schema.items, [...steps, 0]),
    ...alternatives.flatMap((inner) => idPlaces(document, inner, steps)),
  ];
}

/** Every id in a request that does not say what it names, so that no test can try it. */
export function unmarkedIds(document: OpenApiDocument, operation: Operation): string[] {
  const inParameters = (operation.parameters ?? []).flatMap(({ name, in: where, schema }) => {
    const isMarked = isObject(schema) && 'x-object' in schema;
    return !isMarked && (where === 'path' || (isObject(schema) && schema.format === 'uuid')) ? [`${where} ${name}`] : [];
  });
  const inBodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
    unmarkedIn(document, schema, 'body', 0),
  );
  return [...inParameters, ...inBodies];
}

function unmarkedIn(document: OpenApiDocument, schema: unknown, at: string, depth: number): string[] {
  if (Array.isArray(schema)) return schema.flatMap((inner) => unmarkedIn(document, inner, at, depth + 1));
  if (!isObject(schema) || depth > 20) return [];
  if (typeof schema.$ref === 'string') return unmarkedIn(document, resolve(document, schema.$ref), at, depth + 1);
  if (schema.format === 'uuid' && !('x-object' in schema)) return [at];
  return Object.entries(schema).flatMap(([key, inner]) =>
    key === 'example' ? [] : unmarkedIn(document, inner, `${at}/${key}`, depth + 1),
  );
}

/** The value with `replacement` at the place; what is missing on the way is made. */
export function withAt(value: unknown, steps: readonly (string | number)[], replacement: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return replacement;
  if (typeof step === 'number') return [withAt(Array.isArray(value) ? value[step] : undefined, rest, replacement)];
  const object = isObject(value) ? value : {};
  return { ...object, [step]: withAt(object[step], rest, replacement) };
}

function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  );
}

function resolve(document: OpenApiDocument, reference: string): unknown {
  const steps = reference.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>(
    (value, step) => (isObject(value) ? value[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
    document,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
