import type { Attempt, OutgoingMessage, Withdrawn } from '../../domain/delivery/index.ts';

export const WITHDRAWN: Withdrawn = Object.freeze({ outcome: 'withdrawn' });

/** A message that finds this number of connections dead is deferred and tries no other. */
const MAX_RETURNS = 3;

/** One `submit` until it settles. */
export class PendingDelivery {
  readonly message: OutgoingMessage;
  /** How often the message went back into the queue: a connection died before the body, or the next hop asked for a short pause. */
  returns = 0;
  private handedOver = false;
  private contentGiven = false;
  private readonly resolve: (result: Attempt | Withdrawn) => void;
  private readonly reject: (error: unknown) => void;

  constructor(message: OutgoingMessage, resolve: (result: Attempt | Withdrawn) => void, reject: (error: unknown) => void) {
    this.message = message;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** It may go back into the queue when its connection dies. */
  get mayReturn(): boolean {
    return this.returns < MAX_RETURNS;
  }

  /** A question. False also when the caller's function throws: that ends its `submit`, not the connection of others. */
  mayProceed(): boolean {
    try {
      return this.message.proceed === undefined || this.message.proceed();
    } catch (error) {
      this.reject(error);
      return false;
    }
  }

  /**
   * Tells the caller once, also when the message begins a second time because a connection died under its envelope.
   * @returns false when the caller's function threw
   */
  handOver(): boolean {
    if (this.handedOver) return true;
    this.handedOver = true;
    return this.tell(this.message.onHandOver);
  }

  /** Tells the caller once that the content is about to leave. @returns false when the caller's function threw */
  giveContent(): boolean {
    if (this.contentGiven) return true;
    this.contentGiven = true;
    return this.tell(this.message.onContent);
  }

  /** What was thrown about this message ends its `submit` and no other. */
  fail(error: unknown): void {
    this.reject(error);
  }

  settle(result: Attempt | Withdrawn): void {
    this.resolve(result);
  }

  private tell(listener: (() => void) | undefined): boolean {
    try {
      listener?.();
      return true;
    } catch (error) {
      this.reject(error);
      return false;
    }
  }
}
