import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from '../../src/application/application.ts';
import { eventually } from '../support/processes.ts';
import { invite, LETTER } from './support/audience.ts';
import type { Copy } from './support/doors.ts';
import { openStage, type Stage } from './support/stage.ts';

const RETRY = { firstDelayMs: 100, maxDelayMs: 100, lifetimeMs: 600_000 };

/** Promise D4 where it is the process that ends: an attempt without an end is in doubt, found by a sweep, and tried again. */
describe('a worker that ends in the middle of an attempt', () => {
  let stage: Stage;
  let projectId: string;

  beforeAll(async () => {
    stage = await openStage();
    projectId = (await invite(stage.application, [])).projectId;
  });
  afterAll(() => stage.close());

  const send = (to: string) => stage.application.messages.send(projectId, { to: `${to}@example.net`, content: LETTER });
  const look = ({ id }: Message) => stage.application.messages.get(projectId, id);
  const are = (state: string, messages: readonly Message[]) =>
    eventually(`${messages.length} messages to be ${state}`, async () =>
      (await Promise.all(messages.map(look))).every((message) => message.state === state),
    );
  const copiesOf = async ({ recipients: [recipient] }: Message) =>
    (await stage.copies()).filter((copy) => copy.to === recipient?.address);

  it('by kill -9 leaves it in doubt and it is made again with the mark, while one that is only stopped keeps its own', async () => {
    await stage.startWorker({ lanes: ['background'], transactionalRetry: RETRY });
    const slow = await stage.startWorker({ lanes: ['transactional'], transactionalRetry: RETRY });
    const held = await send('slow-6-at-rcpt+held');
    await eventually('it to be on the wire', async () => (await stage.sink.look()).busy === 1);
    slow.kill('SIGSTOP');

    const victim = await stage.startWorker({ lanes: ['transactional'] });
    const stored = [await send('hang-at-dot+one'), await send('hang-at-dot+two')];
    const unsent = [await send('slow-6-at-rcpt+three'), await send('slow-6-at-rcpt+four')];
    await stage.accepted(stored.length);
    await eventually('all of them to be on the wire', async () => (await stage.sink.look()).busy === 5);
    victim.kill('SIGKILL');
    await victim.ended;
    await stage.startWorker({ lanes: ['transactional'], transactionalRetry: RETRY });
    await eventually('the sink to see its connections end', () => stage.sink.cut(0) === 4);

    await are('submitted', unsent);
    await stage.accepted(stored.length * 2 + unsent.length);
    for (const message of [...stored, ...unsent]) {
      const [first, second] = (await look(message)).recipients[0]?.tries ?? [];
      expect(first).toMatchObject({ outcome: 'in_doubt', reply: 'the worker ended during the attempt' });
      expect(second?.number).toBe(2);
    }
    // The server had two of them before: it has both twice now, and can tell. The others are marked for nothing.
    for (const message of stored) {
      const copies = await copiesOf(message);
      expect(copies.map(mark)).toEqual([undefined, 'yes']);
      expect(new Set(copies.map((copy) => copy.messageId)).size).toBe(1);
    }
    for (const message of unsent) expect((await copiesOf(message)).map(mark)).toEqual(['yes']);

    // It was silent for longer than the killed one, and all the time held a session.
    expect((await look(held)).state).toBe('attempting');
    slow.kill('SIGCONT');
    await are('submitted', [held]);
    expect((await look(held)).recipients[0]?.tries).toHaveLength(1);
    expect((await copiesOf(held)).map(mark)).toEqual([undefined]);
    // The server still owes its replies to these, whose worker lives.
    await are('attempting', stored);
  });
});

const mark = (copy: Copy): string | undefined => copy.headers['x-pennypost-possible-repeat'];
