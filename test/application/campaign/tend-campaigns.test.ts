import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LaunchCampaign } from '../../../src/application/campaign/launch-campaign.ts';
import { TendCampaigns } from '../../../src/application/campaign/tend-campaigns.ts';
import { BULK_RETRY, type LedgerState, leaseName } from '../../../src/domain/delivery/index.ts';
import { tokens } from '../../../src/infrastructure/container.ts';
import { aBatch, anOutcome } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { silentLog } from '../../support/instance.ts';

const HOUR = 3_600_000;

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ shardSize: 4, stillTime: true });
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.sql('truncate pennypost_delivery.run cascade');
  await world.project();
});

const clock = () => world.instance.get(tokens.clock);
const tend = () => world.instance.get(tokens.tend);
const work = () => world.instance.get(tokens.work);

/** A launched campaign of so many people. */
async function launched(people: number): Promise<string> {
  const campaign = await world.campaign({ lists: [await world.list(people)] });
  await world.application.campaigns.launch(world.projectId, campaign.id);
  return campaign.id;
}

/** A worker takes the next shard and everybody in it comes to the same end; how many that were. */
async function workShard(state: LedgerState): Promise<number> {
  const worker = world.instance.get(tokens.workerId);
  const lease = await work().run((scope) => scope.delivery.lanes.claim(worker, { avoid: [], takeExpired: false }));
  if (lease === undefined) return 0;
  const outcomes = lease.recipients.map((subscriberId) => ({ ...anOutcome(0, state, { at: clock().now() }), subscriberId }));
  const size = lease.recipients.length;
  const batch = aBatch({ ...lease, batch: 1, cursor: size, claimedThrough: size, done: true, outcomes });
  const { verdicts } = await work().run((scope) => scope.delivery.lanes.record([batch]));
  expect(verdicts.get(leaseName(lease))).toBe('moved');
  return size;
}

async function workAll(state: LedgerState): Promise<number> {
  let sum = 0;
  for (let size = await workShard(state); size > 0; size = await workShard(state)) sum += size;
  return sum;
}

const states = async (campaign: string) => {
  const { states: all } = await world.application.campaigns.report(world.projectId, campaign);
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
};
const runsOf = async (campaign: string) =>
  (await world.runs(campaign)).map(({ purpose, state, audience }) => [purpose, state, audience]);

describe('a campaign that is sent', () => {
  it('is submitted when everybody has a first outcome, and settled when nobody is deferred', async () => {
    const campaign = await launched(10);
    await workShard('submitted');
    await tend().settle();
    expect((await world.get(campaign)).state).toBe('sending');
    await workAll('submitted');
    await tend().settle();
    expect(await world.get(campaign)).toMatchObject({ state: 'submitted', submittedAt: clock().now(), settledAt: clock().now() });
    expect(await states(campaign)).toEqual({ submitted: 10 });
  });

  it('is submitted and not settled while somebody is deferred', async () => {
    const campaign = await launched(5);
    await workAll('deferred');
    await tend().settle();
    expect(await world.get(campaign)).toMatchObject({ state: 'submitted', settledAt: null });
    expect(await runsOf(campaign)).toEqual([['first', 'done', 5]]);
  });

  it('whose audience had become empty is submitted at once', async () => {
    const campaign = await world.campaign({ lists: [await world.list(0)] });
    await world.instance.get(tokens.launch).launch(world.projectId, campaign.id, { allowEmpty: true });
    await tend().settle();
    expect(await world.get(campaign.id)).toMatchObject({ state: 'submitted', recipients: 0, settledAt: clock().now() });
  });

  it('is ended once by several processes at once', async () => {
    const campaign = await launched(6);
    await workAll('submitted');
    await Promise.all(Array.from({ length: 6 }, () => tend().settle()));
    expect((await world.get(campaign)).state).toBe('submitted');
  });
});

describe('deferred messages', () => {
  it('are retried in a run of their own when they are due, until they are submitted', async () => {
    const campaign = await launched(6);
    await workShard('deferred');
    await workAll('submitted');
    await tend().settle();
    await world.instance.pass(BULK_RETRY.firstDelayMs);
    await tend().settle();
    expect(await runsOf(campaign)).toEqual([
      ['first', 'done', 6],
      ['retry', 'running', 4],
    ]);
    await workAll('submitted');
    await tend().settle();
    expect(await world.get(campaign)).toMatchObject({ state: 'submitted', settledAt: clock().now() });
    expect(await states(campaign)).toEqual({ submitted: 6 });
  });

  it('are retried while the first run goes on; the end of one run ends no other', async () => {
    const campaign = await launched(8);
    await workShard('deferred');
    await world.instance.pass(BULK_RETRY.firstDelayMs);
    await tend().settle();
    await workShard('submitted');
    await tend().settle();
    expect(await runsOf(campaign)).toEqual([
      ['first', 'running', 8],
      ['retry', 'done', 4],
    ]);
    expect((await world.get(campaign)).state).toBe('sending');
    expect(await workAll('submitted')).toBe(4);
    await tend().settle();
    expect(await world.get(campaign)).toMatchObject({ state: 'submitted', settledAt: clock().now() });
  });

  it('are cut into one run by many processes at once', async () => {
    const campaign = await launched(9);
    await workAll('deferred');
    await world.instance.pass(BULK_RETRY.firstDelayMs);
    await Promise.all(Array.from({ length: 8 }, () => tend().settle()));
    expect(await runsOf(campaign)).toEqual([
      ['first', 'done', 9],
      ['retry', 'running', 9],
    ]);
  });

  it('expire after 72 hours, and with the last of them the campaign is settled', async () => {
    const campaign = await launched(2);
    await workAll('deferred');
    await tend().settle();
    for (let hours = 0; hours < 100 && (await world.get(campaign)).settledAt === null; hours += 5) {
      await world.instance.pass(5 * HOUR);
      await tend().settle();
      await workAll('deferred');
      await tend().settle();
    }
    expect(await states(campaign)).toEqual({ expired: 2 });
    const { settledAt, launchedAt } = await world.get(campaign);
    expect((settledAt?.getTime() ?? 0) - (launchedAt?.getTime() ?? 0)).toBeGreaterThanOrEqual(72 * HOUR);
  });
});

describe('pause, resume and cancel', () => {
  const desk = {
    pause: (campaign: string) => world.application.campaigns.pause(world.projectId, campaign),
    resume: (campaign: string) => world.application.campaigns.resume(world.projectId, campaign),
    cancel: (campaign: string) => world.application.campaigns.cancel(world.projectId, campaign),
  };

  it('stop and start the claims', async () => {
    const campaign = await launched(8);
    await desk.pause(campaign);
    expect(await workShard('submitted')).toBe(0);
    await tend().settle();
    await desk.resume(campaign);
    expect(await workAll('submitted')).toBe(8);
    await tend().settle();
    expect((await world.get(campaign)).state).toBe('submitted');
  });

  it('hold for retries as well, of a campaign that is submitted', async () => {
    const campaign = await launched(4);
    await workAll('deferred');
    await tend().settle();
    await desk.pause(campaign);
    await world.instance.pass(BULK_RETRY.firstDelayMs);
    await tend().settle();
    expect(await runsOf(campaign)).toEqual([['first', 'done', 4]]);
    await desk.resume(campaign);
    expect((await world.get(campaign)).state).toBe('submitted');
    await tend().settle();
    await desk.pause(campaign);
    expect(await workShard('submitted')).toBe(0);
    await desk.resume(campaign);
    expect(await workAll('submitted')).toBe(4);
    await tend().settle();
    expect((await world.get(campaign)).settledAt).not.toBeNull();
  });

  it('are refused when there is nothing left to send', async () => {
    const campaign = await launched(1);
    await workAll('submitted');
    await tend().settle();
    for (const verb of ['pause', 'cancel'] as const)
      await expect(desk[verb](campaign)).rejects.toMatchObject({ code: 'campaign.transition_refused' });
  });

  it('leave the sums equal to the audience: whoever had no outcome, or a deferral, is cancelled', async () => {
    const campaign = await launched(12);
    await workShard('submitted');
    await workShard('deferred');
    await desk.cancel(campaign);
    expect(await states(campaign)).toEqual({ submitted: 4, cancelled: 8 });
    await world.instance.pass(HOUR);
    await tend().settle();
    expect([await workShard('submitted'), (await world.runs(campaign)).length]).toEqual([0, 1]);
  });

  it('stop the retries of a campaign that is submitted', async () => {
    const campaign = await launched(4);
    await workAll('deferred');
    await tend().settle();
    await world.instance.pass(BULK_RETRY.firstDelayMs);
    await tend().settle();
    await desk.cancel(campaign);
    expect(await workShard('submitted')).toBe(0);
    await world.instance.pass(HOUR);
    await tend().settle();
    expect(await runsOf(campaign)).toEqual([
      ['first', 'done', 4],
      ['retry', 'cancelled', 4],
    ]);
    expect(await states(campaign)).toEqual({ cancelled: 4 });
  });

  it('win or lose against a retry run that is cut at the same time, and never both', async () => {
    for (const verb of ['cancel', 'pause'] as const) {
      const campaign = await launched(4);
      await workAll('deferred');
      await tend().settle();
      await world.instance.pass(HOUR);
      await Promise.all([desk[verb](campaign), tend().settle(), tend().settle()]);
      expect((await world.runs(campaign)).filter((run) => run.state === 'running')).toEqual([]);
      expect(await workShard('submitted')).toBe(0);
    }
  });

  it('win or lose against the end of the campaign, and leave it in a state that goes on', async () => {
    for (let rounds = 0; rounds < 5; rounds += 1) {
      const campaign = await launched(2);
      await workAll('deferred');
      await Promise.allSettled([desk.pause(campaign), tend().settle()]);
      const { state } = await world.get(campaign);
      expect(['paused', 'submitted']).toContain(state);
      if (state === 'paused') await desk.resume(campaign);
      await world.instance.pass(HOUR);
      await tend().settle();
      await tend().settle();
      expect(await workAll('submitted')).toBe(2);
      await tend().settle();
      expect((await world.get(campaign)).settledAt).not.toBeNull();
    }
  });
});

describe('a resend', () => {
  const resend = (campaign: string, target: 'failed' | 'in_doubt' | 'new') =>
    world.application.campaigns.resend(world.projectId, campaign, target);

  it('to the failed goes to whoever was rejected, expired or failed, and can be paused', async () => {
    const campaign = await launched(12);
    for (const state of ['rejected', 'failed', 'submitted'] as const) await workShard(state);
    await tend().settle();
    expect((await world.get(campaign)).settledAt).not.toBeNull();
    expect(await resend(campaign, 'failed')).toEqual({ recipients: 8 });
    await world.application.campaigns.pause(world.projectId, campaign);
    expect(await workShard('submitted')).toBe(0);
    await world.application.campaigns.resume(world.projectId, campaign);
    expect(await workAll('submitted')).toBe(8);
    await tend().settle();
    expect(await states(campaign)).toEqual({ submitted: 12 });
    expect(await world.get(campaign)).toMatchObject({ state: 'submitted', settledAt: clock().now() });
  });

  it('is followed by retries where it is deferred', async () => {
    const campaign = await launched(2);
    await workAll('rejected');
    await tend().settle();
    await world.instance.pass(100 * HOUR);
    await resend(campaign, 'failed');
    await workAll('deferred');
    await tend().settle();
    expect((await world.get(campaign)).settledAt).toBeNull();
    await world.instance.pass(HOUR);
    await tend().settle();
    expect(await workAll('submitted')).toBe(2);
    await tend().settle();
    expect(await states(campaign)).toEqual({ submitted: 2 });
  });

  it('to nobody ends at once', async () => {
    const campaign = await launched(2);
    await workAll('submitted');
    await tend().settle();
    expect(await resend(campaign, 'in_doubt')).toMatchObject({ recipients: 0 });
    await tend().settle();
    expect((await world.get(campaign)).settledAt).not.toBeNull();
  });
});

describe('a scheduled campaign', () => {
  it('is launched when its time has come, once, also by several processes at once', async () => {
    const campaign = await world.campaign({ lists: [await world.list(5)] });
    await world.application.campaigns.schedule(world.projectId, campaign.id, new Date(clock().now().getTime() + HOUR));
    await tend().tend();
    expect((await world.get(campaign.id)).state).toBe('scheduled');
    await world.instance.pass(HOUR);
    await Promise.all([tend().tend(), tend().tend(), tend().tend()]);
    expect(await world.get(campaign.id)).toMatchObject({ state: 'sending', recipients: 5 });
    expect(await runsOf(campaign.id)).toEqual([['first', 'running', 5]]);
  });

  it('that cannot be launched does not keep the others from it, is a draft again with the reason, and can be mended', async () => {
    const [list, at] = [await world.list(1), new Date(clock().now().getTime() + HOUR)];
    const broken = await world.campaign({ lists: [list] });
    const sound = await world.campaign({ lists: [list] });
    for (const campaign of [broken, sound]) await world.application.campaigns.schedule(world.projectId, campaign.id, at);
    await world.sql(
      `update pennypost_campaign.campaign_content set content = jsonb_set(content, '{source}', '"{% if %}"') where campaign_id = $1`,
      [broken.id],
    );
    await world.instance.pass(HOUR);
    await tend().tend();
    expect(await world.get(sound.id)).toMatchObject({ state: 'sending', launchFailure: null });
    const failed = await world.get(broken.id);
    expect(failed).toMatchObject({ state: 'draft', scheduledAt: null, recipients: 0 });
    expect(failed.launchFailure).toMatch(/^The scheduled launch failed\. The content cannot be sent: .+\(source, line 1\)\.$/);
    // It waits for somebody: nothing is tried again by itself.
    await tend().tend();
    expect((await world.get(broken.id)).version).toBe(failed.version);
    await world.application.campaigns.update(world.projectId, broken.id, { content: CampaignWorld.content });
    await world.application.campaigns.launch(world.projectId, broken.id);
    expect(await world.get(broken.id)).toMatchObject({ state: 'sending', launchFailure: null });
  });

  it('is tried again in a minute while the database is away', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.schedule(world.projectId, campaign.id, new Date(clock().now().getTime() + HOUR));
    await world.instance.pass(HOUR);
    let away = true;
    const launch = {
      launch: (...args: Parameters<LaunchCampaign['launch']>) =>
        away ? Promise.reject(new Error('away')) : world.instance.get(tokens.launch).launch(...args),
    } as LaunchCampaign;
    const tending = new TendCampaigns({
      work: world.instance.get(tokens.work),
      launch,
      log: silentLog,
      shardSize: 4,
      isTransient: (error) => error instanceof Error && error.message === 'away',
      clock: clock(),
    });
    await tending.tend();
    expect(await world.get(campaign.id)).toMatchObject({ state: 'scheduled', launchFailure: null });
    away = false;
    // What comes round every second leaves it alone until then, and what else is due is launched.
    const other = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.schedule(world.projectId, other.id, new Date(clock().now().getTime() + HOUR));
    await world.instance.pass(30_000);
    await tending.launchDue();
    expect((await world.get(campaign.id)).state).toBe('scheduled');
    await world.instance.pass(30_000);
    await tending.launchDue();
    expect((await world.get(campaign.id)).state).toBe('sending');
    expect((await world.get(other.id)).state).toBe('scheduled');
    await world.instance.pass(HOUR);
    await tending.launchDue();
    expect((await world.get(other.id)).state).toBe('sending');
  });

  it('is launched by a worker of the background lane within seconds, without waiting for the job of the minute', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.schedule(world.projectId, campaign.id, new Date(clock().now().getTime() + HOUR));
    const workers = world.instance.get(tokens.workers);
    await workers.start(['background']);
    await world.sql("delete from pennypost_jobs.schedule where name = 'background.tend-campaigns'");
    await world.instance.pass(HOUR);
    await vi.waitFor(async () => expect((await world.get(campaign.id)).state).toBe('sending'), {
      timeout: 20_000,
      interval: 100,
    });
    await workers.stop();
  });

  it('that was unscheduled is not launched', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.schedule(world.projectId, campaign.id, new Date(clock().now().getTime() + HOUR));
    await world.application.campaigns.unschedule(world.projectId, campaign.id);
    await world.instance.pass(2 * HOUR);
    await tend().tend();
    expect((await world.get(campaign.id)).state).toBe('draft');
  });
});
