import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../../../src/domain/audience/cell-cleaning.ts';
import { sampleFile } from '../../../src/interfaces/cli/demo/people.ts';
import { type DemoResult, differences } from '../../../src/interfaces/cli/demo/run.ts';
import { type RunningProcess, startNode } from '../../support/processes.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pennypost-cli-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The demo leaves nothing behind, so it gets a temporary directory of its own to leave it in. */
const demo = (...words: readonly string[]): RunningProcess =>
  startNode('src/interfaces/cli/main.ts', ['demo', ...words], { TMPDIR: directory, PENNYPOST_PORT: '0' });

describe('the demo', () => {
  it('goes the whole way, and its figures agree', async () => {
    const running = demo('--recipients', '300', '--json', '--exit');
    expect([await running.ended, running.errors().match(/^(warning|error).*/m)]).toEqual([0, null]);
    const result = JSON.parse(running.lines.at(-1) ?? '') as DemoResult;
    expect(Object.keys(result)).toEqual([
      'rows',
      'imported',
      'duplicates',
      'rejected',
      'audience',
      'submitted',
      'opened',
      'clicked',
      'unsubscribed',
      'seconds',
    ]);
    expect(result).toEqual({
      rows: 306,
      imported: 300,
      duplicates: 3,
      rejected: 3,
      audience: 300,
      submitted: 300,
      opened: 138,
      clicked: 51,
      unsubscribed: 4,
      seconds: expect.any(Number),
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('stays to be looked at until it is interrupted, then removes what it made', async () => {
    const running = demo('--recipients', '1');
    const line = await running.line((one) => one.startsWith('https://harbour.example/window'));
    expect(line).toContain('1');
    const inbox = await said(running, /inbox +(http:\S+\/inbox)/);
    const { items } = (await (await fetch(`${inbox}/messages.json`)).json()) as { items: { subject: string }[] };
    expect(items.map(({ subject }) => subject)).toEqual(['Ada, the evenings are long again']);
    running.kill('SIGINT');
    expect(await running.ended).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('a difference', () => {
  const agreeing: DemoResult = {
    rows: 102,
    imported: 100,
    duplicates: 1,
    rejected: 1,
    audience: 100,
    submitted: 100,
    opened: 46,
    clicked: 17,
    unsubscribed: 1,
    seconds: 1,
  };
  const acted = { opened: 46, clicked: 17, unsubscribed: 1 };

  it('is none when everything agrees', () => expect(differences(agreeing, 100, acted)).toEqual([]));

  it.each([
    [{ imported: 99, audience: 99, submitted: 99, rows: 101 }, 'imported and the subscribers in the file differ: 99 and 100.'],
    [{ rows: 103 }, 'rows and the sum of imported, duplicates and rejected differ: 103 and 102.'],
    [{ audience: 98, submitted: 98 }, 'audience and imported differ: 98 and 100.'],
    [{ submitted: 97 }, 'submitted (recipients in the inbox) and audience differ: 97 and 100.'],
    [{ opened: 45 }, 'opened in the report and recipients that opened differ: 45 and 46.'],
    [{ clicked: 18 }, 'clicked in the report and recipients that clicked differ: 18 and 17.'],
    [{ unsubscribed: 0 }, 'unsubscribed in the report and recipients that unsubscribed differ: 0 and 1.'],
  ])('names both numbers: %o', (change, fault) => expect(differences({ ...agreeing, ...change }, 100, acted)).toEqual([fault]));
});

describe('the sample file', () => {
  it('holds as many people, duplicates and bad rows as it says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), (people) => {
        const { csv, rows, duplicates, rejected } = sampleFile(people);
        const addresses = csv.split('\r\n').slice(1, -1).map(addressIn);
        const keys = addresses.flatMap((address) => keyOf(address));
        expect(addresses).toHaveLength(rows);
        expect([duplicates, rejected]).toEqual([Math.max(1, Math.floor(people / 100)), Math.max(1, Math.floor(people / 100))]);
        expect([new Set(keys).size, keys.length, addresses.length - keys.length]).toEqual([
          people,
          people + duplicates,
          rejected,
        ]);
      }),
      { numRuns: 20 },
    );
  });

  it('is the same every time', () => expect(sampleFile(500)).toEqual(sampleFile(500)));
});

const addressIn = (row: string): string =>
  row.startsWith('"') ? row.slice(1, row.indexOf('"', 1)) : row.slice(0, row.indexOf(','));

function keyOf(address: string): string[] {
  try {
    return [addressOf(address).key];
  } catch {
    return [];
  }
}

/** What a process has said on standard error, once it has. */
async function said(running: RunningProcess, what: RegExp): Promise<string> {
  for (;;) {
    const found = what.exec(running.errors())?.[1];
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
