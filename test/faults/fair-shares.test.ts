import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invite, launch } from './support/audience.ts';
import { expectOneCopyEach, openStage, people, type Stage } from './support/stage.ts';

const SMALL = 200;

/** Promise D7: with two campaigns, half of what the relay takes is each one's fair share. */
describe('a small campaign that is launched while a big one is being sent', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({ messagesPerSecond: 400, shardSize: 1_000 });
    await stage.startWorker();
  });
  afterAll(() => stage.close());

  it('is done before the big one has had more than twice its own share meanwhile', async () => {
    const big = await invite(stage.application, people(4_000));
    const few = Array.from({ length: SMALL }, (_, index) => `few${index}@example.net`);
    const small = await invite(stage.application, few);
    await launch(stage.application, big);
    await stage.accepted(400);
    const { id } = await launch(stage.application, small);
    const before = (await stage.sink.look()).accepted;
    await stage.finished(small, id);

    const meanwhile = (await stage.copies()).slice(before);
    const last = meanwhile.findLastIndex((copy) => copy.to.startsWith('few'));
    expect(last + 1).toBeLessThanOrEqual(4 * SMALL);
    expectOneCopyEach(
      meanwhile.filter((copy) => copy.to.startsWith('few')),
      few,
    );
  });
});
