/** Where the time comes from; a port, so that tests hold the clock. In a running instance dates are those of the database's clock. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow; for leases and ages, never for dates. */
  monotonic(): number;
}
