/** When a deferred message is tried again, and for how long (RFC 5321 section 4.5.4.1 asks for at least 30 minutes and 4-5 days as upper practice). */
export interface RetryPolicy {
  /** Wait after the first deferral, in milliseconds; doubles with every further one. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** After this long since the first attempt a further deferral expires the message. */
  readonly lifetimeMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Greylisting opens after 1 to 5 minutes at most sites, hence 5 minutes first. */
export const BULK_RETRY: RetryPolicy = { firstDelayMs: 5 * MINUTE, maxDelayMs: 4 * HOUR, lifetimeMs: 72 * HOUR };
/** A user waits for this message: try sooner, give up sooner. */
export const TRANSACTIONAL_RETRY: RetryPolicy = { firstDelayMs: 30_000, maxDelayMs: HOUR, lifetimeMs: 24 * HOUR };

/**
 * @param attempts number of attempts made; before the first one the delay is that after it
 * @param jitter 0 to 1; spreads the retries over the second half of the delay, so that a storm does not come back as one
 */
export function nextAttemptAt(policy: RetryPolicy, attempts: number, at: Date, jitter: number): Date {
  const delay = Math.min(policy.firstDelayMs * 2 ** Math.min(Math.max(attempts - 1, 0), 30), policy.maxDelayMs);
  return new Date(at.getTime() + delay * (0.5 + jitter / 2));
}
