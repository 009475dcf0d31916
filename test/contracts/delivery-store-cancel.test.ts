import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_STATES, leaseName, type ShardLease } from '../../src/domain/delivery/index.ts';
import { AT, aBatch, anOutcome, idOf } from '../support/builders-delivery.ts';
import { DeliveryWorld, type Place } from '../support/delivery-world.ts';

const ADA = idOf(1, 0xf);

let world: DeliveryWorld;
beforeAll(async () => {
  world = await DeliveryWorld.open();
});
afterAll(() => world.close());

describe('a campaign that is cancelled', () => {
  const cancelAll = async (place: Place): Promise<number> => {
    for (let sum = 0; ; ) {
      const { cancelled, left } = await world.run((stores) => stores.runs.cancelRest(place, AT));
      sum += cancelled;
      if (left !== 'more') return sum;
    }
  };

  it('ends everybody in a state for good, whatever was recorded before and is told later', async () => {
    const told = fc.record({
      retry: fc.boolean(),
      people: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 4 }),
      state: fc.constantFrom(...LEDGER_STATES.filter((state) => state !== 'cancelled')),
    });
    const words = fc.array(told, { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(words, words, async (before, after) => {
        await world.clear();
        const place = await world.campaign(6, { shardSize: 3 });
        await world.sql('delete from pennypost_delivery.mailing_recipient where mailing_id = $1', [place.mailingId]);
        await world.startRun(
          place,
          1,
          'retry',
          [0, 1, 2, 3, 4, 5].map((person) => idOf(person)),
        );
        const leases: ShardLease[] = [];
        for (let shard = 0; shard < 3; shard += 1) leases.push(await world.mustClaim(ADA));
        const numbers = new Map<string, number>();
        const tell = async ({ retry, people, state }: (typeof before)[number]): Promise<void> => {
          for (const lease of leases.filter((one) => one.run === (retry ? 1 : 0))) {
            const outcomes = people.filter((person) => lease.recipients.includes(idOf(person)));
            const number = (numbers.get(leaseName(lease)) ?? 0) + 1;
            numbers.set(leaseName(lease), number);
            await world.record([
              aBatch({
                ...lease,
                batch: number,
                claimedThrough: lease.recipients.length,
                outcomes: outcomes.map((person) => anOutcome(person, state)),
              }),
            ]);
          }
        };
        for (const one of before) await tell(one);
        await world.run(async (stores) => {
          await stores.runs.setState(place.projectId, place.mailingId, ['running'], 'cancelled', AT);
          await stores.runs.beginCancelling(place.projectId, place.mailingId);
        });
        // Held by a live worker: only what nobody holds is written down.
        expect(await cancelAll(place)).toBe(0);
        expect(await world.run((stores) => stores.runs.cancelling(10))).toHaveLength(1);
        await world.run((stores) => stores.lanes.release(leases));
        const open = 6 - (await world.rows(place)).filter((row) => row.state !== 'deferred').length;
        expect(await cancelAll(place)).toBe(open);
        expect(await world.run((stores) => stores.runs.cancelling(10))).toEqual([]);
        for (const one of after) await tell(one);
        const { kept, counted } = await world.totals(place);
        expect(kept).toEqual(counted);
        expect([kept.deferred, Object.values(kept).reduce((sum, count) => sum + count, 0)]).toEqual([0, 6]);
      }),
      { numRuns: 25 },
    );
  });
});
