import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mailingSubject } from '../../../src/domain/analytics/index.ts';
import type { LedgerState, ShardLease } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { aBatch, anOutcome } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

describe('a campaign that is cancelled', () => {
  let world: CampaignWorld;
  beforeAll(async () => {
    world = await CampaignWorld.open({ shardSize: 4 });
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.sql('truncate pennypost_delivery.run cascade');
    await world.project();
  });

  const work = () => world.instance.get(tokens.work);
  const cancel = (campaign: string) => world.application.campaigns.cancel(world.projectId, campaign);
  async function launched(people: number): Promise<string> {
    const campaign = await world.campaign({ lists: [await world.list(people)] });
    await world.application.campaigns.launch(world.projectId, campaign.id);
    return campaign.id;
  }
  async function claimed(): Promise<ShardLease> {
    const owner = world.instance.get(tokens.workerId);
    const lease = await work().bulk((scope) => scope.delivery.lanes.claim(owner, { avoid: [], takeExpired: false }));
    if (lease === undefined) throw new Error('There was nothing to claim.');
    return lease;
  }
  /** Writes down what became of people of a shard by their positions, with the cursor where it was, or behind everybody. */
  const tell = (lease: ShardLease, batch: number, told: readonly (readonly [number, LedgerState])[], done = false) =>
    work().bulk((scope) =>
      scope.delivery.lanes.record([
        aBatch({
          ...lease,
          batch,
          done,
          cursor: done ? lease.recipients.length : 0,
          claimedThrough: done ? lease.recipients.length : 3,
          outcomes: told.map(([position, state]) => ({
            ...anOutcome(0, state, { at: new Date() }),
            subscriberId: lease.recipients[position] ?? '',
          })),
        }),
      ]),
    );
  const states = async (campaign: string) => {
    const report = await world.application.campaigns.report(world.projectId, campaign);
    return Object.fromEntries(Object.entries(report.states).filter(([, count]) => count > 0));
  };
  const rowsOf = async (campaign: string, state?: LedgerState) =>
    (await world.application.campaigns.recipients(world.projectId, campaign, { limit: 500, state })).items;

  it('says so in the report, in the rows, by the filter, in the file and in the counters', async () => {
    const campaign = await launched(12);
    for (const state of ['submitted', 'deferred'] as const)
      await tell(
        await claimed(),
        1,
        [0, 1, 2, 3].map((position) => [position, state]),
        true,
      );
    await cancel(campaign);
    expect(await states(campaign)).toEqual({ submitted: 4, cancelled: 8 });
    expect([(await rowsOf(campaign)).length, (await rowsOf(campaign, 'deferred')).length]).toEqual([12, 0]);
    const rows = await rowsOf(campaign, 'cancelled');
    expect(rows).toHaveLength(8);
    // Those who were deferred keep their last reply; nobody has another attempt before them.
    expect(rows.filter((row) => row.attempts === 1)).toMatchObject(
      Array(4).fill({ reply: 'because it is deferred', nextAttemptAt: undefined, copies: 0 }),
    );
    let csv = '';
    for await (const part of world.application.campaigns.recipientsCsv(world.projectId, campaign, {})) csv += part;
    expect(csv.match(/"cancelled"/g)).toHaveLength(8);
    const counters = [mailingSubject(await world.mailing(campaign))];
    const { days } = await work().run((scope) =>
      scope.analytics.dailySeries(world.projectId, { subject: 'campaign', counters, kinds: ['cancelled'], timeZone: 'UTC' }),
    );
    expect(days.reduce((sum, { counts }) => sum + (counts.cancelled ?? 0), 0)).toBe(8);
  });

  it('waits for the shards of live workers, and believes them when they tell late', async () => {
    const campaign = await launched(8);
    const lease = await claimed();
    await cancel(campaign);
    expect([await states(campaign), (await rowsOf(campaign)).length]).toEqual([{ cancelled: 8 }, 4]);
    await tell(lease, 1, [[2, 'submitted']]);
    await work().run((scope) => scope.delivery.lanes.release([lease]));
    await world.instance.get(tokens.tend).settle();
    expect(await states(campaign)).toEqual({ submitted: 1, cancelled: 7 });
    // The two before it were claimed, and nobody has told what became of them.
    expect((await rowsOf(campaign)).filter((row) => row.possibleRepeat)).toMatchObject(
      Array(2).fill({ state: 'cancelled', reply: expect.stringContaining('may have') }),
    );
    await tell(lease, 2, [
      [0, 'submitted'],
      [1, 'deferred'],
    ]);
    expect(await states(campaign)).toEqual({ submitted: 2, cancelled: 6 });
    expect(await rowsOf(campaign, 'cancelled')).toHaveLength(6);
  });
});
