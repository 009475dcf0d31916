/**
 * A fake mail server on loopback that can do everything wrong that a real one can: the fault sink of the standards page.
 * Scripted by local part or by connection number (see `sink-script.ts`); everything combines with any way to cut replies.
 * It knows nothing of our database, and with `log` it has each message on disk before it answers the final dot: its log is
 * the second truth that fault tests and the chaos run are judged by. Also fast enough to be the sink of a benchmark.
 */
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { SinkConnection, type SinkHost } from './sink-connection.ts';
import type { SunkMessage } from './sink-message.ts';
import type { SinkReplyStyle } from './sink-replies.ts';
import { parseSinkScript, type SinkScript, type SinkStep } from './sink-script.ts';

export type { SunkMessage } from './sink-message.ts';

export interface FaultSinkOptions {
  /** Default: any free port of 127.0.0.1. */
  readonly port?: number;
  /** Script of a connection by its number, counted from 1. */
  readonly script?: (connection: number) => string | undefined;
  /** Appends one line of JSON per accepted message. */
  readonly log?: string;
  readonly extensions?: readonly string[];
  /** Offers STARTTLS with it. */
  readonly certificate?: { readonly key: string; readonly cert: string };
  /** Offers and wants AUTH PLAIN. */
  readonly credentials?: { readonly user: string; readonly pass: string };
  /** More are greeted with 421. */
  readonly maxConnections?: number;
  /** Then 421. */
  readonly messagesPerConnection?: number;
  /** Messages per second; 451 over it. */
  readonly rate?: number;
  readonly replies?: SinkReplyStyle;
  /** A slow reader rests so many milliseconds after each chunk. */
  readonly readPause?: number;
  /** Headers to record besides Message-ID. */
  readonly headers?: readonly string[];
  /** Hears of every connection that has ended, and whether a transaction was under way: begun with MAIL and not answered to its end. */
  readonly onEnd?: (connection: { readonly number: number; readonly unfinished: boolean }) => void;
  /** Keep accepted messages in memory. Default: true. */
  readonly keep?: boolean;
  /** Keep their bytes as well. Default: false. */
  readonly keepRaw?: boolean;
}

export interface FaultSink {
  readonly port: number;
  /** `smtp://127.0.0.1:PORT` */
  readonly url: string;
  /** What was accepted, in order. */
  readonly messages: readonly SunkMessage[];
  /** Messages accepted so far, also when they are not kept. */
  readonly accepted: number;
  /** Every command line; only while messages are kept. */
  readonly commands: readonly { readonly connection: number; readonly line: string }[];
  readonly connections: { readonly opened: number; readonly open: number; readonly mostOpen: number };
  /** Connections with a transaction under way. */
  readonly unfinished: number;
  /** Ends every connection, and goes on listening. */
  cut(): void;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** CHUNKING is offered where a test asks for it. */
export const EXTENSIONS = ['PIPELINING', 'SIZE 52428800', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'];

export async function startFaultSink(options: FaultSinkOptions = {}): Promise<FaultSink> {
  const messages: SunkMessage[] = [];
  const commands: { connection: number; line: string }[] = [];
  const keep = options.keep ?? true;
  const open = new Set<SinkConnection>();
  const count = { opened: 0, open: 0, mostOpen: 0 };
  let accepted = 0;
  const store = storeFor(options.log);
  const host: SinkHost = {
    extensions: options.extensions ?? EXTENSIONS,
    certificate: options.certificate,
    credentials: options.credentials,
    messagesPerConnection: options.messagesPerConnection ?? Number.POSITIVE_INFINITY,
    replies: options.replies ?? {},
    readPause: options.readPause ?? 0,
    headers: options.headers ?? [],
    keepRaw: options.keepRaw ?? false,
    overRate: rateLimit(options.rate),
    timesMet: counter(),
    heard: (connection, line) => {
      if (keep) commands.push({ connection, line });
    },
    store: (sunk, answer) => {
      accepted += sunk.length;
      if (keep) messages.push(...sunk);
      store.add(sunk, answer);
    },
  };
  const server = createServer((socket: Socket) => {
    count.opened += 1;
    count.open += 1;
    count.mostOpen = Math.max(count.mostOpen, count.open);
    const text = options.script?.(count.opened);
    const connection = new SinkConnection(socket, count.opened, host, text === undefined ? undefined : connectionScript(text));
    open.add(connection);
    const number = count.opened;
    socket.on('close', () => {
      open.delete(connection);
      count.open -= 1;
      options.onEnd?.({ number, unfinished: connection.unfinished });
    });
    connection.greet(
      count.open > (options.maxConnections ?? Number.POSITIVE_INFINITY) ? '421 4.7.0 Too many connections' : undefined,
    );
  });
  server.listen(options.port ?? 0, '127.0.0.1', 511);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The sink got no port.');
  return {
    port: address.port,
    url: `smtp://127.0.0.1:${address.port}`,
    messages,
    commands,
    connections: count,
    get accepted() {
      return accepted;
    },
    get unfinished() {
      let some = 0;
      for (const connection of open) if (connection.unfinished) some += 1;
      return some;
    },
    cut() {
      for (const connection of open) connection.destroy();
    },
    async close() {
      server.close();
      for (const connection of open) connection.destroy();
      await once(server, 'close');
      store.close();
    },
  };
}

/** @throws Error where a test misspelt its script */
function connectionScript(text: string): SinkScript {
  const script = parseSinkScript(text);
  if (script === undefined) throw new Error(`"${text}" is not a script of the fault sink.`);
  return script;
}

interface Store {
  add(messages: readonly SunkMessage[], answer: () => void): void;
  close(): void;
}

/** One append for all messages of a turn of the event loop, on disk before any of them is answered. */
function storeFor(path: string | undefined): Store {
  if (path === undefined) return { add: (_, answer) => answer(), close: () => undefined };
  const file = openSync(path, 'a');
  let lines = '';
  let answers: (() => void)[] = [];
  const append = (): void => {
    const waiting = answers;
    if (lines !== '') writeSync(file, lines);
    lines = '';
    answers = [];
    for (const answer of waiting) answer();
  };
  return {
    add(messages, answer) {
      if (answers.length === 0) setImmediate(append);
      for (const { raw, ...message } of messages) {
        lines += `${JSON.stringify(raw === undefined ? message : { ...message, raw: raw.toString('latin1') })}\n`;
      }
      answers.push(answer);
    },
    close() {
      append();
      closeSync(file);
    },
  };
}

function rateLimit(perSecond: number | undefined): () => boolean {
  if (perSecond === undefined) return () => false;
  let tokens = perSecond;
  let last = performance.now();
  return () => {
    const now = performance.now();
    tokens = Math.min(perSecond, tokens + ((now - last) / 1000) * perSecond);
    last = now;
    if (tokens < 1) return true;
    tokens -= 1;
    return false;
  };
}

function counter(): SinkHost['timesMet'] {
  const met = new Map<string, number>();
  return (recipient: string, step: SinkStep) => {
    const key = `${step} ${recipient}`;
    const before = met.get(key) ?? 0;
    met.set(key, before + 1);
    return before;
  };
}
