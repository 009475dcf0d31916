import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { ConnectionSettings } from '../../../src/infrastructure/postgres/connection.ts';

/** A network between workers and PostgreSQL that can be cut in nasty places. */
export interface DatabaseProxy {
  /** As the workers see the server. */
  readonly connection: ConnectionSettings;
  /** Breaks every connection; new ones are welcome. */
  cut(): void;
  /** Connections of now stay open and say nothing any more, as behind a firewall that forgot them; new ones work. */
  forget(): void;
  /** Nothing passes any more, in either direction and on no connection, until `goOn`. */
  standStill(): void;
  goOn(): void;
  /** The next so many commits reach the server, and their connections break before the answer comes back. */
  swallowAnswersToCommit(count: number): void;
  /** Answers to commits that were swallowed so far. */
  readonly swallowed: number;
  close(): Promise<void>;
}

interface Line {
  readonly worker: Socket;
  readonly server: Socket;
  forgotten: boolean;
}

/** A simple query, as drivers send it: `Q`, the length with itself, the text, NUL. */
const COMMIT = Buffer.from([0x51, 0, 0, 0, 11, ...Buffer.from('commit'), 0]);
/** The end of its answer: `C`, the length with itself, the tag, NUL. */
const COMMITTED = Buffer.from([0x43, 0, 0, 0, 11, ...Buffer.from('COMMIT'), 0]);

export async function startDatabaseProxy(target: ConnectionSettings): Promise<DatabaseProxy> {
  const lines = new Set<Line>();
  let toSwallow = 0;
  let swallowed = 0;
  let standing = false;
  const proxy = createServer((worker) => {
    const server = connect(
      target.host.startsWith('/') ? { path: `${target.host}/.s.PGSQL.${target.port}` } : { host: target.host, port: target.port },
    );
    const line: Line = { worker, server, forgotten: false };
    let swallowing = false;
    const end = (): void => {
      lines.delete(line);
      worker.destroy();
      server.destroy();
    };
    lines.add(line);
    if (standing) for (const socket of [worker, server]) socket.pause();
    for (const socket of [worker, server]) socket.on('error', end).on('close', () => (line.forgotten ? undefined : end()));
    worker.on('data', (bytes) => {
      if (line.forgotten) return;
      if (toSwallow > 0 && bytes.includes(COMMIT)) {
        toSwallow -= 1;
        swallowing = true;
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (line.forgotten) return;
      if (!swallowing) worker.write(bytes);
      else if (bytes.includes(COMMITTED)) {
        swallowed += 1;
        end();
      }
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy got no port.');
  return {
    connection: { ...target, host: '127.0.0.1', port: address.port },
    cut() {
      for (const { worker, server } of lines) {
        worker.resetAndDestroy();
        server.destroy();
      }
    },
    forget() {
      for (const line of lines) {
        line.forgotten = true;
        // The server hears nothing either, but gives up on it: what it held is free.
        line.server.destroy();
      }
    },
    standStill() {
      standing = true;
      for (const { worker, server } of lines) for (const socket of [worker, server]) socket.pause();
    },
    goOn() {
      standing = false;
      for (const { worker, server } of lines) for (const socket of [worker, server]) socket.resume();
    },
    swallowAnswersToCommit(count) {
      toSwallow = count;
    },
    get swallowed() {
      return swallowed;
    },
    async close() {
      proxy.close();
      for (const { worker, server } of lines) {
        worker.destroy();
        server.destroy();
      }
      await once(proxy, 'close');
    },
  };
}
