/** A holder stops writing to sockets this long before its lease ends by its own clock. */
export const LEASE_MARGIN_MS = 2_000;
/** Composed or waiting this long at most before MAIL; see FRESH_MS. */
export const WAIT_MS = 1_500;
/** How long a stopping process waits for answers to what is on the wire (promise D9). */
export const DRAIN_MS = 30_000;
export const TICK_MS = 250;
export const RENEW_MS = 3_000;
export const CONTROL_MS = 500;
export const SETTLE_MS = 2_000;
export const RATE_MS = 1_000;
export const MOST_SHARDS = 8;
