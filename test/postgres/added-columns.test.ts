import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { leaseName } from '../../src/domain/delivery/index.ts';
import { tokens } from '../../src/infrastructure/container.ts';
import { MemoryTransport } from '../../src/infrastructure/transports/memory.ts';
import { aBatch, anOutcome } from '../support/builders-delivery.ts';
import { CampaignWorld } from '../support/campaign-world.ts';
import { TransactionalStage } from '../support/transactional-stage.ts';

let world: CampaignWorld;
beforeAll(async () => {
  world = await CampaignWorld.open({ transport: new MemoryTransport() });
  await world.project();
});
afterAll(() => world.close());

/** Everything that a worker and a node of the version before do while the next release brings the schema up to date. */
async function work(): Promise<void> {
  const { instance, projectId, application } = world;
  const [lane, unit, id] = [instance.get(tokens.transactional), instance.get(tokens.work), instance.get(tokens.workerId)];
  const worker = { id, host: 'h', pid: 1, lanes: ['bulk'] as const, startedAt: new Date() };
  await unit.run((scope) =>
    scope.delivery.lanes.saveWorker({ ...worker, progress: { shards: 0, submitted: 0, perSecond: 0, unrecorded: 0 } }),
  );
  await unit.single((scope) => scope.delivery.lanes.liveWorkers());

  const campaign = await world.campaign({ lists: [await world.list(3)] });
  await application.campaigns.launch(projectId, campaign.id);
  const lease = await unit.bulk((scope) => scope.delivery.lanes.claim(id, { avoid: [], takeExpired: false }));
  const { recipients } = lease!;
  await unit.single((scope) => scope.audience.recipients.read(projectId, recipients, campaign.audience));
  await unit.single((scope) => scope.delivery.ledger.reached(lease!, recipients));
  await unit.single((scope) => scope.delivery.lanes.renew(id, [lease!]));
  await unit.single((scope) => scope.delivery.runs.running([lease!]));
  const outcomes = (['submitted', 'deferred', 'rejected'] as const).map((state, index) => ({
    ...anOutcome(0, state, { at: new Date() }),
    subscriberId: recipients[index]!,
  }));
  const batch = aBatch({ ...lease!, batch: 1, cursor: 3, claimedThrough: 3, done: true, outcomes });
  const { verdicts } = await unit.bulk((scope) => scope.delivery.lanes.record([batch]));
  expect(verdicts.get(leaseName(lease!))).toBe('moved');
  await instance.get(tokens.tend).tend();
  await application.campaigns.report(projectId, campaign.id);
  await application.campaigns.recipients(projectId, campaign.id, {});

  const input = { to: 'ada@example.com', content: TransactionalStage.content, variables: { name: 'Ada' } };
  const message = await application.messages.send(projectId, input);
  await unit.single((scope) => scope.delivery.transactional.due());
  expect(await lane.send(projectId, message.id)).toMatchObject({ state: 'submitted' });
  expect((await application.messages.get(projectId, message.id)).recipients[0]?.tries).toHaveLength(1);
  await lane.sweep();
  await lane.sweepOwn();
  await lane.requeue();

  const click = {
    projectId,
    id: randomUUID(),
    kind: 'click',
    at: new Date(),
    mailingId: lease!.mailingId,
    subscriberId: recipients[0]!,
    messageId: undefined,
    link: 0,
    method: 'GET',
  } as const;
  const empty = { userAgent: undefined, secFetchSite: undefined, secFetchMode: undefined, secFetchDest: undefined };
  const event = { ...click, ...empty, purpose: undefined, network: undefined, requests: 1, lastAt: click.at };
  expect(await instance.get(tokens.engagement).record(event)).toBe('durable');
  await unit.run((scope) => scope.tracking.ensurePartitions());
}

it('a column that a release adds to every table disturbs nothing that works on', async () => {
  await work();
  await work();
  const tables = await world.sql<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and n.nspname like 'pennypost%'
       and n.nspname not in ('pennypost_jobs', 'pennypost_migrations')`,
  );
  expect(tables.length).toBeGreaterThan(15);
  for (const { name } of tables) await world.sql(`alter table ${name} add column added_later text not null default 'x'`);
  await work();
  await work();
});
