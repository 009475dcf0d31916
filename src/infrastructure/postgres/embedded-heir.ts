/** A look costs a file, and a connection only where the supervising process is gone. */
const LOOK_MS = 1_000;

interface Running {
  readonly role: 'supervising' | 'attached';
  stop(): Promise<void>;
}

/**
 * Runs the embedded server on when the process that ran it has ended. It listens where the one before did, so pools find it again by
 * themselves; until then everybody sees a database that is away, for a second or two. Of several heirs one is first, by the start lock.
 */
export class Heir {
  readonly #vacant: () => Promise<boolean>;
  readonly #open: () => Promise<Running>;
  readonly #log: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  #own: Running | undefined;

  constructor(deps: {
    /** Nobody runs the server any more, as far as can be seen. */
    vacant: () => Promise<boolean>;
    /** Attaches or supervises, whichever comes first. */
    open: () => Promise<Running>;
    log: (line: string) => void;
  }) {
    this.#vacant = deps.vacant;
    this.#open = deps.open;
    this.#log = deps.log;
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, LOOK_MS);
    // A host that has nothing else to do may end.
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#own?.stop();
  }

  /** Never rejects: what fails now is tried again at the next look. */
  async #look(): Promise<void> {
    try {
      if (!(await this.#vacant())) return;
      const opened = await this.#open();
      if (opened.role !== 'supervising') return;
      this.#own = opened;
      clearInterval(this.#timer);
      this.#log('The process that ran the embedded database has ended: this one runs it now.');
    } catch (error) {
      this.#log(`The embedded database could not be taken over yet: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
