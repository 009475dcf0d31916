/** The other end of the wire, each in a process of its own: our fault sink, or Postfix's generator and sink. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startNode } from '../../support/processes.ts';

const SMTP_SINK = '/usr/sbin/smtp-sink';
const SMTP_SOURCE = '/usr/sbin/smtp-source';
const SINK_SCRIPT = join(import.meta.dirname, '../../support/sink-process.ts');

export interface Sink {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

/**
 * @param log a line of JSON for every message goes into this file; without it nothing is kept
 * @param raw with the message's bytes
 */
export async function startOwnSink(log?: string, raw = true): Promise<Sink> {
  const sink = startNode(SINK_SCRIPT, ['--chunking', ...(log === undefined ? [] : [...(raw ? ['--raw'] : []), '--log', log])]);
  const { port } = JSON.parse(await sink.line((line) => line.startsWith('{'))) as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    port,
    pid: sink.child.pid ?? 0,
    async close() {
      sink.kill('SIGTERM');
      await sink.ended;
    },
  };
}

/** @throws Error that says how to install it */
export async function startSmtpSink(): Promise<Sink> {
  if (!existsSync(SMTP_SINK) || !existsSync(SMTP_SOURCE))
    throw new Error('smtp-source and smtp-sink are part of Debian\'s package "postfix": apt-get install postfix.');
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(SMTP_SINK, [...user, `127.0.0.1:${port}`, '1000'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await reachable(port);
  return {
    url: `smtp://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    async close() {
      child.kill();
      await ended;
    },
  };
}

/**
 * Postfix's generator: one constant message, as often as asked, on so many connections that stay open.
 * @param file the message with LF line ends
 * @returns seconds
 */
export async function runSmtpSource(port: number, file: string, messages: number, connections: number): Promise<number> {
  const begun = performance.now();
  const load = ['-d', '-s', String(connections), '-m', String(messages), '-F', file, `127.0.0.1:${port}`];
  await promisify(execFile)(SMTP_SOURCE, load);
  return (performance.now() - begun) / 1_000;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

async function reachable(port: number): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
  }
  throw new Error(`smtp-sink does not listen on ${port}.`);
}
