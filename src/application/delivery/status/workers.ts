import { type KnownWorker, type Lane, leads, type WorkerProgress } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import { Background, within } from '../background.ts';
import type { BulkLane } from '../bulk/bulk-lane.ts';
import { REFRESH_MS } from '../routing/routing.ts';
import { type ProcessWatcher, StuckWatch } from './stuck-watch.ts';

/** What a working process needs of the job queue. */
export interface LaneRunner {
  start(): Promise<void>;
  work(lanes: readonly Lane[]): Promise<void>;
  stop(): Promise<void>;
}

interface TransactionalLane {
  readonly inDoubt: number;
  start(): void;
  stop(): Promise<void>;
}

/** Transports and routes of the projects that this process sends for. */
interface RoutingOfWorkers {
  refresh(): Promise<void>;
  /** Finishes what is on the wire. */
  close(): Promise<void>;
}

const BEAT_MS = 5_000;
const SWEEP_MS = 5_000;
/** For messages that this process has in hand; what takes longer is found by the sweep of another. */
const STOP_MS = 30_000;
/** A scheduled campaign starts within this of its time. */
const DUE_MS = 1_000;

/** The workers of one process: the job lanes it was given, and the bulk sender when `bulk` is one of them. */
export class Workers {
  readonly id: Id;
  readonly #jobs: LaneRunner;
  readonly #bulk: BulkLane;
  readonly #transactional: TransactionalLane;
  readonly #register: (lanes: readonly Lane[], progress: WorkerProgress) => Promise<readonly KnownWorker[]>;
  readonly #sweep: () => Promise<void>;
  readonly #sweepOwn: () => Promise<void>;
  readonly #launchDue: () => Promise<void>;
  readonly #forget: () => Promise<void>;
  readonly #routing: RoutingOfWorkers;
  readonly #background: Background;
  readonly #watcher: ProcessWatcher;
  readonly #watch: StuckWatch;
  #lanes: readonly Lane[] = [];
  /** As of the last beat, this is the one that sweeps for all. */
  #sweeps = false;

  constructor(deps: {
    id: Id;
    jobs: LaneRunner;
    bulk: BulkLane;
    transactional: TransactionalLane;
    /** Records the heartbeat of this worker, and reads the other live workers, oldest first. */
    register: (lanes: readonly Lane[], progress: WorkerProgress) => Promise<readonly KnownWorker[]>;
    /** Ends what workers that are gone have left open; one worker of the background lane does it for all. */
    sweep: () => Promise<void>;
    /** Ends what this worker has left open itself. */
    sweepOwn: () => Promise<void>;
    /** Launches what is due; the same worker does it. */
    launchDue: () => Promise<void>;
    forget: () => Promise<void>;
    routing: RoutingOfWorkers;
    watcher: ProcessWatcher;
    /** Milliseconds without an outcome after which a process with work in its hands is stuck. */
    stuckAfterMs: number;
    clock: Clock;
    log: Log;
  }) {
    this.id = deps.id;
    this.#jobs = deps.jobs;
    this.#bulk = deps.bulk;
    this.#transactional = deps.transactional;
    this.#register = deps.register;
    this.#sweep = deps.sweep;
    this.#sweepOwn = deps.sweepOwn;
    this.#launchDue = deps.launchDue;
    this.#forget = deps.forget;
    this.#routing = deps.routing;
    this.#background = new Background((error) =>
      deps.log.warn({ reason: error }, 'this worker could not record its heartbeat, or check those of others'),
    );
    this.#watcher = deps.watcher;
    this.#watch = new StuckWatch({
      look: () => deps.bulk.activity,
      recordProfile: () => deps.watcher.recordProfile(),
      onChange: () => void this.#background.guard(() => this.#beat()),
      clock: deps.clock,
      log: deps.log,
      afterMs: deps.stuckAfterMs,
    });
  }

  async start(lanes: readonly Lane[]): Promise<void> {
    this.#lanes = lanes;
    await this.#jobs.start();
    await this.#beat();
    this.#background.every(BEAT_MS, () => this.#beat());
    this.#background.every(SWEEP_MS, async () => {
      await this.#sweepOwn();
      if (this.#sweeps) await this.#sweep();
    });
    // At once and by all workers: one that ended a moment ago still looks alive to the others, and leads them.
    void this.#background.guard(() => this.#sweep());
    if (lanes.includes('background')) void this.#background.guard(() => this.#launchDue());
    this.#background.every(DUE_MS, async () => {
      if (this.#sweeps) await this.#launchDue();
    });
    this.#background.every(REFRESH_MS, () => this.#routing.refresh());
    this.#watcher.start();
    this.#watch.start();
    await this.#jobs.work(lanes);
    if (lanes.includes('transactional')) this.#transactional.start();
    if (lanes.includes('bulk')) this.#bulk.start();
  }

  get progress(): WorkerProgress {
    return { ...this.#bulk.progress, stuck: this.#watch.stuck };
  }

  /** What this process would leave without a recorded outcome if it ended now. */
  get inDoubt(): { readonly campaignMessages: number; readonly transactionalMessages: number } {
    return { campaignMessages: this.#bulk.inDoubt, transactionalMessages: this.#transactional.inDoubt };
  }

  /**
   * Finishes what is on the wire, writes every outcome, hands the shards back. It says to the end that it lives: its attempts
   * would be given up as lost.
   */
  async stop(): Promise<void> {
    if (this.#lanes.includes('bulk')) await this.#bulk.stop();
    await within(STOP_MS, this.#transactional.stop());
    await this.#jobs.stop();
    await this.#routing.close();
    this.#watch.stop();
    await this.#watcher.stop();
    this.#background.endTimers();
    await this.#background.settled();
    await this.#forget();
  }

  async #beat(): Promise<void> {
    const live = (await this.#register(this.#lanes, this.progress)).filter(({ responds }) => responds);
    this.#bulk.shareRate(live.filter((worker) => worker.lanes.includes('bulk')).length);
    this.#sweeps = leads(live, this.id, 'background');
  }
}
