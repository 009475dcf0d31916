import { DomainError } from '../../domain/shared/errors.ts';

/** A verb was called, or a request came, after `stop()`. */
export class InstanceStopped extends DomainError {
  readonly code = 'instance.stopped';
  readonly kind = 'unavailable';
  constructor() {
    super('This instance of pennypost was stopped. Create a new one with createPennypost().');
  }
}

type Verb = (...args: unknown[]) => unknown;

const isVerb = (value: unknown): value is Verb => typeof value === 'function';

/** As long as an import may still take once everything else has stopped. */
const PATIENCE_MS = 30_000;

/**
 * Stands before the verbs, so that none uses the database once it is being closed: the mapper would silently open it again, and a
 * connection that is not closed keeps the host's process alive.
 */
export class VerbGate {
  readonly #running = new Set<PromiseLike<unknown>>();
  #closed = false;

  /** The same verbs, nested as they are. */
  guard<Verbs extends object>(verbs: Verbs): Verbs {
    const guarded = Object.entries<unknown>(verbs as Readonly<Record<string, unknown>>).map(([name, value]) => {
      if (typeof value === 'object' && value !== null) return [name, this.guard(value)];
      return [name, isVerb(value) ? (...args: unknown[]) => this.#call(value, args) : value];
    });
    return Object.freeze(Object.fromEntries(guarded)) as Verbs;
  }

  /** Lets nothing more in and waits for what is inside, 30 seconds at most. */
  async close(): Promise<void> {
    this.#closed = true;
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, PATIENCE_MS);
    await Promise.race([Promise.allSettled(this.#running), patience]);
    clearTimeout(timer);
  }

  #call(verb: Verb, args: unknown[]): unknown {
    if (!this.#closed) return this.#watched(verb(...args));
    if (Object.prototype.toString.call(verb) === '[object AsyncGeneratorFunction]') throw new InstanceStopped();
    return Promise.reject(new InstanceStopped());
  }

  #watched(result: unknown): unknown {
    if (!(result instanceof Promise)) return result;
    this.#running.add(result);
    const ended = (): void => void this.#running.delete(result);
    result.then(ended, ended);
    return result;
  }
}
