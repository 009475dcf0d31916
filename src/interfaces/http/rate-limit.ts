/** What one request was told about its key's budget. */
export interface RateLimitVerdict {
  readonly allowed: boolean;
  /** Requests per second; also how many may come at once after a pause. */
  readonly limit: number;
  /** Whole requests that may still come right now. */
  readonly remaining: number;
  /** Until one more may come when `remaining` is 0, otherwise until the budget is full again. */
  readonly resetSeconds: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Buckets that are full again say nothing; they are swept when there are more than this. */
const SWEEP_ABOVE = 10_000;

/**
 * A token bucket per key: `limit` requests a second on average, and as many at once after a second of rest. It lives in
 * this process: n processes behind one address let n times as much through.
 */
export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();
  private readonly monotonic: () => number;

  /** @param monotonic milliseconds that only grow */
  constructor(monotonic: () => number) {
    this.monotonic = monotonic;
  }

  /** Whether `take` would allow it now. */
  peek(key: string, limit: number): boolean {
    return this.filled(key, limit, this.monotonic()).tokens >= 1;
  }

  take(key: string, limit: number): RateLimitVerdict {
    const now = this.monotonic();
    const bucket = this.filled(key, limit, now);
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    this.buckets.set(key, bucket);
    if (this.buckets.size > SWEEP_ABOVE) this.sweep(now);
    const missing = bucket.tokens >= 1 ? limit - bucket.tokens : 1 - bucket.tokens;
    return { allowed, limit, remaining: Math.floor(bucket.tokens), resetSeconds: Math.max(1, Math.ceil(missing / limit)) };
  }

  private filled(key: string, limit: number, now: number): Bucket {
    const bucket = this.buckets.get(key) ?? { tokens: limit, at: now };
    return { tokens: Math.min(limit, bucket.tokens + ((now - bucket.at) / 1000) * limit), at: now };
  }

  private sweep(now: number): void {
    for (const [key, bucket] of this.buckets) if (now - bucket.at >= 1000) this.buckets.delete(key);
  }
}

/** The headers of draft-ietf-httpapi-ratelimit-headers-10; sent with every answer to a known key. */
export function rateLimitHeaders(verdict: RateLimitVerdict): Readonly<Record<string, string>> {
  return {
    'ratelimit-policy': `"key";q=${verdict.limit};w=1`,
    ratelimit: `"key";r=${verdict.remaining};t=${verdict.resetSeconds}`,
  };
}
