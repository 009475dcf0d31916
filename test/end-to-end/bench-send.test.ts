import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startNode } from '../support/processes.ts';

const MAIN = join(import.meta.dirname, '../bench/main.ts');

async function bench(...args: readonly string[]): Promise<Record<string, unknown>> {
  const running = startNode(MAIN, [...args, '--json'], { PENNYPOST_DATABASE_URL: '' });
  const end = await running.ended;
  if (end !== 0) throw new Error(`The benchmark ended with ${end}.\n${running.errors()}`);
  return JSON.parse(running.lines.at(-1) ?? '') as Record<string, unknown>;
}

const KEYS = [
  'bench',
  'recipients',
  'size',
  'seconds',
  'messagesPerSecond',
  'bytesPerMessage',
  'cpuMicrosPerMessage',
  'idleShare',
  'processes',
  'chunking',
  'peakRssMb',
  'rssMbTotal',
  'submitted',
  'skipped',
  'repeated',
];

/** System calls are counted only where strace is installed. */
const keysOf = (result: object): string[] => Object.keys(result).filter((key) => key !== 'systemCallsPerMessage');

describe('npm run bench -- send', () => {
  it('sends a campaign with the worker command, verifies what a sink recorded, and says what the contract names', async () => {
    const result = await bench('send', '--recipients', '500', '--size', '5k', '--processes', '2');
    expect(keysOf(result)).toEqual(KEYS);
    expect(result).toMatchObject({
      bench: 'send',
      recipients: 500,
      size: '5k',
      processes: 2,
      submitted: 500,
      skipped: 0,
      repeated: 0,
    });
    expect(result.bytesPerMessage).toBeGreaterThan(4_000);
    expect(result.bytesPerMessage).toBeLessThan(6_000);
  });

  it.skipIf(!existsSync('/usr/sbin/smtp-source'))('compares with smtp-source (needs Debian\'s package "postfix")', async () => {
    const result = await bench('send', '--recipients', '500', '--size', '40k', '--versus', 'smtp-source');
    expect(keysOf(result)).toEqual([...KEYS, 'limitPerSecond', 'ratio']);
    expect(result).toMatchObject({ size: '40k', submitted: 500, skipped: 0, repeated: 0 });
    expect(result.bytesPerMessage).toBeGreaterThan(35_000);
    expect(result.ratio).toBeGreaterThan(0);
  });
});
