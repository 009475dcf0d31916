/**
 * Messages per second as a bucket that holds a quarter of a second: a pause does not become a burst.
 */
export class Pace {
  #limit: number | undefined;
  #perSecond: number | undefined;
  #tokens = 0;
  #at = 0;

  /** @param perSecond undefined: no limit */
  constructor(perSecond: number | undefined) {
    this.#limit = perSecond;
    this.#perSecond = perSecond;
  }

  /** Divides the limit by the number of those who keep to it together. */
  share(among: number): void {
    if (this.#limit !== undefined) this.#perSecond = this.#limit / Math.max(1, among);
  }

  /** Another limit from `now` on; what was saved up under the old one is kept, as far as it fits. */
  change(perSecond: number | undefined, now: number): void {
    if (this.#limit === undefined) {
      this.#tokens = 0;
      this.#at = now;
    }
    this.#limit = perSecond;
    this.#perSecond = perSecond;
  }

  /** Whether one more message may go at the monotonic moment `now` in milliseconds. */
  ready(now: number): boolean {
    if (this.#perSecond === undefined) return true;
    // One more than that, or the part of a message left over at every look would be lost.
    const room = this.#perSecond / 4 + 1;
    this.#tokens = Math.min(room, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
    this.#at = now;
    return this.#tokens >= 1;
  }

  /** Nothing may go yet, as far as `ready` was asked: it has to wait for its turn. */
  get holdsBack(): boolean {
    return this.#perSecond !== undefined && this.#tokens < 1;
  }

  /** One message goes. */
  take(): void {
    this.#tokens -= 1;
  }
}
