import { isIP } from 'node:net';
import { buildConnector, Pool } from 'undici';
import type { HostGuard } from './host-guard.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** With the query, beginning with a slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /**
   * Called once, when a connection is ready and immediately before the first byte of the request. False: nothing is sent, and the request
   * fails as `declined`.
   */
  readonly onStart?: (() => boolean) | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name; a repeated header has its last value. */
  readonly header: (name: string) => string | undefined;
  /** Only the beginning, where the body is longer than the limit, or a time limit or a lost connection ends it. */
  readonly text: string;
}

/** A request without an answer. */
export class HttpFailed extends Error {
  /** True when the whole request was handed to the connection: the server may have received it. */
  readonly handedOver: boolean;
  /** `onStart` said no. */
  readonly declined: boolean;
  constructor(message: string, how: { readonly handedOver: boolean; readonly declined?: boolean; readonly cause?: unknown }) {
    super(message, { cause: how.cause });
    this.name = 'HttpFailed';
    this.handedOver = how.handedOver;
    this.declined = how.declined ?? false;
  }
}

export interface HttpClientOptions {
  /** `https://api.example.com`. */
  readonly origin: string;
  /** Most connections, each with one request at a time. */
  readonly connections: number;
  readonly guard: HostGuard;
  /** Milliseconds for name, connection and TLS together. Default: 10,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds from the start of a request to the end of its answer, beside the time for a large body. Default: 60,000. */
  readonly answerTimeout?: number | undefined;
  /** Certificates of authorities (PEM). Default: those of Node.js. */
  readonly authority?: string | undefined;
}

/** Answers of mail APIs have a few kB; error pages of proxies a few more. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** The slowest upload that is waited for: 50 kB a second. */
const BYTES_PER_MS = 50;
/** A server closes idle connections without warning, and a request that meets this is in doubt; most servers wait 5 s and more. */
const IDLE_MS = 4_000;

/**
 * HTTP/1.1 to one origin over connections of its own. It follows no redirects, does not repeat requests, limits time and size of answers, and
 * connects only to addresses that the guard allows.
 */
export class HttpClient {
  readonly origin: string;
  private readonly pool: Pool;
  private readonly answerTimeout: number;

  constructor(options: HttpClientOptions) {
    this.origin = options.origin;
    this.answerTimeout = options.answerTimeout ?? 60_000;
    this.pool = new Pool(options.origin, {
      connections: options.connections,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      // The client has one time limit for the whole answer, which a server that sends byte by byte cannot prolong.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: guardedConnector(options),
    });
  }

  /** @throws HttpFailed where no answer came */
  request({ method, path, headers, body, onStart }: HttpRequest): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const patience = this.answerTimeout + (body?.byteLength ?? 0) / BYTES_PER_MS;
    const answer = new AnswerReader();
    let handedOver = false;
    let timer: NodeJS.Timeout | undefined;
    const fail = (error: Error): void => {
      clearTimeout(timer);
      if (answer.started) resolve(answer.finish());
      else if (error instanceof HttpFailed) reject(error);
      else reject(new HttpFailed(describe(error), { handedOver, cause: error }));
    };
    this.pool.dispatch(
      { method, path, headers, body: body ?? null },
      {
        onRequestStart(controller) {
          const goes = onStart === undefined || asked(onStart);
          if (goes !== true) return controller.abort(declined(goes));
          handedOver = true;
          timer = setTimeout(() => controller.abort(new Error(`no complete answer within ${Math.round(patience)} ms`)), patience);
        },
        onResponseStart(_, status, fields) {
          // 1xx only says that an answer follows.
          if (status >= 200) answer.start(status, fields);
        },
        onResponseData(controller, chunk) {
          if (!answer.add(chunk)) controller.abort(new Error('the answer is too long'));
        },
        onResponseEnd() {
          clearTimeout(timer);
          resolve(answer.finish());
        },
        onResponseError: (_, error) => fail(error),
      },
    );
    return promise;
  }

  /** Waits for requests under way. */
  async close(): Promise<void> {
    await this.pool.close();
  }

  /** Cuts requests off; they fail. */
  async destroy(reason: string): Promise<void> {
    await this.pool.destroy(new Error(reason));
  }
}

/** The listener belongs to the caller; what it throws ends this request, not the connection of others. */
function asked(onStart: () => boolean): boolean | Error {
  try {
    return onStart();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const declined = (why: false | Error): HttpFailed =>
  new HttpFailed(why === false ? 'the request was declined' : why.message, {
    handedOver: false,
    declined: true,
    cause: why || undefined,
  });

/** Gathers one answer, up to the limit. */
class AnswerReader {
  started = false;
  private status = 0;
  private fields: Readonly<Record<string, string | string[] | undefined>> = {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;

  start(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): void {
    this.started = true;
    this.status = status;
    this.fields = fields;
  }

  /** @returns false when the limit is passed */
  add(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes > MAX_ANSWER_BYTES) return false;
    this.chunks.push(chunk);
    return true;
  }

  finish(): HttpAnswer {
    const { fields } = this;
    return {
      status: this.status,
      header: (name) => {
        const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
        return Array.isArray(value) ? value.at(-1) : value;
      },
      text: Buffer.concat(this.chunks).toString('utf8'),
    };
  }
}

function guardedConnector({ guard, connectTimeout, authority }: HttpClientOptions): buildConnector.connector {
  const connect = buildConnector({
    allowH2: false,
    timeout: connectTimeout ?? 10_000,
    lookup: guard.lookup,
    ...(authority !== undefined && { ca: authority }),
  });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
    try {
      // A socket does not look literals up.
      if (isIP(host) !== 0) guard.check(host, host);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
      return;
    }
    connect(options, callback);
  };
}

/** An AggregateError of Node, one for each address, has no text of its own. */
function describe(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : [];
  const told = first instanceof Error ? first : error;
  return told.message || told.name;
}
