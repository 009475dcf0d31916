import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSmtpTransport } from '../../src/infrastructure/transports/smtp.ts';

describe('the fault sink as a process of its own', () => {
  let directory: string;
  let child: ChildProcess;
  let port: number;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pennypost-sink-'));
    const program = new URL('../support/sink-process.ts', import.meta.url).pathname;
    const options = ['--log', join(directory, 'log.ndjson'), '--header', 'X-Mark'];
    child = spawn(process.execPath, [program, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout! })) {
      ({ port } = JSON.parse(line) as { port: number });
      break;
    }
  });
  afterEach(() => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  it('has every message that it answered with 250 in its log, also when it is killed at once', async () => {
    const transport = createSmtpTransport({ host: '127.0.0.1', port, maxConnections: 5, closeTimeout: 1 });
    const content = Buffer.from('Message-ID: <42@example.com>\r\nX-Mark: again\r\nSubject: x\r\n\r\nHello.\r\n');
    const submit = (at: number) =>
      transport.submit({ envelope: { from: 'b@example.com', to: `a${at}@example.net`, smtputf8: false }, content });
    let submitted = 0;
    const killed = once(child, 'exit');
    const results = Array.from({ length: 2000 }, async (_, at) => {
      const { outcome } = await submit(at);
      if (outcome !== 'submitted') return undefined;
      submitted += 1;
      if (submitted === 500) child.kill('SIGKILL');
      return `a${at}@example.net`;
    });
    await killed;
    await transport.close();
    const answered = (await Promise.all(results)).filter((to) => to !== undefined);
    const lines = readFileSync(join(directory, 'log.ndjson'), 'utf8').trim().split('\n');
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(answered.length).toBeGreaterThanOrEqual(500);
    expect(answered.filter((to) => !logged.some((message) => message.to === to))).toEqual([]);
    expect(logged[0]).toMatchObject({ messageId: '<42@example.com>', headers: { 'x-mark': 'again' }, bytes: content.length });
  });
});
