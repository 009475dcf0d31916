/**
 * Messages per second as a bucket that holds a quarter of a second: a pause does not become a burst. Divided over processes by
 * whoever makes it.
 */
export class Pace {
  readonly #perSecond: number | undefined;
  #tokens = 0;
  #at = 0;

  /** @param perSecond undefined: no limit */
  constructor(perSecond: number | undefined) {
    this.#perSecond = perSecond;
  }

  /** Takes leave for one message, at the monotonic moment `now` in milliseconds; false: not yet. */
  take(now: number): boolean {
    if (this.#perSecond === undefined) return true;
    const room = Math.max(1, this.#perSecond / 4);
    this.#tokens = Math.min(room, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
