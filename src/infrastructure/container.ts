import { hostname } from 'node:os';
import { Container } from 'inversify';
import { DeleteProject } from '../application/access/delete-project.ts';
import { DomainGate } from '../application/access/domain-gate.ts';
import { resealKeys, type SendingHosts, sendingHostsOf } from '../application/access/domains.ts';
import { Retention } from '../application/access/retention.ts';
import { Reports } from '../application/analytics/reports.ts';
import { type Application, createApplication } from '../application/application.ts';
import { eraseTracesOf } from '../application/audience/erase-subscriber.ts';
import { ImportSubscribers } from '../application/audience/import-subscribers.ts';
import { CampaignDesk } from '../application/campaign/campaign-desk.ts';
import { ExplainCampaign } from '../application/campaign/explain-campaign.ts';
import { LaunchCampaign } from '../application/campaign/launch-campaign.ts';
import { ResendCampaign } from '../application/campaign/resend-campaign.ts';
import { TendCampaigns } from '../application/campaign/tend-campaigns.ts';
import { BulkLane } from '../application/delivery/bulk/bulk-lane.ts';
import { DEFAULT_WINDOW } from '../application/delivery/bulk/bulk-lane-ports.ts';
import { Line } from '../application/delivery/bulk/line.ts';
import { RecordOutcomes } from '../application/delivery/bulk/record-outcomes.ts';
import { type RecipientDataSource, SendingPorts } from '../application/delivery/bulk/sending-ports.ts';
import {
  bulkWake,
  eraseTraces,
  makePartitions,
  removeProjectRows,
  retain,
  sendMessage,
  sweepMessages,
  tendCampaigns,
} from '../application/delivery/jobs.ts';
import { resealTransports } from '../application/delivery/routing/reseal-transports.ts';
import { RoutedLines } from '../application/delivery/routing/routed-lines.ts';
import type { OpenTransport } from '../application/delivery/routing/routed-transport.ts';
import { Routing } from '../application/delivery/routing/routing.ts';
import { TransactionalWays } from '../application/delivery/routing/transactional-ways.ts';
import { VerifyTransport } from '../application/delivery/routing/verify-transport.ts';
import { Signing } from '../application/delivery/signing.ts';
import { type DatabaseEnds, StatusBoard } from '../application/delivery/status/status-board.ts';
import { Workers } from '../application/delivery/status/workers.ts';
import { AcceptMessage } from '../application/delivery/transactional/accept-message.ts';
import { SendTransactional } from '../application/delivery/transactional/send-transactional.ts';
import type { JobHandler } from '../application/job.ts';
import type { Log } from '../application/log.ts';
import { EngagementRecorder } from '../application/tracking/engagement-recorder.ts';
import { PublicActions } from '../application/tracking/public-actions.ts';
import { recordEngagement } from '../application/tracking/record-engagement.ts';
import type { JoinedWork, UnitOfWork } from '../application/unit-of-work.ts';
import type { Dns, KeyRing } from '../domain/access/index.ts';
import type { RetryPolicy, Transport } from '../domain/delivery/index.ts';
import type { Clock } from '../domain/shared/clock.ts';
import type { Id, Ids } from '../domain/shared/ids.ts';
import type { EngagementEvent } from '../domain/tracking/index.ts';
import type { Config } from './config.ts';
import { DkimSigner } from './dkim/signer.ts';
import { StreamedSubscriberFiles } from './files/subscriber-files.ts';
import { Jobs } from './jobs/pg-boss.ts';
import { SystemDns } from './network/dns.ts';
import { PostgresImportLoader } from './postgres/audience-import-loader.ts';
import type { ConnectionSettings } from './postgres/connection.ts';
import { isTransient } from './postgres/errors.ts';
import { PostgresProjectRows } from './postgres/project-rows.ts';
import { pooledSql } from './postgres/session.ts';
import { type Orm, PostgresUnitOfWork } from './postgres/unit-of-work.ts';
import { createRenderer, type MjmlRenderer } from './rendering/renderer.ts';
import { randomIds } from './system.ts';
import { provide, type Token, token } from './tokens.ts';
import { smtpHosts } from './transports/smtp-url.ts';
import { ThreadWatcher } from './watcher/thread-watcher.ts';

export const SHARD_SIZE = 10_000;

/** What is opened before anything is wired, and what a host or a test may replace. */
export interface Parts {
  readonly config: Config;
  readonly connection: ConnectionSettings;
  readonly orm: Orm;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly transport: Transport;
  /** Connections of its own for transactional mail, which never waits behind a campaign. */
  readonly transactionalTransport: Transport;
  /** Opens a transport of a project. @throws Error when its settings cannot be used */
  readonly openTransport: OpenTransport;
  /** The transport leads only to this machine: a public URL without https is then fine. */
  readonly localTransport: boolean;
  /** Of this process; see `LaunchOptions.publicUrl`. */
  readonly publicUrl: string;
  /** See `LaunchOptions.servesInbox`. Default false. */
  readonly servesInbox?: boolean | undefined;
  /** Of this process, for workers that look for it when it has ended; undefined where it has no mark. */
  readonly processName: string | undefined;
  /** Whether the process of this name has surely ended. */
  readonly isGone: (processName: string | undefined) => Promise<boolean>;
  /** False: this process only enqueues. */
  readonly works: boolean;
  readonly clock: Clock;
  readonly ids?: Ids | undefined;
  /** Default: the name servers of this machine. */
  readonly dns?: Dns | undefined;
  readonly random?: (() => number) | undefined;
  readonly bulkRetry?: RetryPolicy | undefined;
  readonly transactionalRetry?: RetryPolicy | undefined;
  readonly recipientData?: RecipientDataSource | undefined;
  readonly shardSize?: number | undefined;
  /** Default: a database server of one's own. */
  readonly databaseEnds?: (() => Promise<DatabaseEnds | undefined>) | undefined;
  /** The process cannot record outcomes any more and must end. */
  readonly onFatal: (error: unknown) => void;
}

export const tokens = {
  config: token<Config>('config'),
  connection: token<ConnectionSettings>('connection'),
  orm: token<Orm>('orm'),
  keys: token<KeyRing>('keys'),
  log: token<Log>('log'),
  transport: token<Transport>('transport'),
  transactionalTransport: token<Transport>('transactional-transport'),
  openTransport: token<OpenTransport>('open-transport'),
  localTransport: token<boolean>('local-transport'),
  publicUrl: token<string>('public-url'),
  servesInbox: token<boolean>('serves-inbox'),
  processName: token<string | undefined>('process-name'),
  isGone: token<Parts['isGone']>('is-gone'),
  works: token<boolean>('works'),
  clock: token<Clock>('clock'),
  ids: token<Ids>('ids'),
  dns: token<Dns>('dns'),
  random: token<() => number>('random'),
  bulkRetry: token<RetryPolicy | undefined>('bulk-retry'),
  transactionalRetry: token<RetryPolicy | undefined>('transactional-retry'),
  recipientData: token<RecipientDataSource | undefined>('recipient-data'),
  shardSize: token<number>('shard-size'),
  databaseEnds: token<() => Promise<DatabaseEnds | undefined>>('database-ends'),
  onFatal: token<(error: unknown) => void>('on-fatal'),
  workerId: token<Id>('worker-id'),
  renderer: token<MjmlRenderer>('renderer'),
  jobs: token<Jobs>('jobs'),
  work: token<UnitOfWork & JoinedWork>('unit-of-work'),
  launch: token<LaunchCampaign>('launch-campaign'),
  tend: token<TendCampaigns>('tend-campaigns'),
  desk: token<CampaignDesk>('campaign-desk'),
  resend: token<ResendCampaign>('resend-campaign'),
  explain: token<ExplainCampaign>('explain-campaign'),
  reports: token<Reports>('reports'),
  deleteProject: token<DeleteProject>('delete-project'),
  retention: token<Retention>('retention'),
  statusBoard: token<StatusBoard>('status-board'),
  signing: token<Signing>('signing'),
  acceptMessage: token<AcceptMessage>('accept-message'),
  sendingHosts: token<SendingHosts>('sending-hosts'),
  gate: token<DomainGate>('domain-gate'),
  transactional: token<SendTransactional>('send-transactional'),
  routing: token<Routing>('routing'),
  verifyTransport: token<VerifyTransport>('verify-transport'),
  engagement: token<EngagementRecorder>('engagement-recorder'),
  recipients: token<PublicActions>('public-actions'),
  imports: token<ImportSubscribers>('import-subscribers'),
  bulk: token<BulkLane>('bulk-lane'),
  workers: token<Workers>('workers'),
  application: token<Application>('application'),
} as const;

export interface Wired {
  get<T>(what: Token<T>): T;
}

/** The one place where everything meets. Nothing happens here but wiring: the caller starts and stops. */
export function wire(parts: Parts): Wired {
  const container = new Container();
  const constant = <T>(what: Token<T>, value: T): void => void container.bind<T>(what).toConstantValue(value);
  constant(tokens.config, parts.config);
  constant(tokens.connection, parts.connection);
  constant(tokens.orm, parts.orm);
  constant(tokens.keys, parts.keys);
  constant(tokens.log, parts.log);
  constant(tokens.transport, parts.transport);
  constant(tokens.transactionalTransport, parts.transactionalTransport);
  constant(tokens.openTransport, parts.openTransport);
  constant(tokens.localTransport, parts.localTransport);
  constant(tokens.publicUrl, parts.publicUrl);
  constant(tokens.servesInbox, parts.servesInbox ?? false);
  constant(tokens.processName, parts.processName);
  constant(tokens.isGone, parts.isGone);
  constant(tokens.works, parts.works);
  constant(tokens.clock, parts.clock);
  constant(tokens.ids, parts.ids ?? randomIds(parts.clock));
  constant(tokens.dns, parts.dns ?? new SystemDns());
  constant(tokens.random, parts.random ?? Math.random);
  constant(tokens.bulkRetry, parts.bulkRetry);
  constant(tokens.transactionalRetry, parts.transactionalRetry);
  constant(tokens.recipientData, parts.recipientData);
  constant(tokens.shardSize, parts.shardSize ?? SHARD_SIZE);
  constant(tokens.databaseEnds, parts.databaseEnds ?? (async () => undefined));
  constant(tokens.onFatal, parts.onFatal);
  provide(container, tokens.workerId, { ids: tokens.ids }, ({ ids }) => ids.next());
  provide(container, tokens.renderer, {}, () => createRenderer());
  wireWork(container);
  wireCampaigns(container);
  wireSending(container);
  wireTracking(container);
  wireFaces(container);
  return { get: (what) => container.get(what) };
}

function wireWork(container: Container): void {
  const { clock, connection, ids, jobs, keys, log, orm, random, bulkRetry, transactionalRetry, works } = tokens;
  // Handlers are looked up when a job arrives: the queue is needed to enqueue, and they need the queue.
  provide(container, jobs, { connection, log, works }, (deps) => {
    const late = <T>(what: Token<T>): T => container.get(what);
    const handlers = [
      handler(bulkWake, async () => late(tokens.bulk).wake()),
      handler(
        sendMessage,
        async ({ projectId, messageId }) => void (await late(tokens.transactional).send(projectId, messageId)),
      ),
      handler(sweepMessages, () => late(tokens.transactional).requeue()),
      handler(tendCampaigns, () => late(tokens.tend).tend()),
      handler(retain, async () => {
        await resealKeys({ work: late(tokens.work), keys: late(tokens.keys), log: deps.log });
        await resealTransports({ work: late(tokens.work), log: deps.log });
        await late(tokens.retention).run();
      }),
      handler(removeProjectRows, ({ projectId }) => late(tokens.deleteProject).removeRows(projectId)),
      handler(eraseTraces, ({ projectId, subscriberId }) => eraseTracesOf(late(tokens.work), projectId, subscriberId)),
      handler(makePartitions, () => late(tokens.work).run((scope) => scope.tracking.ensurePartitions())),
    ];
    return new Jobs({ ...deps, handlers });
  });
  provide(
    container,
    tokens.work,
    { orm, clock, ids, keys, random, bulkRetry, transactionalRetry, jobs },
    ({ jobs, ...deps }) =>
      new PostgresUnitOfWork({
        ...deps,
        jobsIn: (session, due) => jobs.inSession(session, due),
        wake: (queues) => jobs.wake(queues),
      }),
  );
}

function wireCampaigns(container: Container): void {
  const { config, dns, gate, sendingHosts } = tokens;
  provide(container, sendingHosts, { config }, ({ config }) => sendingHostsOf(smtpHosts(config.smtpUrl)));
  const { acceptMessage, clock, keys, launch, localTransport, log, publicUrl, renderer, servesInbox, shardSize, tend, work } =
    tokens;
  provide(
    container,
    launch,
    { work, renderer, keys, gate, publicUrl, servesInbox, localTransport, shardSize },
    ({ publicUrl, servesInbox, localTransport, shardSize, ...deps }) =>
      new LaunchCampaign({ ...deps, options: { publicUrl, servesInbox, localTransport, shardSize } }),
  );
  provide(container, gate, { work, dns, clock, sendingHosts, localTransport }, (deps) => new DomainGate(deps));
  provide(container, tend, { work, launch, log, shardSize, clock }, (deps) => new TendCampaigns({ ...deps, isTransient }));
  provide(container, tokens.desk, { work, renderer, launch, gate, acceptMessage, tend }, (deps) => new CampaignDesk(deps));
  provide(
    container,
    acceptMessage,
    { work, renderer, clock, lane: tokens.transactional, links: launch },
    (deps) => new AcceptMessage(deps),
  );
  provide(container, tokens.resend, { work, shardSize }, (deps) => new ResendCampaign(deps));
  provide(container, tokens.explain, { work, renderer }, (deps) => new ExplainCampaign(deps));
  provide(container, tokens.reports, { work }, (deps) => new Reports(deps));
  provide(container, tokens.retention, { work, clock }, (deps) => new Retention(deps));
  provide(
    container,
    tokens.deleteProject,
    { work, orm: tokens.orm, desk: tokens.desk },
    ({ work, orm, desk }) =>
      new DeleteProject({
        work,
        rows: new PostgresProjectRows(pooledSql(orm)),
        cancel: (projectId, campaignId) => desk.cancel(projectId, campaignId),
      }),
  );
}

function wireSending(container: Container): void {
  const { bulk, clock, config, connection, desk, jobs, keys, log, renderer, tend, transactional, work, workerId } = tokens;
  const { ids, isGone, localTransport, openTransport, random, routing, onFatal, processName, recipientData } = tokens;
  const { signing, transactionalTransport, transport } = tokens;
  provide(container, signing, { work, keys, clock, log }, (deps) => {
    return new Signing({ ...deps, create: (domain, signingKeys) => new DkimSigner(domain, signingKeys) });
  });
  provide(
    container,
    transactional,
    { work, renderer, environment: transactionalTransport, keys, signing, clock, log, workerId, isGone, routing },
    ({ environment, routing, ...deps }) => {
      const ways = new TransactionalWays({ environment, routing, clock: deps.clock });
      return new SendTransactional({ ...deps, ways, isTransient });
    },
  );
  provide(container, routing, { work, openTransport, clock, random, workerId, log }, (deps) => new Routing(deps));
  provide(container, tokens.verifyTransport, { work, renderer, openTransport, clock, ids }, (deps) => new VerifyTransport(deps));
  const ports = { clock, desk, keys, localTransport, recipientData, renderer, routing, signing, tend, work };
  provide(
    container,
    bulk,
    { ...ports, id: workerId, config, transport, log, onFatal },
    ({ id, config, transport, log, onFatal, ...deps }) => {
      const { work, clock, routing } = deps;
      const ports = new SendingPorts({ ...deps, outcomes: new RecordOutcomes({ work, clock }), isTransient });
      const window = config.maxUnrecorded ?? DEFAULT_WINDOW;
      const environment = new Line({ transport, now: clock.monotonic(), log, window, limits: config });
      const lines = new RoutedLines({ environment, routing, clock, log, window, limits: config });
      return new BulkLane({ id, lines, ports, clock, log, options: config, onFatal });
    },
  );
  provide(
    container,
    tokens.workers,
    { id: workerId, config, connection, processName, jobs, bulk, transactional, tend, work, clock, log, routing },
    ({ config, connection, processName, ...deps }) => {
      const { id, transactional, tend, work, clock, log } = deps;
      const { stuckAfterMs, logLevel } = config;
      const self = { id, host: hostname(), pid: process.pid, process: processName, startedAt: clock.now() };
      return new Workers({
        ...deps,
        register: (lanes, progress) =>
          work.run(async (scope) => {
            await scope.delivery.lanes.saveWorker({ ...self, lanes, progress });
            return scope.delivery.lanes.liveWorkers();
          }),
        sweep: () => transactional.sweep(),
        sweepOwn: () => transactional.sweepOwn(),
        launchDue: () => tend.launchDue(),
        forget: () => work.run((scope) => scope.delivery.lanes.forgetWorker(id)),
        watcher: new ThreadWatcher({ workerId: id, connection, place: config, afterMs: stuckAfterMs, logLevel, log }),
        stuckAfterMs,
      });
    },
  );
}

function wireTracking(container: Container): void {
  const { clock, engagement, ids, keys, log, work } = tokens;
  provide(container, engagement, { work, clock, log }, ({ work, clock, log }) => {
    const commit = (batch: readonly EngagementEvent[]) => work.bulk((scope) => recordEngagement(scope, batch));
    return new EngagementRecorder({ commit, isTransient, clock, log });
  });
  provide(container, tokens.recipients, { work, keys, clock, ids, engagement }, (deps) => new PublicActions(deps));
}

function wireFaces(container: Container): void {
  const { clock, config, databaseEnds, desk, dns, explain, ids, imports, jobs, keys } = tokens;
  const { acceptMessage, deleteProject, orm, recipients, reports, resend, sendingHosts, statusBoard, verifyTransport, work } =
    tokens;
  provide(
    container,
    imports,
    { orm, work, clock, ids, keys },
    ({ orm, keys, ...deps }) =>
      new ImportSubscribers({
        ...deps,
        files: new StreamedSubscriberFiles(),
        loader: new PostgresImportLoader(orm),
        erasureKeys: (projectId) => keys.erasureKeys(projectId),
      }),
  );
  provide(
    container,
    statusBoard,
    { config, work, jobs, databaseEnds },
    ({ config, jobs, ...deps }) =>
      new StatusBoard({ ...deps, depths: (lanes) => jobs.depths(lanes), publicUrl: config.publicUrl }),
  );
  provide(
    container,
    tokens.application,
    {
      work,
      keys,
      dns,
      clock,
      sendingHosts,
      desk,
      acceptMessage,
      resend,
      explain,
      imports,
      reports,
      recipients,
      statusBoard,
      deleteProject,
      verifyTransport,
    },
    (deps) => createApplication(deps),
  );
}

/** Every handler has data of its own kind; the queue knows only that it is an object. */
const handler = <Data extends object>(job: JobHandler<Data>['job'], handle: (data: Data) => Promise<void>): JobHandler =>
  ({ job, handle: (data: object) => handle(job.schema.parse(data)) }) as unknown as JobHandler;
