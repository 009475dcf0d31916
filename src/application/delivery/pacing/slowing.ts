import { Pace } from './pace.ts';

/** How much it takes to judge: fewer answers, or those of a shorter time, may be chance. */
export interface Evidence {
  /** Half as many, once there is a limit. */
  readonly answers: number;
  readonly milliseconds: number;
}

/** Answers that come so far apart are not about the same trouble. */
const LONGEST_MS = 30_000;
/** Messages per second: the lowest rate, so that the end of the trouble is noticed. */
const SLOWEST = 1;

/**
 * The rate for a destination that refuses mail because of the sender (promise D6): half as fast as before when at least half of the
 * answers were such refusals, and half as fast again as long as a quarter are; a quarter faster when at most one in eight is, and
 * without a limit once the rate before the trouble is reached again. When each message is tried again is its own schedule's matter.
 */
export class Slowing {
  readonly #pace = new Pace(undefined);
  readonly #evidence: Evidence;
  #perSecond: number | undefined;
  /** Answers per second when the trouble began. */
  #usual = 0;
  #answers = 0;
  #refusals = 0;
  #since: number;

  /** @param now monotonic milliseconds, as everywhere here */
  constructor(evidence: Evidence, now: number) {
    this.#evidence = evidence;
    this.#since = now;
  }

  /** Messages per second; undefined while there is no limit. */
  get perSecond(): number | undefined {
    return this.#perSecond;
  }

  /** No limit, and no refusal that could lead to one. */
  get over(): boolean {
    return this.#perSecond === undefined && this.#refusals === 0;
  }

  /** Counts one more answer. */
  count(refused: boolean, now: number): void {
    if (now - this.#since > LONGEST_MS) this.#begin(now);
    this.#answers += 1;
    if (refused) this.#refusals += 1;
    const elapsed = now - this.#since;
    const enough = this.#perSecond === undefined ? this.#evidence.answers : this.#evidence.answers / 2;
    if (this.#answers < enough || elapsed < this.#evidence.milliseconds) return;
    const answered = (this.#answers * 1_000) / elapsed;
    const borne = this.#perSecond === undefined ? 1 / 2 : 1 / 4;
    if (this.#refusals >= this.#answers * borne) this.#slowDown(answered, now);
    else if (this.#refusals * 8 <= this.#answers) this.#speedUp(now);
    this.#begin(now);
  }

  /** Whether one more message may go. */
  ready(now: number): boolean {
    return this.#perSecond === undefined || this.#pace.ready(now);
  }

  /** One message goes. */
  take(now: number): void {
    if (this.#perSecond !== undefined) this.#pace.take(now);
  }

  #slowDown(answered: number, now: number): void {
    if (this.#perSecond === undefined) this.#usual = answered;
    this.#change(Math.max(SLOWEST, Math.min(answered, this.#perSecond ?? answered) / 2), now);
  }

  #speedUp(now: number): void {
    if (this.#perSecond === undefined) return;
    const faster = this.#perSecond + Math.max(SLOWEST, this.#perSecond / 4);
    this.#change(faster >= this.#usual ? undefined : faster, now);
  }

  #change(perSecond: number | undefined, now: number): void {
    this.#perSecond = perSecond;
    this.#pace.change(perSecond, now);
  }

  #begin(now: number): void {
    this.#since = now;
    this.#answers = 0;
    this.#refusals = 0;
  }
}
