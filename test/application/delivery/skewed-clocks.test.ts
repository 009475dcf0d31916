import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokens } from '../../../src/infrastructure/container.ts';
import { type Opened, openPennypost } from '../../../src/infrastructure/open.ts';
import { MemoryTransport } from '../../../src/infrastructure/transports/memory.ts';
import { aBatch, anAttempt, anOutcome } from '../../support/builders-delivery.ts';
import { CampaignWorld } from '../../support/campaign-world.ts';
import { skewedBy } from '../../support/hand-clock.ts';
import { openTestInstance, silentLog, TEST_SECRET, type TestInstance } from '../../support/instance.ts';
import { TransactionalStage } from '../../support/transactional-stage.ts';

const MINUTE = 60_000;
const SKEWS = [-10 * MINUTE, -2_000, -150, 150, 2_000, 10 * MINUTE];

/** What the next attempts come to; submitted when there is nothing more. */
const answers: ReturnType<typeof anAttempt>[] = [];
let instance: TestInstance;
let world: CampaignWorld;
const skewed = new Map<number, Opened>();

beforeAll(async () => {
  const transport = new MemoryTransport({ answer: async () => answers.shift() ?? anAttempt() });
  instance = await openTestInstance({ transport });
  world = CampaignWorld.over(instance);
  for (const skew of SKEWS) {
    const opened = await openPennypost({
      config: instance.config,
      log: silentLog,
      works: false,
      transport,
      secretKeys: [Buffer.from(TEST_SECRET, 'hex')],
      clock: skewedBy(skew),
    });
    skewed.set(skew, opened);
  }
  await world.project();
});
afterAll(async () => {
  for (const opened of skewed.values()) await opened.close();
  await instance.close();
});

const at = (skew: number): Opened => skewed.get(skew)!;
const off = (date: Date | null | undefined): number => Math.abs((date?.getTime() ?? 0) - Date.now());
/** More than a slow machine needs, and less than any skew that could be mistaken for it. */
const SOON = MINUTE;

const accept = (node: Opened) =>
  node.get(tokens.application).messages.send(world.projectId, {
    to: 'ada@example.com',
    content: TransactionalStage.content,
    variables: { name: 'Ada' },
  });
const send = (node: Opened, id: string) => node.get(tokens.transactional).send(world.projectId, id);
const jobsOf = (id: string) =>
  world.sql<{ start_after: Date }>(
    `select start_after from pennypost_jobs.job where name = 'transactional.send' and state = 'created' and data ->> 'messageId' = $1`,
    [id],
  );

describe.each(SKEWS)('a node whose clock is off by %d ms', (skew) => {
  it('accepts a message that a worker on another clock finds due at once', async () => {
    const message = await accept(at(skew));
    expect(off(message.acceptedAt)).toBeLessThan(SOON);
    expect(await send(at(-skew), message.id)).toMatchObject({ state: 'submitted', attempts: 1 });
  });

  it('finds a message due at once that another node accepted', async () => {
    const message = await accept(instance);
    expect(await send(at(skew), message.id)).toMatchObject({ state: 'submitted', attempts: 1 });
  });

  it('does not retry before its time, and has an early job come again at it', async () => {
    answers.push(anAttempt('deferred'));
    const message = await accept(instance);
    const deferred = await send(at(skew), message.id);
    const wait = (deferred?.nextAttemptAt?.getTime() ?? 0) - Date.now();
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThan(30_000 + 1_000);
    await world.sql(`delete from pennypost_jobs.job where name = 'transactional.send'`);
    expect(await send(at(-skew), message.id)).toBeUndefined();
    expect((await jobsOf(message.id)).map((job) => job.start_after)).toEqual([deferred?.nextAttemptAt]);
    await world.sql(`update pennypost_delivery.transactional_message set next_attempt_at = clock_timestamp() where id = $1`, [
      message.id,
    ]);
    expect(await send(at(skew), message.id)).toMatchObject({ state: 'submitted', attempts: 2 });
  });

  it('requeues what is due, and not what is not', async () => {
    await world.sql('truncate pennypost_delivery.transactional_message cascade');
    const [due, later] = [await accept(instance), await accept(at(-skew))];
    await world.sql(
      `update pennypost_delivery.transactional_message set state = 'deferred', next_attempt_at = clock_timestamp() + $2 * interval '1 ms'
       where id = $1`,
      [later.id, SOON],
    );
    await world.sql(`delete from pennypost_jobs.job where name = 'transactional.send'`);
    await at(skew).get(tokens.transactional).requeue();
    expect([(await jobsOf(due.id)).length, (await jobsOf(later.id)).length]).toEqual([1, 0]);
  });

  it('launches what is scheduled at its time, not before and not after', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    const application = at(-skew).get(tokens.application);
    await application.campaigns.schedule(world.projectId, campaign.id, new Date(Date.now() + SOON));
    await at(skew).get(tokens.tend).tend();
    expect((await world.get(campaign.id)).state).toBe('scheduled');
    await world.sql(`update pennypost_campaign.campaign set scheduled_at = clock_timestamp() where id = $1`, [campaign.id]);
    await at(skew).get(tokens.tend).tend();
    const launched = await world.get(campaign.id);
    expect(launched.state).not.toBe('scheduled');
    expect(off(launched.launchedAt)).toBeLessThan(SOON);
    await world.sql('truncate pennypost_delivery.run cascade');
  });

  it('accepts a schedule by the database’s clock', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    const schedule = (date: Date) => at(skew).get(tokens.application).campaigns.schedule(world.projectId, campaign.id, date);
    await expect(schedule(new Date(Date.now() - 1_000))).rejects.toMatchObject({ pointer: '/at' });
    await schedule(new Date(Date.now() + SOON / 2));
    expect((await world.get(campaign.id)).state).toBe('scheduled');
  });

  it('gives a deferral its time, and cuts a retry run at it', async () => {
    const campaign = await world.campaign({ lists: [await world.list(1)] });
    await world.application.campaigns.launch(world.projectId, campaign.id);
    const node = at(skew);
    const work = node.get(tokens.work);
    const lease = await work.run((scope) =>
      scope.delivery.lanes.claim(node.get(tokens.workerId), { avoid: [], takeExpired: false }),
    );
    const outcome = { ...anOutcome(0, 'deferred', { at: node.get(tokens.clock).now() }), subscriberId: lease!.recipients[0]! };
    const batch = aBatch({ ...lease!, batch: 1, cursor: 1, claimedThrough: 1, done: true, outcomes: [outcome] });
    await work.run((scope) => scope.delivery.lanes.record([batch]));
    const mailingId = await world.mailing(campaign.id);
    const [row] = await world.sql<{ wait: number }>(
      `select extract(epoch from next_attempt_at - clock_timestamp())::float8 as wait from pennypost_delivery.mailing_recipient
       where mailing_id = $1`,
      [mailingId],
    );
    expect(row?.wait).toBeGreaterThan(90);
    expect(row?.wait).toBeLessThan(301);
    await node.get(tokens.tend).settle();
    expect(await world.runs(campaign.id)).toHaveLength(1);
    await world.sql('update pennypost_delivery.mailing_recipient set next_attempt_at = clock_timestamp() where mailing_id = $1', [
      mailingId,
    ]);
    await at(-skew).get(tokens.tend).settle();
    expect((await world.runs(campaign.id)).map(({ purpose }) => purpose)).toEqual(['first', 'retry']);
    await world.sql('truncate pennypost_delivery.run cascade');
  });

  it('holds a key to its end by the database’s clock', async () => {
    const expiresAt = new Date(Date.now() + SOON / 2);
    const wish = { name: 'k', scopes: ['message.send'], expiresAt } as const;
    const { secret, key } = await at(-skew).get(tokens.application).keys.create(world.projectId, wish);
    const authenticate = () => at(skew).get(tokens.application).keys.authenticate(secret);
    expect((await authenticate()).project.id).toBe(world.projectId);
    await world.sql('update pennypost_access.api_key set expires_at = clock_timestamp() where id = $1', [key.id]);
    await expect(authenticate()).rejects.toMatchObject({ kind: 'unauthenticated' });
  });
});
