import { OpenAPIHono, z } from '@hono/zod-openapi';
import { introduction } from './introduction.ts';
import { type Route, scopesOf } from './route.ts';

const problemSchema = z
  .object({
    type: z.string().openapi({ description: 'Where the code is explained.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().openapi({ description: 'Id of this failure; the log of the server has the same id.' }),
    code: z.string().openapi({ description: 'The stable error code.', example: 'input.invalid' }),
    pointer: z.string().optional().openapi({ description: 'JSON pointer to the wrong field, where there is exactly one.' }),
    errors: z
      .array(z.object({ in: z.enum(['body', 'query', 'path', 'header']), pointer: z.string(), detail: z.string() }))
      .optional()
      .openapi({ description: 'Every fault found in the request.' }),
    problems: z.array(z.unknown()).optional().openapi({ description: 'Faults in the content of a message, with lines.' }),
  })
  .openapi('Problem');

export interface DocumentInfo {
  readonly version: string;
  /** Absolute or relative base of all paths. */
  readonly serverUrl: string;
}

/** The OpenAPI 3.1 document of exactly the routes that are mounted. */
export function openApiDocument<Application>(routes: readonly Route<Application>[], info: DocumentInfo): object {
  const registry = new OpenAPIHono();
  registry.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key of one project (`pp_...`). It is shown once, when it is created.',
  });
  for (const route of routes) registry.openAPIRegistry.registerPath(pathOf(route));
  return registry.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'pennypost',
      version: info.version,
      description: introduction(info.serverUrl),
    },
    servers: [{ url: info.serverUrl }],
    security: [{ apiKey: [] }],
    tags: [...new Set(routes.map(tagOf))].map((name) => ({ name })),
  });
}

function pathOf<Application>(route: Route<Application>) {
  const content = { 'application/problem+json': { schema: problemSchema } };
  const problem = (description: string) => ({ description, content });
  const takesBody = route.body !== undefined || route.upload !== undefined;
  return {
    method: route.method,
    path: route.path,
    operationId: route.verb,
    tags: [tagOf(route)],
    summary: route.summary,
    description: `${route.description === undefined ? '' : `${route.description}\n\n`}Needs the scope ${scopesOf(route)
      .map((scope) => `\`${scope}\``)
      .join(' and ')}.`,
    security: [{ apiKey: [] }],
    request: {
      ...(route.params && { params: route.params as z.ZodObject }),
      ...(route.query && { query: route.query as z.ZodObject }),
      ...(route.headers && { headers: route.headers as z.ZodObject }),
      ...(route.body && {
        body: { required: !route.body.safeParse(undefined).success, content: { 'application/json': { schema: route.body } } },
      }),
      ...(route.upload && {
        body: { required: true, content: Object.fromEntries(route.upload.types.map((type) => [type, { schema: binary }])) },
      }),
    },
    responses: {
      [String(route.status ?? (route.reply || route.replyType ? 200 : 204))]: {
        description: 'Done.',
        ...(route.replyHeaders && {
          headers: Object.fromEntries(
            Object.entries(route.replyHeaders).map(([name, description]) => [
              name,
              { description, schema: { type: 'string' as const } },
            ]),
          ),
        }),
        ...(route.reply && { content: { 'application/json': { schema: route.reply } } }),
        ...(route.replyType && { content: { [route.replyType]: { schema: binary } } }),
      },
      ...(route.method === 'get' && route.reply && { 304: { description: 'Unchanged since the ETag in If-None-Match.' } }),
      ...(takesBody && { 400: problem('The body could not be read.') }),
      401: problem('No valid API key.'),
      403: problem('The key lacks the scope.'),
      404: problem('No such object in this project.'),
      409: problem('Not possible in the present state.'),
      ...(takesBody && { 413: problem('The body is too large.'), 415: problem('The body has an unsupported type.') }),
      422: problem('The input is invalid.'),
      429: problem('Too many requests with this key; see Retry-After.'),
      500: problem('Internal error.'),
      503: problem('The database is unavailable; see Retry-After.'),
    },
  };
}

const binary = z.string().openapi({ type: 'string', format: 'binary' });

/** `/v1/lists/{listId}` belongs to `lists`. */
function tagOf(route: { readonly path: string }): string {
  return route.path.split('/')[2] ?? 'other';
}
