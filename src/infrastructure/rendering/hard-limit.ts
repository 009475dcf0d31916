import vm from 'node:vm';

/**
 * Runs work that may never end and stops it from outside: V8 terminates the execution, loops, sorts and regular expressions
 * included, and no `catch` in between can hold it. A call costs a watchdog thread (about 0.1 ms), so only what can run away
 * goes through here. Not re-entrant.
 */
export class HardLimit {
  readonly milliseconds: number;
  private readonly script = new vm.Script('work()', { filename: 'template' });
  private realm: { work: () => void } | undefined;

  constructor(milliseconds: number) {
    this.milliseconds = milliseconds;
  }

  /** @throws OutOfTime when the work was stopped; whatever the work throws itself. */
  run<T>(work: () => T): T {
    const realm = this.realm ?? { work: () => undefined };
    if (this.realm === undefined) {
      vm.createContext(realm);
      this.realm = realm;
    }
    let result: { value: T } | undefined;
    realm.work = () => {
      result = { value: work() };
    };
    try {
      this.script.runInContext(realm, { timeout: this.milliseconds });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
        throw new OutOfTime(this.milliseconds);
      }
      throw error;
    } finally {
      realm.work = () => undefined;
    }
    if (result === undefined) throw new OutOfTime(this.milliseconds);
    return result.value;
  }
}

export class OutOfTime extends Error {
  constructor(milliseconds: number) {
    super(`stopped after ${milliseconds} ms`);
  }
}
