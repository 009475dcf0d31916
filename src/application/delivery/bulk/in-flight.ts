import type { Turn } from '../../../domain/delivery/index.ts';
import type { Destination } from '../pacing/destinations.ts';
import { REFRESH_MS } from './lane-timing.ts';
import type { LeasedShard } from './leased-shard.ts';
import type { ReadRecipient } from './recipient-reader.ts';
import type { SendingMessage } from './sending-mailing.ts';

/** A message that a transport has and has not answered. */
export interface MessageInFlight {
  readonly held: LeasedShard;
  readonly turn: Turn;
  readonly message: SendingMessage;
  readonly destination: Destination;
  /** When a connection took it, for `Destinations`. */
  started: number | undefined;
  /** When it was known that its recipient may be mailed; monotonic. */
  checkedAt: number;
  /** Its recipient may not be mailed any more. */
  unwanted: boolean;
  /** Its content is being given away: what is learned of its recipient from now on comes too late. */
  given: boolean;
  place: number;
  /** It tries whether a transport that had failed works again. */
  trial: boolean;
}

/**
 * The messages of one process that a transport has. A server may take longer for MAIL, RCPT and DATA than facts about recipients stay
 * fresh; recipients that wait for it are re-read meanwhile, otherwise they could never be mailed (promise D11).
 */
export class InFlight {
  readonly #messages: MessageInFlight[] = [];
  readonly #reading = new Set<LeasedShard>();

  get size(): number {
    return this.#messages.length;
  }

  add(one: MessageInFlight): void {
    one.place = this.#messages.length;
    this.#messages.push(one);
  }

  remove(one: MessageInFlight): void {
    const last = this.#messages.pop();
    if (last === undefined || last === one) return;
    this.#messages[one.place] = last;
    last.place = one.place;
  }

  /** Reads the recipients of old messages again. To be called some times a second. */
  refresh(now: number, onError: (error: unknown) => void): void {
    const old = this.#messages.filter(
      ({ started, given, unwanted, checkedAt }) => started !== undefined && !given && !unwanted && now - checkedAt > REFRESH_MS,
    );
    for (const [held, messages] of Map.groupBy(old, (one) => one.held)) this.#check(held, messages, onError);
  }

  #check(held: LeasedShard, messages: readonly MessageInFlight[], onError: (error: unknown) => void): void {
    if (this.#reading.has(held)) return;
    this.#reading.add(held);
    held.reader.check(messages.map(({ turn }) => turn)).then(
      (recipients) => {
        this.#reading.delete(held);
        for (const [index, recipient] of recipients.entries()) learn(messages[index]!, recipient);
      },
      (error: unknown) => {
        this.#reading.delete(held);
        onError(error);
      },
    );
  }
}

function learn(one: MessageInFlight, { facts, accepted, page }: ReadRecipient): void {
  one.checkedAt = page.checkedAt;
  one.unwanted = accepted || facts === undefined || facts.refusal !== undefined;
}
