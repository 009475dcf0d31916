import type { Stuck } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Log } from '../../log.ts';
import type { LaneActivity } from './lane-activity.ts';

/** Looks at this process: whether its event loop turns, which only a thread beside it can see, and what its CPU does. */
export interface ProcessWatcher {
  /** From now on an event loop that does not turn for too long is logged, profiled and told to the other processes. */
  start(): void;
  /** What this thread does for the next two seconds, as a file. @throws Error when it cannot be written */
  recordProfile(): Promise<RecordedProfile>;
  stop(): Promise<void>;
}

export interface RecordedProfile {
  readonly path: string;
  /** Where the time went, in words. */
  readonly summary: string;
}

const LOOK_MS = 1_000;

/**
 * Notices that a sender has something to do and gets nowhere: no outcome became known, none was recorded. Then it says once what
 * is waited for, has a CPU profile taken, and says when it goes on.
 */
export class StuckWatch {
  readonly #look: () => LaneActivity;
  readonly #recordProfile: () => Promise<RecordedProfile>;
  readonly #onChange: () => void;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #afterMs: number;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  #mark = '';
  #idleMs = 0;
  #stuck: Stuck | undefined;

  constructor(deps: {
    look: () => LaneActivity;
    recordProfile: () => Promise<RecordedProfile>;
    /** `stuck` begins, ends, or has got its profile. */
    onChange: () => void;
    clock: Clock;
    log: Log;
    /** Milliseconds without any outcome. */
    afterMs: number;
  }) {
    this.#look = deps.look;
    this.#recordProfile = deps.recordProfile;
    this.#onChange = deps.onChange;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#afterMs = deps.afterMs;
    this.#everyMs = Math.min(LOOK_MS, deps.afterMs / 4);
  }

  get stuck(): Stuck | undefined {
    return this.#stuck;
  }

  start(): void {
    this.#lookedAt = this.#clock.monotonic();
    this.#timer = setInterval(() => this.#watch(), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #watch(): void {
    const now = this.#clock.monotonic();
    // A process that was stopped, or a machine that slept, was not waiting all that time.
    const passed = Math.min(now - this.#lookedAt, 2 * this.#everyMs);
    this.#lookedAt = now;
    const { busy, mark, waits } = this.#look();
    if (!busy || mark !== this.#mark) {
      this.#mark = mark;
      this.#goOn(busy);
      return;
    }
    this.#idleMs += passed;
    if (this.#idleMs < this.#afterMs) return;
    const begins = this.#stuck === undefined;
    this.#stuck = { ...this.#stuck, at: waits().join('; '), forMs: this.#idleMs };
    if (begins) this.#begin(this.#stuck);
  }

  #begin({ at, forMs }: Stuck): void {
    this.#log.warn({ reason: at, forMs }, 'this worker is stuck');
    this.#onChange();
    this.#recordProfile().then(
      ({ path, summary }) => {
        this.#log.warn({ profile: path, summary }, 'recorded a CPU profile of the stuck worker');
        if (this.#stuck === undefined) return;
        this.#stuck = { ...this.#stuck, profile: path };
        this.#onChange();
      },
      (error: unknown) => this.#log.warn({ reason: error }, 'could not record a CPU profile'),
    );
  }

  #goOn(busy: boolean): void {
    const forMs = this.#idleMs;
    this.#idleMs = 0;
    if (this.#stuck === undefined) return;
    this.#stuck = undefined;
    this.#log.info({ forMs }, busy ? 'this worker is no longer stuck' : 'this worker is no longer stuck: it released its work');
    this.#onChange();
  }
}
