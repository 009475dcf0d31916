import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A server that says exactly what a test tells it to, byte for byte. */
export interface SinkTalker {
  readonly url: string;
  /** What came in one read each, per connection. */
  readonly heard: readonly string[][];
  close(): Promise<void>;
}

/**
 * @param speak called with each chunk that was read, and with `undefined` when a connection opens; says something by `socket.write`
 */
export async function startSinkTalker(
  speak: (socket: Socket, heard: string | undefined, connection: number) => void,
): Promise<SinkTalker> {
  const heard: string[][] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const lines: string[] = [];
    const connection = heard.push(lines);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      lines.push(chunk.toString('latin1'));
      speak(socket, chunk.toString('latin1'), connection);
    });
    socket.on('error', () => socket.destroy());
    speak(socket, undefined, connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The talker got no port.');
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    heard,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
