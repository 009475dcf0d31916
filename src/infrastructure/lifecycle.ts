/**
 * What was opened is closed in the reverse order, one after the other: the HTTP server before the workers, the workers
 * before the pools, the pools before the database. Containers that close everything at once close the database first.
 */
export class Lifecycle {
  private readonly open: { readonly name: string; readonly close: () => void | Promise<void> }[] = [];
  private closing: Promise<void> | undefined;

  /**
   * Remembers how to close what was just opened. `name` is what a failure is reported by.
   * @throws Error when closing has begun already: what is opened then would stay open.
   */
  register(name: string, close: () => void | Promise<void>): void {
    if (this.closing !== undefined) throw new Error(`${name} was opened during shutdown.`);
    this.open.push({ name, close });
  }

  /**
   * Closes everything, last opened first; one that fails does not keep the others open. Called again, it waits for the same end.
   * @throws AggregateError with one error for each that failed, named
   */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    const failures: Error[] = [];
    for (let last = this.open.pop(); last !== undefined; last = this.open.pop()) {
      try {
        await last.close();
      } catch (error) {
        failures.push(
          new Error(`${last.name} did not close: ${error instanceof Error ? error.message : String(error)}`, { cause: error }),
        );
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '));
  }
}
