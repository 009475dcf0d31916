import { type Attempt, concernsTransport, replyKind } from '../../../domain/delivery/index.ts';
import type { Log } from '../../log.ts';

/** Counts submitted messages, and keeps the current rate and the last transport error. */
export class Tally {
  submitted = 0;
  perSecond = 0;
  /** The last transport error, without addresses. Cleared by the next reply of the server. */
  trouble: string | undefined;
  readonly #log: Log;
  #last: { readonly at: number; readonly submitted: number };
  /** Number of measurements in a row that found trouble. */
  #troubled = 0;

  /** @param now monotonic milliseconds */
  constructor(now: number, log: Log) {
    this.#last = { at: now, submitted: 0 };
    this.#log = log;
  }

  count({ outcome, fault, reply }: Attempt): void {
    if (outcome === 'submitted') this.submitted += 1;
    this.trouble = concernsTransport(fault) ? replyKind(reply) : undefined;
  }

  /** Measures the rate since the last call. Logs trouble once, at the second measurement that finds it, and logs its end once. */
  measure(now: number): void {
    const seconds = Math.max(now - this.#last.at, 1) / 1_000;
    this.perSecond = Math.round((this.submitted - this.#last.submitted) / seconds);
    this.#last = { at: now, submitted: this.submitted };
    if (this.trouble !== undefined) {
      this.#troubled += 1;
      if (this.#troubled === 2) this.#log.warn({ reason: this.trouble }, 'the server does not take campaign mail; trying again');
    } else {
      if (this.#troubled >= 2) this.#log.info({}, 'the server takes campaign mail again');
      this.#troubled = 0;
    }
  }
}
