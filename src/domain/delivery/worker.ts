import type { Id } from '../shared/ids.ts';

/** A class of work with its own workers and limits, so that a campaign never stands in front of a password mail. */
export const LANES = ['transactional', 'bulk', 'background'] as const;
export type Lane = (typeof LANES)[number];

/** A process that works; it counts as live while it was seen within the last 15 seconds. */
export interface Worker {
  readonly id: Id;
  readonly host: string;
  readonly pid: number;
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
  /** Why its mail is not taken: the last transport error, while no answer has come since. */
  readonly trouble?: string | undefined;
}

export const WORKER_LIVE_MS = 15_000;
