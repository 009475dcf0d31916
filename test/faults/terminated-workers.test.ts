import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, launch } from './support/audience.ts';
import { seeded } from './support/seeded.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, people, type Stage, statesIn } from './support/stage.ts';

/** Promise D9: who is asked to end finishes what is on the wire, writes it down and hands back the rest. */
describe('a worker that is asked to end', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ script: 'slow-20ms-at-dot' });
  });
  afterAll(() => stage.close());

  it('leaves nothing in doubt, nothing repeated and nothing held, whenever it is asked', async () => {
    const chance = seeded(9);
    const audience = await invite(stage.application, people(1_000));
    let worker = await stage.startWorker();
    const { id } = await launch(stage.application, audience);
    for (let end = 1; end <= 4; end += 1) {
      await stage.accepted(end * 200 + chance.below(100));
      worker.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      // Its lease would last for ten seconds; what is nobody's can be taken at once.
      expect(await heldShards(stage)).toBe(0);
      worker = await stage.startWorker();
    }
    await stage.finished(audience, id);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(0);

    const copies = await stage.copies();
    expectOneCopyEach(copies, audience.addresses);
    expectNoMarks(copies);
    expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: 1_000 });
    await expectWholeLedger(stage, audience, id);
  });

  it('ends at once when it is asked a second time', async () => {
    const audience = await invite(stage.application, ['hang-at-dot+1@example.net']);
    const worker = stage.start('src/interfaces/cli/main.ts', ['work', '--lanes', 'bulk', '--processes', '1']);
    await worker.line((line) => line.startsWith('lanes'));
    await launch(stage.application, audience);
    await eventually('a message to hang', async () => (await stage.sink.look()).busy === 1);
    worker.kill('SIGTERM');
    await eventually('it to say that it drains', () => worker.errors().includes('Finishing'));
    // Within a second of the first one a signal counts as the same: service managers and npm send it twice.
    const second = performance.now() + 1_000;
    await eventually('the second to be over', () => performance.now() > second);
    worker.kill('SIGTERM');
    expect(await worker.ended).toBe(143);
  });
});

async function heldShards({ instance }: Stage): Promise<number> {
  const { workers } = await instance.application.status.get();
  return workers.reduce((sum, worker) => sum + worker.progress.shards, 0);
}
