import type { Attempt, Transport } from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import { DelayedRecipients } from '../pacing/delayed-recipients.ts';
import { Destinations } from '../pacing/destinations.ts';
import { Pace } from '../pacing/pace.ts';
import { Refusals } from '../pacing/refusals.ts';
import { Tally } from '../status/tally.ts';
import { InFlight } from './in-flight.ts';
import type { SendingMailing } from './sending-mailing.ts';

/** The limits of one transport. */
export interface LineLimits {
  /** Default: no limit beyond the transport's. */
  readonly messagesPerSecond?: number | undefined;
  /** A campaign pauses itself after this many transport errors without a single answer between them. Default 500. */
  readonly pauseAfterTransportErrors?: number | undefined;
  /** Final refusals in a row that concern the sender after which a campaign pauses. Default 100. */
  readonly pauseAfterSenderFaults?: number | undefined;
}

/** Whether messages may take a transport, as far as its health goes. */
export interface LineBreaker {
  readonly closed: boolean;
  /** Closed, or this worker may try one message. */
  readonly usable: boolean;
  /** @returns true when the message that is handed over now is the trial */
  takeTrial(): boolean;
  /** @param attempt undefined when the message was not handed over */
  report(attempt: Attempt | undefined, trial: boolean): void;
}

const ALWAYS_CLOSED: LineBreaker = { closed: true, usable: true, takeTrial: () => false, report: () => undefined };

/** One way out of the lane: a transport, what is on it, and what this process knows of the receiving domains behind it. */
export class Line {
  /** As outcomes name it. */
  readonly name: string;
  readonly transport: Transport;
  readonly destinations: Destinations;
  readonly delayed: DelayedRecipients;
  readonly inFlight: InFlight;
  readonly pace: Pace;
  readonly breaker: LineBreaker;
  readonly refusals: Refusals;
  readonly tally: Tally;
  /** Domains whose recipients stood in front of a shard and could neither be handed over nor be delayed, in this look. */
  readonly inTheWay = new Set<string>();
  /** Its transport was replaced or is gone: messages on the wire are finished, and the others take other lines. */
  leaving = false;
  /** When a recipient was handed over for whose domain none is delayed; monotonic. */
  othersAt = Number.NEGATIVE_INFINITY;
  /**
   * @param deps.now monotonic milliseconds
   * @param deps.window `maxUnrecorded` of the lane: its delayed recipients take a quarter of it, the others need the rest
   */
  constructor(deps: {
    transport: Transport;
    now: number;
    log: Log;
    window: number;
    limits: LineLimits;
    /** Default: the name of the transport. */
    name?: string | undefined;
    /** Default: one of its own, by the limits. */
    pace?: Pace | undefined;
    /** Default: messages always may. */
    breaker?: LineBreaker | undefined;
  }) {
    const { transport, now, limits } = deps;
    this.transport = transport;
    this.name = deps.name ?? transport.name;
    this.breaker = deps.breaker ?? ALWAYS_CLOSED;
    this.destinations = new Destinations(transport.slots, now);
    this.delayed = new DelayedRecipients(Math.floor(deps.window / 4));
    this.inFlight = new InFlight();
    this.pace = deps.pace ?? new Pace(limits.messagesPerSecond);
    this.refusals = new Refusals({
      transportErrors: limits.pauseAfterTransportErrors ?? 500,
      senderFaults: limits.pauseAfterSenderFaults ?? 100,
    });
    this.tally = new Tally(now, deps.log);
  }

  /** Those that can be on the way, and about two per connection that are composed and wait. */
  get #room(): number {
    const { slots, depth } = this.transport;
    return Math.max(slots * (depth + 2), 4);
  }

  /** It has as many messages as it can use. */
  get full(): boolean {
    return this.inFlight.size >= this.#room;
  }

  /** Delayed recipients come before the others, so they may make the queue longer, up to this. */
  get overfull(): boolean {
    return this.inFlight.size >= 2 * this.#room;
  }

  /** No message may begin here but a trial. */
  get shut(): boolean {
    return this.leaving || !this.breaker.closed;
  }

  /** Whether its rates and its health allow one more message. */
  ready(now: number): boolean {
    return !this.leaving && this.breaker.usable && this.pace.ready(now) && this.destinations.stream.ready(now);
  }

  /** Domains whose recipients wait. */
  waitingDomains(): ReadonlySet<string> {
    const domains = new Set(this.inTheWay);
    for (const { domain } of this.delayed.destinations()) domains.add(domain);
    return domains;
  }

  /** What its recipients wait for, in words. */
  waits(): readonly string[] {
    const delayed = this.delayed.destinations().map(({ delayed, domain }) => `${delayed} recipients wait for ${domain}`);
    return [...this.transport.waits(), ...delayed];
  }
}

/** The lines of a lane, and which one a message takes. They come and go while the lane works. */
export interface Lines {
  /** Those that messages take, and those that still have some. */
  readonly all: readonly Line[];
  /** Undefined: none of those that the message may take is usable now. @param except another than the line of this name */
  of(mailing: SendingMailing, address: string, except?: string): Line | undefined;
  /** Why messages of this project cannot leave at all now. `lasting`: for so long that its campaigns are paused. */
  blocked(projectId: Id): { readonly reason: string; readonly lasting: boolean } | undefined;
  /** Divides the limits among so many workers. */
  share(workers: number, now: number): void;
  /** Messages submitted by lines that are gone. */
  readonly submittedBefore: number;
  /** Lets go of lines that are leaving and have nothing more to finish. To be called some times a second. */
  tend(): void;
}
