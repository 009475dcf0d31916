/** A holder stops writing to sockets this long before its lease ends by its own clock. */
export const LEASE_MARGIN_MS = 2_000;
/** Composed or waiting this long at most before MAIL; see FRESH_MS. */
export const WAIT_MS = 1_500;
/** How long a stopping process waits for answers to what is on the wire (promise D9). */
export const DRAIN_MS = 30_000;
/** How long it then waits for the database to take its last outcomes and its shards. */
export const HAND_BACK_MS = 25_000;
export const TICK_MS = 250;
export const RENEW_MS = 3_000;
export const CONTROL_MS = 500;
export const SETTLE_MS = 2_000;
export const RATE_MS = 1_000;
/** Most shards at once with recipients that were not handed over yet. */
export const MOST_SHARDS = 8;
/** With that many in hand, how often a shard is given back for one of a mailing that has none here. */
export const TAKE_TURNS_MS = 2_000;
/** As many, with those that only wait for a few answers. */
export const MOST_HELD = 32;
/** Recipients that wait for a slow server are re-read after this many milliseconds; see FRESH_MS. */
export const REFRESH_MS = 1_000;
/** How often waiting recipients are checked. */
export const SWEEP_MS = 200;
/** Time that they wait while others are served, before they are left to a later run. */
export const DELAY_MS = 5_000;
/** While all domains answer slowly, recipients are held back for others only after this time without a turn of the others. */
export const UNSEEN_MS = 30_000;
/** How many of them are read again at once. */
export const READ_AGAIN = 50;
