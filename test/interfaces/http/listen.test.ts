import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { startServer } from '../../../src/interfaces/http/serve.ts';
import { authorized, PROJECT, probeApp, SECRET } from './support.ts';

const LIMIT = 8 * 1024 * 1024;
const { app, probe, clock } = probeApp({ maxUploadBytes: LIMIT });
let server: Listening;

beforeAll(async () => {
  server = await listen(app, { port: 0 });
});
afterAll(() => server.close(0));

/** Sends a body without Content-Length, chunk by chunk, for as long as the server reads, up to `size` bytes. */
async function sendChunked(path: string, type: string, size: number): Promise<{ answer: string; written: number }> {
  clock.now += 1000;
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    answer += text;
  });
  // The server may cut the rest of the body off; what counts is what it had said before.
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${SECRET}\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const piece = Buffer.alloc(65_536, 0x20);
  let written = 0;
  while (written < size && !socket.destroyed && answer === '') {
    written += piece.byteLength;
    await write(socket, Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]));
  }
  if (answer === '' && !socket.destroyed) socket.write('0\r\n\r\n');
  while (!answer.includes('}') && !socket.destroyed) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  socket.destroy();
  return { answer, written };
}

function write(socket: Socket, data: Buffer): Promise<unknown> {
  return new Promise((resolve) => {
    socket.once('close', resolve);
    socket.write(data, () => {
      socket.off('close', resolve);
      resolve(undefined);
    });
  });
}

describe('a chunked body of a gigabyte without Content-Length', () => {
  it('is refused as JSON after little more than the limit', async () => {
    const { answer, written } = await sendChunked('/v1/things', 'application/json', 1024 ** 3);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"request.too_large"');
    expect(written).toBeLessThan(64 * 1024 * 1024);
    expect(probe.handled).toBe(0);
  });

  it('is refused as an upload after little more than its own limit', async () => {
    probe.uploaded = 0;
    const { answer, written } = await sendChunked('/v1/uploads', 'text/csv', 1024 ** 3);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(written).toBeLessThan(LIMIT + 64 * 1024 * 1024);
    expect(probe.uploaded).toBeLessThanOrEqual(LIMIT);
  });
});

describe('an upload', () => {
  it('under the limit is read as it comes', async () => {
    probe.uploaded = 0;
    const { answer } = await sendChunked('/v1/uploads', 'text/csv', LIMIT);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain(`{"bytes":${LIMIT}}`);
  });

  it('that announces too much is refused before its first byte', async () => {
    probe.uploaded = 0;
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${SECRET}\r\nContent-Type: text/csv\r\nContent-Length: 1073741824\r\n\r\n`,
    );
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(data.toString()).toMatch(/^HTTP\/1\.1 413 /);
    expect(probe.uploaded).toBe(0);
  });

  it('of a wrong type is not read', async () => {
    clock.now += 1000;
    const response = await fetch(`${server.url}/v1/uploads`, {
      method: 'POST',
      headers: { ...authorized, 'content-type': 'application/zip' },
      body: 'x',
    });
    expect(response.status).toBe(415);
    expect(response.headers.get('accept')).toBe('text/csv');
  });
});

describe('a request that cannot be read', () => {
  let quick: Listening;
  beforeAll(async () => {
    quick = await listen(probeApp({ pace: { bytes: 1_000, withinMs: 200 } }).app, {
      port: 0,
      requestTimeoutMs: 400,
      headersTimeoutMs: 300,
    });
  });
  afterAll(() => quick.close(0));

  /** Everything that the server says to these bytes, until it ends the connection. */
  async function answersTo(bytes: string, port = server.port, rest = ''): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (text) => {
      answer += text;
      // A client that goes on sending must still be able to read the answer.
      if (rest !== '' && !socket.destroyed) socket.write(rest);
      rest = '';
    });
    let failure: Error | undefined;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.write(bytes, 'latin1');
    const whole = () => /\r\n\r\n[\s\S]*\}$/.test(answer);
    while (!whole() && !socket.destroyed)
      await Promise.race([once(socket, 'data'), once(socket, 'close')]).catch(() => undefined);
    socket.destroy();
    return failure === undefined || whole() ? answer : `${failure.message} ${answer}`;
  }

  const auth = `Host: localhost\r\nAuthorization: Bearer ${SECRET}\r\n`;
  const upload = `POST /v1/uploads HTTP/1.1\r\n${auth}Content-Type: text/csv\r\n`;

  it.each([
    ['a Host header that is no host', 'GET /v1/things HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'request.malformed'],
    ['no Host header', 'GET /v1/things HTTP/1.1\r\n\r\n', 400, 'request.malformed'],
    [
      'a head of 20 kB',
      `GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'request.head_too_large',
    ],
    [
      'a head of 20 kB in 400 headers',
      `GET / HTTP/1.1\r\nHost: localhost\r\n${'X-Many: and-yet-another-header-with-a-value-of-its-own\r\n'.repeat(400)}\r\n`,
      431,
      'request.head_too_large',
    ],
    ['a target of 20 kB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431, 'request.head_too_large'],
    [
      'a target of 9 kB',
      `GET /v1/things?x=${'x'.repeat(9_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      414,
      'request.target_too_long',
    ],
    ['what is not HTTP', 'hello there\r\n\r\n', 400, 'request.malformed'],
    ['the start of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400, 'request.malformed'],
    ['a version of its own', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n', 400, 'request.malformed'],
    ['a header without a colon', 'GET /v1/things HTTP/1.1\r\nHost: localhost\r\nBroken header\r\n\r\n', 400, 'request.malformed'],
    ['a NUL in a header', 'GET /v1/things HTTP/1.1\r\nHost: localhost\r\nX-Nul: a\0b\r\n\r\n', 400, 'request.malformed'],
    ['a Content-Length that is no number', `${upload}Content-Length: many\r\n\r\n`, 400, 'request.malformed'],
    ['two lengths', `${upload}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, 'request.malformed'],
    [
      'a chunk whose size is no number',
      `${upload}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`,
      400,
      'request.malformed',
    ],
    [
      'an expectation of its own',
      `${upload}Content-Length: 2\r\nExpect: a-miracle\r\n\r\nhi`,
      417,
      'request.unsupported_expectation',
    ],
    ['CONNECT', 'CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n', 405, 'route.method_not_allowed'],
    ['TRACE', `TRACE /v1/uploads HTTP/1.1\r\n${auth}\r\n`, 405, 'route.method_not_allowed'],
    ['an unknown method', `PROPFIND /v1/uploads HTTP/1.1\r\n${auth}\r\n`, 405, 'route.method_not_allowed'],
    ['OPTIONS', `OPTIONS /v1/uploads HTTP/1.1\r\n${auth}\r\n`, 405, 'route.method_not_allowed'],
    ['a broken escape in its path', `GET /v1/things/%zz HTTP/1.1\r\n${auth}\r\n`, 404, 'resource.not_found'],
    ['an escaped NUL in its path', `GET /v1/things/%00 HTTP/1.1\r\n${auth}\r\n`, 404, 'resource.not_found'],
    ['bytes that are no UTF-8 in its path', `GET /v1/things/%ff%fe HTTP/1.1\r\n${auth}\r\n`, 404, 'resource.not_found'],
    ['a broken escape in its query', `GET /v1/things/${PROJECT}?cursor=%zz&x=%00 HTTP/1.1\r\n${auth}\r\n`, 422, 'input.invalid'],
    [
      'a body of another type',
      `POST /v1/uploads HTTP/1.1\r\n${auth}Content-Type: image/png\r\nContent-Length: 2\r\n\r\nhi`,
      415,
      'request.unsupported_type',
    ],
    ['a compressed body', `${upload}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi`, 415, 'request.unsupported_type'],
  ])('with %s gets the one error shape', async (_, bytes, status, code) => {
    clock.now += 1_000;
    const answer = await answersTo(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
    const body = JSON.parse(answer.slice(answer.indexOf('{'))) as Record<string, unknown>;
    expect(body).toMatchObject({ status, code, type: `/docs/errors#${code}`, instance: expect.stringMatching(/^urn:request:./) });
  });

  it.each([
    ['head', 'GET /v1/things HTTP/1.1\r\nHost: localhost\r\n', 'request.timeout'],
    ['body', `${upload}Content-Length: 100000\r\n\r\nemail`, 'request.too_slow'],
    ['chunked body', `${upload}Transfer-Encoding: chunked\r\n\r\n5\r\nemail\r\n`, 'request.too_slow'],
  ])('whose %s does not go on gets 408', async (_, bytes, code) => {
    const answer = await answersTo(bytes, quick.port);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain(`"code":"${code}"`);
  });

  it('can be read as refused by a client that is still sending', async () => {
    clock.now += 1_000;
    const body = 'x'.repeat(300_000);
    const large = `POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(20_000)}\r\nContent-Length: 9000000\r\n\r\n${body}`;
    expect(await answersTo(large, server.port, body)).toMatch(/^HTTP\/1\.1 431 [\s\S]*request\.head_too_large/);
    const stranger = `POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 9000000\r\n\r\n${body}`;
    expect(await answersTo(stranger, server.port, body)).toMatch(/^HTTP\/1\.1 401 [\s\S]*access\.unauthenticated/);
  });

  it('is refused before its body when it waits to be asked for it, and is asked when the body is wanted', async () => {
    clock.now += 1_000;
    const expecting = (type: string) =>
      `POST /v1/uploads HTTP/1.1\r\n${auth}Content-Type: ${type}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`;
    expect(await answersTo(expecting('image/png'))).toMatch(/^HTTP\/1\.1 415 [\s\S]*connection: close/i);
    expect(await answersTo(expecting('text/csv'), server.port, 'email')).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
    );
  });
});

describe('listening', () => {
  it('leaves the Request and Response of the process as they are', () => {
    expect(String(globalThis.Request)).not.toContain('GlobalRequest');
    expect(String(globalThis.Response)).not.toContain('GlobalResponse');
  });

  it('on a port in use says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(listen(app, { port })).rejects.toThrow(`Cannot listen on 127.0.0.1:${port}: another process uses the port`);
    other.close();
  });

  it('ends when it is told to, although a client keeps its connection', async () => {
    const own = await listen(app, { port: 0 });
    await (await fetch(`${own.url}/health/live`)).text();
    await own.close(0);
    await expect(fetch(`${own.url}/health/live`)).rejects.toThrow();
  });
});

describe('a server that is still starting', () => {
  it('lives, is not ready, and says so in the shape of every failure', async () => {
    const starting = await startServer({ host: '127.0.0.1', port: 0 });
    const ask = (path: string, method = 'GET') => fetch(`${starting.url}${path}`, { method });
    const live = await ask('/health/live');
    expect([live.status, await live.json()]).toEqual([200, { status: 'live' }]);
    expect((await ask('/health/live', 'HEAD')).status).toBe(200);
    for (const path of ['/health/ready', '/v1/lists', '/u/token', '/health/live/', '/']) {
      const answer = await ask(path);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 503, 'application/problem+json']);
      expect(await answer.json()).toMatchObject({ code: 'server.starting', status: 503 });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    await starting.close(0);
  });
});
