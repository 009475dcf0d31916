import {
  type Attempt,
  type BreakerFailure,
  closed,
  FailureCount,
  failureOf,
  onTrial,
  opened,
  type TransportHealth,
  trialDue,
} from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';

export interface SharedBreakerDeps {
  /** Slug, for the log. */
  readonly transport: string;
  readonly health: TransportHealth;
  /** False when another worker has changed it since. */
  readonly save: (health: TransportHealth) => Promise<boolean>;
  /** It opened, closed, or may try one message. */
  readonly onChange: () => void;
  readonly workerId: Id;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** The breaker of one transport as this process knows it; all workers share its state in the database. */
export class SharedBreaker {
  readonly #deps: SharedBreakerDeps;
  readonly #count = new FailureCount();
  #health: TransportHealth;
  /** This worker has the trial, and no message has taken it yet. */
  #permit = false;
  /** A message would have taken this transport since the last look. */
  #wanted = false;
  #saving = 0;

  constructor(deps: SharedBreakerDeps) {
    this.#deps = deps;
    this.#health = deps.health;
  }

  get health(): TransportHealth {
    return this.#health;
  }

  get closed(): boolean {
    return this.#health.state === 'closed';
  }

  /** Whether a message may take the transport now. */
  get usable(): boolean {
    return this.closed || this.#permit;
  }

  /** A message would take the transport: there is one for the trial. */
  want(): void {
    this.#wanted = true;
  }

  /** @returns true when the message that takes the transport now is its trial */
  takeTrial(): boolean {
    if (this.closed || !this.#permit) return false;
    this.#permit = false;
    return true;
  }

  /** @param attempt undefined when the message was not handed over */
  report(attempt: Attempt | undefined, trial: boolean): void {
    if (attempt === undefined) {
      if (trial && this.#mine) this.#permit = true;
      return;
    }
    if (!trial) {
      const failure = this.#count.count(attempt);
      if (failure !== undefined && this.closed) this.#open(failure);
      return;
    }
    if (!this.#mine) return;
    const failure = failureOf(attempt);
    if (failure !== undefined) this.#open(failure);
    else void this.#change(closed(this.#health, this.#deps.clock.now()));
  }

  /** The transport cannot be opened at all. */
  fail(failure: BreakerFailure): void {
    if (this.#health.state !== 'open') this.#open(failure);
  }

  /** What the database says, unless a change of this process is on its way there. */
  learn(health: TransportHealth): void {
    if (this.#saving > 0) return;
    const before = this.#health.state;
    this.#health = health;
    if (!this.#mine) this.#permit = false;
    if (before !== health.state) this.#changed(before);
  }

  /** Takes the trial when it is due and a message waits for it. To be called about every second. */
  async tend(): Promise<void> {
    if (!this.#wanted || !trialDue(this.#health, this.#deps.clock.now())) return;
    this.#wanted = false;
    this.#permit = false;
    await this.tryOne();
  }

  /** @returns whether this worker has the trial now */
  async tryOne(): Promise<boolean> {
    const now = this.#deps.clock.now();
    if (!trialDue(this.#health, now) || !(await this.#change(onTrial(this.#health, this.#deps.workerId, now)))) return false;
    this.#permit = true;
    this.#deps.onChange();
    return true;
  }

  get #mine(): boolean {
    return this.#health.state === 'half_open' && this.#health.trialBy === this.#deps.workerId;
  }

  #open(failure: BreakerFailure): void {
    const { clock, random } = this.#deps;
    void this.#change(opened(this.#health, failure, clock.now(), random()));
  }

  /** Holds here at once, and for the others when it is stored. */
  async #change(next: TransportHealth): Promise<boolean> {
    const before = this.#health;
    this.#health = next;
    this.#saving += 1;
    this.#changed(before.state);
    try {
      const saved = await this.#deps.save(next);
      if (!saved && this.#health === next) this.#health = before;
      return saved;
    } catch (error) {
      // Until the database is back this worker goes by what it has seen; the others see it for themselves.
      this.#deps.log.warn({ transport: this.#deps.transport, reason: error }, 'the health of a transport could not be stored');
      return false;
    } finally {
      this.#saving -= 1;
    }
  }

  #changed(before: TransportHealth['state']): void {
    const { state, cause, reason, nextTrialAt } = this.#health;
    const { log, transport } = this.#deps;
    if (state === 'open') {
      this.#permit = false;
      log.warn({ transport, cause, reason, nextTrialAt }, 'a transport fails: other routes take its messages');
    } else if (state === 'closed' && before !== 'closed') log.info({ transport }, 'a transport works again');
    this.#deps.onChange();
  }
}
