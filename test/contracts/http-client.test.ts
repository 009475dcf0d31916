import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HostGuard } from '../../src/infrastructure/network/host-guard.ts';
import { HttpClient, type HttpClientOptions } from '../../src/infrastructure/network/http-client.ts';

const guard = new HostGuard({ allowsPrivate: true });
let running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.reverse()) await part.close();
  running = [];
});

/** A server that says exactly this when it has heard something. @returns a client of it and what was heard per connection */
async function talking(speak: (socket: Socket, heard: string) => void, more: Partial<HttpClientOptions> = {}) {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const at = heard.push('') - 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard[at] += chunk.toString('latin1');
      speak(socket, heard[at] ?? '');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = new HttpClient({ origin: `http://127.0.0.1:${port}`, connections: 2, guard, ...more });
  running.push({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  });
  running.push({ close: () => client.destroy('the test ends') });
  return { client, heard };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const get = { method: 'GET', path: '/', headers: {} } as const;

describe('the HTTP client', () => {
  it('uses no more connections than it may, and uses them again', async () => {
    const { client, heard } = await talking((socket, text) => text.endsWith('\r\n\r\n') && socket.write(OK));
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.request(get)));
    expect(answers.map(({ text }) => text)).toEqual(answers.map(() => 'ok'));
    expect(heard.length).toBeLessThanOrEqual(2);
  });

  it('asks once, when the connection is ready, and sends nothing after a no', async () => {
    const { client, heard } = await talking((socket) => socket.write(OK));
    const asked: string[] = [];
    const onStart = (): boolean => {
      asked.push(heard.join(''));
      return false;
    };
    const body = Buffer.from('{"to":"reader@example.net"}');
    const declined = client.request({ method: 'POST', path: '/', headers: {}, body, onStart });
    await expect(declined).rejects.toMatchObject({ declined: true, handedOver: false });
    expect(asked).toEqual(['']);
    expect((await client.request(get)).text).toBe('ok');
    expect(heard.join('')).not.toContain('reader');
  });

  it('ends a request whose question throws, and no other', async () => {
    const { client } = await talking((socket) => socket.write(OK));
    const onStart = (): boolean => {
      throw new Error('planted');
    };
    const [broken, fine] = await Promise.allSettled([client.request({ ...get, onStart }), client.request(get)]);
    expect(broken).toMatchObject({ status: 'rejected', reason: { message: 'planted', declined: true } });
    expect(fine).toMatchObject({ status: 'fulfilled' });
  });

  it('passes over answers that only announce another', async () => {
    const { client } = await talking((socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}`));
    expect(await client.request(get)).toMatchObject({ status: 200, text: 'ok' });
  });

  it('has the answer that comes before the body was read', async () => {
    const { client } = await talking((socket) => {
      socket.end('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    const body = Buffer.alloc(64_000, 'a');
    expect(await client.request({ method: 'POST', path: '/', headers: {}, body })).toMatchObject({ status: 413 });
  });

  it.each([
    ['is cut off', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', 'half'],
    [
      'is longer than it may be',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n80000\r\n${'x'.repeat(0x80_000)}`,
      undefined,
    ],
  ])('has the beginning of an answer that %s', async (_, bytes, text) => {
    const { client } = await talking((socket) => socket.end(bytes));
    const answer = await client.request(get);
    expect(answer).toMatchObject({ status: 200 });
    if (text !== undefined) expect(answer.text).toBe(text);
    expect(answer.text.length).toBeLessThanOrEqual(256 * 1024);
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['headers without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
    ['nothing', ''],
  ])('fails, after the request was handed over, where the server says %s', async (_, bytes) => {
    const { client } = await talking((socket) => socket.end(bytes));
    await expect(client.request(get)).rejects.toMatchObject({ handedOver: true, declined: false });
  });

  it('gives up a server that does not answer, and frees the connection', async () => {
    let calls = 0;
    const { client } = await talking(
      (socket) => {
        calls += 1;
        if (calls > 2) socket.write(OK);
      },
      { answerTimeout: 50 },
    );
    const [first, second] = await Promise.allSettled([client.request(get), client.request(get)]);
    expect([first, second]).toMatchObject([{ reason: { handedOver: true } }, { reason: { handedOver: true } }]);
    expect((await client.request(get)).text).toBe('ok');
  });

  it('refuses headers and paths that could begin another request', async () => {
    const { client, heard } = await talking((socket) => socket.write(OK));
    await expect(client.request({ ...get, headers: { authorization: 'x\r\nHost: evil' } })).rejects.toMatchObject({
      handedOver: false,
    });
    await expect(client.request({ ...get, path: '/ HTTP/1.1\r\nHost: evil' })).rejects.toMatchObject({ handedOver: false });
    expect(heard).toEqual([]);
  });
});
