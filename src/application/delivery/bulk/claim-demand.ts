/** More than the measured pace needs: it is never quite even. */
const MARGIN = 1.1;
/** Faster growth would overshoot at every burst. */
const GROWTH = 1.5;

/**
 * How many messages a recorder should have claimed ahead when it begins a commit: as many as are handed over until the commit after it
 * is answered. Fewer would stop hand-over; each one more is a message that is marked as a possible repeat, without being one, when
 * this process is killed. The pace is measured, and the claim grows as long as hand-over had to wait for it.
 */
export class ClaimDemand {
  readonly #least: number;
  readonly #most: number;
  readonly #everyMs: number;
  #ahead: number;
  #perMs = 0;
  #lookedAt: number | undefined;
  /** Handed over and not recorded, at the last look, less what was recorded since. */
  #handedOver = 0;
  #latencyMs = 0;

  /** @param settings.everyMs between the beginnings of two commits, where nothing is urgent */
  constructor(settings: { readonly least: number; readonly most: number; readonly everyMs: number }) {
    this.#least = Math.min(settings.least, settings.most);
    this.#most = settings.most;
    this.#everyMs = settings.everyMs;
    this.#ahead = this.#least;
  }

  /** Messages to have claimed and not handed over when a commit begins, in all shards together. */
  get ahead(): number {
    return this.#ahead;
  }

  /** With so few left a commit has to begin, or hand-over would have to wait for its answer. */
  get fewest(): number {
    return Math.floor(this.#perMs * this.#latencyMs);
  }

  /** To be called before each commit. @param seen.starved a shard could not hand over because its claim was used up */
  look({ now, handedOver, starved }: { readonly now: number; readonly handedOver: number; readonly starved: boolean }): void {
    const first = this.#lookedAt === undefined;
    const passed = Math.max(1, now - (this.#lookedAt ?? now));
    const perMs = Math.max(0, handedOver - this.#handedOver) / passed;
    // Half of what was before: a burst is no pace.
    this.#perMs = first ? 0 : this.#perMs === 0 ? perMs : (this.#perMs + perMs) / 2;
    this.#lookedAt = now;
    this.#handedOver = handedOver;
    const measured = this.#perMs * (Math.max(this.#everyMs, this.#latencyMs) + this.#latencyMs) * MARGIN;
    const wanted = starved && !first ? Math.max(measured, this.#ahead * GROWTH) : measured;
    this.#ahead = Math.min(this.#most, Math.max(this.#least, Math.ceil(wanted)));
  }

  /** So many of those handed over have been recorded, by a commit that took this long. */
  committed(recorded: number, latencyMs: number): void {
    this.#handedOver -= recorded;
    this.#latencyMs = latencyMs;
  }
}
