import type { Lane, WorkerProgress } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { BulkLane } from './bulk-lane.ts';

/** What a working process needs of the job queue. */
export interface LaneRunner {
  start(): Promise<void>;
  work(lanes: readonly Lane[]): Promise<void>;
  stop(): Promise<void>;
}

const REGISTER_MS = 5_000;

/** The workers of one process: the job lanes it was given, and the bulk sender when `bulk` is one of them. */
export class Workers {
  readonly id: Id;
  readonly #jobs: LaneRunner;
  readonly #bulk: BulkLane;
  readonly #register: (lanes: readonly Lane[], progress: WorkerProgress) => Promise<number>;
  readonly #forget: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #lanes: readonly Lane[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: {
    id: Id;
    jobs: LaneRunner;
    bulk: BulkLane;
    /** Says that this worker lives, and learns how many live ones have the bulk lane. */
    register: (lanes: readonly Lane[], progress: WorkerProgress) => Promise<number>;
    forget: () => Promise<void>;
    onError: (error: unknown) => void;
  }) {
    this.id = deps.id;
    this.#jobs = deps.jobs;
    this.#bulk = deps.bulk;
    this.#register = deps.register;
    this.#forget = deps.forget;
    this.#onError = deps.onError;
  }

  async start(lanes: readonly Lane[]): Promise<void> {
    this.#lanes = lanes;
    await this.#jobs.start();
    this.#bulk.shareRate(await this.#register(lanes, this.#bulk.progress));
    this.#timer = setInterval(() => this.#beat(), REGISTER_MS);
    await this.#jobs.work(lanes);
    if (lanes.includes('bulk')) this.#bulk.start();
  }

  get progress(): WorkerProgress {
    return this.#bulk.progress;
  }

  /** Finishes what is on the wire, writes every outcome, hands the shards back. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#lanes.includes('bulk')) await this.#bulk.stop();
    await this.#jobs.stop();
    await this.#forget();
  }

  #beat(): void {
    this.#register(this.#lanes, this.#bulk.progress).then((live) => this.#bulk.shareRate(live), this.#onError);
  }
}
