/**
 * The transport alone against `smtp-source`, both into `smtp-sink` (Debian's postfix package): what hand-over costs when nothing is
 * composed and nothing recorded. One round of smtp-source is followed by one of ours with the same bytes; the ratio is taken
 * inside the round.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';
import { whole } from './support/arguments.ts';
import { cpuMicros, median, rounded } from './support/machine.ts';
import type { BenchOutput } from './support/output.ts';
import { runSmtpSource, type Sink, startSmtpSink } from './support/smtp.ts';

export async function benchTransport(args: readonly string[], output: BenchOutput): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: 'string', default: '20000' },
      connections: { type: 'string', default: '20' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const load = { messages: whole('messages', values.messages), connections: whole('connections', values.connections) };
  const directory = await mkdtemp(join(tmpdir(), 'pennypost-bench-transport-'));
  const sink = await startSmtpSink();
  try {
    const rows: ({ readonly bytes: number; readonly round: number; readonly 'smtp-source/s': number } & Rates)[] = [];
    for (const bytes of [5_000, 40_000]) {
      const content = messageOf(bytes);
      const file = join(directory, 'message.eml');
      await writeFile(file, content.toString('latin1').replaceAll('\r\n', '\n'));
      for (let round = 1; round <= whole('rounds', values.rounds); round += 1) {
        const limit = load.messages / (await runSmtpSource(sink.port, file, load.messages, load.connections));
        rows.push({
          bytes: content.length,
          round,
          'smtp-source/s': Math.round(limit),
          ...(await ours(sink, content, load, limit)),
        });
      }
    }
    output.table('transport against smtp-source; CPU in microseconds per message', rows);
    const ratio = (large: boolean): number =>
      rounded(median(rows.filter((row) => row.bytes > 20_000 === large).map((row) => row.ratio)), 3);
    output.result({ bench: 'transport', ...load, ratio5k: ratio(false), ratio40k: ratio(true) });
  } finally {
    await sink.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A message as the composer makes them: headers, then quoted-printable lines of 76. */
function messageOf(bytes: number): Buffer {
  const head =
    'From: Example <news@example.com>\r\nTo: <reader@example.net>\r\nSubject: Benchmark\r\nMessage-ID: <1@example.com>\r\n' +
    'Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n' +
    'Content-Transfer-Encoding: quoted-printable\r\n\r\n';
  const line = `${'Lorem ipsum dolor sit amet. '.repeat(3).slice(0, 75)}=\r\n`;
  return Buffer.from(head + line.repeat(Math.ceil((bytes - head.length) / line.length)));
}

type Rates = Record<'ours/s' | 'ratio' | 'our CPU' | 'sink CPU', number>;

async function ours(sink: Sink, content: Buffer, load: { messages: number; connections: number }, limit: number): Promise<Rates> {
  const { messages, connections } = load;
  const transport = createSmtpTransport({
    host: '127.0.0.1',
    port: sink.port,
    maxConnections: connections,
    messagesPerConnection: 1e9,
  });
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < messages) {
      begun += 1;
      const envelope = { from: `b+${begun}@bounces.example.com`, to: `reader${begun}@example.net`, smtputf8: false };
      const attempt = await transport.submit({ envelope, content });
      if (attempt.outcome !== 'submitted') throw new Error(`Not submitted: ${JSON.stringify(attempt)}`);
    }
  };
  const sinkBefore = cpuMicros([sink.pid]);
  const before = process.cpuUsage();
  const started = performance.now();
  await Promise.all(Array.from({ length: connections * 3 }, lane));
  const rate = messages / ((performance.now() - started) / 1_000);
  const { user, system } = process.cpuUsage(before);
  await transport.close();
  return {
    'ours/s': Math.round(rate),
    ratio: rate / limit,
    'our CPU': (user + system) / messages,
    'sink CPU': (cpuMicros([sink.pid]) - sinkBefore) / messages,
  };
}
