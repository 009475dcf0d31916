import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningProcess } from '../support/processes.ts';
import { eventually } from '../support/processes.ts';
import { invite, LETTER } from './support/audience.ts';
import { seeded } from './support/seeded.ts';
import { expectOneCopyEach, openStage, type Stage } from './support/stage.ts';

const MESSAGES = 300;
const SENDERS = 6;
const KILLS = 3;

/** Promise D1: a message that was answered with 2xx exists with its job, whatever happens to the server a moment later. */
describe('a server that is killed while it takes messages', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage.close());

  it('loses none that it answered, and delivers each once', async () => {
    const chance = seeded(1);
    const { projectId } = await invite(stage.application, []);
    const key = { name: 'Shop', scopes: ['message.send'], requestsPerSecond: 1_000 } as const;
    const { secret } = await stage.application.access.createKey(projectId, key);
    await stage.startWorker({ lanes: ['transactional', 'background'] });
    let { server, url } = await startServer(stage);
    const accepted = new Map<string, string>();
    let next = 0;
    const sender = async (): Promise<void> => {
      for (; next < MESSAGES; ) {
        const to = `buyer${next++}@example.net`;
        const id = await send(() => url, secret, to);
        if (id !== undefined) accepted.set(id, to);
      }
    };
    const senders = Promise.all(Array.from({ length: SENDERS }, sender));
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const after = (kill * MESSAGES) / (KILLS + 1) + chance.below(20);
      await eventually('so many messages to be taken', () => next >= after);
      await delay(chance.below(10));
      server.kill('SIGKILL');
      await server.ended;
      ({ server, url } = await startServer(stage));
    }
    await senders;
    expect(accepted.size).toBeGreaterThan(MESSAGES / 2);

    // Whatever was committed goes out, answered or not: there is no row without a job.
    const stored = async () => allMessages(stage, projectId);
    await eventually('everything to be handed over', async () => (await stored()).every(({ state }) => state === 'submitted'));
    const messages = new Map((await stored()).map((message) => [message.id, message.recipient.address]));
    for (const [id, to] of accepted) expect(messages.get(id)).toBe(to);
    expectOneCopyEach(await stage.copies(), [...messages.values()]);
  });
});

async function startServer(stage: Stage): Promise<{ server: RunningProcess; url: string }> {
  const server = stage.start('src/interfaces/cli/main.ts', ['serve', '--lanes', 'none', '--port', '0', '--json']);
  const { url } = JSON.parse(await server.line((line) => line.startsWith('{'))) as { url: string };
  return { server, url };
}

/** The id of the message, once; undefined when the server died first. Tried while no server listens. */
async function send(url: () => string, secret: string, to: string): Promise<string | undefined> {
  for (;;) {
    try {
      const response = await fetch(`${url()}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ to, content: LETTER }),
      });
      if (response.status === 503) continue;
      expect(response.status).toBe(202);
      return ((await response.json()) as { id: string }).id;
    } catch (error) {
      if (!refused(error)) return undefined;
      await delay(50);
    }
  }
}

function refused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

async function allMessages({ application }: Stage, projectId: string) {
  const messages: Awaited<ReturnType<typeof application.messages.list>>['items'][number][] = [];
  for (let after: string | undefined, more = true; more; ) {
    const page = await application.messages.list(projectId, { limit: 500, after });
    messages.push(...page.items);
    after = page.next;
    more = page.next !== undefined;
  }
  return messages;
}
