import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/processes.ts';
import { invite, LETTER } from './support/audience.ts';
import { openStage, type Stage } from './support/stage.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 100, lifetimeMs: 600_000 };
const CRASHES = 4;
/** Far less than the minute after which a silent worker is given up. */
const SECONDS = 20_000;

describe('workers that crash again and again, faster than any of them is known to be gone', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage.close());

  it('leave attempts that the next start finds within seconds, while those of a worker that lives are its own', async () => {
    const { projectId } = await invite(stage.application, []);
    const send = (to: string) => stage.application.messages.send(projectId, { to: `${to}@example.net`, content: LETTER });
    const look = (id: string) => stage.application.messages.get(projectId, id);
    const all = ['transactional', 'background'] as const;
    const living = await stage.startWorker({ lanes: ['transactional'], transactionalRetry: RETRY });
    const kept = await send('hang-at-dot+kept');
    await stage.accepted(1);
    living.kill('SIGSTOP');

    const orphans: string[] = [];
    for (let crash = 0; crash < CRASHES; crash += 1) {
      const victim = await stage.startWorker({
        lanes: all,
        transactionalRetry: { ...RETRY, firstDelayMs: 600_000, maxDelayMs: 600_000 },
      });
      const message = await send(`hang-at-dot+${crash}`);
      await eventually('it to be attempted', async () => (await look(message.id)).state === 'attempting');
      orphans.push(message.id);
      victim.kill('SIGKILL');
      await victim.ended;
    }
    await stage.startWorker({ lanes: all, transactionalRetry: RETRY });
    const ends = async () => (await Promise.all(orphans.map(look))).map(({ recipients }) => recipients[0]?.tries[0]?.outcome);
    await eventually(
      'the orphans to be in doubt',
      async () => (await ends()).every((outcome) => outcome === 'in_doubt'),
      SECONDS,
    );
    expect((await look(kept.id)).state).toBe('attempting');
    living.kill('SIGCONT');
  });
});
