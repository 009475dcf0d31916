import { beforeEach, describe, expect, it } from 'vitest';
import { RoutedTransport } from '../../../src/application/delivery/routing/routed-transport.ts';
import { SharedBreaker } from '../../../src/application/delivery/routing/shared-breaker.ts';
import { HEALTHY, type StoredTransport, type TransportHealth } from '../../../src/domain/delivery/index.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { anAttempt, idOf } from '../../support/builders-delivery.ts';
import { aHandClock, type HandClock } from '../../support/hand-clock.ts';
import { silentLog } from '../../support/instance.ts';

const STORED: StoredTransport = {
  projectId: idOf(1),
  id: idOf(2),
  slug: 'main',
  name: 'Main',
  kind: 'smtp',
  settings: {},
  secretNames: [],
  maxConnections: 20,
  messagesPerSecond: 40,
  state: 'active',
  version: 1,
  createdAt: new Date(0),
  updatedAt: new Date(0),
};
const SETTINGS = { kind: 'directory', path: 'x' } as const;

/** The health row of one transport, as the database keeps it. */
class HealthRow {
  stored: TransportHealth = HEALTHY;
  save = async (next: TransportHealth): Promise<boolean> => {
    if (next.change !== this.stored.change + 1) return false;
    this.stored = next;
    return true;
  };
}

let clock: HandClock;
let row: HealthRow;
beforeEach(() => {
  clock = aHandClock();
  row = new HealthRow();
});

const breaker = (worker: number): SharedBreaker =>
  new SharedBreaker({
    transport: 'main',
    health: row.stored,
    save: row.save,
    onChange: () => undefined,
    workerId: idOf(worker, 0xf),
    clock,
    random: () => 0.5,
    log: silentLog,
  });

describe('a transport in one process', () => {
  const opened: { readonly lane: string; readonly connections: number | undefined; readonly transport: MemoryTransport }[] = [];
  const closing: Promise<void>[] = [];
  const routed = (stored: Partial<StoredTransport> = {}): RoutedTransport => {
    opened.length = 0;
    closing.length = 0;
    return new RoutedTransport({
      stored: { ...STORED, ...stored },
      settings: SETTINGS,
      breaker: breaker(1),
      open: (_, { lane, connections }) => {
        const transport = new MemoryTransport();
        opened.push({ lane, connections, transport });
        return transport;
      },
      onClosing: (closed) => closing.push(closed),
    });
  };
  const connections = () => opened.map((one) => `${one.lane} ${one.connections}`);

  it('is opened once for each lane, with separate connections within its limit', () => {
    const transport = routed();
    const bulk = transport.transport('bulk', 0);
    expect(transport.transport('transactional', 0)).not.toBe(bulk);
    expect(transport.transport('bulk', 1)).toBe(bulk);
    expect(connections()).toEqual(['bulk 16', 'transactional 4']);
  });

  it('takes an equal part of the limit when other workers live, one connection for each lane at least', () => {
    const transport = routed();
    transport.transport('bulk', 0);
    transport.share(3, 0);
    transport.transport('bulk', 0);
    transport.transport('transactional', 0);
    transport.share(20, 0);
    transport.transport('bulk', 0);
    expect(connections()).toEqual(['bulk 16', 'bulk 5', 'transactional 1', 'bulk 1']);
    expect(closing).toHaveLength(2);
  });

  it('is opened anew when it was changed; the old one finishes what is on the wire', async () => {
    const transport = routed({ maxConnections: undefined });
    const before = transport.transport('bulk', 0);
    transport.update({ ...STORED, maxConnections: undefined, version: 2 }, SETTINGS, 0);
    expect(transport.transport('bulk', 0)).not.toBe(before);
    await Promise.all(closing);
    await expect(before?.verify()).rejects.toThrow('closed');
    expect(connections()).toEqual(['bulk undefined', 'bulk undefined']);
  });

  it('is closed after five minutes without a message', () => {
    const transport = routed();
    transport.transport('bulk', 0);
    transport.transport('bulk', 200_000);
    transport.tend(499_999);
    expect(closing).toHaveLength(0);
    transport.tend(500_000);
    expect(closing).toHaveLength(1);
  });

  it('has one rate for both lanes, shared among the workers: transactional mail takes from it without waiting', () => {
    const transport = routed();
    transport.share(4, 0);
    const went = (from: number, to: number): number => {
      let count = 0;
      for (let now = from; now < to; now += 10)
        if (transport.pace.ready(now)) {
          transport.pace.take(now);
          count += 1;
        }
      return count;
    };
    went(0, 1_000);
    expect(went(1_000, 11_000)).toBe(100);
    for (let taken = 0; taken < 50; taken += 1) transport.pace.take(11_000);
    expect(went(11_000, 21_000)).toBe(50);
  });
});

describe('a breaker that workers share', () => {
  const refused = anAttempt('deferred', { fault: 'transport', code: undefined, reply: 'refused' });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const open = async (one: SharedBreaker): Promise<void> => {
    for (let failure = 0; failure < 3; failure += 1) one.report(refused, false);
    await settled();
  };

  it('is opened for all by one of them, and tried by one of them alone', async () => {
    const [one, two] = [breaker(1), breaker(2)];
    await open(one);
    expect([one.usable, two.usable, row.stored.state]).toEqual([false, true, 'open']);
    two.learn(row.stored);
    expect(two.usable).toBe(false);
    clock.pass(5_000);
    expect(await Promise.all([one.tryOne(), two.tryOne()])).toEqual([true, false]);
    two.learn(row.stored);
    expect([one.usable, two.usable, one.closed]).toEqual([true, false, false]);
    expect([one.takeTrial(), one.takeTrial(), one.usable]).toEqual([true, false, false]);
    one.report(anAttempt(), true);
    await settled();
    two.learn(row.stored);
    expect([one.closed, two.closed]).toEqual([true, true]);
  });

  it('gives the trial back when its message was withdrawn, and pauses longer when it failed', async () => {
    const one = breaker(1);
    await open(one);
    clock.pass(5_000);
    await one.tryOne();
    expect(one.takeTrial()).toBe(true);
    one.report(undefined, true);
    expect(one.takeTrial()).toBe(true);
    one.report(refused, true);
    await settled();
    expect(row.stored).toMatchObject({ state: 'open', openings: 2, nextTrialAt: new Date(clock.now().getTime() + 10_000) });
  });

  it('is tried only when a message would take the transport', async () => {
    const one = breaker(1);
    await open(one);
    clock.pass(60_000);
    await one.tend();
    expect(row.stored.state).toBe('open');
    one.want();
    await one.tend();
    expect([row.stored.state, one.usable]).toEqual(['half_open', true]);
  });

  it('goes by what this worker has seen while the database is away', async () => {
    row.save = async () => {
      throw new Error('away');
    };
    const one = breaker(1);
    await open(one);
    expect(one.usable).toBe(false);
  });
});
