import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../../src/interfaces/http/listen.ts';
import { startServer } from '../../../src/interfaces/http/serve.ts';
import { authorized, probeApp, SECRET } from './support.ts';

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
  it('for its Host header gets the one error shape', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /v1/things HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect(data.toString()).toContain('"code":"request.malformed"');
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
    await expect(listen(app, { port })).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: another process listens there already`,
    );
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
