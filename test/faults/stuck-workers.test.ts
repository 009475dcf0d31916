import { readFile, writeFile } from 'node:fs/promises';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type RunningProcess } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { expectOneCopyEach, expectWholeLedger, openStage, people, type Stage } from './support/stage.ts';

const MAIN = 'src/interfaces/cli/main.ts';
/** So long without an outcome, instead of 30 seconds. */
const STUCK = { PENNYPOST_STUCK_SECONDS: '2', PENNYPOST_LOG_LEVEL: 'info' };

describe('a worker that gets nowhere', () => {
  let stage: Stage;
  let worker: RunningProcess;

  beforeAll(async () => {
    stage = await openStage();
    worker = await stage.startWorker({ untilFile: join(stage.directory, 'enough') }, STUCK);
  });
  afterAll(() => stage.close());

  const status = async () => (await stage.application.status.get()).workers.find(({ pid }) => pid === worker.child.pid);
  const stuck = async () => (await status())?.progress.stuck;
  /** Waits until the profile that is named last can be read. */
  async function profileOf(): Promise<Profiler.Profile> {
    await eventually('a profile', async () => (await stuck())?.profile !== undefined);
    return JSON.parse(await readFile((await stuck())?.profile ?? '', 'utf8')) as Profiler.Profile;
  }

  it('because its relay does not answer says so, with a profile, and says when it goes on', async () => {
    // One domain would get one connection to begin with.
    const slow = [0, 1, 2, 3].map((index) => `slow-15-at-dot+person@d${index}.example.net`);
    const audience = await invite(stage.application, slow);
    const { id } = await launch(stage.application, audience);
    const watching = stage.start(MAIN, ['campaign', 'watch', id]);
    await eventually('it to be stuck', async () => (await stuck()) !== undefined);
    const { at, forMs } = (await stuck())!;
    const server = new URL(stage.sink.urls[0] ?? '').host;
    expect(at).toMatch(/^\d messages? on \d connections? wait for a reply after the final dot from /);
    expect(at).toContain(`from ${server} (longest `);
    expect(forMs).toBeGreaterThanOrEqual(2_000);
    expect((await status())?.responds).toBe(true);
    const { nodes, samples = [] } = await profileOf();
    expect(nodes.length).toBeGreaterThan(0);
    expect(samples.length).toBeGreaterThan(100);

    // As everybody else sees it.
    const asked = stage.start(MAIN, ['status']);
    expect(await asked.ended).toBe(0);
    expect(asked.lines.join('\n')).toMatch(
      / is stuck for .*: .* wait for a reply after the final dot from .*\n {2}CPU profile: \//,
    );
    await stage.finished(audience, id);
    expect(await watching.ended).toBe(0);
    expect(watching.errors()).toMatch(/:\d+ is stuck for .*after the final dot/);
    await eventually('it to be no longer stuck', async () => (await stuck()) === undefined);
    expect(lines(worker)).toEqual([
      expect.objectContaining({ msg: 'this worker is stuck', reason: expect.stringContaining('after the final dot') }),
      expect.objectContaining({
        msg: 'recorded a CPU profile of the stuck worker',
        summary: expect.stringMatching(/^it waited \d+ % of the time$/),
        profile: expect.stringContaining(join(stage.directory, 'data', 'profiles')),
      }),
      expect.objectContaining({ msg: expect.stringMatching(/^this worker is no longer stuck/) }),
    ]);
    expectOneCopyEach(await stage.copies(), slow);
    await expectWholeLedger(stage, audience, id);
  });

  it('because its event loop is blocked is watched from outside: where it hangs is in the log, the status and a profile', async () => {
    const before = lines(worker).length;
    worker.kill('SIGUSR2');
    await eventually('it to be blocked', async () => (await status())?.responds === false);
    const { nodes } = await profileOf();
    expect(nodes.map(({ callFrame }) => callFrame.functionName)).toContain('endlessLoop');
    const at = expect.stringMatching(/^its event loop is blocked in endlessLoop \(.*worker\.ts:\d+\) < emit \(node:events:\d+\)/);
    expect(await stuck()).toEqual({ at, forMs: expect.any(Number), profile: expect.any(String) });
    expect((await stuck())?.forMs).toBeGreaterThanOrEqual(2_000);

    const audience = await invite(stage.application, people(50));
    const { id } = await launch(stage.application, audience);
    await writeFile(join(stage.directory, 'enough'), '');
    await stage.finished(audience, id);
    await eventually('it to respond', async () => (await status())?.responds === true && (await stuck()) === undefined);
    // The one who watches tells of the end by itself, a moment after the row says so.
    await eventually('the log to say all of it', () => lines(worker).length >= before + 3);
    expect(lines(worker).slice(before)).toEqual([
      expect.objectContaining({ msg: 'this worker is stuck', reason: at }),
      expect.objectContaining({ msg: 'recorded a CPU profile of the blocked event loop', reason: at }),
      expect.objectContaining({ msg: 'the event loop of this worker was blocked and continues', reason: at }),
    ]);
  });

  it('is none while it has nothing to do', async () => {
    expect(await stuck()).toBeUndefined();
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  });
});

/** What a worker has logged, in order. */
function lines(worker: RunningProcess): object[] {
  return worker
    .errors()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as object);
}
