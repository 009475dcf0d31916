import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CampaignWorld } from '../support/campaign-world.ts';
import { openTestInstance, TEST_SECRET, type TestInstance } from '../support/instance.ts';
import { eventually, type RunningProcess, startNode } from '../support/processes.ts';
import type { SunkMessage } from '../support/sink-message.ts';

const RECIPIENTS = 1_500;

/** Provider A is killed while worker processes hand mail over to it, and comes back. */
describe('a first transport that fails', () => {
  let instance: TestInstance;
  let world: CampaignWorld;
  let directory: string;
  const running: RunningProcess[] = [];

  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pennypost-failover-'));
    instance = await openTestInstance({ shardSize: 250 });
    world = CampaignWorld.over(instance);
    env = {
      PENNYPOST_DATABASE_URL: instance.databaseUrl,
      PENNYPOST_DATA_DIR: join(directory, 'data'),
      PENNYPOST_SECRET_KEY: TEST_SECRET,
      PENNYPOST_PUBLIC_URL: 'http://127.0.0.1:8025',
      PENNYPOST_ALLOW_PRIVATE_HOSTS: 'yes',
      PENNYPOST_LOG_LEVEL: 'warn',
    };
  });
  afterAll(async () => {
    for (const one of running) one.kill('SIGKILL');
    await Promise.all(running.map((one) => one.ended));
    await instance?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const start = (script: string, args: readonly string[] = []): RunningProcess => {
    const started = startNode(script, args, env);
    running.push(started);
    return started;
  };
  const logOf = (name: string): string => join(directory, `${name}.ndjson`);
  const sink = async (name: string, port = 0) => {
    const started = start('test/support/sink-process.ts', [
      '--port',
      String(port),
      '--log',
      logOf(name),
      '--header',
      'X-Pennypost-Possible-Repeat',
    ]);
    const { port: own } = JSON.parse(await started.line((line) => line.startsWith('{'))) as { port: number };
    return { started, port: own };
  };
  const accepted = async (name: string): Promise<readonly SunkMessage[]> => {
    const text = await readFile(logOf(name), 'utf8').catch(() => '');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as SunkMessage);
  };
  const count = async (name: string): Promise<number> => (await accepted(name)).length;

  const smtp = (port: number) => ({ kind: 'smtp', settings: { host: '127.0.0.1', port, tls: 'none' } });

  it('leaves a campaign to the next one, which skips no recipient, repeats none, and gives back when the first works again', async () => {
    const { transports, routes, campaigns } = instance.application;
    await world.project();
    const { projectId } = world;
    const [a, b] = [await sink('a'), await sink('b')];
    await transports.create(projectId, { ...smtp(a.port), slug: 'a', messagesPerSecond: 300 });
    await transports.create(projectId, { ...smtp(b.port), slug: 'b', messagesPerSecond: 60 });
    await routes.create(projectId, { transport: 'a', priority: 1 });
    await routes.create(projectId, { transport: 'b', priority: 2 });
    const { id } = await world.campaign({ lists: [await world.list(RECIPIENTS)] });
    await campaigns.launch(projectId, id);
    for (let worker = 0; worker < 2; worker += 1) start('test/support/worker-process.ts');

    await eventually('A has some of the mail', async () => (await count('a')) >= 200);
    expect(await count('b')).toBe(0);
    a.started.kill('SIGKILL');
    await a.started.ended;
    const killedAt = performance.now();
    await eventually('B has the first message', async () => (await count('b')) > 0);
    const switchedMs = Math.round(performance.now() - killedAt);
    const health = async () => (await transports.get(projectId, 'a')).health;
    await eventually('every worker can see that A fails', async () => (await health()).state === 'open');
    expect(await health()).toMatchObject({ cause: 'connection', reason: expect.stringMatching(/ECONN|ESOCKET|clos|reset/i) });

    const before = await count('a');
    await sink('a', a.port);
    const restartedAt = performance.now();
    await eventually('a trial has shown that A works', async () => (await health()).state === 'closed');
    const [gaveBackMs, atTrial] = [Math.round(performance.now() - restartedAt), await count('a')];
    expect(atTrial).toBeGreaterThan(before);
    await eventually('A takes mail again', async () => (await count('a')) > atTrial);
    await eventually('the campaign is done', async () => (await world.get(id)).state === 'submitted');

    const all = [...(await accepted('a')), ...(await accepted('b'))];
    const copies = Map.groupBy(all, ({ to }) => String(to));
    const ledger = await world.sql<{ address: string; state: string; transport: string | null; possibleRepeat: boolean }>(
      `select s.address, m.state::text, m.transport, m.possible_repeat as "possibleRepeat" from pennypost_delivery.mailing_recipient m
       join pennypost_audience.subscriber s on (s.project_id, s.id) = (m.project_id, m.subscriber_id) where m.project_id = $1`,
      [projectId],
    );
    expect(ledger).toHaveLength(RECIPIENTS);
    const doubtful = new Set(ledger.filter(({ state }) => state === 'in_doubt').map(({ address }) => address));
    const skipped = ledger.filter(({ address }) => !copies.has(address) && !doubtful.has(address));
    const repeated = [...copies].filter(([, { length }]) => length > 1);
    expect(skipped).toEqual([]);
    expect(repeated.filter(([address]) => !doubtful.has(address))).toEqual([]);
    expect(ledger.filter(({ state }) => state !== 'submitted' && state !== 'in_doubt')).toEqual([]);
    const by = Map.groupBy(ledger, ({ transport }) => transport);
    expect([...by.keys()].toSorted()).toEqual(['a', 'b']);
    console.log(
      `switched after ${switchedMs} ms, gave back ${gaveBackMs} ms after the restart; by A ${by.get('a')?.length}, by B ${by.get('b')?.length}, in doubt ${doubtful.size}, repeated ${repeated.length}`,
    );
  }, 120_000);

  it('leaves transactional mail to the next one; a message in doubt waits for the first and is marked', async () => {
    const { transports, routes, messages } = instance.application;
    await world.project();
    const { projectId } = world;
    const [c, d] = [await sink('c'), await sink('d')];
    await transports.create(projectId, { ...smtp(c.port), slug: 'c' });
    await transports.create(projectId, { ...smtp(d.port), slug: 'd' });
    await routes.create(projectId, { transport: 'c', priority: 1 });
    await routes.create(projectId, { transport: 'd', priority: 2 });
    const retry = { firstDelayMs: 200, maxDelayMs: 1_000, lifetimeMs: 600_000 };
    start('test/faults/support/worker.ts', [JSON.stringify({ lanes: ['transactional'], transactionalRetry: retry })]);
    const ids: string[] = [];
    const accept = async (number: number) => {
      const content = { kind: 'text', source: 'Your code', subject: 'Code', author: { address: 'a@news.example.com' } } as const;
      ids.push((await messages.send(projectId, { to: `u${number}@example.net`, content })).id);
    };
    for (let number = 0; number < 40; number += 1) await accept(number);
    await eventually('C has some of the mail', async () => (await count('c')) >= 10);
    c.started.kill('SIGKILL');
    await c.started.ended;
    const killedAt = performance.now();
    for (let number = 40; number < 80; number += 1) await accept(number);
    await eventually('D has the first message', async () => (await count('d')) > 0);
    const switchedMs = Math.round(performance.now() - killedAt);
    const states = () =>
      world.sql<{ address: string; state: string; doubts: number }>(
        `select m.recipient as address, m.state, (select count(*)::int from pennypost_delivery.attempt a
           where (a.project_id, a.message_id) = (m.project_id, m.id) and a.outcome = 'in_doubt') as doubts
         from pennypost_delivery.transactional_message m where m.project_id = $1`,
        [projectId],
      );
    await eventually('all that are not in doubt are submitted', async () =>
      (await states()).every(({ state, doubts }) => state === 'submitted' || doubts > 0),
    );
    await sink('c', c.port);
    await eventually('those in doubt are submitted', async () => (await states()).every(({ state }) => state === 'submitted'));

    const copies = Map.groupBy([...(await accepted('c')), ...(await accepted('d'))], ({ to }) => String(to));
    const found = await states();
    expect([found.length, copies.size]).toEqual([80, 80]);
    for (const { address, doubts } of found) {
      const own = copies.get(address) ?? [];
      expect(own.length).toBeLessThanOrEqual(1 + doubts);
      expect(new Set(own.map(({ messageId }) => messageId)).size).toBe(1);
      if (own.length > 1) expect(own.at(-1)?.headers['x-pennypost-possible-repeat']).toBe('yes');
    }
    const doubtful = found.filter(({ doubts }) => doubts > 0).length;
    console.log(`transactional: switched after ${switchedMs} ms; by D ${await count('d')} of 80, in doubt ${doubtful}`);
  }, 120_000);
});
