/** HTTP/1.1 as a load generator needs it: kept-alive connections, one request at a time each, no parsing beyond the frame. */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One connection, one request at a time. */
export class Requester {
  private readonly socket: Socket;
  private readonly host: string;
  private received = '';
  private waiting: { resolve(answer: Answer): void; reject(error: unknown): void } | undefined;

  private constructor(socket: Socket, host: string) {
    this.socket = socket;
    this.host = host;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      this.look();
    });
    const ended = (error?: unknown): void => this.waiting?.reject(error ?? new Error('The server closed the connection.'));
    socket.on('error', ended);
    socket.on('close', () => ended());
  }

  static open(url: string): Promise<Requester> {
    const { hostname, port, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new Requester(socket, host)));
      socket.once('error', reject);
    });
  }

  ask(method: string, path: string, headers: Readonly<Record<string, string>> = {}, body = ''): Promise<Answer> {
    const bytes = Buffer.from(body);
    const lines = Object.entries({
      Host: this.host,
      ...headers,
      ...(body === '' ? {} : { 'Content-Length': String(bytes.length) }),
    });
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    if (body !== '') this.socket.write(bytes);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  private look(): void {
    const head = this.received.indexOf('\r\n\r\n') + 4;
    if (head < 4) return;
    const fields = this.received.slice(0, head);
    const chunked = /^transfer-encoding: *chunked/im.test(fields);
    // Of a chunked answer only the end matters here: no answer of ours has this line inside.
    const last = chunked ? this.received.indexOf(LAST_CHUNK, head - 2) : -1;
    const end = chunked ? (last < 0 ? Number.POSITIVE_INFINITY : last + LAST_CHUNK.length) : head + lengthIn(fields);
    if (this.received.length < end) return;
    const { waiting } = this;
    const answer = { status: Number(fields.slice(9, 12)), body: this.received.slice(head, end) };
    this.received = this.received.slice(end);
    this.waiting = undefined;
    waiting?.resolve(answer);
  }
}

const LAST_CHUNK = '\r\n0\r\n\r\n';
const lengthIn = (fields: string): number => Number(/^content-length: *(\d+)/im.exec(fields)?.[1] ?? 0);
