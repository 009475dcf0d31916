import { type Attempt, replyKind } from '../../../domain/delivery/index.ts';
import type { Log } from '../../log.ts';

/** How much was submitted, how fast of late, and what the next hop is in the way with. */
export class Tally {
  submitted = 0;
  perSecond = 0;
  /** The last transport error, without addresses, until there is an answer. */
  trouble: string | undefined;
  readonly #log: Log;
  #last: { readonly at: number; readonly submitted: number };
  /** Measures in a row that found trouble. */
  #troubled = 0;

  /** @param now monotonic milliseconds */
  constructor(now: number, log: Log) {
    this.#last = { at: now, submitted: 0 };
    this.#log = log;
  }

  count({ outcome, fault, reply }: Attempt): void {
    if (outcome === 'submitted') this.submitted += 1;
    this.trouble = fault === 'transport' ? replyKind(reply) : undefined;
  }

  /** The rate since it was last measured. Trouble that is still there at the second look is logged, and so is its end: once each. */
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
