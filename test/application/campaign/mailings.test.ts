import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Mailing } from '../../../src/domain/campaign/index.ts';
import type { LedgerState } from '../../../src/domain/delivery/index.ts';
import { issueLinkToken, MessageTokens } from '../../../src/domain/tracking/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { aBatch, anOutcome } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';

const REQUEST = {
  method: 'GET',
  userAgent: 'Mozilla/5.0',
  ip: undefined,
  secFetchSite: undefined,
  secFetchMode: undefined,
  secFetchDest: undefined,
  purpose: undefined,
};

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ shardSize: 10 });
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.sql('truncate pennypost_delivery.run cascade');
  await world.project();
});

const work = () => world.instance.get(tokens.work);
const campaigns = () => world.application.campaigns;

/** A launched campaign to three people, with a second mailing of the same content to two others. */
async function twoMailings() {
  const lists = [await world.list(3), await world.list(2)];
  const { id } = await world.campaign({ lists: lists.slice(0, 1) });
  await campaigns().launch(world.projectId, id);
  const others = await world.peopleOf(lists[1]!);
  const mailings = await work().run(async ({ campaign, delivery }) => {
    const [first] = await campaign.mailings.of(world.projectId, id);
    const frozen = await campaign.mailings.frozen(world.projectId, first!.mailingId);
    const second = await campaign.mailings.add(await campaign.get(world.projectId, id), frozen, []);
    const page = { ids: `{${others.join(',')}}`, count: others.length, last: others.at(-1)! };
    await delivery.runs.start(second, 'first', async (after) => (after === undefined ? page : undefined));
    return campaign.mailings.of(world.projectId, id);
  });
  return { id, mailings, people: [await world.peopleOf(lists[0]!), others] as const };
}

/** The next shard, with the outcome of each of its recipients. */
async function deliver(state: LedgerState): Promise<string> {
  const owner = world.instance.get(tokens.workerId);
  const lease = await work().bulk((scope) => scope.delivery.lanes.claim(owner, { avoid: [], takeExpired: false }));
  if (lease === undefined) throw new Error('There was nothing to claim.');
  const size = lease.recipients.length;
  const outcomes = lease.recipients.map((subscriberId) => ({ ...anOutcome(0, state, { at: new Date() }), subscriberId }));
  const batch = aBatch({ ...lease, batch: 1, cursor: size, claimedThrough: size, done: true, outcomes });
  await work().bulk((scope) => scope.delivery.lanes.record([batch]));
  return lease.mailingId;
}

async function click({ mailingId }: Mailing, subscriberId: string): Promise<void> {
  const keys = world.instance.get(tokens.keys);
  const ids = { projectId: world.projectId, key: keys.tokenKey(world.projectId, keys.keyId)! };
  const message = new MessageTokens({ ...ids, mailingId, keyId: keys.keyId }).issue(subscriberId);
  const link = issueLinkToken({ ...ids, kind: 'mailing', subjectId: mailingId }, 0, 'https://example.com/offer');
  expect(await world.application.recipients.click(message.click, link, REQUEST)).toBe('https://example.com/offer');
}

describe('two mailings of one campaign', () => {
  it('have ids of their own, and add up in the report, the recipients and the days', async () => {
    const { id, mailings, people } = await twoMailings();
    expect(new Set([id, ...mailings.map(({ mailingId }) => mailingId)]).size).toBe(3);
    const states = new Map([
      [await deliver('submitted'), 'submitted'],
      [await deliver('rejected'), 'rejected'],
    ]);
    expect([...states.keys()].toSorted()).toEqual(mailings.map(({ mailingId }) => mailingId));
    for (const [index, mailing] of mailings.entries()) await click(mailing, people[index]![0]!);

    const of = (state: string) =>
      mailings.reduce((sum, { mailingId }, index) => sum + (states.get(mailingId) === state ? people[index]!.length : 0), 0);
    const report = await campaigns().report(world.projectId, id);
    expect(report).toMatchObject({
      recipients: 5,
      states: { submitted: of('submitted'), rejected: of('rejected'), pending: 0 },
      clicked: { unique: 2, total: 2 },
      links: [{ index: 0, target: 'https://example.com/offer', unique: 2, total: 2 }],
      reasons: [{ state: 'rejected', count: of('rejected') }],
    });
    const { days } = await campaigns().daily(world.projectId, id);
    expect(days.reduce((sum, { counts }) => sum + (counts.clicked_unique ?? 0), 0)).toBe(2);

    const listed: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await campaigns().recipients(world.projectId, id, { limit: 2, after });
      listed.push(...page.items.map(({ subscriberId }) => subscriberId));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(listed).toEqual(people.flatMap((ids) => ids.toSorted()));
  });

  it('are paused, resumed and cancelled together', async () => {
    const { id, mailings } = await twoMailings();
    const runStates = () =>
      Promise.all(
        mailings.map(async ({ projectId, mailingId }) => {
          const [first] = await work().run(({ delivery }) => delivery.runs.of(projectId, mailingId));
          return first?.state;
        }),
      );
    await campaigns().pause(world.projectId, id);
    expect(await runStates()).toEqual(['paused', 'paused']);
    await campaigns().resume(world.projectId, id);
    expect(await runStates()).toEqual(['running', 'running']);
    await campaigns().cancel(world.projectId, id);
    expect(await runStates()).toEqual(['cancelled', 'cancelled']);
    expect((await campaigns().report(world.projectId, id)).states).toMatchObject({ cancelled: 5, pending: 0 });
    expect((await campaigns().recipients(world.projectId, id, { state: 'cancelled' })).items).toHaveLength(5);
  });

  it('are both over before the campaign is submitted, and are sent again together', async () => {
    const { id } = await twoMailings();
    const tend = world.instance.get(tokens.tend);
    await deliver('rejected');
    await tend.settle();
    expect((await world.get(id)).state).toBe('sending');
    await deliver('rejected');
    await tend.settle();
    expect(await world.get(id)).toMatchObject({ state: 'submitted', settledAt: expect.any(Date) });
    expect(await campaigns().resend(world.projectId, id, 'failed')).toEqual({ recipients: 5 });
  });
});
