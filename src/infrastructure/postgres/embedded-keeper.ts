import type { Log } from '../../application/log.ts';
import { DatabaseUnavailable, NoSpace } from './errors.ts';

/** The embedded server as one process has it. */
export type Running =
  | { readonly role: 'attached' }
  | {
      readonly role: 'supervising';
      /** Resolves with the reason when the server ends, also when it was stopped. */
      readonly ended: Promise<string>;
      stop(): Promise<void>;
    };

export interface Pace {
  /** Milliseconds before the first and, doubled each time, at most before a later attempt. */
  readonly first: number;
  readonly longest: number;
  /** A server that has run for this time is no longer counted as failing. */
  readonly steady: number;
  /** A server that fails for this time is given up. */
  readonly patience: number;
  /** Milliseconds between two checks by a process that inherits. A check reads a file, and connects only when the supervisor is gone. */
  readonly look: number;
}

const PACE: Pace = { first: 100, longest: 10_000, steady: 30_000, patience: 120_000, look: 1_000 };

export interface KeeperDeps {
  readonly first: Running;
  /** Attaches or supervises, whichever comes first. */
  readonly open: () => Promise<Running>;
  /** True when no process seems to run the server any more. */
  readonly vacant: () => Promise<boolean>;
  /** Starts the server again when the process that supervised it has ended. */
  readonly inherits: boolean;
  readonly log: Log;
  /** Called after each end, before the server is started again. */
  readonly onEnd: (reason: string) => Promise<void>;
  /** Called when the server could not be restarted for two minutes. There are no more attempts. */
  readonly onLost: (error: Error) => void;
  readonly pace?: Pace | undefined;
}

/**
 * Keeps the embedded server running. A server that this process supervises is started again when it ends; one whose supervising
 * process has ended is taken over by the first process that inherits and gets the start lock. The new server listens in the same place,
 * so pools reconnect by themselves; until then the database is unavailable to all processes.
 */
export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #pace: Pace;
  #running: Running | undefined;
  #startedAt = 0;
  #failingSince: number | undefined;
  #delay = 0;
  #trouble: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#pace = deps.pace ?? PACE;
    this.#adopt(deps.first);
  }

  /** Why the server is away, while this process starts it again. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#trying;
    if (this.#running?.role === 'supervising') await this.#running.stop();
  }

  #adopt(running: Running): void {
    this.#running = running;
    this.#startedAt = performance.now();
    this.#trouble = undefined;
    if (running.role === 'supervising') void running.ended.then((reason) => this.#ended(reason));
    else if (this.#deps.inherits) this.#lookLater();
  }

  #ended(reason: string): void {
    if (this.#stopped) return;
    this.#running = undefined;
    this.#begin(reason);
    this.#deps.log.error({ reason }, 'The embedded PostgreSQL ended by itself and is being restarted.');
    this.#trying = this.#deps.onEnd(reason).then(() => this.#tryLater());
  }

  /** A server that ends again soon has not recovered: its time of failing and its delay go on. */
  #begin(reason: string): void {
    const now = performance.now();
    if (this.#failingSince === undefined || now - this.#startedAt >= this.#pace.steady) {
      this.#failingSince = now;
      this.#delay = this.#pace.first;
    }
    this.#trouble = reason;
  }

  #tryLater(): void {
    if (this.#stopped) return;
    const failing = performance.now() - (this.#failingSince ?? 0);
    const left = this.#pace.patience - failing;
    if (left <= 0) {
      this.#stopped = true;
      const seconds = Math.round(failing / 1_000);
      this.#deps.onLost(
        new DatabaseUnavailable(
          `the embedded PostgreSQL has failed for ${seconds} s: ${this.#trouble}. It is not restarted any more.`,
        ),
      );
      return;
    }
    this.#timer = setTimeout(
      () => {
        this.#trying = this.#try();
      },
      Math.min(this.#delay, left),
    );
    this.#delay = Math.min(this.#delay * 2, this.#pace.longest);
  }

  /** Never rejects. */
  async #try(): Promise<void> {
    try {
      const opened = await this.#deps.open();
      const heir = this.#running?.role === 'attached' && opened.role === 'supervising';
      this.#adopt(opened);
      this.#deps.log.info(
        {},
        heir
          ? 'The process that ran the embedded database has ended. This process runs it now.'
          : 'The embedded PostgreSQL runs again.',
      );
    } catch (error) {
      // Told to clients of the API, so it names no path.
      this.#trouble = error instanceof NoSpace ? 'no space is left on its disk' : 'it could not be started, as the log explains';
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.log.error({ reason }, 'The embedded PostgreSQL could not be started again yet.');
      this.#tryLater();
    }
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#trying = this.#look();
    }, this.#pace.look);
    // A host that has nothing else to do may end.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const vacant = await this.#deps.vacant().catch(() => false);
    if (this.#stopped) return;
    if (!vacant) return this.#lookLater();
    this.#begin('the process that ran it has ended');
    await this.#try();
  }
}
