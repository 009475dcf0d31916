import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage } from './support/stage.ts';

/** `pennypost work --processes`: workers under a parent. */
describe('a parent of two worker processes', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-10ms-at-dot', shardSize: 400, connections: 10 });
  });
  afterAll(() => stage.close());

  it('has the shards of a killed child taken over at once, starts another, and drains all when it is asked to end', async () => {
    const parent = await startParent(stage);
    const audience = await invite(stage.application, people(1_600));
    const { id } = await launch(stage.application, audience);
    await stage.accepted(300);
    const [victim = 0] = childrenOf(parent);
    process.kill(victim, 'SIGKILL');
    await eventually('another child', () => childrenOf(parent).length === 2 && !childrenOf(parent).includes(victim));
    await stage.accepted(900);
    parent.kill('SIGTERM');
    expect(await parent.ended).toBe(0);
    expect(parent.errors()).toContain('a worker process ended unexpectedly and is restarted');
    // Everything was handed back, so that a new worker finds it without waiting for a lease.
    const { workers } = await stage.application.status.get();
    expect(workers).toEqual([]);
    await startParent(stage);
    await stage.finished(audience, id);

    const copies = await stage.copies();
    expect(new Set(copies.map((copy) => copy.to)).size).toBe(1_600);
    const unmarked = copies.filter((copy) => copy.headers['x-pennypost-possible-repeat'] === undefined);
    expect(new Set(unmarked.map((copy) => copy.to)).size).toBe(unmarked.length);
    await expectWholeLedger(stage, audience, id);
  });

  it('is survived by nobody: children without it drain and end', async () => {
    const already = (await stage.copies()).length;
    const parent = await startParent(stage);
    const audience = await invite(stage.application, people(800));
    const { id } = await launch(stage.application, audience);
    await stage.accepted(already + 100);
    const children = childrenOf(parent);
    expect(children).toHaveLength(2);
    parent.kill('SIGKILL');
    await eventually('the children to end', () => children.every((pid) => commandOf(pid) === ''));
    await startParent(stage);
    await stage.finished(audience, id);
    expectOneCopyEach((await stage.copies()).slice(already), audience.addresses);
  });
});

async function startParent(stage: Stage): Promise<RunningProcess> {
  const parent = stage.start('src/interfaces/cli/main.ts', ['work', '--lanes', 'bulk', '--processes', '2']);
  await parent.line((line) => line.startsWith('lanes'));
  const begun = Date.now();
  const fresh = async (): Promise<number> =>
    (await stage.application.status.get()).workers.filter((worker) => worker.startedAt.getTime() > begun - 5_000).length;
  await eventually('both children to work', async () => (await fresh()) >= 2);
  return parent;
}

function childrenOf(parent: RunningProcess): number[] {
  const { pid } = parent.child;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid && commandOf(candidate).includes('--one-of'));
}

/** Field 4 of /proc/pid/stat; undefined when the process has gone meanwhile. */
function parentOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[1] === undefined ? undefined : Number(fields[1]);
}

/** Empty for a process that has ended, also while nobody has asked how. */
const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`);

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}
