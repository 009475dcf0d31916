import { type FailingTransport, type KnownWorker, LANES, type Lane } from '../../../domain/delivery/index.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';

export interface LaneStatus {
  readonly lane: Lane;
  /** Jobs that could run now. */
  readonly waiting: number;
  readonly active: number;
  readonly oldestAgeMs: number;
}

/** How often the embedded database ended by itself, and was started again, under the process that runs it. */
export interface DatabaseEnds {
  readonly count: number;
  readonly lastAt: Date | undefined;
  readonly lastReason: string | undefined;
}

export interface Status {
  /** Undefined for a database server of one's own. */
  readonly databaseEnds: DatabaseEnds | undefined;
  readonly lanes: readonly LaneStatus[];
  /** What links in mail begin with: as it is stored for the instance, and as it is set in the process that answers. */
  readonly publicUrl: { readonly stored: string | undefined; readonly here: string | undefined };
  /** Campaign shards that are not done, and the recipients in them without an outcome. */
  readonly campaigns: { readonly shards: number; readonly recipients: number; readonly oldestAgeMs: number };
  readonly workers: readonly KnownWorker[];
  /** Transports of projects that fail, and whose messages others take or wait. */
  readonly failingTransports: readonly FailingTransport[];
}

/** Show queue depth, oldest job and active workers per lane. */
export class StatusBoard {
  readonly #work: UnitOfWork;
  readonly #depths: (lanes: readonly Lane[]) => Promise<readonly LaneStatus[]>;

  readonly #databaseEnds: () => Promise<DatabaseEnds | undefined>;
  readonly #publicUrl: string | undefined;

  constructor(deps: {
    work: UnitOfWork;
    depths: (lanes: readonly Lane[]) => Promise<readonly LaneStatus[]>;
    databaseEnds: () => Promise<DatabaseEnds | undefined>;
    /** As it is set in this process. */
    publicUrl: string | undefined;
  }) {
    this.#work = deps.work;
    this.#depths = deps.depths;
    this.#databaseEnds = deps.databaseEnds;
    this.#publicUrl = deps.publicUrl;
  }

  async read(): Promise<Status> {
    const [lanes, databaseEnds] = await Promise.all([this.#depths(LANES), this.#databaseEnds()]);
    return this.#work.run(async (scope) => ({
      databaseEnds,
      lanes,
      publicUrl: { stored: await scope.access.publicUrl(), here: this.#publicUrl },
      campaigns: await scope.delivery.lanes.openShards(),
      workers: await scope.delivery.lanes.liveWorkers(),
      failingTransports: await scope.delivery.transports.failing(),
    }));
  }
}
