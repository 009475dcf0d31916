/** How much was submitted, and how fast of late. */
export class Tally {
  submitted = 0;
  perSecond = 0;
  #last: { readonly at: number; readonly submitted: number };

  /** @param now monotonic milliseconds */
  constructor(now: number) {
    this.#last = { at: now, submitted: 0 };
  }

  count(): void {
    this.submitted += 1;
  }

  /** The rate since it was last measured. */
  measure(now: number): void {
    const seconds = Math.max(now - this.#last.at, 1) / 1_000;
    this.perSecond = Math.round((this.submitted - this.#last.submitted) / seconds);
    this.#last = { at: now, submitted: this.submitted };
  }
}
