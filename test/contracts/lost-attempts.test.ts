import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TransactionalMessage } from '../../src/domain/delivery/index.ts';
import type { ConnectionSettings } from '../../src/infrastructure/postgres/connection.ts';
import { openOrm, poolOf } from '../../src/infrastructure/postgres/orm.ts';
import { sessionName } from '../../src/infrastructure/postgres/session-name.ts';
import { AT, idOf, PROJECT } from '../support/builders-delivery.ts';
import { openTestOrm } from '../support/database.ts';
import { DeliveryWorld } from '../support/delivery-world.ts';
import { eventually } from '../support/processes.ts';

/** Of real time, because the server's own start cannot be moved: a beat in it counts only when the server was up then. */
const SILENT = 200;
const LOST = 60_000;
/** A beat that no slow machine lets grow old during a specification. */
const JUST_NOW = -60_000;
const [SWEEPER, SENDER] = [idOf(1, 0xf), idOf(2, 0xf)];
const SENDERS_PROCESS = { host: 'sending.example', pid: 77, process: 'boot/pid 77 1' };

let world: DeliveryWorld;
let connection: ConnectionSettings;
beforeAll(async () => {
  const opened = await openTestOrm();
  connection = opened.connection;
  world = new DeliveryWorld(opened.orm, opened.connection, opened.close);
});
afterAll(() => world.close());

describe('an attempt without an end', () => {
  beforeEach(async () => {
    await world.sql('truncate pennypost_delivery.worker, pennypost_delivery.transactional_message cascade');
    await beat(SWEEPER, { host: 'sweeping.example', pid: 1 });
    await beat(SENDER, SENDERS_PROCESS);
    await begin();
    await silentFor(JUST_NOW);
    await inTouchFor(LOST * 2);
  });

  it('is nobody’s business while its worker tells that it lives, however long it takes', async () => {
    await world.sql(`update pennypost_delivery.transactional_message set at = now() - interval '2 hours'`);
    await world.sql(`update pennypost_delivery.attempt set started_at = now() - interval '2 hours'`);
    expect(await lost()).toEqual([]);
  });

  it('is lost when its worker is silent and has no session left on the server', async () => {
    await silentFor(SILENT + 10);
    expect(await lost()).toEqual([idOf(1)]);
  });

  it('is not lost while its silent worker has a session: it is stopped or slow, not gone', async () => {
    const orm = await openOrm(connection, { applicationName: sessionName(SENDERS_PROCESS.host, SENDERS_PROCESS.pid) });
    const session = await (await poolOf(orm)).connect();
    await silentFor(SILENT + 10);
    expect(await lost()).toEqual([]);
    session.release();
    await orm.close();
    await eventually('the session to end', async () => (await lost()).length === 1);
  });

  it('is lost after a long silence, whatever sessions a dead line has left behind', async () => {
    const orm = await openOrm(connection, { applicationName: sessionName(SENDERS_PROCESS.host, SENDERS_PROCESS.pid) });
    const session = await (await poolOf(orm)).connect();
    await silentFor(LOST + 10);
    expect(await lost()).toEqual([idOf(1)]);
    session.release();
    await orm.close();
  });

  it('is not lost because sessions ended with the server: a worker that was last heard of before its start may come back', async () => {
    await world.sql(`update pennypost_delivery.worker set seen_at = pg_postmaster_start_time() - interval '1 ms' where id = $1`, [
      SENDER,
    ]);
    const sinceStart = 60 * 60_000;
    expect(await lost({ silentMs: SILENT, lostMs: sinceStart })).toEqual([]);
  });

  it('is judged by nobody who was out of touch himself: after an outage all are silent', async () => {
    await silentFor(SILENT + 10);
    await inTouchFor(JUST_NOW);
    expect(await lost()).toEqual([]);
    await silentFor(LOST * 60);
    await inTouchFor(LOST / 2);
    expect(await lost()).toEqual([]);
    await world.sql('delete from pennypost_delivery.worker where id = $1', [SWEEPER]);
    expect(await lost()).toEqual([]);
  });

  it('is lost at once with a worker whose process is known to have ended, whoever judges', async () => {
    await inTouchFor(0);
    expect(await lost({ dead: [SENDER] })).toEqual([idOf(1)]);
    expect(await lost({ dead: [SWEEPER] })).toEqual([]);
  });

  it('names the worker that has it, and its process', async () => {
    expect(await world.run((stores) => stores.transactional.attemptingWorkers())).toEqual([
      { id: SENDER, process: 'boot/pid 77 1' },
    ]);
    expect((await world.run((stores) => stores.transactional.unfinishedOf(SENDER, 10))).map(({ id }) => id)).toEqual([idOf(1)]);
    expect(await world.run((stores) => stores.transactional.unfinishedOf(SWEEPER, 10))).toEqual([]);
  });

  it('is lost with a worker of whom nothing is known any more', async () => {
    await world.sql('delete from pennypost_delivery.worker where id = $1', [SENDER]);
    expect(await lost()).toEqual([idOf(1)]);
  });

  it('keeps its worker from being forgotten, so that it can be found', async () => {
    const known = async () => (await world.run((stores) => stores.lanes.workers(LOST))).map(({ id }) => id);
    await world.run((stores) => stores.lanes.forgetWorker(SENDER));
    expect(await known()).toContain(SENDER);
    await world.sql(`update pennypost_delivery.transactional_message set state = 'submitted'`);
    await world.run((stores) => stores.lanes.forgetWorker(SENDER));
    expect(await known()).not.toContain(SENDER);
  });
});

describe('a worker', () => {
  beforeEach(() => world.sql('truncate pennypost_delivery.worker'));

  it('is steadily in touch from its first beat on, and anew after a gap', async () => {
    await beat(SWEEPER, SENDERS_PROCESS);
    const since = async () =>
      (await world.sql<{ at: Date }>('select steady_since as at from pennypost_delivery.worker'))[0]?.at.getTime() ?? 0;
    const first = await since();
    await beat(SWEEPER, SENDERS_PROCESS);
    expect(await since()).toBe(first);
    await world.sql(`update pennypost_delivery.worker set seen_at = seen_at - interval '1 minute'`);
    await beat(SWEEPER, SENDERS_PROCESS);
    expect(await since()).toBeGreaterThan(first);
  });

  it('takes over the steadiness of whoever was in touch a moment ago, and of nobody who is silent', async () => {
    const since = async (id: string) =>
      (
        await world.sql<{ at: Date }>('select steady_since as at from pennypost_delivery.worker where id = $1', [id])
      )[0]?.at.getTime();
    await beat(SENDER, SENDERS_PROCESS);
    await world.sql(`update pennypost_delivery.worker set steady_since = clock_timestamp() - interval '1 hour'`);
    await beat(SWEEPER, SENDERS_PROCESS);
    expect(await since(SWEEPER)).toBe(await since(SENDER));
    await world.sql(`update pennypost_delivery.worker set seen_at = clock_timestamp() - interval '1 minute'`);
    await beat(idOf(3, 0xf), SENDERS_PROCESS);
    expect(await since(idOf(3, 0xf))).toBeGreaterThan((await since(SENDER)) ?? 0);
  });
});

const beat = (id: string, process: { host: string; pid: number }) =>
  world.run((stores) =>
    stores.lanes.saveWorker(
      {
        id,
        ...process,
        lanes: ['transactional'],
        startedAt: AT,
        progress: { shards: 0, submitted: 0, perSecond: 0, unrecorded: 0 },
      },
      15_000,
    ),
  );

/** Message 1, under attempt by the sender. */
const begin = () =>
  world.run(async (stores) => {
    const message: TransactionalMessage = {
      projectId: PROJECT,
      id: idOf(1),
      copyOf: undefined,
      recipient: { address: 'ada@example.com', smtputf8: false, field: 'to', name: undefined },
      content: {},
      variables: {},
      templateId: undefined,
      stream: undefined,
      tags: [],
      metadata: undefined,
      sendAt: undefined,
      idempotencyKey: undefined,
      fingerprint: '',
      state: 'accepted',
      attempts: 0,
      faults: 0,
      nextAttemptAt: undefined,
      acceptedAt: AT,
      at: AT,
      code: undefined,
      reply: undefined,
    };
    await stores.transactional.add(message);
    await stores.transactional.moveToAttempt(
      { ...message, state: 'attempting', attempts: 1 },
      { states: ['accepted'] },
      { workerId: SENDER, transport: 'memory' },
    );
  });

const lost = async ({ silentMs = SILENT, lostMs = LOST, dead = [] as readonly string[] } = {}) =>
  (await world.run((stores) => stores.transactional.unfinished(SWEEPER, { silentMs, lostMs, dead }, 10))).map(({ id }) => id);

const AGO = `clock_timestamp() - $2 * interval '1 millisecond'`;
const silentFor = (milliseconds: number) =>
  world.sql(`update pennypost_delivery.worker set seen_at = ${AGO} where id = $1`, [SENDER, milliseconds]);
const inTouchFor = (milliseconds: number) =>
  world.sql(`update pennypost_delivery.worker set steady_since = ${AGO} where id = $1`, [SWEEPER, milliseconds]);
