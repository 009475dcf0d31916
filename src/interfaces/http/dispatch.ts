import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bearerSecret, type Caller } from './authentication.ts';
import { type Download, downloadResponse } from './download.ts';
import { taggedJson } from './etag.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import type { AnswerGuard } from './field-scopes.ts';
import { HttpProblem, type ProblemDetail } from './problem.ts';
import { type RateLimiter, type RateLimitVerdict, rateLimitHeaders } from './rate-limit.ts';
import { type BodyPace, countedBody, escapePointer, isStorable, readJson, requireType } from './request-body.ts';
import { type Route, scopesOf } from './route.ts';

export interface DispatchOptions<Application> {
  /** Takes out of the answer what the key may not see. */
  readonly guard: AnswerGuard | undefined;
  readonly application: Application;
  readonly authenticate: (secret: string) => Promise<Caller>;
  readonly failedAttempts: FailedAttempts;
  readonly networkOf: (context: Context<HttpEnv>) => string;
  readonly rateLimiter: RateLimiter;
  readonly maxJsonBytes: number;
  readonly maxUploadBytes: number;
  readonly pace: BodyPace;
  /** For what fails after the answer has begun. */
  readonly report: (error: unknown, context: Context<HttpEnv>) => void;
}

/**
 * What one request carries besides itself; `rateLimit` are headers for its answer, whatever that is, and `seesPeople` is false
 * once its key is known to lack `audience.read`: its refusals then name no addresses.
 */
export type HttpEnv = { Variables: { requestId: string; seesPeople?: boolean; rateLimit?: Readonly<Record<string, string>> } };

/**
 * One request through one route: who, how often, allowed to, then what, and only then the body. A stranger's body is never
 * read, and a schema error tells nothing to a key without the scope.
 */
export async function dispatch<Application>(
  route: Route<Application>,
  context: Context<HttpEnv>,
  options: DispatchOptions<Application>,
): Promise<Response> {
  const request = context.req.raw;
  const network = options.networkOf(context);
  const caller = await options.failedAttempts.attempt(network, bearerSecret(request), options.authenticate);
  context.set('seesPeople', caller.hasScope('audience.read'));
  const verdict = options.rateLimiter.take(caller.keyId, caller.requestsPerSecond);
  context.set('rateLimit', rateLimitHeaders(verdict));
  requireBudget(verdict);
  for (const scope of scopesOf(route)) caller.requireScope(scope);

  const params = parsePath(route, context.req.param());
  const query = parsePart('query', route.query, singleValues(new URL(request.url).searchParams));
  const headers = parsePart('header', route.headers, Object.fromEntries(request.headers));
  const maxUploadBytes = route.upload?.maxBytes ?? options.maxUploadBytes;
  if (route.upload !== undefined) requireType(request, route.upload.types);
  const body =
    route.method === 'get' || route.upload !== undefined
      ? undefined
      : parsePart('body', route.body, await bodyOf(request, route.maxBodyBytes ?? options.maxJsonBytes, options.pace));

  const result = await route.handle({
    application: options.application,
    caller,
    projectId: caller.project.id,
    params,
    query,
    headers,
    body,
    upload: countedBody(request, route.upload === undefined ? 0 : maxUploadBytes, options.pace),
    setHeader: (name, value) => context.header(name, value),
    request,
  });
  if (route.replyType !== undefined)
    return downloadResponse(result as Download, route.replyType, (error) => options.report(error, context));
  if (route.reply === undefined) return context.body(null, 204);
  const parsed = route.reply.parse(result);
  const answer = options.guard === undefined ? parsed : options.guard(parsed, caller);
  return route.method === 'get' ? taggedJson(request, answer) : context.json(answer as object, route.status ?? 200);
}

function requireBudget(verdict: RateLimitVerdict): void {
  if (verdict.allowed) return;
  throw new HttpProblem(
    429,
    'request.rate_limited',
    `This key may make ${verdict.limit} requests per second. Wait ${verdict.resetSeconds} s.`,
    {
      headers: { 'retry-after': String(verdict.resetSeconds) },
    },
  );
}

/** An id that is not even an id names nothing, so it gets the same answer as an unknown one. */
function parsePath<Application>(route: Route<Application>, values: Readonly<Record<string, string>>): unknown {
  if (route.params === undefined) return {};
  const parsed = route.params.safeParse(values);
  if (parsed.success) return parsed.data;
  const name = String(parsed.error.issues[0]?.path[0] ?? 'id');
  throw new HttpProblem(
    404,
    'resource.not_found',
    `There is no object with the ${name} "${String(values[name]).slice(0, 60)}" in this project.`,
  );
}

function parsePart(part: 'query' | 'header' | 'body', schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) {
    // Also a body: `launch` with a time that it does not read would launch at once.
    const [unknown] = part === 'header' ? [] : Object.keys(value ?? {});
    const takes = part === 'query' ? 'query parameters' : 'body';
    if (unknown !== undefined)
      throw invalid([{ in: part, pointer: `/${escapePointer(unknown)}`, detail: `This route takes no ${takes}` }]);
    return part === 'body' ? undefined : {};
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error.issues.flatMap((issue) => detailsOf(part, issue)).slice(0, 50));
  return parsed.data;
}

function invalid(errors: readonly ProblemDetail[]): HttpProblem {
  const [first] = errors;
  const where = first === undefined || first.pointer === '' ? '' : ` (${first.in} ${first.pointer})`;
  const more = errors.length > 1 ? ` and ${errors.length - 1} more` : '';
  return new HttpProblem(422, 'input.invalid', `${first?.detail ?? 'The input is invalid'}${where}${more}.`, { errors });
}

/** A pointer per field; unknown fields get one each, so that a misspelt name is found at a glance. */
function detailsOf(part: ProblemDetail['in'], issue: z.core.$ZodIssue): ProblemDetail[] {
  const pointer = issue.path.map((step) => `/${escapePointer(String(step))}`).join('');
  if (issue.code !== 'unrecognized_keys') return [{ in: part, pointer, detail: issue.message }];
  return issue.keys.map((key) => ({ in: part, pointer: `${pointer}/${escapePointer(key)}`, detail: 'Unknown field' }));
}

/** Also a parameter named `__proto__` is one that is there, and so is refused. */
function singleValues(query: URLSearchParams): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    const pointer = `/${escapePointer(name)}`;
    if (values.has(name)) throw invalid([{ in: 'query', pointer, detail: 'Given more than once' }]);
    if (!isStorable(name) || !isStorable(value)) throw invalid([{ in: 'query', pointer, detail: 'Contains a NUL character' }]);
    values.set(name, value);
  }
  return Object.fromEntries(values);
}

async function bodyOf(request: Request, maxBytes: number, pace: BodyPace): Promise<unknown> {
  const { headers, body } = request;
  // Many clients name a type even where they send nothing.
  if (headers.get('content-length') === '0') return undefined;
  const announced = headers.has('content-length') || headers.has('transfer-encoding');
  // A Request that was made in memory (embedding, tests) has neither header, but its body says what it is.
  return announced || (body !== null && headers.has('content-type')) ? readJson(request, maxBytes, pace) : undefined;
}
