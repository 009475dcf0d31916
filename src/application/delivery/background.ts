/** Work that goes on beside the pump of a lane: it never overlaps itself, never ends the process, and can be waited for. */
export class Background {
  readonly #onError: (error: unknown) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #underway = new Set<Promise<unknown>>();

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Starts `work` again and again, until `end` or `endTimers`. */
  every(milliseconds: number, work: () => Promise<void>): { end(): void } {
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      void this.guard(work).finally(() => {
        busy = false;
      });
    }, milliseconds);
    this.#timers.add(timer);
    return {
      end: () => {
        clearInterval(timer);
        this.#timers.delete(timer);
      },
    };
  }

  endTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Never rejects. */
  guard(work: () => Promise<void>): Promise<void> {
    return this.follow(work().catch(this.#onError));
  }

  /** `settled` waits for this as well. */
  follow<T>(work: Promise<T>): Promise<T> {
    this.#underway.add(work);
    const ended = (): void => void this.#underway.delete(work);
    work.then(ended, ended);
    return work;
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#underway);
  }
}

/** Waits for `work`, but not for longer. @returns whether it was done by then */
export async function within(milliseconds: number, work: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
