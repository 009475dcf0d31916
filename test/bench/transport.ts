/**
 * The transport alone against `smtp-source`, both into `smtp-sink` (Debian's postfix package): what hand-over costs when
 * nothing is composed and nothing recorded. Run: `node test/bench/transport.ts [--messages 20000] [--connections 20] [--rounds 3]`.
 * One round of smtp-source is followed by one of ours with the same bytes; the ratio is taken inside the round.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    size: { type: 'string', multiple: true, default: ['5k', '40k'] },
  },
});
const messages = Number(values.messages);
const connections = Number(values.connections);

/** A message as the composer makes them: headers, then quoted-printable lines of 76. */
function messageOf(bytes: number): Buffer {
  const head =
    'From: Example <news@example.com>\r\nTo: <reader@example.net>\r\nSubject: Benchmark\r\nMessage-ID: <1@example.com>\r\n' +
    'Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n' +
    'Content-Transfer-Encoding: quoted-printable\r\n\r\n';
  const line = `${'Lorem ipsum dolor sit amet. '.repeat(3).slice(0, 75)}=\r\n`;
  return Buffer.from(head + line.repeat(Math.ceil((bytes - head.length) / line.length)));
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
  for (let attempt = 0; attempt < 1000; attempt += 1) {
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

/** CPU of another process in seconds so far, from /proc. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function ours(port: number, content: Buffer): Promise<{ rate: number; cpu: number }> {
  const transport = createSmtpTransport({ host: '127.0.0.1', port, maxConnections: connections, messagesPerConnection: 1e9 });
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < messages) {
      begun += 1;
      const envelope = { from: `b+${begun}@bounces.example.com`, to: `reader${begun}@example.net`, smtputf8: false };
      const attempt = await transport.submit({ envelope, content });
      if (attempt.outcome !== 'submitted') throw new Error(`Not submitted: ${JSON.stringify(attempt)}`);
    }
  };
  const started = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: connections * 3 }, lane));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  await transport.close();
  return { rate: messages / seconds, cpu: (user + system) / messages };
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const directory = mkdtempSync(join(tmpdir(), 'pennypost-bench-'));
const port = await freePort();
const sink = spawn('/usr/sbin/smtp-sink', ['-u', 'nobody', `127.0.0.1:${port}`, '1000'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
try {
  await reachable(port);
  for (const size of values.size) {
    const content = messageOf(Number.parseInt(size, 10) * 1000);
    const file = join(directory, `${size}.eml`);
    writeFileSync(file, content.toString('latin1').replaceAll('\r\n', '\n'));
    const ratios: number[] = [];
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const started = process.hrtime.bigint();
      const source = ['-d', '-s', String(connections), '-m', String(messages), '-F', file, `127.0.0.1:${port}`];
      await promisify(execFile)('/usr/sbin/smtp-source', source);
      const limit = messages / (Number(process.hrtime.bigint() - started) / 1e9);
      const before = cpuSeconds(sink.pid ?? 0);
      const { rate, cpu } = await ours(port, content);
      const sinkCpu = ((cpuSeconds(sink.pid ?? 0) - before) * 1e6) / messages;
      ratios.push(rate / limit);
      const cells = [`${size} ${content.length} bytes`, `smtp-source ${limit.toFixed(0)}/s`, `ours ${rate.toFixed(0)}/s`];
      console.log(
        [...cells, `ratio ${(rate / limit).toFixed(2)}`, `CPU us: ours ${cpu.toFixed(0)}, sink ${sinkCpu.toFixed(0)}`].join('  '),
      );
    }
    console.log(`${size} median ratio ${median(ratios).toFixed(2)}`);
  }
} finally {
  sink.kill();
  rmSync(directory, { recursive: true });
}
