/**
 * Where the application says what people who run it should know. Addresses and secrets never go in. An error is the fact `reason`, as
 * it was thrown: the log makes words of it.
 */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
