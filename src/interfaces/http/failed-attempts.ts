import { createHash } from 'node:crypto';
import { HttpProblem } from './problem.ts';
import { RateLimiter } from './rate-limit.ts';

/** Failed attempts that one network may make: a burst, and then one every few seconds. */
const AT_ONCE = 30;
const SECONDS_PER_ATTEMPT = 2;
/** Keys that were valid lately, by hash: those of active clients only. */
const REMEMBERED = 10_000;

/**
 * Limits how often a network (/24, /48) may try keys that do not open, and with it what guessing costs the database. Keys that
 * opened before are let through: behind a proxy, a stranger's guesses and the clients at work come from one address.
 */
export class FailedAttempts {
  readonly #limiter: RateLimiter;
  readonly #opened = new Set<string>();

  /** @param monotonic milliseconds that only grow */
  constructor(monotonic: () => number) {
    // The bucket counts in whole attempts a second: its clock goes slower by as much.
    this.#limiter = new RateLimiter(() => monotonic() / (AT_ONCE * SECONDS_PER_ATTEMPT));
  }

  /** Runs `authenticate` unless the network has failed too often. @throws HttpProblem 429 */
  async attempt<T>(network: string, secret: string, authenticate: (secret: string) => Promise<T>): Promise<T> {
    const mark = createHash('sha256').update(secret).digest('base64');
    if (!this.#opened.has(mark) && !this.#limiter.peek(network, AT_ONCE)) throw tooMany();
    try {
      const caller = await authenticate(secret);
      this.#remember(mark);
      return caller;
    } catch (error) {
      if (isRefusal(error)) {
        this.#opened.delete(mark);
        this.#limiter.take(network, AT_ONCE);
      }
      throw error;
    }
  }

  #remember(mark: string): void {
    this.#opened.delete(mark);
    this.#opened.add(mark);
    const [oldest] = this.#opened;
    if (this.#opened.size > REMEMBERED && oldest !== undefined) this.#opened.delete(oldest);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'unauthenticated';
}

function tooMany(): HttpProblem {
  const seconds = SECONDS_PER_ATTEMPT;
  return new HttpProblem(
    429,
    'request.too_many_failures',
    `Too many requests with invalid keys came from this network. Check the key, and try again in ${seconds} s.`,
    { headers: { 'retry-after': String(seconds) } },
  );
}
