import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LEDGER_STATES, type LedgerFilter, leaseName, type ShardLease } from '../../src/domain/delivery/index.ts';
import { AT, anOutcome, BRISK, batchOf, idOf } from '../support/builders-delivery.ts';
import { DeliveryWorld, inUse, type Place } from '../support/delivery-world.ts';

const ADA = idOf(1, 0xf);
const BOB = idOf(2, 0xf);
const CY = idOf(3, 0xf);

let world: DeliveryWorld;
beforeAll(async () => {
  world = await DeliveryWorld.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const takeOver = async (place: Place, owner: string): Promise<ShardLease> => {
  await world.expire(place);
  return world.mustClaim(owner, { takeExpired: true });
};

const expectTotals = async (place: Place, states: object, repeated = 0) => {
  const { kept, counted, repeats, countedRepeats } = await world.totals(place);
  expect([inUse(kept), repeats.known]).toEqual([states, repeated]);
  expect([inUse(counted), countedRepeats]).toEqual([states, repeats]);
};

describe('a batch', () => {
  it('writes the ledger and moves the shard in one transaction', async () => {
    const place = await world.campaign(3);
    const lease = await world.mustClaim(ADA);
    const outcomes = [
      anOutcome(0),
      anOutcome(1, 'deferred', { code: 451 }),
      anOutcome(2, 'rejected', { code: 550, domain: 'example.com' }),
    ];
    const { verdicts, changes } = await world.record([batchOf(lease, outcomes, { cursor: 3, done: true })]);
    expect([...verdicts]).toEqual([[leaseName(lease), 'moved']]);
    expect(changes).toEqual([
      {
        projectId: place.projectId,
        mailingId: place.mailingId,
        moved: [
          { state: 'submitted', at: AT, domain: undefined },
          { state: 'deferred', at: AT, domain: undefined },
          { state: 'rejected', at: AT, domain: 'example.com' },
        ],
      },
    ]);
    expect(await world.rows(place)).toMatchObject([
      { state: 'submitted', copies: 1, attempts: 1, reply: null },
      { state: 'deferred', code: 451, reply: 'because it is deferred' },
      { state: 'rejected', code: 550 },
    ]);
    expect(await world.shardRow(place)).toEqual({
      state: 'done',
      owner: null,
      cursor: 3,
      claimed_through: 3,
      batch: 1,
      fence: 1,
    });
    await expectTotals(place, { submitted: 1, deferred: 1, rejected: 1 });
  });

  it('of several shards is one transaction: all or nothing', async () => {
    const place = await world.campaign(2, { shardSize: 1 });
    const [one, two] = [await world.mustClaim(ADA), await world.mustClaim(ADA)];
    const impossible = { ...anOutcome(1), subscriberId: 'not an id' };
    await expect(world.record([batchOf(one, [anOutcome(0)], { cursor: 1 }), batchOf(two, [impossible])])).rejects.toThrow();
    expect(await world.rows(place)).toEqual([]);
    expect(await world.shardRow(place)).toMatchObject({ cursor: 0, batch: 0 });
  });

  it('that was committed is not written again when its answer was lost', async () => {
    const place = await world.campaign(2);
    const lease = await world.mustClaim(ADA);
    const batch = batchOf(lease, [anOutcome(0)], { cursor: 1 });
    expect([await world.verdict(batch), await world.verdict(batch)]).toEqual(['moved', 'already']);
    expect(await world.rows(place)).toMatchObject([{ copies: 1, attempts: 1 }]);
    await expectTotals(place, { submitted: 1 });
  });

  it('is known as committed after one and after two take-overs', async () => {
    const place = await world.campaign(3);
    const first = batchOf(await world.mustClaim(ADA), [anOutcome(0)], { cursor: 1 });
    await world.record([first]);
    const second = batchOf(await takeOver(place, BOB), [anOutcome(1)], { cursor: 2 });
    expect(await world.verdict(first)).toBe('already');
    await world.record([second]);
    const third = await takeOver(place, CY);
    expect([await world.verdict(first), await world.verdict(second)]).toEqual(['already', 'already']);
    expect(await world.verdict(batchOf(third, [anOutcome(2)], { cursor: 3, done: true }))).toBe('moved');
    await expectTotals(place, { submitted: 3 });
  });
});

describe('a batch of a holder that was fenced out', () => {
  it('is kept as facts and moves neither cursor nor claim nor lease', async () => {
    const place = await world.campaign(3);
    const old = await world.mustClaim(ADA);
    await world.record([batchOf(old, [])]);
    await takeOver(place, BOB);
    expect(await world.verdict(batchOf(old, [anOutcome(0), anOutcome(1)], { batch: 2, cursor: 2 }))).toBe('fenced');
    expect(await world.shardRow(place)).toMatchObject({
      state: 'open',
      owner: BOB,
      cursor: 0,
      claimed_through: 3,
      batch: 0,
      fence: 2,
    });
    await expectTotals(place, { submitted: 2 });
  });

  it('counts as a further copy where the new holder has sent as well, whoever tells first', async () => {
    const place = await world.campaign(2);
    const old = await world.mustClaim(ADA);
    await world.record([batchOf(old, [])]);
    const now = await takeOver(place, BOB);
    await world.record([batchOf(now, [anOutcome(0, 'submitted', { possibleRepeat: true })], { cursor: 1 })]);
    await world.record([batchOf(old, [anOutcome(0), anOutcome(1)], { batch: 2 })]);
    await world.record([
      batchOf(now, [anOutcome(1, 'submitted', { possibleRepeat: true })], { batch: 2, cursor: 2, done: true }),
    ]);
    expect(await world.rows(place)).toMatchObject([
      { copies: 2, possible_repeat: true },
      { copies: 2, possible_repeat: true },
    ]);
    await expectTotals(place, { submitted: 2 }, 2);
  });

  it('is not counted twice when the answer to its commit was lost', async () => {
    const place = await world.campaign(3);
    const old = await world.mustClaim(ADA);
    await world.record([batchOf(old, [])]);
    await takeOver(place, BOB);
    const [late, later] = [batchOf(old, [anOutcome(0)], { batch: 2 }), batchOf(old, [anOutcome(1)], { batch: 3 })];
    expect([await world.verdict(late), await world.verdict(late)]).toEqual(['fenced', 'already']);
    await takeOver(place, CY);
    expect([await world.verdict(late), await world.verdict(later), await world.verdict(later)]).toEqual([
      'already',
      'fenced',
      'already',
    ]);
    expect((await world.rows(place)).map((row) => row.copies)).toEqual([1, 1]);
    await expectTotals(place, { submitted: 2 });
  });

  it('lets its acceptance win over what the new holder met', async () => {
    const place = await world.campaign(1);
    const old = await world.mustClaim(ADA);
    await world.record([batchOf(old, [])]);
    const now = await takeOver(place, BOB);
    await world.record([batchOf(now, [anOutcome(0, 'deferred')], { cursor: 1, done: true })]);
    await world.record([batchOf(old, [anOutcome(0)], { batch: 2 })]);
    await expectTotals(place, { submitted: 1 });
    expect(await world.run((stores) => stores.ledger.hasDeferred(place))).toBe(false);
  });

  it('goes beside a batch of the same process that holds the shard again', async () => {
    const place = await world.campaign(2);
    const old = await world.mustClaim(ADA);
    await world.record([batchOf(old, [])]);
    const again = await takeOver(place, ADA);
    const late = batchOf(old, [anOutcome(0)], { batch: 2 });
    const present = batchOf(again, [anOutcome(1)], { claimedThrough: 2 });
    const { verdicts } = await world.record([present, late]);
    expect(Object.fromEntries(verdicts)).toEqual({ [leaseName(again)]: 'moved', [leaseName(old)]: 'fenced' });
    expect(await world.shardRow(place)).toMatchObject({ fence: 2, batch: 1 });
    await expectTotals(place, { submitted: 2 });
  });
});

describe('an outcome that PostgreSQL refuses', () => {
  it('loses its NUL bytes and nothing else', async () => {
    const place = await world.campaign(1);
    await world.record([
      batchOf(await world.mustClaim(ADA), [anOutcome(0, 'rejected', { reply: '550 no\0 such\0 user' })], {
        cursor: 1,
        done: true,
      }),
    ]);
    expect(await world.rows(place)).toMatchObject([{ reply: '550 no such user' }]);
  });

  it.each([1, 2, 7])('is found among %i and stored without its words; the others are as they were', async (size) => {
    const place = await world.campaign(size);
    const outcomes = Array.from({ length: size }, (_, person) =>
      anOutcome(person, 'rejected', { code: person === size - 1 ? 1_000_000 : 550, reply: `550 number ${person}` }),
    );
    expect(await world.verdict(batchOf(await world.mustClaim(ADA), outcomes, { cursor: size, done: true }))).toBe('moved');
    const rows = await world.rows(place);
    expect(rows.map((row) => row.reply)).toEqual([
      ...outcomes.slice(0, -1).map((outcome) => outcome.reply),
      '(the reply could not be stored)',
    ]);
    expect(rows.at(-1)).toMatchObject({ state: 'rejected', code: null });
    await expectTotals(place, { rejected: size });
  });

  it('is found in a later run as well', async () => {
    const place = await world.campaign(2);
    await world.record([
      batchOf(await world.mustClaim(ADA), [anOutcome(0, 'deferred'), anOutcome(1, 'deferred')], { cursor: 2, done: true }),
    ]);
    await world.startRun(place, 1, 'retry', [idOf(0), idOf(1)]);
    const outcomes = [anOutcome(0, 'rejected', { code: 1_000_000 }), anOutcome(1)];
    await world.record([batchOf(await world.mustClaim(ADA), outcomes, { cursor: 2, done: true })]);
    await expectTotals(place, { rejected: 1, submitted: 1 });
  });
});

describe('totals', () => {
  it('move between states in later runs: a negative share of one shard evens out another', async () => {
    const place = await world.campaign(3);
    const first = [anOutcome(0), anOutcome(1, 'deferred'), anOutcome(2, 'deferred')];
    await world.record([batchOf(await world.mustClaim(ADA), first, { cursor: 3, done: true })]);
    await world.startRun(place, 1, 'retry', [idOf(1), idOf(2)]);
    const retry = [anOutcome(1), anOutcome(2, 'deferred', { at: new Date(AT.getTime() + BRISK.lifetimeMs) })];
    const { changes } = await world.record([batchOf(await world.mustClaim(ADA), retry, { cursor: 2, done: true })]);
    expect(changes[0]?.moved.map((moved) => moved.state)).toEqual(['submitted', 'expired']);
    await expectTotals(place, { submitted: 2, expired: 1 });
    expect((await world.totals(place)).audience).toBe(3);
  });

  it('count a message that is deferred again once, and tell of no move', async () => {
    const place = await world.campaign(1);
    await world.record([batchOf(await world.mustClaim(ADA), [anOutcome(0, 'deferred')], { cursor: 1, done: true })]);
    await world.startRun(place, 1, 'retry', [idOf(0)]);
    const { changes } = await world.record([
      batchOf(await world.mustClaim(ADA), [anOutcome(0, 'deferred')], { cursor: 1, done: true }),
    ]);
    expect(changes[0]?.moved).toEqual([]);
    await expectTotals(place, { deferred: 1 });
  });

  it('come with the receiving domain, also of who is new in a later run', async () => {
    const place = await world.campaign(0);
    await world.startRun(place, 1, 'resend_new', [idOf(5)]);
    const outcome = anOutcome(5, 'submitted', { domain: 'example.com' });
    const { changes } = await world.record([batchOf(await world.mustClaim(ADA), [outcome], { cursor: 1, done: true })]);
    expect(changes[0]?.moved).toEqual([{ state: 'submitted', at: AT, domain: 'example.com' }]);
  });

  it('take who was added by a resend to new subscribers into the audience', async () => {
    const place = await world.campaign(1);
    await world.record([batchOf(await world.mustClaim(ADA), [anOutcome(0)], { cursor: 1, done: true })]);
    await world.startRun(place, 1, 'resend_new', [idOf(5)]);
    await world.record([batchOf(await world.mustClaim(ADA), [anOutcome(5)], { cursor: 1, done: true })]);
    await expectTotals(place, { submitted: 2 });
    expect((await world.totals(place)).audience).toBe(2);
  });

  it('equal a recount of the ledger after any batches of any holders in any order', async () => {
    const said = fc.record({
      holder: fc.nat(3),
      retry: fc.boolean(),
      repeatAnswer: fc.boolean(),
      people: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 4 }),
      state: fc.constantFrom(...LEDGER_STATES),
      possibleRepeat: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(said, { maxLength: 12 }), async (words) => {
        await world.clear();
        const place = await world.campaign(5);
        await world.sql('delete from pennypost_delivery.mailing_recipient where mailing_id = $1', [place.mailingId]);
        await world.startRun(
          place,
          1,
          'retry',
          [0, 1, 2, 3, 4].map((person) => idOf(person)),
        );
        const holders: ShardLease[] = [];
        for (let owner = 0; owner < 4; owner += 1) {
          for (let runs = 0; runs < 2; runs += 1) holders.push(await world.mustClaim(idOf(owner, 0xf), { takeExpired: true }));
          await world.expire(place);
        }
        const numbers = new Map<string, number>();
        let acceptances = 0;
        for (const { holder, retry, repeatAnswer, people, state, possibleRepeat } of words) {
          const lease = holders.find((one, index) => Math.floor(index / 2) === holder && one.run === (retry ? 1 : 0));
          if (lease === undefined) throw new Error('Every holder has had a shard of both runs.');
          const number = (numbers.get(leaseName(lease)) ?? 0) + 1;
          numbers.set(leaseName(lease), number);
          const batch = batchOf(
            lease,
            people.map((person) => anOutcome(person, state, { possibleRepeat })),
            { batch: number },
          );
          await world.record([batch]);
          if (repeatAnswer) expect(await world.verdict(batch)).toBe('already');
          if (state === 'submitted') acceptances += people.length;
        }
        const { kept, counted, repeats, countedRepeats } = await world.totals(place);
        expect(kept).toEqual(counted);
        expect(repeats).toEqual(countedRepeats);
        expect(kept.submitted + repeats.known).toBe(acceptances);
      }),
      { numRuns: 25 },
    );
  });
});

describe('who received it', () => {
  it('is listed by id, page by page, by state where asked', async () => {
    const place = await world.campaign(5);
    const outcomes = [0, 1, 2, 3, 4].map((person) => anOutcome(person, person % 2 === 0 ? 'submitted' : 'rejected'));
    await world.record([batchOf(await world.mustClaim(ADA), outcomes, { cursor: 5, done: true })]);
    const list = (filter: LedgerFilter) => world.delivery((delivery) => delivery.ledger.page([place], filter));
    const first = await list({ limit: 2 });
    const second = await list({ limit: 2, after: first.next });
    const third = await list({ limit: 2, after: second.next });
    expect([first, second, third].flatMap((page) => page.items.map((row) => row.subscriberId))).toEqual(
      [0, 1, 2, 3, 4].map((person) => idOf(person)),
    );
    expect(third.next).toBeUndefined();
    expect((await list({ state: 'rejected' })).items.map((row) => row.subscriberId)).toEqual([idOf(1), idOf(3)]);
    expect((await list({})).items[0]).toMatchObject({ copies: 1, reply: undefined, nextAttemptAt: undefined });
  });

  it('cannot be asked for with a cursor of something else', async () => {
    const place = await world.campaign(1);
    const after = Buffer.from('["x"]').toString('base64url');
    await expect(world.delivery((delivery) => delivery.ledger.page([place], { after }))).rejects.toMatchObject({
      code: 'page.invalid_cursor',
    });
  });

  it('is nobody for another project', async () => {
    const place = await world.campaign(1);
    await world.record([batchOf(await world.mustClaim(ADA), [anOutcome(0)], { cursor: 1, done: true })]);
    expect((await world.delivery((delivery) => delivery.ledger.page([{ ...place, projectId: idOf(9, 0xa) }], {}))).items).toEqual(
      [],
    );
  });

  it('is known of those whose acceptance is recorded, and of those whom an earlier holder may have reached', async () => {
    const place = await world.campaign(4);
    const doubtful = anOutcome(3, 'deferred', { possibleRepeat: true });
    const outcomes = [anOutcome(0), anOutcome(1, 'deferred'), anOutcome(2, 'in_doubt'), doubtful];
    await world.record([batchOf(await world.mustClaim(ADA), outcomes, { cursor: 4, done: true })]);
    const ids = [0, 1, 2, 3, 4].map((person) => idOf(person));
    const reached = { accepted: new Set([idOf(0)]), possibly: new Set([idOf(3)]) };
    expect(await world.run((stores) => stores.ledger.reached(place, ids))).toEqual(reached);
  });
});
