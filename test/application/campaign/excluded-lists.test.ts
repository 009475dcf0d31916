import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Attempt, OutgoingMessage } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { eventually } from '../../support/processes.ts';

const attempt = (outcome: Attempt['outcome'], code: number): Attempt => ({
  outcome,
  code,
  enhancedCode: undefined,
  reply: `${code}`,
  fault: outcome === 'submitted' ? 'none' : 'recipient',
});

describe('a subscriber who joins an excluded list after the launch', () => {
  let world: CampaignWorld;
  let answer: (to: string) => Attempt;
  let handed: string[] = [];
  let excluded: string;
  let campaignId: string;
  let other: string;
  let stays: string;
  let joins: string;

  beforeAll(async () => {
    const transport = new MemoryTransport({
      answer: ({ envelope }: OutgoingMessage) => {
        handed.push(envelope.to);
        return answer(envelope.to);
      },
    });
    const bulkRetry = { firstDelayMs: 1, maxDelayMs: 1, lifetimeMs: 3_600_000 };
    world = await CampaignWorld.open({ works: true, transport, bulkRetry });
  });
  afterAll(async () => {
    await world.instance.get(tokens.workers).stop();
    await world.close();
  });
  beforeEach(async () => {
    await world.project();
    handed = [];
    answer = () => attempt('submitted', 250);
    const list = await world.list(2);
    excluded = await world.list(0);
    other = await world.list(0);
    [stays = '', joins = ''] = await world.peopleOf(list);
    campaignId = (await world.campaign({ lists: [list], excludeLists: [excluded] })).id;
  });

  const campaign = () => world.application.campaigns;
  const ledger = async () => (await campaign().recipients(world.projectId, campaignId, {})).items;
  const stateOf = async (subscriberId: string): Promise<string> => {
    const row = (await ledger()).find((one) => one.subscriberId === subscriberId);
    return row?.reply === undefined ? String(row?.state) : `${row.state} ${row.reply}`;
  };
  const becomes = (subscriberId: string, state: string) =>
    eventually(`the ledger to say ${state}`, async () => (await stateOf(subscriberId)) === state);
  let working: Promise<void> | undefined;
  const startWorkers = () => (working ??= world.instance.get(tokens.workers).start(['bulk']));

  // First, while no worker runs that could be faster than the pause.
  it('is not mailed when a paused campaign is resumed', async () => {
    await campaign().launch(world.projectId, campaignId);
    await campaign().pause(world.projectId, campaignId);
    await world.join(stays, other);
    await world.join(joins, excluded);
    await campaign().resume(world.projectId, campaignId);
    await startWorkers();
    await becomes(stays, 'submitted');
    await becomes(joins, 'skipped excluded_list');
    expect(handed).toEqual([await world.addressOf(stays)]);
  });

  it('is not mailed by a retry', async () => {
    const address = await world.addressOf(joins);
    answer = (to) => (to === address ? attempt('deferred', 451) : attempt('submitted', 250));
    await startWorkers();
    await campaign().launch(world.projectId, campaignId);
    await becomes(joins, 'deferred 451');
    await world.join(joins, excluded);
    answer = () => attempt('submitted', 250);
    await becomes(joins, 'skipped excluded_list');
  });

  it('is not mailed by a resend', async () => {
    const addresses = await Promise.all([stays, joins].map((id) => world.addressOf(id)));
    answer = () => attempt('rejected', 552);
    await startWorkers();
    await campaign().launch(world.projectId, campaignId);
    await becomes(joins, 'rejected 552');
    await becomes(stays, 'rejected 552');
    await eventually('the campaign to be submitted', async () => (await world.get(campaignId)).state === 'submitted');
    await world.join(joins, excluded);
    answer = () => attempt('submitted', 250);
    handed = [];
    expect(await campaign().resend(world.projectId, campaignId, 'failed')).toMatchObject({ recipients: 2 });
    await becomes(stays, 'submitted');
    await becomes(joins, 'skipped excluded_list');
    expect(handed).toEqual([addresses[0]]);
  });
});
