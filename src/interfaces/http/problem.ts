import { DomainError, type ErrorKind } from '../../domain/shared/errors.ts';
import { withoutAddresses } from './without-addresses.ts';

/** One thing that is wrong, where several can be wrong at once. */
export interface ProblemDetail {
  readonly in: 'body' | 'query' | 'path' | 'header';
  /** JSON pointer (RFC 6901) inside that part: `/subscribers/0/email`. */
  readonly pointer: string;
  readonly detail: string;
}

/** What every failed request gets, as `application/problem+json` (RFC 9457). */
export interface ProblemDocument {
  /** Where the code is explained. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Names this one occurrence; the log has it under the same id. */
  readonly instance: string;
  /** The stable error code. */
  readonly code: string;
  /** JSON pointer to the wrong field, where there is exactly one. */
  readonly pointer?: string;
  /** Every fault found in the request, where there can be several. */
  readonly errors?: readonly ProblemDetail[];
  /** Faults in the content of a message, with lines. */
  readonly problems?: readonly unknown[];
}

export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 414 | 415 | 417 | 422 | 429 | 431 | 500 | 503;

/** The only place where a kind of error becomes a status. */
export const STATUS_OF_KIND: Readonly<Record<ErrorKind, ProblemStatus>> = {
  invalid: 422,
  missing: 404,
  conflict: 409,
  forbidden: 403,
  unauthenticated: 401,
  limited: 429,
  unavailable: 503,
};

/** HTTP has better words for what is wrong with a body as a whole. */
const STATUS_OF_CODE: Readonly<Record<string, ProblemStatus>> = {
  'request.too_large': 413,
  'request.aborted': 400,
  'request.too_slow': 408,
};

const TITLE: Readonly<Record<ProblemStatus, string>> = {
  400: 'The request could not be read',
  401: 'Authentication needed',
  403: 'Not allowed with this key',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'The request took too long',
  409: 'Not possible in the present state',
  413: 'The body is too large',
  414: 'The address is too long',
  415: 'The body has an unsupported type',
  417: 'The expectation cannot be met',
  422: 'The input is invalid',
  429: 'Too many requests',
  431: 'The headers are too large',
  500: 'Internal error',
  503: 'Unavailable for now',
};

/** Clients that get no better hint wait this long before they try again. */
const RETRY_AFTER_SECONDS = '5';

/** Failures that only exist on the wire and never pass through the application; everything else is a `DomainError`. */
export class HttpProblem extends Error {
  readonly status: ProblemStatus;
  readonly code: string;
  readonly errors: readonly ProblemDetail[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ProblemStatus,
    code: string,
    detail: string,
    more: { errors?: readonly ProblemDetail[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.name = 'HttpProblem';
    this.status = status;
    this.code = code;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

export interface ProblemContext {
  readonly requestId: string;
  /** Prefix of `type`; the page there has an anchor for every code. */
  readonly errorPage: string;
  /** False when the key may not see subscribers; then no text names an address. Default true. */
  readonly seesPeople?: boolean;
}

/** The one error shape. What is neither a `DomainError` nor an `HttpProblem` becomes a 500 that reveals only the request id. */
export function problemResponse(error: unknown, context: ProblemContext): Response {
  const { status, headers, body } = problemAnswer(error, context);
  return new Response(body, { status, headers });
}

/** The same in parts, for callers that answer without a `Response`. */
export function problemAnswer(error: unknown, context: ProblemContext) {
  const described = describe(error);
  const { status, code, detail, headers, ...more } = context.seesPeople === false ? withoutPeople(described) : described;
  const document: ProblemDocument = {
    type: `${context.errorPage}#${code}`,
    title: TITLE[status],
    status,
    detail,
    instance: `urn:request:${context.requestId}`,
    code,
    ...more,
  };
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, body: JSON.stringify(document) };
}

/** True for internal errors, which are logged. */
export function isUnexpected(error: unknown): boolean {
  if (error instanceof DomainError) return error.kind === 'unavailable';
  return !(error instanceof HttpProblem);
}

const AWAY =
  'The server cannot answer now. Try again after the seconds in Retry-After. The log of the server has the reason under the id in "instance".';

/** Codes whose message was written for clients. */
const TOLD: ReadonlySet<string> = new Set(['database.restarting']);

interface Description extends Pick<ProblemDocument, 'code' | 'detail' | 'pointer' | 'errors' | 'problems'> {
  readonly status: ProblemStatus;
  readonly headers: Readonly<Record<string, string>>;
}

function describe(error: unknown): Description {
  if (error instanceof HttpProblem) {
    const { status, code, message: detail, headers, errors } = error;
    if (errors.length === 0) return { status, code, detail, headers };
    // One field may break several rules.
    const fields = new Set(errors.map(({ in: part, pointer }) => `${part} ${pointer}`));
    return { status, code, detail, headers, ...(fields.size === 1 && { pointer: errors[0]!.pointer }), errors };
  }
  if (error instanceof DomainError) {
    return {
      status: STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind],
      code: error.code,
      // What is away and where is for the log: to the outside it would name hosts, paths and statements.
      detail: error.kind === 'unavailable' && !TOLD.has(error.code) ? AWAY : error.message,
      headers: headersFor(error),
      ...(error.pointer !== undefined && { pointer: error.pointer }),
      ...('problems' in error && Array.isArray(error.problems) && { problems: error.problems }),
    };
  }
  return {
    status: 500,
    code: 'internal.error',
    detail: 'The server failed. Its log has the reason under the id in "instance".',
    headers: {},
  };
}

function withoutPeople({ detail, errors, ...rest }: Description): Description {
  return {
    ...rest,
    detail: withoutAddresses(detail),
    ...(errors && { errors: errors.map((fault) => ({ ...fault, detail: withoutAddresses(fault.detail) })) }),
  };
}

function headersFor(error: DomainError): Readonly<Record<string, string>> {
  if (error.kind === 'unauthenticated') return { 'www-authenticate': 'Bearer realm="pennypost", error="invalid_token"' };
  if (error.kind === 'unavailable' || error.kind === 'limited') return { 'retry-after': RETRY_AFTER_SECONDS };
  if (error.kind === 'forbidden' && 'scope' in error && typeof error.scope === 'string') {
    return { 'www-authenticate': `Bearer realm="pennypost", error="insufficient_scope", scope="${error.scope}"` };
  }
  return {};
}
