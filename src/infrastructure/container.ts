import { hostname } from 'node:os';
import { Container } from 'inversify';
import { Reports } from '../application/analytics/reports.ts';
import { type Application, createApplication } from '../application/application.ts';
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
import { bulkWake, makePartitions, sendMessage, sweepMessages, tendCampaigns } from '../application/delivery/jobs.ts';
import { type DatabaseEnds, StatusBoard } from '../application/delivery/status/status-board.ts';
import { Workers } from '../application/delivery/status/workers.ts';
import { SendTransactional } from '../application/delivery/transactional/send-transactional.ts';
import type { JobHandler } from '../application/job.ts';
import type { Log } from '../application/log.ts';
import { EngagementRecorder } from '../application/tracking/engagement-recorder.ts';
import { PublicActions } from '../application/tracking/public-actions.ts';
import { recordEngagement } from '../application/tracking/record-engagement.ts';
import type { UnitOfWork } from '../application/unit-of-work.ts';
import type { KeyRing } from '../domain/access/index.ts';
import type { RetryPolicy, Transport } from '../domain/delivery/index.ts';
import type { Clock } from '../domain/shared/clock.ts';
import type { Id, Ids } from '../domain/shared/ids.ts';
import type { EngagementEvent } from '../domain/tracking/index.ts';
import type { Config } from './config.ts';
import { StreamedSubscriberFiles } from './files/subscriber-files.ts';
import { Jobs } from './jobs/pg-boss.ts';
import { PostgresImportLoader } from './postgres/audience-import-loader.ts';
import type { ConnectionSettings } from './postgres/connection.ts';
import { isTransient } from './postgres/errors.ts';
import { type Orm, PostgresUnitOfWork } from './postgres/unit-of-work.ts';
import { createRenderer, type MjmlRenderer } from './rendering/renderer.ts';
import { randomIds } from './system.ts';
import { provide, type Token, token } from './tokens.ts';
import { ThreadWatcher } from './watcher/thread-watcher.ts';

export const SHARD_SIZE = 10_000;

/** What is opened before anything is wired, and what a host or a test may replace. */
export interface Surroundings {
  readonly config: Config;
  readonly connection: ConnectionSettings;
  readonly orm: Orm;
  readonly keys: KeyRing;
  readonly log: Log;
  readonly transport: Transport;
  /** Connections of its own for transactional mail, which never stands in a line behind a campaign. */
  readonly transactionalTransport: Transport;
  /** The transport leads only to this machine: a public URL without https is then fine. */
  readonly localTransport: boolean;
  readonly publicUrl: string;
  /** Of this process, for workers that look for it when it has ended; undefined where there is none to be had. */
  readonly processName: string | undefined;
  /** Whether the process of this name has surely ended. */
  readonly isGone: (processName: string | undefined) => Promise<boolean>;
  /** False: this process only enqueues. */
  readonly works: boolean;
  readonly clock: Clock;
  readonly ids?: Ids | undefined;
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
  surroundings: token<Surroundings>('surroundings'),
  clock: token<Clock>('clock'),
  ids: token<Ids>('ids'),
  log: token<Log>('log'),
  keys: token<KeyRing>('keys'),
  workerId: token<Id>('worker-id'),
  renderer: token<MjmlRenderer>('renderer'),
  transport: token<Transport>('transport'),
  transactionalTransport: token<Transport>('transactional-transport'),
  jobs: token<Jobs>('jobs'),
  work: token<UnitOfWork>('unit-of-work'),
  launch: token<LaunchCampaign>('launch-campaign'),
  tend: token<TendCampaigns>('tend-campaigns'),
  desk: token<CampaignDesk>('campaign-desk'),
  transactional: token<SendTransactional>('send-transactional'),
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
export function wire(surroundings: Surroundings): Wired {
  const container = new Container();
  const { clock } = surroundings;
  container.bind<Surroundings>(tokens.surroundings).toConstantValue(surroundings);
  container.bind<Clock>(tokens.clock).toConstantValue(clock);
  container.bind<Ids>(tokens.ids).toConstantValue(surroundings.ids ?? randomIds(clock));
  container.bind<Log>(tokens.log).toConstantValue(surroundings.log);
  container.bind<KeyRing>(tokens.keys).toConstantValue(surroundings.keys);
  container.bind<Transport>(tokens.transport).toConstantValue(surroundings.transport);
  container.bind<Transport>(tokens.transactionalTransport).toConstantValue(surroundings.transactionalTransport);
  provide(container, tokens.workerId, [tokens.ids], (ids) => ids.next());
  provide(container, tokens.renderer, [], () => createRenderer());
  wireWork(container);
  wireCampaigns(container);
  wireSending(container);
  wireTracking(container);
  wireFaces(container);
  return { get: (what) => container.get(what) };
}

function wireWork(container: Container): void {
  // Handlers are looked up when a job arrives: the queue is needed to enqueue, and they need the queue.
  provide(container, tokens.jobs, [tokens.surroundings], (surroundings) => {
    const late = <T>(what: Token<T>): T => container.get(what);
    const handlers = [
      handler(bulkWake, async () => late(tokens.bulk).wake()),
      handler(
        sendMessage,
        async ({ projectId, messageId }) => void (await late(tokens.transactional).send(projectId, messageId)),
      ),
      handler(sweepMessages, () => late(tokens.transactional).requeue()),
      handler(tendCampaigns, () => late(tokens.tend).tend()),
      handler(makePartitions, () => late(tokens.work).run((scope) => scope.tracking.ensurePartitions())),
    ];
    return new Jobs({ connection: surroundings.connection, handlers, log: surroundings.log, works: surroundings.works });
  });
  provide(
    container,
    tokens.work,
    [tokens.surroundings, tokens.clock, tokens.ids, tokens.keys, tokens.jobs],
    (surroundings, clock, ids, keys, jobs) =>
      new PostgresUnitOfWork({
        orm: surroundings.orm,
        clock,
        ids,
        keys,
        jobsIn: (session, due) => jobs.inSession(session, due),
        wake: (queues) => jobs.wake(queues),
        random: surroundings.random ?? Math.random,
        bulkRetry: surroundings.bulkRetry,
        transactionalRetry: surroundings.transactionalRetry,
      }),
  );
}

function wireCampaigns(container: Container): void {
  provide(
    container,
    tokens.launch,
    [tokens.surroundings, tokens.work, tokens.renderer, tokens.keys],
    ({ publicUrl, localTransport, shardSize = SHARD_SIZE }, work, renderer, keys) =>
      new LaunchCampaign({ work, renderer, keys, options: { publicUrl, localTransport, shardSize } }),
  );
  provide(
    container,
    tokens.tend,
    [tokens.surroundings, tokens.work, tokens.launch, tokens.log, tokens.clock],
    ({ shardSize = SHARD_SIZE }, work, launch, log, clock) =>
      new TendCampaigns({ work, launch, log, shardSize, isTransient, clock }),
  );
  provide(
    container,
    tokens.desk,
    [tokens.work, tokens.renderer, tokens.launch, tokens.transactional, tokens.tend],
    (work, renderer, launch, transactional, tend) => new CampaignDesk({ work, renderer, launch, transactional, tend }),
  );
}

function wireSending(container: Container): void {
  provide(
    container,
    tokens.transactional,
    [
      tokens.surroundings,
      tokens.work,
      tokens.renderer,
      tokens.transactionalTransport,
      tokens.keys,
      tokens.clock,
      tokens.log,
      tokens.workerId,
    ],
    ({ publicUrl, isGone }, work, renderer, transport, keys, clock, log, workerId) =>
      new SendTransactional({ work, renderer, transport, keys, clock, log, workerId, publicUrl, isTransient, isGone }),
  );
  provide(
    container,
    tokens.bulk,
    [
      tokens.surroundings,
      tokens.workerId,
      tokens.work,
      tokens.renderer,
      tokens.keys,
      tokens.transport,
      tokens.clock,
      tokens.log,
      tokens.tend,
      tokens.desk,
    ],
    (surroundings, id, work, renderer, keys, transport, clock, log, tend, desk) => {
      const { config, recipientData, onFatal, localTransport } = surroundings;
      const outcomes = new RecordOutcomes({ work, clock });
      const ports = new SendingPorts({
        work,
        renderer,
        keys,
        outcomes,
        tend,
        desk,
        clock,
        localTransport,
        isTransient,
        recipientData,
      });
      const window = config.maxUnrecorded ?? DEFAULT_WINDOW;
      const line = new Line({ transport, now: clock.monotonic(), log, window, limits: config });
      return new BulkLane({ id, lines: [line], route: () => line, ports, clock, log, options: config, onFatal });
    },
  );
  provide(
    container,
    tokens.workers,
    [
      tokens.surroundings,
      tokens.workerId,
      tokens.jobs,
      tokens.bulk,
      tokens.transactional,
      tokens.tend,
      tokens.work,
      tokens.clock,
      tokens.log,
    ],
    ({ config, connection, processName }, id, jobs, bulk, transactional, tend, work, clock, log) => {
      const { stuckAfterMs, logLevel } = config;
      const startedAt = clock.now();
      return new Workers({
        id,
        jobs,
        bulk,
        transactional,
        register: (lanes, progress) =>
          work.run(async (scope) => {
            await scope.delivery.lanes.saveWorker({
              id,
              host: hostname(),
              pid: process.pid,
              process: processName,
              lanes,
              startedAt,
              progress,
            });
            return scope.delivery.lanes.liveWorkers();
          }),
        sweep: () => transactional.sweep(),
        sweepOwn: () => transactional.sweepOwn(),
        launchDue: () => tend.launchDue(),
        forget: () => work.run((scope) => scope.delivery.lanes.forgetWorker(id)),
        watcher: new ThreadWatcher({ workerId: id, connection, place: config, afterMs: stuckAfterMs, logLevel, log }),
        stuckAfterMs,
        clock,
        log,
      });
    },
  );
}

function wireTracking(container: Container): void {
  provide(container, tokens.engagement, [tokens.work, tokens.clock, tokens.log], (work, clock, log) => {
    const commit = (batch: readonly EngagementEvent[]) => work.bulk((scope) => recordEngagement(scope, batch));
    return new EngagementRecorder({ commit, isTransient, clock, log });
  });
  provide(
    container,
    tokens.recipients,
    [tokens.work, tokens.keys, tokens.clock, tokens.ids, tokens.engagement],
    (work, keys, clock, ids, engagement) => new PublicActions({ work, keys, clock, ids, engagement }),
  );
}

function wireFaces(container: Container): void {
  provide(
    container,
    tokens.imports,
    [tokens.surroundings, tokens.work, tokens.clock, tokens.ids, tokens.keys],
    ({ orm }, work, clock, ids, keys) =>
      new ImportSubscribers({
        work,
        files: new StreamedSubscriberFiles(),
        loader: new PostgresImportLoader(orm),
        clock,
        ids,
        erasureKeys: (projectId) => keys.erasureKeys(projectId),
      }),
  );
  provide(
    container,
    tokens.application,
    [
      tokens.surroundings,
      tokens.work,
      tokens.desk,
      tokens.transactional,
      tokens.imports,
      tokens.recipients,
      tokens.jobs,
      tokens.renderer,
    ],
    (
      { shardSize = SHARD_SIZE, databaseEnds = async () => undefined },
      work,
      desk,
      transactional,
      imports,
      recipients,
      jobs,
      renderer,
    ) =>
      createApplication({
        work,
        desk,
        transactional,
        resend: new ResendCampaign({ work, shardSize }),
        explain: new ExplainCampaign({ work, renderer }),
        imports,
        reports: new Reports({ work }),
        recipients,
        statusBoard: new StatusBoard({ work, depths: (lanes) => jobs.depths(lanes), databaseEnds }),
      }),
  );
}

/** Every handler has data of its own kind; the queue knows only that it is an object. */
const handler = <Data extends object>(job: JobHandler<Data>['job'], handle: (data: Data) => Promise<void>): JobHandler =>
  ({ job, handle: (data: object) => handle(job.schema.parse(data)) }) as unknown as JobHandler;
