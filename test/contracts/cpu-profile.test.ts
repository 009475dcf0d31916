import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordCpuProfile } from '../../src/infrastructure/watcher/cpu-profile.ts';
import { summaryOf } from '../../src/infrastructure/watcher/inspection.ts';

describe('a CPU profile of a process in trouble', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'pennypost-profiles-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  async function record(profileDir?: string) {
    const session = new Session();
    session.connect();
    return recordCpuProfile({ profileDir, dataDir }, session).finally(() => session.disconnect());
  }

  it('is a file in the data directory, which stays ours', async () => {
    const { path } = await record();
    expect(path).toMatch(new RegExp(`^${dataDir}/profiles/worker-\\d{8}T\\d{6}Z-${process.pid}\\.cpuprofile$`));
    expect(Object.keys(JSON.parse(await readFile(path, 'utf8')))).toEqual(
      expect.arrayContaining(['nodes', 'startTime', 'endTime', 'samples', 'timeDeltas']),
    );
    expect(await readdir(dataDir)).toContain('pennypost.json');
  });

  it('takes the place of those that are many or old, and of nothing else', async () => {
    const days = (count: number) => new Date(Date.now() - count * 24 * 3_600_000);
    const add = async (name: string, age: number) => {
      await writeFile(join(dataDir, name), '{}');
      await utimes(join(dataDir, name), days(age), days(age));
    };
    for (let count = 10; count < 40; count += 1) await add(`worker-${count}.cpuprofile`, count / 10);
    await add('worker-old.cpuprofile', 8);
    await add('mine.cpuprofile', 8);
    const { path } = await record(dataDir);
    const left = await readdir(dataDir);
    expect(left).toHaveLength(21);
    expect(left).toEqual(expect.arrayContaining(['worker-10.cpuprofile', 'worker-28.cpuprofile', 'mine.cpuprofile']));
    expect(left).not.toContain('worker-29.cpuprofile');
    expect(left).not.toContain('worker-old.cpuprofile');
    expect(path.startsWith(dataDir)).toBe(true);
  });
});

describe('the summary of a profile', () => {
  const node = (id: number, functionName: string, hitCount: number, children: number[] = [], url = '') => ({
    id,
    callFrame: { functionName, scriptId: '0', url, lineNumber: 11, columnNumber: 0 },
    hitCount,
    children,
  });
  const summary = (...nodes: ReturnType<typeof node>[]): string => summaryOf({ nodes, startTime: 0, endTime: 0 });

  it('is the innermost function in which nearly all of the time was spent', () => {
    const file = 'file:///srv/app/shop.js';
    expect(
      summary(
        node(1, '(root)', 0, [2, 5]),
        node(2, 'outer', 2, [3], file),
        node(3, 'inner', 30, [4], file),
        node(4, 'now', 60, []),
        node(5, '(program)', 8),
      ),
    ).toBe('90 % of the time in inner (/srv/app/shop.js:12)');
  });

  it('is that it waited, where that is what it did', () => {
    expect(summary(node(1, '(root)', 0, [2, 3]), node(2, '(idle)', 97), node(3, 'beat', 3))).toBe('it waited 97 % of the time');
  });

  it('names no place where there are several', () => {
    expect(summary(node(1, '(root)', 0, [2, 3]), node(2, 'one', 50), node(3, 'other', 50))).toBe('it was busy in several places');
    expect(summary(node(1, '(root)', 0))).toBe('it was idle');
  });
});
