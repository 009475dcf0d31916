/** Where the application says what people who run it should know. Addresses and secrets never go in. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}
