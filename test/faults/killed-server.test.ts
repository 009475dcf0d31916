import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokens } from '../../src/infrastructure/container.ts';
import { pooledSql } from '../../src/infrastructure/postgres/session.ts';
import type { RunningProcess } from '../support/processes.ts';
import { eventually } from '../support/processes.ts';
import { invite, LETTER } from './support/audience.ts';
import { seeded } from './support/seeded.ts';
import { expectOneCopyEach, openStage, type Stage } from './support/stage.ts';

const MESSAGES = 1_000;
const CLIENTS = 8;
const KILLS = 7;
const SEED = 1;

/** Promise D1: a message that was answered with 2xx exists with its job, whatever happens to the server a moment later. */
describe('a server that is killed while it takes messages', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage.close());

  // Eight starts of the server in a row: two minutes are not enough on a machine that does other things as well.
  it('loses none that it answered, takes none twice, and has each delivered once', { timeout: 300_000 }, async () => {
    const chance = seeded(SEED);
    const { projectId } = await invite(stage.application, []);
    const wish = { name: 'Shop', scopes: ['message.send'], requestsPerSecond: 1_000 } as const;
    const { secret } = await stage.application.keys.create(projectId, wish);
    // Not the background lane: its sweep would give a job back to a message that was stored without one.
    await stage.startWorker({ lanes: ['transactional'] });
    let { server, url } = await startServer(stage);
    const shop = new Shop(() => url, secret);
    const moments = Array.from({ length: KILLS }, () => chance.below(MESSAGES - CLIENTS)).sort((a, b) => a - b);
    const clients = Promise.all(Array.from({ length: CLIENTS }, () => shop.sell()));
    let midRequest = 0;
    for (const moment of moments) {
      await eventually(`${moment} messages to be sold`, () => shop.sold >= moment);
      await delay(chance.below(10));
      midRequest += shop.asking > 0 ? 1 : 0;
      server.kill('SIGKILL');
      await server.ended;
      ({ server, url } = await startServer(stage));
    }
    await clients;
    expect(midRequest).toBeGreaterThan(KILLS / 2);
    expect(shop.sold).toBe(MESSAGES);
    expect(shop.abandoned.length).toBeLessThan(MESSAGES / 10);

    const messages = await allMessages(stage, projectId);
    const stored = new Map(messages.map((message) => [message.id, message.recipients[0]?.address ?? '']));
    expect([...shop.accepted].filter(([id, to]) => stored.get(id) !== to)).toEqual([]);
    // What was stored and not answered is no message twice over: its client gave up, or was told its id on asking again.
    const known = [...shop.accepted.values(), ...shop.abandoned];
    expect([...stored.values()].filter((to) => !known.includes(to))).toEqual([]);
    expect(new Set(stored.values()).size).toBe(stored.size);
    expect(await withoutJob(stage)).toEqual([]);
    await stage.accepted(stored.size);
    expectOneCopyEach(await stage.copies(), [...stored.values()]);
    await eventually('every acceptance to be recorded', async () =>
      (await allMessages(stage, projectId)).every(
        ({ state, recipients }) => state === 'submitted' && recipients[0]?.attempts === 1,
      ),
    );
  });
});

/** Sends messages, several at a time. Every other one carries an idempotency key, and is sent again until it is answered. */
class Shop {
  /** Recipients by the id that was answered with 202. */
  readonly accepted = new Map<string, string>();
  /** Recipients of messages without a key whose connection ended before the answer: stored or not, nobody can say. */
  readonly abandoned: string[] = [];
  /** Requests under way. */
  asking = 0;
  readonly #url: () => string;
  readonly #secret: string;
  #next = 0;

  constructor(url: () => string, secret: string) {
    this.#url = url;
    this.#secret = secret;
  }

  get sold(): number {
    return this.accepted.size + this.abandoned.length;
  }

  /** Until nothing is left to be sold. */
  async sell(): Promise<void> {
    while (this.#next < MESSAGES) {
      const number = this.#next++;
      const to = `buyer${number}@example.net`;
      const id = await this.#send(to, number % 2 === 0 ? `order-${number}` : undefined);
      if (id === undefined) this.abandoned.push(to);
      else this.accepted.set(id, to);
    }
  }

  async #send(to: string, key: string | undefined): Promise<string | undefined> {
    for (;;) {
      this.asking += 1;
      try {
        const response = await fetch(`${this.#url()}/v1/messages`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${this.#secret}`,
            'content-type': 'application/json',
            ...(key === undefined ? {} : { 'idempotency-key': key }),
          },
          body: JSON.stringify({ to, content: LETTER }),
        });
        expect([202, 503]).toContain(response.status);
        if (response.status === 202) return ((await response.json()) as { id: string }).id;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        if (key === undefined && !refused(error)) return undefined;
      } finally {
        this.asking -= 1;
      }
      await delay(20);
    }
  }
}

async function startServer(stage: Stage): Promise<{ server: RunningProcess; url: string }> {
  const server = stage.start('src/interfaces/cli/main.ts', ['serve', '--lanes', 'none', '--port', '0', '--json']);
  const { url } = JSON.parse(await server.line((line) => line.startsWith('{'))) as { url: string };
  return { server, url };
}

/** Nobody listens there: surely nothing was stored. */
function refused({ cause }: TypeError): boolean {
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

/** Ids of messages that no job was ever made for; finished jobs are kept for an hour. */
async function withoutJob({ instance }: Stage): Promise<readonly string[]> {
  const rows = await pooledSql(instance.get(tokens.orm)).query<{ id: string }>(
    `select id from pennypost_delivery.transactional_message m where not exists (
       select from pennypost_jobs.job j where j.name = 'transactional.send' and j.data ->> 'messageId' = m.id::text)`,
  );
  return rows.map(({ id }) => id);
}
