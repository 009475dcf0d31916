import { DomainError } from '../../domain/shared/errors.ts';
import { HttpProblem, type ProblemDetail } from './problem.ts';

/** Deeper JSON than this is an attack on the stack (PostgreSQL's jsonb recurses), never a subscriber. */
const MAX_DEPTH = 64;

/** A domain error, as an import that fails of it keeps it as its reason. */
class BodyTooLarge extends DomainError {
  readonly code = 'request.too_large';
  readonly kind = 'invalid';
  constructor(maxBytes: number) {
    super(`The body is larger than ${maxBytes} bytes, the limit of this route.`);
  }
}

/** Least number of bytes of a body that must arrive in a time of waiting for them. */
export interface BodyPace {
  readonly bytes: number;
  readonly withinMs: number;
}

/** A body that trickles holds a connection, memory, and of an import a place that others wait for. */
class BodyTooSlow extends DomainError {
  readonly code = 'request.too_slow';
  readonly kind = 'invalid';
  constructor({ bytes, withinMs }: BodyPace) {
    super(
      `The body arrived too slowly: fewer than ${bytes} bytes in ${withinMs / 1000} seconds. Send it over a faster connection.`,
    );
  }
}

/** The connection ended in the middle of the body. */
class BodyBrokenOff extends DomainError {
  readonly code = 'request.aborted';
  readonly kind = 'invalid';
  constructor(cause: unknown) {
    super(`The body ended before its end (${cause instanceof Error ? cause.message : String(cause)}).`);
  }
}

/**
 * The bytes of a body as they arrive, counted: hono's own limit buffers a chunked body up to its size before the handler
 * runs. Refuses at the first byte over the limit, or before the first byte when Content-Length tells. The connection stays
 * open for that answer: `Connection: close` would reset it before a client that is still sending has read why. The server
 * goes on reading for half a second and closes then.
 * Only time spent waiting for the client counts for the pace, not the time that the server needs for the bytes received.
 * @throws BodyTooLarge, BodyTooSlow, BodyBrokenOff
 */
export async function* countedBody(request: Request, maxBytes: number, pace: BodyPace): AsyncGenerator<Uint8Array> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw new BodyTooLarge(maxBytes);
  if (request.body === null) return;
  const reader = request.body.getReader();
  let received = 0;
  let complete = false;
  const wait = paced(pace);
  try {
    for (;;) {
      const { done, value } = await wait(reader.read());
      if (done) {
        complete = true;
        return;
      }
      received += value.byteLength;
      if (received > maxBytes) throw new BodyTooLarge(maxBytes);
      yield value;
    }
  } finally {
    // Not awaited: the transport may only acknowledge after the answer is sent.
    if (!complete) void reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

/** Waits for pieces of a body, and gives up when they bring too little in too long a time. */
function paced(pace: BodyPace) {
  let bytes = 0;
  let waitedMs = 0;
  return async <Piece extends { readonly value?: Uint8Array | undefined }>(reading: Promise<Piece>): Promise<Piece> => {
    const slow = Promise.withResolvers<never>();
    const timer = setTimeout(() => slow.reject(new BodyTooSlow(pace)), Math.max(0, pace.withinMs - waitedMs));
    const since = performance.now();
    const broken = reading.catch((error: unknown) => {
      throw new BodyBrokenOff(error);
    });
    const piece = await Promise.race([broken, slow.promise]).finally(() => clearTimeout(timer));
    bytes += piece.value?.byteLength ?? 0;
    waitedMs += performance.now() - since;
    if (bytes >= pace.bytes) [bytes, waitedMs] = [0, 0];
    return piece;
  };
}

/** @throws BodyTooLarge, BodyTooSlow, BodyBrokenOff, HttpProblem 415, 400 (not JSON), 422 (text that no database column can hold) */
export async function readJson(request: Request, maxBytes: number, pace: BodyPace): Promise<unknown> {
  requireType(request, ['application/json']);
  const chunks: Uint8Array[] = [];
  for await (const chunk of countedBody(request, maxBytes, pace)) chunks.push(chunk);
  const text = decodeUtf8(Buffer.concat(chunks));
  requireFlat(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badJson(error instanceof Error ? error.message : String(error));
  }
  // Only an escape can bring these in: strict UTF-8 holds no surrogates, and JSON allows no raw control character.
  if (text.includes('\\u')) requireStorable(value);
  return value;
}

/** The media type without its parameters; empty when none is declared. */
export function declaredType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
}

/** @throws HttpProblem 415 unless the body is declared as one of the types, and is not compressed */
export function requireType(request: Request, types: readonly string[]): void {
  const declared = declaredType(request);
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (!types.includes(declared)) {
    const found = declared === '' ? 'no Content-Type' : `"${declared.slice(0, 60)}"`;
    throw new HttpProblem(
      415,
      'request.unsupported_type',
      `The body must be sent as ${types.join(' or ')}; it came with ${found}.`,
      {
        headers: { accept: types.join(', ') },
      },
    );
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new HttpProblem(
      415,
      'request.unsupported_type',
      'The body is compressed, which is not supported. Send it without Content-Encoding.',
      {
        headers: { 'accept-encoding': 'identity' },
      },
    );
  }
}

function badJson(reason: string): HttpProblem {
  return new HttpProblem(400, 'request.bad_json', `The body is not valid JSON: ${reason}.`);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw badJson('it is not UTF-8');
    throw error;
  }
}

function requireFlat(text: string): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (inString) {
      if (character === 0x5c) index++;
      else if (character === 0x22) inString = false;
    } else if (character === 0x22) inString = true;
    else if (character === 0x7b || character === 0x5b) {
      if (++depth > MAX_DEPTH) throw badJson(`it is nested deeper than ${MAX_DEPTH} levels`);
    } else if (character === 0x7d || character === 0x5d) depth--;
  }
}

/** NUL is no character to PostgreSQL's text, and a lone surrogate none to its jsonb. */
function requireStorable(value: unknown): void {
  const errors: ProblemDetail[] = [];
  const visit = (part: unknown, pointer: string) => {
    if (typeof part === 'string' && !isStorable(part)) errors.push({ in: 'body', pointer, detail: UNSTORABLE });
    if (typeof part !== 'object' || part === null) return;
    for (const [key, inner] of Object.entries(part)) {
      const at = `${pointer}/${escapePointer(key)}`;
      if (!isStorable(key)) errors.push({ in: 'body', pointer: at.toWellFormed(), detail: UNSTORABLE });
      visit(inner, at);
    }
  };
  visit(value, '');
  if (errors.length > 0) throw new HttpProblem(422, 'input.invalid', UNSTORABLE, { errors: errors.slice(0, 20) });
}

export const UNSTORABLE = 'The text contains a NUL character or half a surrogate pair.';

export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** One step of a JSON pointer (RFC 6901 section 3). */
export function escapePointer(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1');
}
