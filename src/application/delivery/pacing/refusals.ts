import { type Attempt, concernsTransport, replyKind } from '../../../domain/delivery/index.ts';

/**
 * Detects when a campaign must pause: the next hop cannot be reached, or it refuses the sender and not the recipients
 * (authentication, reputation, content). All other recipients would be rejected for the same reason (promise D6).
 */
export class Refusals {
  readonly #mostTransportErrors: number;
  readonly #mostSenderFaults: number;
  #transportErrors = 0;
  #senderFaults = 0;

  /** @param most failures in a row that pause a campaign */
  constructor(most: { readonly transportErrors: number; readonly senderFaults: number }) {
    this.#mostTransportErrors = most.transportErrors;
    this.#mostSenderFaults = most.senderFaults;
  }

  /** Counts one attempt. @returns the reason to pause, which resets the counters; otherwise undefined */
  count(attempt: Attempt): string | undefined {
    const { fault, outcome, reply } = attempt;
    this.#transportErrors = concernsTransport(fault) ? this.#transportErrors + 1 : 0;
    // Only final refusals count: deferred recipients are tried again. Many refused messages in a row have a common reason: their content.
    if (outcome === 'rejected') this.#senderFaults = fault === 'sender' || fault === 'message' ? this.#senderFaults + 1 : 0;
    else if (outcome === 'submitted') this.#senderFaults = 0;
    if (this.#transportErrors >= this.#mostTransportErrors)
      return this.#pause(`${this.#transportErrors} transport errors in a row, the last: ${replyKind(reply)}`);
    if (this.#senderFaults >= this.#mostSenderFaults)
      return this.#pause(
        `${this.#senderFaults} refusals in a row that concern the sender and not the recipients, the last: ${replyKind(reply)}`,
      );
    return undefined;
  }

  #pause(reason: string): string {
    this.#transportErrors = 0;
    this.#senderFaults = 0;
    return reason;
  }
}
