import { PgBoss, type QueueResult } from 'pg-boss';
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
/** The net under lost wake-ups, and the delay of a job that falls due later. A job whose worker is woken starts within some 10 ms. */
const POLL_SECONDS = 2;
/** Where processes tell each other that a queue has jobs; the payload is its name. */
const CHANNEL = 'pennypost_jobs';
/** At most one waiting job per key, so that a sweep that finds the same message again adds nothing. */
const POLICY = 'short';
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
 * states in pennypost's own tables, so that a job which runs twice, or not at all, changes nothing but the waiting time.
 */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #handlers: readonly JobHandler[];
  readonly #log: Log;
  /** Of this process, by queue. */
  readonly #takers = new Map<string, Taker[]>();
  /** Queues that other processes are to hear of. */
  readonly #untold = new Set<string>();
  #telling: Promise<void> | undefined;
  #listening: { close(): Promise<void> } | undefined;
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
    });
    this.#boss.on('error', (error) => this.#log.warn({ reason: queueTrouble(error) }, 'the job queue reported an error'));
  }

  /** Installs or upgrades the schema, and makes every queue. */
  async start(): Promise<void> {
    if (this.#started) return;
    await this.#boss.start().catch(rethrow);
    this.#started = true;
    const known = new Map((await this.#boss.getQueues().catch(rethrow)).map((queue) => [queue.name, queue]));
    for (const { job } of this.#handlers) {
      await this.#settle(job, known.get(job.name)).catch(rethrow);
      if (job.schedule !== undefined) await this.#boss.schedule(job.name, job.schedule, {}, { missed: 'skip' }).catch(rethrow);
    }
  }

  /** The queue as this release wants it, whatever release made it. */
  async #settle(job: Job<object>, found: QueueResult | undefined): Promise<void> {
    const options = queueOptions(job);
    if (found?.policy !== POLICY) {
      // The policy of a queue never changes. What its jobs stood for is found again by the sweeps.
      if (found !== undefined) await this.#boss.deleteQueue(job.name);
      await this.#boss.createQueue(job.name, { policy: POLICY, ...options });
      return;
    }
    if (Object.entries(options).some(([name, value]) => Reflect.get(found, name) !== value))
      await this.#boss.updateQueue(job.name, options);
  }

  /** Takes jobs of these lanes until `stop`. */
  async work(lanes: readonly Lane[]): Promise<void> {
    this.#working = true;
    for (const handler of this.#handlers) {
      if (!lanes.includes(handler.job.lane)) continue;
      const { concurrency, batchSize } = LANE_WORKERS[handler.job.lane];
      const takers: Taker[] = [];
      // One by one, because pg-boss tells only the first of several which it is.
      for (let number = 0; number < concurrency; number += 1) {
        const taker: Taker = { id: '', busy: false };
        taker.id = await this.#boss.work(
          handler.job.name,
          { batchSize, pollingIntervalSeconds: POLL_SECONDS, burstWhenBatchFull: true, perJobResults: true },
          async (jobs) => {
            taker.busy = true;
            try {
              return await Promise.all(jobs.map((job) => this.#run(handler, job)));
            } finally {
              taker.busy = false;
            }
          },
        );
        takers.push(taker);
      }
      this.#takers.set(handler.job.name, takers);
    }
    // Without it every job waits for the next look.
    this.#listening = await this.#boss
      .getDb()
      .listen?.(
        CHANNEL,
        (queue) => void this.#rouse(queue),
        () => {
          for (const queue of this.#takers.keys()) this.#rouse(queue);
        },
      )
      .catch((error: unknown) => {
        this.#log.warn({ reason: queueTrouble(Object(error)) }, 'the job queue cannot listen, and looks every two seconds');
        return undefined;
      });
  }

  async stop(): Promise<void> {
    if (!this.#started) return;
    this.#started = false;
    await this.#listening?.close();
    await this.#telling;
    await this.#boss.stop({ graceful: this.#working, timeout: STOP_MS });
  }

  /**
   * There are jobs that may start now, committed. A worker of this process takes them where one is free; otherwise other processes
   * are told, once for all that is committed in the meantime. NOTIFY never stands in a transaction with other statements: PostgreSQL
   * commits those one after the other, over the whole server.
   */
  wake(queues: Iterable<string>): void {
    for (const queue of queues) if (!this.#rouse(queue)) this.#untold.add(queue);
    if (this.#untold.size > 0 && this.#started) this.#telling ??= this.#tell();
  }

  /** The queue as a transaction sees it: what is enqueued exists only if the transaction commits. @param due gets the queues to wake then */
  inSession(session: Session, due: Set<string>): JobQueue {
    const db = {
      executeSql: async (text: string, values: readonly unknown[] = []) => ({
        rows: await session.sql.query<object>(text, values),
      }),
    };
    return {
      enqueue: async <Data extends object>(job: Job<Data>, data: Data, options: EnqueueOptions = {}) => {
        const parsed = job.schema.parse(data);
        const how = {
          db,
          ...(options.startAfter === undefined ? {} : { startAfter: options.startAfter }),
          ...(options.key === undefined ? {} : { singletonKey: options.key }),
        };
        // A connection that breaks here is the database's, which nothing on the error says to the layers above.
        const id = await this.#boss.send(job.name, parsed, how).catch(rethrow);
        if (options.startAfter === undefined) due.add(job.name);
        return id ?? undefined;
      },
      discard: async (job, ids) => void (await this.#boss.deleteJob(job.name, [...ids], { db }).catch(rethrow)),
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

  /** @returns whether a worker of this process was free */
  #rouse(queue: string): boolean {
    const takers = this.#takers.get(queue) ?? [];
    const at = takers.findIndex((taker) => !taker.busy);
    const free = takers[at];
    if (free === undefined) {
      // Each looks once more when it is done with what it has.
      for (const taker of takers) this.#boss.notifyWorker(taker.id);
      return false;
    }
    this.#boss.notifyWorker(free.id);
    // The next one is another's: this one may be about to take what it was woken for.
    takers.push(...takers.splice(at, 1));
    return true;
  }

  /** One statement at a time, for all queues that were added while the last one was on its way. */
  async #tell(): Promise<void> {
    while (this.#untold.size > 0) {
      const queues = [...this.#untold];
      this.#untold.clear();
      try {
        await this.#boss.getDb().executeSql(`select pg_notify('${CHANNEL}', queue) from unnest($1::text[]) as queue`, [queues]);
      } catch (error) {
        this.#log.warn(
          { reason: queueTrouble(Object(error)) },
          'other processes could not be told of jobs; they find them within seconds',
        );
      }
    }
    this.#telling = undefined;
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

/** One worker of pg-boss. */
interface Taker {
  id: string;
  busy: boolean;
}

function queueOptions(job: Job<object>) {
  return {
    retryLimit: job.retry.limit,
    retryDelay: job.retry.delaySeconds,
    retryBackoff: job.retry.limit > 0,
    // pg-boss would notify inside the transaction that enqueues.
    notify: false,
    // A job that is active for longer is taken to be lost, and tried again.
    expireInSeconds: 900,
    retentionSeconds: 14 * 86_400,
    // Finished jobs say nothing that the ledger does not say better.
    deleteAfterSeconds: 3_600,
  };
}

function rethrow(error: unknown): never {
  throw asDatabaseError(error);
}
