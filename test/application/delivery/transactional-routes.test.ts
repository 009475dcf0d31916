import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeyRing } from '../../../src/domain/access/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { type FaultSink, type FaultSinkOptions, startFaultSink } from '../../support/fault-sink.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const stage = new TransactionalStage();
const sinks: FaultSink[] = [];
beforeAll(() => stage.open());
afterAll(() => stage.close());
beforeEach(() => stage.fresh());
afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.close();
});

async function sink(options: FaultSinkOptions = {}): Promise<FaultSink> {
  const started = await startFaultSink({ headers: ['X-Pennypost-Possible-Repeat'], ...options });
  sinks.push(started);
  return started;
}

/** The next priority of the project's routes, which the test also names. */
async function transport(slug: string, port: number, priority: number): Promise<string> {
  const { transports, routes } = stage.instance.application;
  const { id } = await transports.create(stage.projectId, {
    kind: 'smtp',
    slug,
    settings: { host: '127.0.0.1', port, tls: 'none' },
  });
  await routes.create(stage.projectId, { transport: slug, priority });
  return id;
}

const health = async (slug: string) => (await stage.instance.application.transports.get(stage.projectId, slug)).health;
const tries = async (message: { readonly id: string }) =>
  (await stage.look(message)).tries.map(({ transport: by, outcome }) => `${by} ${outcome}`);

/** A port where no server listens. */
async function closedPort(): Promise<number> {
  const { port, close } = await startFaultSink();
  await close();
  return port;
}

describe('a transactional message', () => {
  it('takes the first route of its project, and the transport of the environment without transports', async () => {
    const [a, b] = [await sink(), await sink()];
    const before = await stage.accept();
    expect(await stage.send(before)).toMatchObject({ state: 'submitted' });
    expect(stage.handed).toHaveLength(1);
    await transport('second', b.port, 20);
    await transport('first', a.port, 10);
    await stage.instance.get(tokens.routing).refresh();
    const message = await stage.accept();
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
    expect([a.accepted, b.accepted, stage.handed.length]).toEqual([1, 0, 1]);
    expect([await tries(before), await tries(message)]).toEqual([['memory submitted'], ['first submitted']]);
  });

  it('goes by the next route at once when the first does not answer, with the same Message-ID', async () => {
    const b = await sink();
    await transport('first', await closedPort(), 10);
    await transport('second', b.port, 20);
    const message = await stage.accept();
    expect(await stage.send(message)).toMatchObject({ state: 'deferred', nextAttemptAt: stage.clock.now() });
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
    expect(await tries(message)).toEqual(['first deferred', 'second submitted']);
    expect(b.messages).toMatchObject([{ to: 'ada@example.com', headers: {} }]);
  });

  it('in doubt stays with its transport, and is marked, although another one works', async () => {
    const a = await sink();
    const b = await sink();
    await transport('first', a.port, 10);
    await transport('second', b.port, 20);
    const message = await stage.accept({ to: 'reset-at-dot@example.com' });
    for (const marks of [1, 2]) {
      expect(await stage.send(message)).toMatchObject({ state: 'in_doubt', attempts: marks });
      await stage.instance.pass(3_600_000);
    }
    expect(await tries(message)).toEqual(['first in_doubt', 'first in_doubt']);
    expect(a.messages.map(({ headers }) => headers['x-pennypost-possible-repeat'])).toEqual([undefined, 'yes']);
    expect(b.accepted).toBe(0);
  });

  it('waits while no transport is usable, tries one when its pause is over, and lets the others follow', async () => {
    const port = await closedPort();
    await transport('only', port, 10);
    const messages = await Promise.all(Array.from({ length: 5 }, () => stage.accept()));
    for (const message of messages.slice(0, 3)) await stage.send(message);
    expect(await health('only')).toMatchObject({ state: 'open', cause: 'connection', openings: 1 });
    const waiting = await stage.send(messages[3]!);
    expect(waiting).toMatchObject({
      state: 'deferred',
      attempts: 0,
      reply: expect.stringContaining('no transport is usable: only:'),
    });
    expect(waiting?.nextAttemptAt).toEqual((await health('only')).nextTrialAt);

    const { failingTransports } = await stage.instance.application.status.get();
    expect(failingTransports).toMatchObject([{ projectId: stage.projectId, transport: 'only', state: 'open' }]);

    await stage.instance.pass(7_000);
    const failed = await stage.send(messages[3]!);
    expect(failed).toMatchObject({ state: 'deferred', attempts: 1 });
    expect(await health('only')).toMatchObject({ state: 'open', openings: 2 });
    const a = await sink({ port });
    await stage.instance.pass(60_000);
    expect(await stage.send(messages[4]!)).toMatchObject({ state: 'submitted' });
    expect(await health('only')).toMatchObject({ state: 'closed' });
    for (const message of messages.slice(0, 4)) expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
    expect(a.accepted).toBe(5);
  });

  it('takes a transport at once that a test has shown to work', async () => {
    const port = await closedPort();
    await transport('only', port, 10);
    const messages = await Promise.all(Array.from({ length: 3 }, () => stage.accept()));
    for (const message of messages) await stage.send(message);
    expect(await health('only')).toMatchObject({ state: 'open' });
    await sink({ port });
    expect(await stage.instance.application.transports.verify(stage.projectId, 'only')).toMatchObject({ ok: true });
    expect(await health('only')).toMatchObject({ state: 'closed' });
    await stage.instance.get(tokens.routing).refresh();
    expect(await stage.send(await stage.accept())).toMatchObject({ state: 'submitted' });
  });

  it('does not need a transport whose credentials cannot be decrypted here; that says why', async () => {
    const b = await sink();
    const first = await transport('first', b.port, 10);
    await transport('second', b.port, 20);
    const place = { table: 'pennypost_delivery.transport', row: first, column: 'secrets' };
    const foreign = new KeyRing([Buffer.alloc(32, 1)]).seal(stage.projectId, '{}', place);
    await stage.sql('update pennypost_delivery.transport set secrets = $2 where id = $1', [first, foreign]);
    const message = await stage.accept();
    expect(await stage.send(message)).toMatchObject({ state: 'submitted' });
    expect(await tries(message)).toEqual(['second submitted']);
    expect(await health('first')).toMatchObject({
      state: 'open',
      cause: 'settings',
      reason: expect.stringContaining('decrypted'),
    });
  });
});
