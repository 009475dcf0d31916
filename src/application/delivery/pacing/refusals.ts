import { type Attempt, replyKind } from '../../../domain/delivery/index.ts';

/**
 * Notices when there is no point in going on: the next hop cannot be reached, or it refuses us and not the recipients
 * (authentication, reputation, content), which would end the rest of the audience as rejected too (promise D6).
 */
export class Refusals {
  readonly #mostTransportErrors: number;
  readonly #mostSenderFaults: number;
  #transportErrors = 0;
  #senderFaults = 0;

  /** How many in a row are borne. */
  constructor(most: { readonly transportErrors: number; readonly senderFaults: number }) {
    this.#mostTransportErrors = most.transportErrors;
    this.#mostSenderFaults = most.senderFaults;
  }

  /** Counts one more attempt. @returns why to pause; counting begins anew with that */
  count(attempt: Attempt): string | undefined {
    const { fault, outcome, reply } = attempt;
    this.#transportErrors = fault === 'transport' ? this.#transportErrors + 1 : 0;
    // Only final refusals: what is deferred can still be sent when the cause is gone.
    if (outcome === 'rejected') this.#senderFaults = fault === 'sender' ? this.#senderFaults + 1 : 0;
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
