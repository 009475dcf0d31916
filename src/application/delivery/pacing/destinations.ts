import { type Attempt, concernsTransport } from '../../../domain/delivery/index.ts';
import { Slowing } from './slowing.ts';

/** Time is counted in rounds. An answer in the round of its message or the next one, so within about a second, is quick. */
const ROUND_MS = 750;
/** A slow domain gets more than its part only when other domains have had nothing to send for this time. */
const IDLE_MS = 1_000;
/** Part of the connections that a domain gets before its speed is known. */
const FIRST_PART = 0.05;
/** Quick answers of other domains, in this round and the last, from which on a slow domain must not delay them. */
const BUSY_ANSWERS = 4;
/** Quick answers in about the last second from which on a domain counts as quick. */
const PROVEN = 4;
/** Number of answers over which `#quickness` is averaged. Only the first answer of a domain in a round counts. */
const MEMORY = 32;
/** Beyond this number, domains are forgotten that have no messages on the way and are neither quick nor slowed. */
const MOST_KNOWN = 4_096;
/** Ten minutes: a slowed domain is remembered for this time after its last message. */
const REMEMBERED_ROUNDS = 800;
/** The total rate is slowed later than single domains, so that the domains that cause refusals are slowed first. */
const DOMAIN_EVIDENCE = { answers: 20, milliseconds: 250 } as const;
const STREAM_EVIDENCE = { answers: 30, milliseconds: 1_000 } as const;

/** One receiving domain, as this process knows it. Changed by `Destinations` only, except `delayed`. */
export interface Destination {
  readonly domain: string;
  /** Messages that wait for a connection. */
  waiting: number;
  /** Messages that a connection has taken in this round, in the one before, and earlier. */
  fresh: number;
  recent: number;
  stuck: number;
  /** Quick answers of this round and of the one before. They raise the limit of messages on the way. */
  quick: number;
  quickBefore: number;
  /** Its last answer was not quick. */
  late: boolean;
  /** The round that these numbers are about. */
  round: number;
  /** The last round in which an answer of this domain counted for `#quickness`. */
  voted: number;
  /** Undefined while the domain refuses nothing because of the sender. */
  slowing: Slowing | undefined;
  /** Recipients set aside until the domain may have more messages on the way. */
  delayed: number;
}

/** Messages on the way to this domain. */
export const onWayTo = ({ waiting, fresh, recent, stuck }: Destination): number => waiting + fresh + recent + stuck;

const quickOf = ({ quick, quickBefore }: Destination): number => quick + quickBefore;

/**
 * Limits the messages on the way to each receiving domain, so that a slow domain does not take all connections (promise D7).
 * A domain starts with a twentieth of the connections and gets one more per quick answer; unanswered messages stop that.
 * The rules and their limits: docs/inside/delivery.md, "Slow and strict receiving domains".
 */
export class Destinations {
  readonly #known = new Map<string, Destination>();
  readonly #slots: number;
  readonly #first: number;
  readonly #most: number;
  readonly #began: number;
  readonly #stream: Slowing;
  #round = 0;
  #forgetAt = MOST_KNOWN;
  /** Quick answers of all that are not slowed, of this round and of the one before. */
  #quick = 0;
  #quickBefore = 0;
  /**
   * Moving average, 0 to 1, of domains that answer quickly; undefined before the first answer. Each domain counts once a round:
   * otherwise one slow domain with all connections would decide alone.
   */
  #quickness: number | undefined;
  /** Start of the time in which recipients are held back although no other domain has messages to send. */
  #idleSince = Number.POSITIVE_INFINITY;

  /** @param now monotonic milliseconds, as everywhere here */
  constructor(slots: number, now: number) {
    this.#slots = slots;
    this.#first = Math.max(1, Math.floor(slots * FIRST_PART));
    this.#most = slots - Math.floor(slots / 4);
    this.#began = now;
    this.#stream = new Slowing(STREAM_EVIDENCE, now);
  }

  /** Number of domains remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** The total rate, which is slowed when many domains refuse mail. */
  get stream(): Slowing {
    return this.#stream;
  }

  /** Advances the round. Call it before the other methods whenever time has passed. */
  look(now: number): void {
    const round = Math.floor((now - this.#began) / ROUND_MS);
    if (round === this.#round) return;
    this.#quickBefore = round === this.#round + 1 ? this.#quick : 0;
    this.#quick = 0;
    this.#round = round;
  }

  /** Call it when there is no room for more messages, or other recipients can be sent to. */
  busy(): void {
    this.#idleSince = Number.POSITIVE_INFINITY;
  }

  /** Call it when there is room, and only recipients that are held back are left. */
  idle(now: number): void {
    if (this.#idleSince > now) this.#idleSince = now;
  }

  of(domain: string): Destination {
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const round = this.#round;
    const fresh = {
      domain,
      waiting: 0,
      fresh: 0,
      recent: 0,
      stuck: 0,
      quick: 0,
      quickBefore: 0,
      late: false,
      round,
      voted: -1,
      slowing: undefined,
      delayed: 0,
    };
    this.#known.set(domain, fresh);
    if (this.#known.size > this.#forgetAt) this.#forget();
    return fresh;
  }

  /** @param onWay messages of all domains on the way */
  mayBegin(destination: Destination, onWay: number, now: number): boolean {
    this.#turn(destination);
    const { stuck, slowing } = destination;
    if (slowing !== undefined && !slowing.ready(now)) return false;
    const own = onWayTo(destination);
    if (own < this.#first + quickOf(destination) && (stuck === 0 || stuck < this.#patience(destination))) return true;
    return own < this.#most && this.#mayUseTheRest(onWay, now);
  }

  /** Counts one message as on the way. */
  begin(destination: Destination, now: number): void {
    destination.waiting += 1;
    destination.slowing?.take(now);
    this.#stream.take(now);
  }

  /** A connection takes a message. The time until its answer is measured from here. @returns the round, for `end` */
  start(destination: Destination): number {
    this.#turn(destination);
    destination.waiting -= 1;
    destination.fresh += 1;
    return this.#round;
  }

  /** True when a waiting message may take a connection. Checked again, because its domain may have become slow meanwhile. */
  mayStart(destination: Destination, onWay: number, now: number): boolean {
    this.#turn(destination);
    if (destination.stuck === 0 || destination.stuck < this.#patience(destination)) return true;
    const own = onWayTo(destination);
    return own <= this.#first || (own <= this.#most && this.#mayUseTheRest(onWay - 1, now));
  }

  /**
   * @param started the round that `start` returned; undefined when no connection took the message
   * @param attempt undefined when the message was not sent
   */
  end(destination: Destination, started: number | undefined, attempt: Attempt | undefined, now: number): void {
    this.#turn(destination);
    const age = started === undefined ? 0 : this.#round - started;
    if (started === undefined) destination.waiting -= 1;
    else if (age === 0) destination.fresh -= 1;
    else if (age === 1) destination.recent -= 1;
    else destination.stuck -= 1;
    if (attempt === undefined) return;
    if (concernsTransport(attempt.fault)) {
      destination.quick = Math.floor(destination.quick / 2);
      destination.quickBefore = Math.floor(destination.quickBefore / 2);
      return;
    }
    const quick = age <= 1;
    if (destination.voted !== this.#round) {
      destination.voted = this.#round;
      const before = this.#quickness ?? 0.5;
      this.#quickness = before + ((quick ? 1 : 0) - before) / MEMORY;
    }
    // Final refusals do not count here: `Refusals` pauses a campaign for them.
    this.#countRefusal(destination, attempt.fault === 'sender' && attempt.outcome === 'deferred', now);
    destination.late = !quick;
    if (!quick) return;
    destination.quick += 1;
    if (destination.slowing?.perSecond === undefined) this.#quick += 1;
  }

  /** The reason why this domain is limited for a while; undefined when its next answers can end the limit. */
  holdsBack(destination: Destination): string | undefined {
    this.#turn(destination);
    const perSecond = destination.slowing?.perSecond;
    if (perSecond !== undefined)
      return `held back: ${destination.domain} temporarily refuses mail from this sender and gets ${Math.round(perSecond)} messages a second`;
    // Before the first answer the server itself may be slow.
    const { late, stuck } = destination;
    if (this.#quickness !== undefined && (late || (stuck > 0 && stuck >= this.#patience(destination))))
      return `held back: ${destination.domain} is slow to answer, and others were waiting`;
    return undefined;
  }

  /** True when most domains answer slowly. */
  get slow(): boolean {
    return this.#quickness !== undefined && this.#quickness < 0.5;
  }

  /** True when other domains answer quickly now and would have to wait for this one. */
  keepsOthers(destination: Destination): boolean {
    this.#turn(destination);
    return this.#quick + this.#quickBefore - quickOf(destination) >= BUSY_ANSWERS;
  }

  /** Most messages without an answer for a second: the first part, plus a share of the connections by quick answers. */
  #patience(destination: Destination): number {
    const [own, all] = [quickOf(destination), this.#quick + this.#quickBefore];
    // At least 1 more: a message of a quick domain may have waited behind a slow one on the same connection.
    return this.#first + (own < PROVEN ? 0 : Math.max(1, (this.#slots * own) / Math.max(own, all)));
  }

  /** When all domains answer slowly, the relay itself is slow, and limits per domain do not help. */
  #mayUseTheRest(onWay: number, now: number): boolean {
    return this.slow || (now - this.#idleSince >= IDLE_MS && onWay < this.#most);
  }

  /** Moves the numbers of a domain to the present round. */
  #turn(destination: Destination): void {
    const rounds = this.#round - destination.round;
    if (rounds === 0) return;
    destination.stuck += destination.recent;
    destination.recent = destination.fresh;
    destination.fresh = 0;
    destination.quickBefore = destination.quick;
    destination.quick = 0;
    if (rounds > 1) {
      destination.stuck += destination.recent;
      destination.recent = 0;
      destination.quickBefore = 0;
    }
    destination.round = this.#round;
  }

  /** Refusals of a domain that has its own rate do not change the total rate. */
  #countRefusal(destination: Destination, refused: boolean, now: number): void {
    if (destination.slowing?.perSecond === undefined) this.#stream.count(refused, now);
    if (refused) destination.slowing ??= new Slowing(DOMAIN_EVIDENCE, now);
    destination.slowing?.count(refused, now);
    if (destination.slowing?.over === true) destination.slowing = undefined;
  }

  /** Forgets many domains at once, because forgetting one per new domain costs several times as much. */
  #forget(): void {
    for (const [domain, destination] of this.#known) {
      const slowed = destination.slowing?.perSecond !== undefined && this.#round - destination.round < REMEMBERED_ROUNDS;
      this.#turn(destination);
      const needed = onWayTo(destination) + destination.delayed > 0 || quickOf(destination) >= PROVEN || slowed;
      if (!needed) this.#known.delete(domain);
    }
    this.#forgetAt = Math.max(MOST_KNOWN, 2 * this.#known.size);
  }
}
