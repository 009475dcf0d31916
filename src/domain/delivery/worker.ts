import type { Id } from '../shared/ids.ts';

/** A class of work with its own workers and limits, so that a campaign never stands in front of a password mail. */
export const LANES = ['transactional', 'bulk', 'background'] as const;
export type Lane = (typeof LANES)[number];

/** A process that works; it counts as live while it was seen within the last 15 seconds. */
export interface Worker {
  readonly id: Id;
  readonly host: string;
  readonly pid: number;
  /** Names its process among all that ever run on its machine; absent where that cannot be told. */
  readonly process?: string | undefined;
  readonly lanes: readonly Lane[];
  readonly startedAt: Date;
  /** What it holds and how fast it goes, as last told. */
  readonly progress: WorkerProgress;
}

export interface WorkerProgress {
  readonly shards: number;
  readonly submitted: number;
  readonly perSecond: number;
  readonly unrecorded: number;
  /** The last transport error, while no answer has come since. */
  readonly trouble?: string | undefined;
  /** It holds work and gets nowhere; absent while it does. */
  readonly stuck?: Stuck | undefined;
}

/** What a stuck worker waits for, in words for the operator. */
export interface Stuck {
  readonly at: string;
  /** Milliseconds without any outcome, when this was told. */
  readonly forMs: number;
  /** A CPU profile of two seconds of it, as a path on the worker's machine; absent while it is taken, and when it could not be. */
  readonly profile?: string | undefined;
}

/** A worker as others know it. */
export interface KnownWorker extends Worker {
  /** False: its event loop is blocked, as its watcher tells, so that it can neither work nor say that it lives. */
  readonly responds: boolean;
}

/** Three beats: workers say every 5 s that they live. */
export const WORKER_LIVE_MS = 15_000;
/** A worker that has been silent for this long counts as dead, whatever sessions the database still has. */
export const WORKER_LOST_MS = 60_000;

/** Of the live workers of a lane one does what one can do for all: the oldest. When two believe it for a moment, it is done twice. */
export function leads(live: readonly Worker[], id: Id, lane: Lane): boolean {
  return live.find((worker) => worker.lanes.includes(lane))?.id === id;
}
