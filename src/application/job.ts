import type { z } from 'zod';
import type { Lane } from '../domain/delivery/index.ts';

/**
 * One kind of stored thing to do, declared next to its handler. Jobs carry ids only; a handler reloads, re-checks, and is
 * safe to run twice.
 */
export interface Job<Data extends object> {
  /** Queue name, `lane.verb-object`: `transactional.send-message`. */
  readonly name: string;
  readonly lane: Lane;
  readonly schema: z.ZodType<Data>;
  /** How often a failed job is tried again, and after how many seconds first (doubling). */
  readonly retry: { readonly limit: number; readonly delaySeconds: number };
  /** Cron expression (UTC) for jobs that come round by themselves. */
  readonly schedule?: string | undefined;
}

/** A job with what runs it; the container hands these to the workers. */
export interface JobHandler<Data extends object = object> {
  readonly job: Job<Data>;
  handle(data: Data): Promise<void>;
}

export interface EnqueueOptions {
  readonly startAfter?: Date | undefined;
  /** At most one waiting job per key (and per queue, where no key is given). */
  readonly key?: string | undefined;
}

/** Enqueues inside the transaction that made the job true. */
export interface JobQueue {
  /** @returns the job's id; undefined when one with that key waits already */
  enqueue<Data extends object>(job: Job<Data>, data: Data, options?: EnqueueOptions): Promise<string | undefined>;
  /** Removes jobs that have nothing left to do. */
  discard(job: Job<object>, ids: readonly string[]): Promise<void>;
}
