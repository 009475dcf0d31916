import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LEASE_MS, leaseName, runName, type ShardLease, shardName } from '../../src/domain/delivery/index.ts';
import { tellBlocked } from '../../src/infrastructure/postgres/blocked-worker.ts';
import { AT, aBatch, anOutcome, idOf } from '../support/builders-delivery.ts';
import { DeliveryWorld } from '../support/delivery-world.ts';

const ADA = idOf(1, 0xf);
const BOB = idOf(2, 0xf);

let world: DeliveryWorld;
beforeAll(async () => {
  world = await DeliveryWorld.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

describe('a claim', () => {
  it('hands out a shard with its people in order, under a new fence', async () => {
    const place = await world.campaign(3);
    expect(await world.claim(ADA)).toEqual({
      ...place,
      run: 0,
      number: 0,
      fence: 1,
      cursor: 0,
      claimedThrough: 0,
      recipients: [idOf(0), idOf(1), idOf(2)],
      repeats: false,
      settled: [],
    });
    expect(await world.claim(BOB)).toBeUndefined();
  });

  it('takes the campaign with the fewest leased shards', async () => {
    const big = await world.campaign(10, { shardSize: 1 });
    await world.mustClaim(ADA);
    await world.mustClaim(ADA);
    const small = await world.campaign(2, { shardSize: 1 });
    const taken = [];
    for (let claims = 0; claims < 4; claims += 1) taken.push((await world.mustClaim(BOB)).mailingId);
    expect(taken).toEqual([small.mailingId, small.mailingId, big.mailingId, big.mailingId]);
  });

  it('counts all runs of a campaign together', async () => {
    const [one, other] = [await world.campaign(3, { shardSize: 1 }), await world.campaign(3, { shardSize: 1 })];
    await world.startRun(one, 1, 'retry', [idOf(90), idOf(91)], 1);
    const taken = [];
    for (let claims = 0; claims < 4; claims += 1) taken.push((await world.mustClaim(ADA)).mailingId);
    expect(taken.filter((id) => id === one.mailingId)).toHaveLength(2);
    expect(taken.filter((id) => id === other.mailingId)).toHaveLength(2);
  });

  it('takes retries before the first run of the same campaign, because they are due', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    await world.startRun(place, 1, 'retry', [idOf(90)]);
    expect([(await world.mustClaim(ADA)).run, (await world.mustClaim(ADA)).run]).toEqual([1, 0]);
  });

  it('then takes the project with the fewest', async () => {
    const [busy, idle] = [idOf(7, 0xa), idOf(8, 0xa)];
    await world.campaign(1, { projectId: busy });
    await world.mustClaim(ADA);
    await world.campaign(1, { projectId: busy });
    await world.campaign(1, { projectId: idle });
    expect((await world.mustClaim(BOB)).projectId).toBe(idle);
  });

  it('leaves out the campaigns that the claimer has enough of', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    expect(await world.claim(ADA, { avoid: [place.mailingId] })).toBeUndefined();
  });

  it('passes shards that somebody else is just claiming', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    const numbers = await world.run(async (mine) => {
      const first = await mine.lanes.claim(ADA, LEASE_MS, { avoid: [], expiredBefore: false });
      // The first claim is not committed yet.
      const second = await world.claim(BOB);
      return [first?.number, second?.number];
    });
    expect(numbers.toSorted()).toEqual([0, 1]);
    expect((await world.shardRow(place))?.fence).toBe(1);
  });

  it('never gives a shard to two of forty claimers', async () => {
    await world.campaign(40, { shardSize: 1 });
    const claims = await Promise.all(Array.from({ length: 40 }, (_, index) => world.claim(idOf(index, 0xf))));
    const names = claims.flatMap((lease) => (lease === undefined ? [] : [shardName(lease)]));
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(['paused', 'cancelled', 'done'] as const)('leaves a run alone that is %s', async (state) => {
    const place = await world.campaign(2);
    await world.run((stores) => stores.runs.setState(place.projectId, place.mailingId, ['running'], state, AT));
    expect(await world.claim(ADA)).toBeUndefined();
  });

  it('takes an expired lease only when told to', async () => {
    const place = await world.campaign(1);
    await world.mustClaim(ADA);
    await world.expire(place);
    expect(await world.claim(BOB)).toBeUndefined();
    expect(await world.claim(BOB, { takeExpired: true })).toMatchObject({ fence: 2 });
  });

  it('never takes a lease that has not expired', async () => {
    await world.campaign(1);
    await world.mustClaim(ADA);
    expect(await world.claim(BOB, { takeExpired: true })).toBeUndefined();
  });

  it('tells which positions behind the cursor have an outcome of this run already', async () => {
    const place = await world.campaign(6);
    const lease = await world.mustClaim(ADA);
    await world.record([
      aBatch({ ...lease, cursor: 1, claimedThrough: 5, outcomes: [0, 2, 3].map((person) => anOutcome(person)) }),
    ]);
    await world.run((stores) => stores.lanes.release([lease]));
    expect(await world.mustClaim(BOB)).toMatchObject({ cursor: 1, claimedThrough: 5, settled: [2, 3], fence: 2 });
    expect(await world.shardRow(place)).toMatchObject({ owner: BOB, fence: 2, batch: 0 });
  });

  it('does not take an outcome of an earlier run for one of this run', async () => {
    const place = await world.campaign(2);
    const first = await world.mustClaim(ADA);
    await world.record([
      aBatch({
        ...first,
        cursor: 2,
        claimedThrough: 2,
        done: true,
        outcomes: [anOutcome(0, 'deferred'), anOutcome(1, 'deferred')],
      }),
    ]);
    await world.startRun(place, 1, 'retry', [idOf(0), idOf(1)]);
    const retry = await world.mustClaim(ADA);
    await world.record([aBatch({ ...retry, cursor: 0, claimedThrough: 2, outcomes: [anOutcome(1)] })]);
    await world.expire(place);
    expect((await world.mustClaim(BOB, { takeExpired: true })).settled).toEqual([1]);
  });

  it('marks everybody of a resend to those in doubt', async () => {
    const place = await world.campaign(0);
    await world.startRun(place, 1, 'resend_in_doubt', [idOf(1)]);
    expect((await world.mustClaim(ADA)).repeats).toBe(true);
  });
});

describe('a lease', () => {
  it('is renewed under its fence, also after it has expired', async () => {
    const place = await world.campaign(1);
    const lease = await world.mustClaim(ADA);
    await world.expire(place);
    expect(await world.run((stores) => stores.lanes.renew(ADA, LEASE_MS, [lease]))).toEqual(new Set([leaseName(lease)]));
    expect(await world.claim(BOB, { takeExpired: true })).toBeUndefined();
  });

  it('is not renewed once somebody else holds the shard', async () => {
    const place = await world.campaign(1);
    const lease = await world.mustClaim(ADA);
    await world.expire(place);
    const now = await world.mustClaim(BOB, { takeExpired: true });
    expect(await world.run((stores) => stores.lanes.renew(ADA, LEASE_MS, [lease]))).toEqual(new Set());
    expect(await world.run((stores) => stores.lanes.renew(BOB, LEASE_MS, [now]))).toEqual(new Set([leaseName(now)]));
  });

  it('given back is free at once, and cannot be renewed', async () => {
    await world.campaign(1);
    const lease = await world.mustClaim(ADA);
    await world.run((stores) => stores.lanes.release([lease]));
    expect(await world.run((stores) => stores.lanes.renew(ADA, LEASE_MS, [lease]))).toEqual(new Set());
    expect(await world.claim(BOB)).toMatchObject({ fence: 2 });
  });

  it('cannot be given back by who lost it', async () => {
    const place = await world.campaign(1);
    const lease = await world.mustClaim(ADA);
    await world.expire(place);
    await world.mustClaim(BOB, { takeExpired: true });
    await world.run((stores) => stores.lanes.release([lease]));
    expect((await world.shardRow(place))?.owner).toBe(BOB);
  });

  it('of a process that is known to have ended is free at once', async () => {
    await world.campaign(3, { shardSize: 1 });
    await world.mustClaim(ADA);
    await world.mustClaim(ADA);
    await world.mustClaim(BOB);
    expect(await world.run((stores) => stores.lanes.releaseAllOf(ADA))).toBe(2);
    expect(await world.claim(BOB)).toBeDefined();
  });

  it('is prolonged by every commit under its fence', async () => {
    const place = await world.campaign(2);
    const lease = await world.mustClaim(ADA);
    await world.expire(place);
    await world.record([aBatch({ ...lease, claimedThrough: 1 })]);
    expect(await world.claim(BOB, { takeExpired: true })).toBeUndefined();
  });

  it('is renewed for many shards while they are recorded, without a deadlock', async () => {
    const place = await world.campaign(12, { shardSize: 1 });
    const leases: ShardLease[] = [];
    for (let claims = 0; claims < 12; claims += 1) leases.push(await world.mustClaim(ADA));
    for (let round = 1; round <= 10; round += 1) {
      const batches = leases.map((lease) => aBatch({ ...lease, batch: round, claimedThrough: 1 }));
      const [kept, recorded] = await Promise.all([
        world.run((stores) => stores.lanes.renew(ADA, LEASE_MS, leases.toReversed())),
        world.record(batches),
      ]);
      expect([kept.size, [...recorded.verdicts.values()].every((verdict) => verdict === 'moved')]).toEqual([12, true]);
    }
    expect((await world.shardRow(place))?.batch).toBe(10);
  });
});

describe('a run', () => {
  const finish = async (place: Awaited<ReturnType<DeliveryWorld['campaign']>>, people: readonly number[]) => {
    const lease = await world.mustClaim(ADA);
    const outcomes = people.map((person) => anOutcome(person, 'deferred'));
    await world.record([aBatch({ ...lease, cursor: people.length, claimedThrough: people.length, done: true, outcomes })]);
    return place;
  };
  const stateOf = async (place: { projectId: string; mailingId: string }) =>
    (await world.run((stores) => stores.runs.of(place.projectId, place.mailingId))).map((run) => run.state);

  it('is finished when none of its shards is open', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    await finish(place, [0]);
    expect(await world.run((stores) => stores.runs.finished(10))).toEqual([]);
    await finish(place, [1]);
    expect(await world.run((stores) => stores.runs.finished(10))).toMatchObject([{ ...place, number: 0, audience: 2 }]);
  });

  it('ends alone: other runs of its campaign go on', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    await finish(place, [0]);
    await world.startRun(place, 1, 'retry', [idOf(0)]);
    const retry = await world.mustClaim(BOB);
    const open = await world.mustClaim(BOB);
    expect([retry.run, open.run]).toEqual([1, 0]);
    await world.record([aBatch({ ...retry, cursor: 1, claimedThrough: 1, done: true, outcomes: [anOutcome(0)] })]);
    expect(await world.run((stores) => stores.runs.end({ ...place, number: 1 }, AT))).toBe(true);
    expect(await stateOf(place)).toEqual(['running', 'done']);
  });

  it('does not end while a shard is open, nor twice, nor when it was paused meanwhile', async () => {
    const place = await world.campaign(1);
    const end = () => world.run((stores) => stores.runs.end({ ...place, number: 0 }, AT));
    expect(await end()).toBe(false);
    await finish(place, [0]);
    await world.run((stores) => stores.runs.setState(place.projectId, place.mailingId, ['running'], 'paused', AT));
    expect(await end()).toBe(false);
    await world.run((stores) => stores.runs.setState(place.projectId, place.mailingId, ['paused'], 'running', AT));
    expect([await end(), await end()]).toEqual([true, false]);
  });

  it('is told apart by its state from those that go on', async () => {
    const [one, two] = [await world.campaign(1), await world.campaign(1)];
    await world.run((stores) => stores.runs.setState(one.projectId, one.mailingId, ['running'], 'paused', AT));
    const keys = [one, two].map((place) => ({ ...place, run: 0 }));
    expect(await world.run((stores) => stores.runs.running(keys))).toEqual(new Set([runName({ ...two, run: 0 })]));
  });

  it('of nobody is finished at once', async () => {
    const place = await world.campaign(0);
    expect(await world.run((stores) => stores.runs.finished(10))).toMatchObject([place]);
  });
});

describe('the partitions of the ledger', () => {
  it('are one per month, made once, also by several at once, also across the end of a year', async () => {
    const dates = ['2031-12-01', '2031-12-31', '2032-01-01', '2032-02-29'];
    await Promise.all([...dates, ...dates].map((date) => world.run((stores) => stores.runs.ensurePartition(date))));
    const names = await world.sql<{ name: string; bounds: string }>(
      `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'pennypost_delivery.mailing_recipient'::regclass and c.relname like 'mailing_recipient_203%' order by 1`,
    );
    expect(names).toEqual([
      { name: 'mailing_recipient_2031_12', bounds: "FOR VALUES FROM ('2031-12-01') TO ('2032-01-01')" },
      { name: 'mailing_recipient_2032_01', bounds: "FOR VALUES FROM ('2032-01-01') TO ('2032-02-01')" },
      { name: 'mailing_recipient_2032_02', bounds: "FOR VALUES FROM ('2032-02-01') TO ('2032-03-01')" },
    ]);
  });

  it('are made while another campaign writes', async () => {
    const place = await world.campaign(1);
    const lease = await world.mustClaim(ADA);
    await world.run(async (writing) => {
      await writing.lanes.record(
        [aBatch({ ...lease, cursor: 1, claimedThrough: 1, done: true, outcomes: [anOutcome(0)] })],
        { firstDelayMs: 1, maxDelayMs: 1, lifetimeMs: 1 },
        LEASE_MS,
        () => 0,
      );
      // The writer's transaction is open: a lock that waited for it would stop here.
      await world.run((stores) => stores.runs.ensurePartition('2033-05-05'));
    });
    expect(await world.rows(place)).toHaveLength(1);
  });
});

describe('the register of workers', () => {
  it('knows who was seen lately, by the database clock', async () => {
    const worker = {
      id: ADA,
      host: 'here',
      pid: 1,
      lanes: ['bulk'] as const,
      startedAt: AT,
      progress: { shards: 0, submitted: 0, perSecond: 0, unrecorded: 0 },
    };
    await world.run((stores) => stores.lanes.saveWorker(worker, 15_000));
    await world.run((stores) => stores.lanes.saveWorker({ ...worker, id: BOB }, 15_000));
    await world.sql(`update pennypost_delivery.worker set seen_at = clock_timestamp() - interval '20 seconds' where id = $1`, [
      BOB,
    ]);
    expect(await world.run((stores) => stores.lanes.workers(15_000))).toEqual([{ ...worker, responds: true }]);
    await world.run((stores) => stores.lanes.forgetWorker(ADA));
    expect(await world.run((stores) => stores.lanes.workers(15_000))).toEqual([]);
  });

  it('knows of one that says nothing for as long as its watcher tells that its event loop is blocked', async () => {
    const progress = { shards: 2, submitted: 40, perSecond: 0, unrecorded: 7 };
    const worker = { id: ADA, host: 'here', pid: 1, lanes: ['bulk'] as const, startedAt: AT, progress };
    const stuck = { at: 'its event loop is blocked', forMs: 31_000, profile: '/tmp/a.cpuprofile' };
    const known = () => world.run((stores) => stores.lanes.workers(15_000));
    const backdate = (column: string) => world.sql(`update pennypost_delivery.worker set ${column}`);
    await world.run((stores) => stores.lanes.saveWorker(worker, 15_000));
    await backdate(`seen_at = clock_timestamp() - interval '20 seconds'`);
    await tellBlocked(world.connection, ADA, stuck);
    expect(await known()).toEqual([{ ...worker, responds: false, progress: { ...progress, stuck } }]);

    await world.run((stores) => stores.lanes.saveWorker(worker, 15_000));
    expect(await known()).toEqual([{ ...worker, responds: true }]);

    await tellBlocked(world.connection, ADA, stuck);
    await backdate(
      `seen_at = clock_timestamp() - interval '20 seconds',
       progress = jsonb_set(progress, '{stuck,toldAt}', to_jsonb(clock_timestamp() - interval '20 seconds'))`,
    );
    expect(await known()).toEqual([]);
  });
});
