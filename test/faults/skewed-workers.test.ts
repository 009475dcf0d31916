import { afterAll, beforeAll, describe, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, LETTER, launch } from './support/audience.ts';
import { expectNoMarks, expectOneCopyEach, openStage, people, type Stage } from './support/stage.ts';

const TRANSACTIONAL_RETRY = { firstDelayMs: 1_000, maxDelayMs: 1_000, lifetimeMs: 600_000 };
const BULK_RETRY = { firstDelayMs: 200, maxDelayMs: 400, lifetimeMs: 600_000 };

/** Due times are judged by the database's clock. There is no background lane here, whose sweep would find after a minute what a skew delays. */
describe.each([-180_000, -200, 180_000])('workers whose clock is off by %d ms', (skewMs) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
    await stage.startWorker({
      lanes: ['transactional', 'bulk'],
      skewMs,
      transactionalRetry: TRANSACTIONAL_RETRY,
      bulkRetry: BULK_RETRY,
    });
  });
  afterAll(() => stage.close());

  it('hand over what is accepted elsewhere, retry what is deferred, and expire nothing', async () => {
    const { projectId } = await invite(stage.application, []);
    const to = [...people(30), 'defer-2-times+slow@example.net'];
    const messages = await Promise.all(
      to.map((address) => stage.application.messages.send(projectId, { to: address, content: LETTER })),
    );
    await eventually('all messages to be submitted', async () => {
      const found = await Promise.all(messages.map(({ id }) => stage.application.messages.get(projectId, id)));
      return found.every(({ state }) => state === 'submitted');
    });
    const copies = await stage.copies();
    expectOneCopyEach(copies, to);
    expectNoMarks(copies);

    const audience = await invite(stage.application, [...people(20), 'defer-2-times+bulk@example.net']);
    const { id } = await launch(stage.application, audience);
    await stage.finished(audience, id, 'settled');
    expectOneCopyEach((await stage.copies()).slice(copies.length), audience.addresses);
    await stage.endWorkers();
  });
});
