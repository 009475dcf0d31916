import { DomainError } from '../../domain/shared/errors.ts';

/** The error of a command that was interrupted. */
export class Interrupted extends DomainError {
  readonly code = 'command.interrupted';
  readonly kind = 'unavailable';
  constructor() {
    super('The command was interrupted before it finished.');
  }
}

/** Yields what the source yields, and ends with the signal even while it waits for the source. @throws Interrupted */
export async function* interruptible<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  // Raced below; between two races there is no listener.
  interrupted.catch(() => undefined);
  const interrupt = (): void => reject(new Interrupted());
  signal.addEventListener('abort', interrupt);
  try {
    if (signal.aborted) interrupt();
    for (;;) {
      const { done, value } = await Promise.race([items.next(), interrupted]);
      if (done === true) return;
      yield value;
    }
  } finally {
    signal.removeEventListener('abort', interrupt);
    // An interrupted source may answer late or never; the process ends without it.
    if (!signal.aborted) await items.return?.();
  }
}

/** Why a process is asked to end; SIGHUP: its terminal was closed; EPIPE: the reader of its output has gone. */
export type InterruptReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'EPIPE';

const STATUS: Readonly<Record<InterruptReason, number>> = { SIGHUP: 129, SIGINT: 130, EPIPE: 141, SIGTERM: 143 };

/**
 * How long an orderly end may take: 30 s for messages that are being sent, 25 s for the database to take the last outcomes, and some for
 * the rest. A parent waits for its worker processes. A service manager kills after 90 s.
 */
const DEADLINE_MS = { worker: 60_000, parent: 75_000 };

/** Signals within these milliseconds count as one: a service manager signals every process, and a launcher passes it on too. */
const ONE_WISH_MS = 1_000;

/**
 * Turns signals into an orderly end. A command that holds something (a campaign being sent, an open server) says so with
 * `heed`: the first signal then only aborts `signal`, and the command finishes what is under way. Without one, or at the second
 * signal, the process ends at once with 128 + the signal's number, as shells expect.
 */
export class Interruption {
  private readonly controller = new AbortController();
  private readonly exit: (status: number) => void;
  private heeded = false;
  private supervised = false;
  private fate = '';
  private readonly lastWords: (() => void)[] = [];
  private first: InterruptReason | undefined;
  private firstAt = 0;
  private readonly now: () => number;

  /** @param now milliseconds that only grow */
  constructor(exit: (status: number) => void, now: () => number = () => performance.now()) {
    this.exit = exit;
    this.now = now;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** How the shell is told that the command was interrupted; undefined when it was not. */
  get status(): number | undefined {
    return this.first === undefined ? undefined : STATUS[this.first];
  }

  /** The state of the command's work, as text to display; empty when the command prints it itself. */
  get outcome(): string {
    return this.fate;
  }

  /**
   * From now on the command ends by itself once `signal` is aborted.
   * @param outcome what will have become of its work when it ends by an error then
   */
  heed(outcome = ''): AbortSignal {
    this.heeded = true;
    this.fate = outcome;
    return this.signal;
  }

  /** Called when the process ends before its work is finished, because its deadline has passed or its parent has gone. */
  beforeBreakingOff(say: () => void): void {
    this.lastWords.push(say);
  }

  /**
   * A parent watches over this process. The same signal may then arrive twice, from the parent and from the manager of both (a
   * service manager signals every process), so that a second signal is not impatience; that is for the parent to have.
   */
  obeyParent(): void {
    this.supervised = true;
  }

  get underParent(): boolean {
    return this.supervised;
  }

  /** The parent has gone: drain, and when that was asked before, end at once. */
  parentGone(): void {
    if (this.first === undefined) this.receive('SIGTERM');
    else this.breakOff(STATUS[this.first]);
  }

  /** Ends the process now, for a reason of its own. */
  end(status: number): void {
    this.exit(status);
  }

  receive(reason: InterruptReason): void {
    if (this.first !== undefined && (this.supervised || !this.impatient(reason))) return;
    if (!this.heeded || this.first !== undefined) this.exit(STATUS[reason]);
    this.first = reason;
    this.firstAt = this.now();
    setTimeout(() => this.breakOff(STATUS[reason]), this.supervised ? DEADLINE_MS.worker : DEADLINE_MS.parent).unref();
    this.controller.abort();
  }

  private breakOff(status: number): void {
    for (const say of this.lastWords) say();
    this.exit(status);
  }

  /** Whether another signal means: at once. A closed terminal and a reader that has gone are no wish of anyone's. */
  private impatient(reason: InterruptReason): boolean {
    if (reason === 'SIGTERM') return this.first !== 'SIGTERM' || this.now() - this.firstAt >= ONE_WISH_MS;
    return reason === 'SIGINT';
  }

  /** Resolves at the first signal. */
  async wait(): Promise<void> {
    const { signal } = this;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}
