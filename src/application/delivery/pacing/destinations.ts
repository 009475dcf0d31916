import type { Attempt } from '../../../domain/delivery/index.ts';
import { Slowing } from './slowing.ts';

/** Time is counted in rounds: an answer in the round of its message or in the next one is quick, so within about a second. */
const ROUND_MS = 750;
/** Other domains must have had nothing to send for this long before a slow domain gets more than its part. */
const IDLE_MS = 1_000;
/** Part of the connections that a domain gets before its speed is known. */
const FIRST_PART = 0.05;
/** Quick answers of the others, in this round and the last, that make waiting for a slow domain a loss to them. */
const BUSY_ANSWERS = 4;
/** Quick answers, in about the last second, that make a domain a quick one. */
const PROVEN = 4;
/** Answers over which it is judged whether answers are quick at all here; of one domain the first in a round counts. */
const MEMORY = 32;
/** With more domains than this those are forgotten that have nothing on the way and show nothing special. */
const MOST_KNOWN = 4_096;
/** Ten minutes: so long that a domain refused mail is remembered after the last one for it. */
const REMEMBERED_ROUNDS = 800;
/** A quarter of a second is soon enough for a domain; everything together waits until the domains that it is about have been slowed. */
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
  /** Quick answers of this round and of the one before: how much it may have on the way follows them. */
  quick: number;
  quickBefore: number;
  /** Its last answer was not quick. */
  late: boolean;
  /** The round that these numbers are about. */
  round: number;
  /** The last round in which it had a say on whether the server is quick. */
  voted: number;
  /** Undefined while it refuses nothing because of us. */
  slowing: Slowing | undefined;
  /** Recipients that wait beside the line until it may have more. */
  delayed: number;
}

/** Messages on the way to this domain. */
export const onWayTo = ({ waiting, fresh, recent, stuck }: Destination): number => waiting + fresh + recent + stuck;

const quickOf = ({ quick, quickBefore }: Destination): number => quick + quickBefore;

/**
 * How much each receiving domain may have on the way, so that one that answers slowly does not get every connection while
 * others are answered quickly (promise D7). Which domain is slow is unknown beforehand, and at thousands of messages a second a
 * slow one would have all connections before its first answer is due. So each begins with a twentieth of them (one at least)
 * and gets one more for every quick answer, which is all it can use after some ten of them. Messages without an answer for
 * about a second count against it: of those it may have that twentieth and the part of the connections that is its part of all
 * quick answers, and gets nothing more until they are answered.
 *
 * The limit holds as long as it helps others: when no other domain has had anything to send for a second, or when answers are
 * slow from all domains, a domain may use the connections except a quarter, which is reserved for new ones.
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
   * How much of the say of domains was that answers are quick, of late; undefined before the first. Counted by domains: one that
   * has all connections and answers slowly would otherwise be the only source of answers.
   */
  #quickness: number | undefined;
  /** Since when recipients are held back although no other domain has anything to send. */
  #idleSince = Number.POSITIVE_INFINITY;

  /** @param now monotonic milliseconds, as everywhere here */
  constructor(slots: number, now: number) {
    this.#slots = slots;
    this.#first = Math.max(1, Math.floor(slots * FIRST_PART));
    this.#most = slots - Math.floor(slots / 4);
    this.#began = now;
    this.#stream = new Slowing(STREAM_EVIDENCE, now);
  }

  /** How many domains are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** The rate of everything together, which follows refusals that come from everywhere. */
  get stream(): Slowing {
    return this.#stream;
  }

  /** Has to be called before the others are asked anything at a new moment. */
  look(now: number): void {
    const round = Math.floor((now - this.#began) / ROUND_MS);
    if (round === this.#round) return;
    this.#quickBefore = round === this.#round + 1 ? this.#quick : 0;
    this.#quick = 0;
    this.#round = round;
  }

  /** There is no room for more, or others are to come. */
  busy(): void {
    this.#idleSince = Number.POSITIVE_INFINITY;
  }

  /** There is room, and only recipients that are held back are left. */
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

  /** One message is on the way from now on. */
  begin(destination: Destination, now: number): void {
    destination.waiting += 1;
    destination.slowing?.take(now);
    this.#stream.take(now);
  }

  /** A connection takes it: the time until its answer counts from here. @returns its round, for `end` */
  start(destination: Destination): number {
    this.#turn(destination);
    destination.waiting -= 1;
    destination.fresh += 1;
    return this.#round;
  }

  /** Whether a message that waits for a connection may have it: a domain that has turned slow meanwhile may have more on the way than it would get now. */
  mayStart(destination: Destination, onWay: number, now: number): boolean {
    this.#turn(destination);
    if (destination.stuck === 0 || destination.stuck < this.#patience(destination)) return true;
    const own = onWayTo(destination);
    return own <= this.#first || (own <= this.#most && this.#mayUseTheRest(onWay - 1, now));
  }

  /**
   * @param started its round; undefined when no connection took it
   * @param attempt undefined when the message came back unsent
   */
  end(destination: Destination, started: number | undefined, attempt: Attempt | undefined, now: number): void {
    this.#turn(destination);
    const age = started === undefined ? 0 : this.#round - started;
    if (started === undefined) destination.waiting -= 1;
    else if (age === 0) destination.fresh -= 1;
    else if (age === 1) destination.recent -= 1;
    else destination.stuck -= 1;
    if (attempt === undefined) return;
    if (attempt.fault === 'transport') {
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
    // Final refusals are not for now: `Refusals` pauses a campaign that meets nothing else.
    this.#countRefusal(destination, attempt.fault === 'sender' && attempt.outcome === 'deferred', now);
    destination.late = !quick;
    if (!quick) return;
    destination.quick += 1;
    if (destination.slowing?.perSecond === undefined) this.#quick += 1;
  }

  /** Why this domain may not have more for a while; undefined when that is only a matter of its next answers. */
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

  /** Answers take long from all domains. */
  get slow(): boolean {
    return this.#quickness !== undefined && this.#quickness < 0.5;
  }

  /** Others are answered quickly just now, and would have to wait for this one. */
  keepsOthers(destination: Destination): boolean {
    this.#turn(destination);
    return this.#quick + this.#quickBefore - quickOf(destination) >= BUSY_ANSWERS;
  }

  /** How many messages without an answer for a second are borne. */
  #patience(destination: Destination): number {
    const [own, all] = [quickOf(destination), this.#quick + this.#quickBefore];
    // One of an otherwise quick domain may only have stood behind another domain's on a connection.
    return this.#first + (own < PROVEN ? 0 : Math.max(1, (this.#slots * own) / Math.max(own, all)));
  }

  /** If all domains answer slowly, the server is slow, and the largest domains are not limited for it. */
  #mayUseTheRest(onWay: number, now: number): boolean {
    return this.slow || (now - this.#idleSince >= IDLE_MS && onWay < this.#most);
  }

  /** Brings its numbers to the present round. */
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

  /** A domain that is slowed by itself has no say in how fast the others go. */
  #countRefusal(destination: Destination, refused: boolean, now: number): void {
    if (destination.slowing?.perSecond === undefined) this.#stream.count(refused, now);
    if (refused) destination.slowing ??= new Slowing(DOMAIN_EVIDENCE, now);
    destination.slowing?.count(refused, now);
    if (destination.slowing?.over === true) destination.slowing = undefined;
  }

  /** All at once: one by one for each new domain costs some times as much. */
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
