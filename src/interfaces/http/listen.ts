import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { HttpProblem, problemResponse } from './problem.ts';
import { refuseUnreadable } from './refused-connection.ts';
import type { DirectListener } from './tracked-listener.ts';

export interface ListenOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** For a whole request; default an hour. */
  readonly requestTimeoutMs?: number;
  /** For its head; default 30 seconds. */
  readonly headersTimeoutMs?: number;
}

export interface Listening {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly port: number;
  /** Only this machine reaches it. */
  readonly loopback: boolean;
  /** Takes no more connections, lets answers in progress finish for `graceMs` (default 10,000), then cuts the rest. */
  close(graceMs?: number): Promise<void>;
}

/** An hour: an import of gigabytes over a slow line is one request. Idle and slow headers end much sooner. */
const REQUEST_TIMEOUT_MS = 3_600_000;
const HEADERS_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Serves an app over HTTP/1.1. TLS belongs to the proxy in front. @throws Error that names the address when it is in use */
export async function listen(
  app: {
    readonly fetch: (request: Request, env: unknown) => Response | Promise<Response>;
    /** Asked first. */
    readonly direct?: DirectListener;
  },
  options: ListenOptions,
): Promise<Listening> {
  const host = options.host ?? '127.0.0.1';
  const listener = getRequestListener((request, env) => app.fetch(request, env), {
    hostname: host,
    // The process may belong to a host application: its global Request and Response stay. Costs 0.03 ms a request.
    overrideGlobalObjects: false,
    // A Host header or target that is no URL never reaches the app.
    errorHandler: (error) => problemResponse(error instanceof RequestError ? malformed(error) : error, OUTSIDE),
  });
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, headersTimeoutMs = HEADERS_TIMEOUT_MS } = options;
  const server = createServer({
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.min(30_000, headersTimeoutMs),
    // Refused here, because Node's own refusal has no body.
    requireHostHeader: false,
  });
  refuseUnreadable(server, (request, response) => app.direct?.(request, response) === true || listener(request, response));
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  await bound(server, host, options.port);
  const { port, address } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    loopback: /^(127\.|::1$|::ffff:127\.)/.test(address),
    close: (graceMs = 10_000) => closed(server, graceMs),
  };
}

const OUTSIDE = { requestId: 'none', errorPage: '/docs/errors' };

function malformed(error: Error): HttpProblem {
  return new HttpProblem(400, 'request.malformed', `The request cannot be read: ${error.message}.`);
}

function bound(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint = error.code === 'EADDRINUSE' ? 'another process uses the port. Choose another port' : error.message;
      reject(new Error(`Cannot listen on ${host}:${port}: ${hint}.`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

function closed(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
