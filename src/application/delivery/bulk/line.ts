import type { Transport } from '../../../domain/delivery/index.ts';
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

/** One way out of the lane: a transport, what is on it, and what this process knows of the receiving domains behind it. */
export class Line {
  readonly transport: Transport;
  readonly destinations: Destinations;
  readonly delayed: DelayedRecipients;
  readonly inFlight: InFlight;
  readonly pace: Pace;
  readonly refusals: Refusals;
  readonly tally: Tally;
  /** Domains whose recipients stood in front of a shard and could neither be handed over nor be delayed, in this look. */
  readonly inTheWay = new Set<string>();
  /** When a recipient was handed over for whose domain none is delayed; monotonic. */
  othersAt = Number.NEGATIVE_INFINITY;
  /**
   * @param deps.now monotonic milliseconds
   * @param deps.window `maxUnrecorded` of the lane: its delayed recipients take a quarter of it, the others need the rest
   */
  constructor(deps: { transport: Transport; now: number; log: Log; window: number; limits: LineLimits }) {
    const { transport, now, limits } = deps;
    this.transport = transport;
    this.destinations = new Destinations(transport.slots, now);
    this.delayed = new DelayedRecipients(Math.floor(deps.window / 4));
    this.inFlight = new InFlight();
    this.pace = new Pace(limits.messagesPerSecond);
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

  /** Whether its rates allow one more message. */
  ready(now: number): boolean {
    return this.pace.ready(now) && this.destinations.stream.ready(now);
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

/** Decides on which line a message leaves. */
export type Route = (mailing: SendingMailing, address: string) => Line;
