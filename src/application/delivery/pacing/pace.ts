/**
 * Messages per second as a bucket that holds a quarter of a second: a pause does not become a burst.
 */
export class Pace {
  #limit: number | undefined;
  #perSecond: number | undefined;
  /** As of `#at`; later refills are computed on request. */
  #tokens = 0;
  #at = 0;

  /** @param perSecond undefined: no limit */
  constructor(perSecond: number | undefined) {
    this.#limit = perSecond;
    this.#perSecond = perSecond;
  }

  /** Divides the limit by the number of workers that share it. @param now monotonic milliseconds, as everywhere here */
  share(among: number, now: number): void {
    this.#refill(now);
    if (this.#limit !== undefined) this.#perSecond = this.#limit / Math.max(1, among);
  }

  /** Another limit from `now` on; what was saved up under the old one is kept, as far as it fits. */
  change(perSecond: number | undefined, now: number): void {
    if (this.#limit === undefined) this.#tokens = 0;
    else this.#refill(now);
    this.#at = now;
    this.#limit = perSecond;
    this.#perSecond = perSecond;
  }

  /** Whether one more message may go. A question: asking changes nothing. */
  ready(now: number): boolean {
    return this.#tokensAt(now) >= 1;
  }

  /** One message goes. */
  take(now: number): void {
    this.#refill(now);
    this.#tokens -= 1;
  }

  #refill(now: number): void {
    if (this.#perSecond === undefined) return;
    this.#tokens = this.#tokensAt(now);
    this.#at = now;
  }

  #tokensAt(now: number): number {
    if (this.#perSecond === undefined) return Number.POSITIVE_INFINITY;
    // Room for one more than a quarter of a second, or less than four a second could never go.
    const room = this.#perSecond / 4 + 1;
    return Math.min(room, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
  }
}
