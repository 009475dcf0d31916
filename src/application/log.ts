/**
 * The log of the application, for its operators. It never contains addresses or secrets. An error is the fact `reason`, as
 * it was thrown: the log makes words of it.
 */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
