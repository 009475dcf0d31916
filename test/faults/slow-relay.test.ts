import { afterAll, describe, expect, it } from 'vitest';
import { invite, launch } from './support/audience.ts';
import { expectNoMarks, expectOneCopyEach, expectWholeLedger, openStage, type Stage, statesIn } from './support/stage.ts';

const CONNECTIONS = 2;

/** The relay's script, and how many people there are: more than connections, each of a domain of its own. */
const RELAYS: readonly (readonly [script: string, people: number])[] = [
  ['slow-500ms-at-rcpt', 12],
  ['slow-2-at-rcpt', 8],
  ['slow-4-at-rcpt', 8],
  ['slow-20-at-rcpt', 3],
  ['slow-6-at-data', 6],
  ['slow-5-at-mail.slow-5-at-dot', 6],
];

/** Tarpits and call-outs: people are looked up again while a server takes its time, and each is handed over once. */
describe('a relay that is slow to answer', () => {
  const stages: Stage[] = [];
  afterAll(() => Promise.all(stages.map((stage) => stage.close())));

  /** All of them at once: each mostly waits. */
  it('gets every message at the first try, however long it takes, and no connection is cut', async () => {
    await Promise.all(
      RELAYS.map(async ([script, count]) => {
        const stage = await openStage({ script, connections: CONNECTIONS });
        stages.push(stage);
        await stage.startWorker();
        const addresses = Array.from({ length: count }, (_, index) => `person${index}@d${index}.example`);
        const audience = await invite(stage.application, addresses);
        const { id } = await launch(stage.application, audience);
        await stage.finished(audience, id, 'submitted', 100_000);
        const copies = await stage.copies();
        expectOneCopyEach(copies, addresses);
        expectNoMarks(copies);
        expect([script, stage.sink.cut(0)]).toEqual([script, 0]);
        expect(statesIn(await stage.ledger(audience, id))).toEqual({ submitted: count });
        await expectWholeLedger(stage, audience, id);
      }),
    );
  });
});
