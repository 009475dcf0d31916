import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AT, anOutcome, BRISK, batchOf, idOf } from '../support/builders-delivery.ts';
import { DeliveryWorld, type Place } from '../support/delivery-world.ts';
import type { HandTime } from '../support/hand-clock.ts';

const ADA = idOf(1, 0xf);

let world: DeliveryWorld;
let time: HandTime;
beforeAll(async () => {
  ({ world, time } = await DeliveryWorld.still());
});
afterAll(() => world.close());
beforeEach(() => world.clear());

describe('a retry run', () => {
  const HOUR = 3_600_000;
  const later = (milliseconds: number) => new Date(AT.getTime() + milliseconds);
  /** With the database's clock at this time. */
  const at = (moment: Date) => time.pass(moment.getTime() - time.clock.now().getTime());
  const due = async (moment: Date) => {
    await at(moment);
    return world.run((stores) => stores.runs.due(10));
  };
  const page = async (place: Place, moment: Date, after: string | undefined, limit: number) => {
    await at(moment);
    return world.run((stores) => stores.ledger.inStates(place, 'due', after, limit));
  };
  afterEach(() => at(AT));

  const deferred = async (people: number) => {
    const place = await world.campaign(people);
    const outcomes = Array.from({ length: people }, (_, person) => anOutcome(person, 'deferred'));
    await world.record([batchOf(await world.mustClaim(ADA), outcomes, { cursor: people, done: true })]);
    return place;
  };

  it('is due when the clock has come to the next attempt of somebody', async () => {
    const place = await deferred(1);
    expect(await due(later(BRISK.firstDelayMs - 1))).toEqual([]);
    expect(await due(later(BRISK.firstDelayMs))).toEqual([place]);
  });

  it('is due while the first run goes on, and not while another run is open', async () => {
    const place = await world.campaign(2);
    await world.record([batchOf(await world.mustClaim(ADA), [anOutcome(0, 'deferred')], { cursor: 1 })]);
    expect(await due(later(HOUR))).toEqual([place]);
    await world.startRun(place, 1, 'retry', [idOf(0)]);
    expect(await due(later(HOUR))).toEqual([]);
    await world.run((stores) => stores.runs.setState(place.projectId, place.mailingId, ['running'], 'done', AT));
    expect(await due(later(HOUR))).toEqual([place]);
  });

  it('is not looked for in a campaign that nobody watches, and is again after a resend', async () => {
    const place = await deferred(1);
    await world.run((stores) => stores.runs.watch(place.projectId, place.mailingId, false));
    expect(await due(later(HOUR))).toEqual([]);
    await world.startRun(place, 1, 'resend_failed', [idOf(7)]);
    await world.run((stores) => stores.runs.setState(place.projectId, place.mailingId, ['running'], 'done', AT));
    expect(await due(later(HOUR))).toEqual([place]);
  });

  it('is cut page by page in order of id, from those who are due', async () => {
    const place = await deferred(5);
    const first = await page(place, later(HOUR), undefined, 2);
    expect(first).toEqual({ ids: `{${idOf(0)},${idOf(1)}}`, count: 2, last: idOf(1) });
    expect(await page(place, later(HOUR), idOf(3), 2)).toEqual({ ids: `{${idOf(4)}}`, count: 1, last: idOf(4) });
    expect(await page(place, later(HOUR), idOf(4), 2)).toBeUndefined();
    expect(await page(place, AT, undefined, 2)).toBeUndefined();
  });
});
