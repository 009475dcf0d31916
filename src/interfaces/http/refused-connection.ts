import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpProblem, problemAnswer } from './problem.ts';

/** No route has a longer target; the whole head may have 16 kB. */
const MAX_TARGET = 8_192;
/** After a refusal the rest of the request is read and discarded for this time: a reset would reach the client before the answer. */
const LINGER_MS = 5_000;

/**
 * Requests that never reach the app: those that Node's parser refuses, or that take too long, and what HTTP/1.1 wants refused by
 * the server itself. Each gets the one problem shape; Node's own answers have no body.
 */
export function refuseUnreadable(
  server: Server,
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
): void {
  const running = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    running.set(request.socket, response);
    const problem = refusalOf(request);
    // What the app refuses, the listener reads on for half a second.
    if (problem === undefined) return void listener(request, response);
    answer(response, problem);
    lingerOver(request);
  };
  server.on('request', handle);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    continueWhenRead(request, response);
    handle(request, response);
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const expected = String(request.headers.expect).slice(0, 60);
    answer(
      response,
      new HttpProblem(417, 'request.unsupported_expectation', `"Expect: ${expected}" is not supported, only 100-continue.`),
    );
    lingerOver(request);
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) =>
    end(socket, new HttpProblem(405, 'route.method_not_allowed', 'CONNECT is not supported: this server is not a proxy.')),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (refused.has(socket)) return;
    refused.add(socket);
    const response = running.get(socket);
    if (!socket.writable || isBroken(error) || (response?.headersSent === true && !response.writableFinished)) {
      socket.destroy();
      return;
    }
    // What the app still says about a request that broke off has no place any more.
    if (response !== undefined && !response.writableFinished) response.detachSocket(response.socket!);
    end(socket, problemOf(error));
  });
}

function refusalOf(request: IncomingMessage): HttpProblem | undefined {
  if (request.httpVersion === '1.1' && request.headers.host === undefined)
    return new HttpProblem(400, 'request.malformed', 'The request has no Host header. HTTP/1.1 needs one.');
  if ((request.url ?? '').length > MAX_TARGET)
    return new HttpProblem(414, 'request.target_too_long', `The path and query are longer than ${MAX_TARGET} characters.`);
  return undefined;
}

/** Node's words for what its parser met. */
function problemOf(error: NodeJS.ErrnoException): HttpProblem {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HttpProblem(431, 'request.head_too_large', 'The request line and headers are larger than 16 kB. Shorten them.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HttpProblem(413, 'request.too_large', 'The chunk extensions of the body are larger than 16 kB. Omit them.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpProblem(408, 'request.timeout', 'The request did not arrive in time. Send it again.');
    default:
      return new HttpProblem(400, 'request.malformed', `The request cannot be read: ${reasonOf(error)}.`);
  }
}

/** Of the parser, and without what it was given. */
function reasonOf(error: NodeJS.ErrnoException): string {
  const reason: unknown = Reflect.get(error, 'reason');
  return typeof reason === 'string' && reason !== '' ? reason : 'it is not HTTP/1.1';
}

const isBroken = ({ code }: NodeJS.ErrnoException): boolean => code === 'ECONNRESET' || code === 'EPIPE';

const outside = () => ({ requestId: randomUUID(), errorPage: '/docs/errors' });

const framing = (body: string) => ({ 'content-length': String(Buffer.byteLength(body)), connection: 'close' });

function answer(response: ServerResponse, problem: HttpProblem): void {
  const { status, headers, body } = problemAnswer(problem, outside());
  response.writeHead(status, { ...headers, ...framing(body) });
  response.end(body);
}

function end(socket: Duplex, problem: HttpProblem): void {
  const { status, headers, body } = problemAnswer(problem, outside());
  const lines = Object.entries({ ...headers, ...framing(body) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`);
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), LINGER_MS);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
}

/** Reads what is left of an answered request, and ends the connection where that takes too long. */
function lingerOver(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const cut = setTimeout(() => request.socket.destroySoon(), LINGER_MS);
  cut.unref();
  request.once('close', () => clearTimeout(cut));
  request.resume();
}

/** `Expect: 100-continue` is granted when the body is wanted: a request that is refused before is refused without its body. */
function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  // A client that was not told to go on may not send the body: nothing else can follow on this connection.
  response.setHeader('connection', 'close');
  const read = request._read.bind(request);
  let asked = false;
  request._read = (size) => {
    if (!asked && !response.headersSent) {
      response.removeHeader('connection');
      response.writeContinue();
    }
    asked = true;
    read(size);
  };
}
