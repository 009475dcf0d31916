import { fromKysely, type KyselyTransactionLike, PgBoss } from 'pg-boss';
import type { EnqueueOptions, Job, JobHandler, JobQueue } from '../../application/job.ts';
import type { Log } from '../../application/log.ts';
import type { Lane } from '../../domain/delivery/index.ts';
import { wordsOf } from '../log-lines.ts';
import { type ConnectionSettings, KEEP_ALIVE_MS } from '../postgres/connection.ts';
import { asDatabaseError } from '../postgres/errors.ts';
import type { Session } from '../postgres/session.ts';

/**
 * How many handlers of a lane run at once in one process, and how many jobs they take in one look. A handler is back when the
 * slowest of its jobs is: the transactional lane has one more than connections (4, see `open.ts`), so that it never waits for a
 * message whose server is slow while a connection is free.
 */
const LANE_WORKERS: Readonly<Record<Lane, { readonly concurrency: number; readonly batchSize: number }>> = {
  transactional: { concurrency: 5, batchSize: 10 },
  bulk: { concurrency: 1, batchSize: 10 },
  background: { concurrency: 1, batchSize: 1 },
};
/** Fallback for a lost notification, and the delay of a job that falls due later; a notified job starts within some 10 ms. */
const POLL_SECONDS = 2;
const STOP_MS = 30_000;
/** pg's own: a query without an answer fails, and its connection is thrown away. A lane would otherwise hang with it for good. */
const PATIENCE = { query_timeout: 30_000, keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE_MS };

export interface LaneDepth {
  readonly lane: Lane;
  readonly waiting: number;
  readonly active: number;
  readonly oldestAgeMs: number;
}

/**
 * The job queues in the schema `pennypost_jobs`. pg-boss wakes and schedules; who may work on what is decided by leases and
 * states in our own tables, so that a job which runs twice, or not at all, changes nothing but the waiting time.
 */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #handlers: readonly JobHandler[];
  readonly #log: Log;
  #started = false;
  #working = false;

  constructor(deps: { connection: ConnectionSettings; handlers: readonly JobHandler[]; log: Log; works: boolean }) {
    const { connection } = deps;
    this.#handlers = deps.handlers;
    this.#log = deps.log;
    this.#boss = new PgBoss({
      host: connection.host,
      port: connection.port,
      user: connection.user,
      password: connection.password,
      database: connection.database,
      ...(connection.ssl === undefined ? {} : { ssl: connection.ssl }),
      schema: 'pennypost_jobs',
      application_name: 'pennypost jobs',
      ...PATIENCE,
      max: deps.works ? 4 : 1,
      supervise: deps.works,
      schedule: deps.works,
      ...(deps.works ? { useListenNotify: true } : {}),
    });
    this.#boss.on('error', (error) => this.#log.warn({ reason: queueTrouble(error) }, 'the job queue has trouble'));
  }

  /** Installs or upgrades the schema, and makes every queue. */
  async start(): Promise<void> {
    if (this.#started) return;
    await this.#boss.start().catch(rethrow);
    this.#started = true;
    const known = new Set((await this.#boss.getQueues().catch(rethrow)).map((queue) => queue.name));
    for (const { job } of this.#handlers) {
      const options = queueOptions(job);
      // An existing queue follows a release that retries it more often or waits longer.
      if (known.has(job.name)) await this.#boss.updateQueue(job.name, options).catch(rethrow);
      else await this.#boss.createQueue(job.name, { policy: 'short', ...options }).catch(rethrow);
      if (job.schedule !== undefined) await this.#boss.schedule(job.name, job.schedule, {}, { missed: 'skip' }).catch(rethrow);
    }
  }

  /** Takes jobs of these lanes until `stop`. */
  async work(lanes: readonly Lane[]): Promise<void> {
    this.#working = true;
    for (const handler of this.#handlers) {
      if (!lanes.includes(handler.job.lane)) continue;
      const { concurrency, batchSize } = LANE_WORKERS[handler.job.lane];
      await this.#boss.work(
        handler.job.name,
        {
          batchSize,
          localConcurrency: concurrency,
          pollingIntervalSeconds: POLL_SECONDS,
          // pg-boss waits 30 s where it listens: nobody is notified when a retry falls due.
          notifyPollingIntervalSeconds: POLL_SECONDS,
          burstWhenBatchFull: true,
          perJobResults: true,
        },
        async (jobs) => Promise.all(jobs.map((job) => this.#run(handler, job))),
      );
    }
  }

  async stop(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    await this.#boss.stop({ graceful: this.#working, timeout: STOP_MS });
  }

  /** The queue as a transaction sees it: what is enqueued exists only if the transaction commits. */
  inSession(session: Session): JobQueue {
    return {
      enqueue: async <Data extends object>(job: Job<Data>, data: Data, options: EnqueueOptions = {}) => {
        const transaction = session.em.getTransactionContext<KyselyTransactionLike>();
        if (transaction === undefined)
          throw new Error('A job is enqueued in the transaction that makes it true; there is none here.');
        const parsed = job.schema.parse(data);
        const how = {
          db: fromKysely(transaction),
          ...(options.startAfter === undefined ? {} : { startAfter: options.startAfter }),
          ...(options.key === undefined ? {} : { singletonKey: options.key }),
        };
        // A connection that breaks here is the database's, which nothing on the error says to the layers above.
        await this.#boss.send(job.name, parsed, how).catch(rethrow);
      },
    };
  }

  /** Queue depth per lane, counted now. */
  async depths(lanes: readonly Lane[]): Promise<readonly LaneDepth[]> {
    const { rows } = await this.#boss
      .getDb()
      .executeSql(
        `select name, count(*) filter (where state in ('created', 'retry') and start_after <= now())::int as waiting,
         count(*) filter (where state = 'active')::int as active,
         coalesce(extract(epoch from now() - min(start_after) filter (where state in ('created', 'retry') and start_after <= now())) * 1000, 0)::float8 as age
       from pennypost_jobs.job where state < 'completed' group by name`,
      )
      .catch(rethrow);
    return lanes.map((lane) => {
      const mine = rows.filter((row: { name: string }) => row.name.startsWith(`${lane}.`));
      return {
        lane,
        waiting: mine.reduce((sum: number, row: { waiting: number }) => sum + row.waiting, 0),
        active: mine.reduce((sum: number, row: { active: number }) => sum + row.active, 0),
        oldestAgeMs: mine.reduce((most: number, row: { age: number }) => Math.max(most, row.age), 0),
      };
    });
  }

  async #run(
    handler: JobHandler,
    job: { id: string; data: unknown },
  ): Promise<{ id: string; status: 'completed' | 'failed'; output?: object }> {
    try {
      await handler.handle(handler.job.schema.parse(job.data ?? {}));
      return { id: job.id, status: 'completed' };
    } catch (error) {
      this.#log.warn({ job: handler.job.name, reason: error }, 'a job failed and will be tried again');
      return { id: job.id, status: 'failed', output: { reason: wordsOf(error) } };
    }
  }
}

/**
 * What pg-boss emits, as the rest of the engine says it. Each of its pollers adds its queue and its own id to the words, so that one
 * outage would be a line for each of them.
 */
export function queueTrouble(emitted: object): unknown {
  const { message, code, stack } = emitted as { readonly message?: unknown; readonly code?: unknown; readonly stack?: string };
  if (typeof message !== 'string') return emitted;
  const error = new Error(message.replace(/ \(Queue: [^()]*, Worker: [^()]*\)$/, ''), { cause: Reflect.get(emitted, 'cause') });
  return asDatabaseError(Object.assign(error, { stack, ...(code === undefined ? {} : { code }) }));
}

/** `short`, the policy of all queues: at most one waiting job per key, so that a sweep that finds the same message again adds nothing. */
function queueOptions(job: Job<object>) {
  return {
    retryLimit: job.retry.limit,
    retryDelay: job.retry.delaySeconds,
    retryBackoff: job.retry.limit > 0,
    notify: true,
    // Finished jobs say nothing that the ledger does not say better.
    deleteAfterSeconds: 3_600,
  };
}

function rethrow(error: unknown): never {
  throw asDatabaseError(error);
}
