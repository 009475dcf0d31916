import { type KnownWorker, LANES, type Lane } from '../../domain/delivery/index.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

export interface LaneStatus {
  readonly lane: Lane;
  /** Jobs that could run now. */
  readonly waiting: number;
  readonly active: number;
  readonly oldestAgeMs: number;
}

export interface Status {
  readonly lanes: readonly LaneStatus[];
  /** Campaign shards that are not done, and the recipients in them without an outcome. */
  readonly campaigns: { readonly shards: number; readonly recipients: number; readonly oldestAgeMs: number };
  readonly workers: readonly KnownWorker[];
}

/** How much is waiting, for how long, and who works on it. */
export class StatusBoard {
  readonly #work: UnitOfWork;
  readonly #depths: (lanes: readonly Lane[]) => Promise<readonly LaneStatus[]>;

  constructor(deps: { work: UnitOfWork; depths: (lanes: readonly Lane[]) => Promise<readonly LaneStatus[]> }) {
    this.#work = deps.work;
    this.#depths = deps.depths;
  }

  async read(): Promise<Status> {
    const lanes = await this.#depths(LANES);
    return this.#work.run(async (scope) => ({
      lanes,
      campaigns: await scope.delivery.openShards(),
      workers: await scope.delivery.liveWorkers(),
    }));
  }
}
