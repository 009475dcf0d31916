/** Where the time comes from; a port, so that tests hold the clock. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow; for leases and ages, never for dates. */
  monotonic(): number;
}
