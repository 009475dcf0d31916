import type { RecipientFacts } from '../../../domain/audience/index.ts';
import { RenderFailed } from '../../../domain/campaign/index.ts';
import { type Attempt, outcomeOf, type Transport, type Withdrawn, withoutAddress } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Log } from '../../log.ts';
import { DelayedRecipients, type Waiting } from '../pacing/delayed-recipients.ts';
import { type Destination, Destinations, onWayTo } from '../pacing/destinations.ts';
import type { Pace } from '../pacing/pace.ts';
import type { Refusals } from '../pacing/refusals.ts';
import type { Tally } from '../status/tally.ts';
import { type HandedOver, InFlight } from './in-flight.ts';
import * as timing from './lane-timing.ts';
import { domainOf, failedAttempt, holdBack, type LeasedShard, leaveToNextRun, settleUnsent } from './leased-shard.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import { FRESH_MS, type ReadRecipient } from './recipient-reader.ts';

export interface PumpDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: OutcomeRecorder;
  readonly pace: Pace;
  readonly refusals: Refusals;
  readonly tally: Tally;
  /** The shards of this process, by name. */
  readonly held: ReadonlyMap<string, LeasedShard>;
  readonly maxUnrecorded: number;
  /** There is no point in going on with this campaign. */
  readonly onRefused: (held: LeasedShard, reason: string) => void;
  /** A shard that is being closed has nothing on the wire any more. */
  readonly onQuiet: (held: LeasedShard) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Feeds the connections: takes people from the held shards in turn, composes, hands over, and passes on what became of it.
 * Who is of a receiving domain that may not have more just now waits beside the line, and the others go on.
 */
export class Pump {
  readonly #deps: PumpDeps;
  readonly #clock: Clock;
  readonly #destinations: Destinations;
  readonly #delayed: DelayedRecipients;
  readonly #room: number;
  /** Domains whose people are being read again. */
  readonly #reading = new Set<Destination>();
  #turn = 0;
  readonly #inFlight: InFlight;
  /** Domains of those who stood in front of a shard and could neither go nor wait beside the line. */
  readonly #inTheWay = new Set<string>();
  /** Whether others were read ahead than those who wait; undefined while nobody has looked. */
  #seen: boolean | undefined;
  /** When somebody was handed over for whose domain nobody waits. */
  #othersAt = Number.NEGATIVE_INFINITY;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #stopping = false;
  #idle: (() => void) | undefined;

  constructor(deps: PumpDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#destinations = new Destinations(deps.transport.slots, deps.clock.monotonic());
    this.#inFlight = new InFlight(deps.onError);
    this.#room = Math.max(deps.transport.slots * 3, 4);
    // They are part of the window; the rest of it has to be enough for everybody else.
    this.#delayed = new DelayedRecipients(Math.floor(deps.maxUnrecorded / 4));
  }

  /** Keeps about two messages per connection composed and waiting, of all held shards in turn. */
  run(now = this.#clock.monotonic()): void {
    if (this.#stopping) return;
    this.#destinations.look(now);
    this.#seen = undefined;
    this.#inTheWay.clear();
    const room = this.#room;
    const held = [...this.#deps.held.values()];
    // Before the others: where there is a limit of messages per second these would never leave anything of it.
    const first = this.#delayed.next();
    if (first !== undefined) this.#resume(first, now);
    let empty = 0;
    while (this.#inFlight.size < room && empty < held.length && this.#mayHandOver(now)) {
      const next = held[this.#turn % held.length];
      this.#turn += 1;
      const recipient = next === undefined || next.closing || now > next.deadline ? undefined : next.reader.next();
      if (next === undefined || recipient === undefined) empty += 1;
      else if (this.#process(next, recipient, now)) {
        empty = 0;
        next.blocked = false;
      } else {
        next.reader.putBack(recipient);
        next.blocked = true;
        empty += 1;
      }
    }
    const exhausted = empty >= held.length && this.#inFlight.size < room;
    const blocked = held.some((one) => one.blocked);
    if (this.#inFlight.size >= room || this.#windowFull() || (blocked && this.#othersAhead())) this.#destinations.busy();
    else if (exhausted && (blocked || this.#delayed.size > 0)) this.#destinations.idle(now);
    if (now - this.#sweptAt >= timing.SWEEP_MS) this.#sweep(now);
    this.#deps.recorder.wake();
  }

  /** Nobody of this shard is handed over any more. */
  close(held: LeasedShard): void {
    for (const { recipient, destination } of this.#delayed.leave(held))
      held.left.push({ turn: recipient.turn, domain: destination.domain });
  }

  /** It goes on after all: who came back unsent meanwhile is next. */
  reopen(held: LeasedShard): void {
    for (const { turn } of held.left.splice(0)) held.shard.giveBack(turn.position);
  }

  /**
   * Decides on the unsent turns of a shard that is about to be given back. Where others behind one have had theirs, the next holder
   * would have to take it for one that may have been sent: then a later run gets it. Whoever has taken the shard over already
   * knows of all of them.
   */
  part(held: LeasedShard): void {
    for (const { turn, domain } of held.left.splice(0)) {
      if (held.fenced || turn.position >= held.shard.settledThrough) held.shard.giveBack(turn.position);
      else leaveToNextRun(held, turn, this.#clock.now(), domain);
    }
    // Those too that had come back before: too old to be sent, and about to be read again.
    if (held.fenced) return;
    for (const turn of held.shard.takeReturned()) leaveToNextRun(held, turn, this.#clock.now(), undefined);
  }

  /** Hands nothing more over. */
  stop(): void {
    this.#stopping = true;
  }

  /** Hands nothing more over, and resolves when nothing is on the wire any more, or when `patienceMs` have passed. */
  async drain(patienceMs: number): Promise<void> {
    this.#stopping = true;
    for (const held of this.#deps.held.values()) this.close(held);
    const { promise: idle, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    // A relay that never answers must not hold the process.
    const patience = setTimeout(resolve, patienceMs);
    if (this.#inFlight.size === 0) resolve();
    await idle;
    clearTimeout(patience);
  }

  /** Nothing is on the wire. */
  get quiet(): boolean {
    return this.#inFlight.size === 0;
  }

  /** For whom recipients wait beside the line, in words. */
  waits(): readonly string[] {
    return this.#delayed.destinations().map((destination) => `${destination.delayed} recipients wait for ${destination.domain}`);
  }

  /** The window holds for what is handed over, also while a shard that was taken over has more than that to repeat. */
  #windowFull(): boolean {
    return this.#deps.recorder.handedOver >= this.#deps.maxUnrecorded;
  }

  #mayHandOver(now: number): boolean {
    return !this.#windowFull() && this.#deps.pace.ready(now) && this.#destinations.stream.ready(now);
  }

  /**
   * @param waited beside the line, where others of the same domain stand behind
   * @returns false when it has to stay the next one
   */
  #process(held: LeasedShard, recipient: ReadRecipient, now: number, waited = false): boolean {
    const { turn, facts, page, accepted } = recipient;
    if (accepted) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'accepted before');
    else if (page.failure !== undefined) settleUnsent(held, turn, this.#clock.now(), 'deferred', page.failure);
    else if (facts === undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'deleted');
    else if (facts.refusal !== undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', facts.refusal);
    else {
      const destination = this.#destinations.of(domainOf(facts.address));
      const first = waited || destination.delayed === 0;
      if (!first || !this.#destinations.mayBegin(destination, this.#inFlight.size, now))
        return this.#makeWay({ held, recipient, destination, since: now });
      if (!waited) this.#othersAt = now;
      this.#compose(held, recipient, facts, destination);
    }
    return true;
  }

  /** Lets the others pass. @returns false when those of the same shard cannot */
  #makeWay(waiting: Waiting): boolean {
    const { held, recipient, destination } = waiting;
    const reason = this.#destinations.holdsBack(destination);
    // Of a domain that nothing is known of yet a few are enough: its answers are about to come, at once with nothing else on the way.
    const few = this.#inFlight.size === onWayTo(destination) ? 0 : this.#deps.transport.slots;
    if (!this.#delayed.full && (reason !== undefined || destination.delayed < few)) {
      this.#delayed.add(waiting);
      return true;
    }
    if (!this.#inTheWay.has(destination.domain)) this.#seen = undefined;
    this.#inTheWay.add(destination.domain);
    if (reason === undefined) return false;
    const pressing = this.#destinations.keepsOthers(destination) || (this.#mayLookFurther(waiting.since) && this.#othersAhead());
    if (!pressing) return false;
    holdBack(held, recipient.turn, this.#clock.now(), destination.domain, reason);
    return true;
  }

  /** Those who wait get what their domains may have by now; who has waited long enough is tried again in a later run. */
  #sweep(now: number): void {
    this.#sweptAt = now;
    this.#inFlight.refresh(now);
    const held = [...this.#deps.held.values()];
    const noRoom = held.length >= timing.MOST_HELD && held.every(({ shard }) => shard.remaining === 0);
    for (const destination of this.#delayed.destinations()) {
      this.#resume(destination, now);
      const reason = this.#destinations.holdsBack(destination);
      if (reason === undefined) continue;
      if (!noRoom && !this.#destinations.keepsOthers(destination)) continue;
      for (const waiting of [...this.#delayed.of(destination)]) {
        if (now - waiting.since < timing.DELAY_MS || now > waiting.held.deadline) break;
        this.#delayed.shift(destination);
        holdBack(waiting.held, waiting.recipient.turn, this.#clock.now(), destination.domain, reason);
      }
    }
  }

  /** Where answers are slow whoever is asked nobody is put off to reach the others, unless none of them has had a turn for long. */
  #mayLookFurther(now: number): boolean {
    return !this.#destinations.slow || now - this.#othersAt >= timing.UNSEEN_MS;
  }

  /** Others than those who wait are not far behind the next one. */
  #othersAhead(): boolean {
    if (this.#seen !== undefined) return this.#seen;
    const known = new Set(this.#inTheWay);
    for (const { domain } of this.#delayed.destinations()) known.add(domain);
    this.#seen = [...this.#deps.held.values()].some(({ reader }) => reader.isAhead((address) => !known.has(domainOf(address))));
    return this.#seen;
  }

  /** Hands over to those who wait for this domain, as far as it may have more. */
  #resume(destination: Destination, now: number): void {
    for (let [first] = this.#delayed.of(destination); first !== undefined; [first] = this.#delayed.of(destination)) {
      const { held, recipient } = first;
      // They were before the others in the line, so they may make it longer; but not without end.
      if (now > held.deadline || !this.#mayHandOver(now) || this.#inFlight.size >= 2 * this.#room) return;
      if (!this.#destinations.mayBegin(destination, this.#inFlight.size, now)) return;
      if (now - recipient.page.checkedAt > FRESH_MS) {
        this.#readAgain(destination, held);
        return;
      }
      this.#delayed.shift(destination);
      if (!this.#process(held, recipient, now, true)) held.reader.putBack(recipient);
    }
  }

  /** The first who wait for this domain are read again: what was known of them is too old to mail them (promise D11). */
  #readAgain(destination: Destination, held: LeasedShard): void {
    if (this.#reading.has(destination)) return;
    this.#reading.add(destination);
    const line = this.#delayed.of(destination).slice(0, timing.READ_AGAIN);
    const stale = line.filter((waiting) => waiting.held === held);
    held.reader.again(stale.map(({ recipient }) => recipient.turn)).then(
      (recipients) => {
        this.#reading.delete(destination);
        for (const [index, recipient] of recipients.entries()) stale[index]!.recipient = recipient;
        const now = this.#clock.monotonic();
        this.#destinations.look(now);
        if (!this.#stopping) this.#resume(destination, now);
      },
      (error: unknown) => {
        // The next sweep asks again.
        this.#reading.delete(destination);
        this.#deps.onError(error);
      },
    );
  }

  #compose(held: LeasedShard, recipient: ReadRecipient, facts: RecipientFacts, destination: Destination): void {
    const { turn, page } = recipient;
    try {
      const message = held.campaign.compose(facts, turn, this.#clock.now());
      const { checkedAt } = page;
      const untouched = { started: undefined, unwanted: false, given: false, place: 0 };
      this.#handOver({ held, turn, message, destination, checkedAt, ...untouched });
    } catch (error) {
      if (!(error instanceof RenderFailed)) this.#deps.log.error({ reason: error }, 'a message could not be composed');
      const reason = error instanceof Error ? error.message : String(error);
      settleUnsent(held, turn, this.#clock.now(), 'failed', withoutAddress(reason, facts.address));
    }
  }

  #handOver(handed: HandedOver): void {
    const { held, destination } = handed;
    held.inFlight += 1;
    this.#inFlight.add(handed);
    const now = this.#clock.monotonic();
    this.#deps.pace.take(now);
    this.#destinations.begin(destination, now);
    const { envelope, content } = handed.message;
    const message = {
      envelope,
      content,
      dotSafe: true,
      proceed: () => this.#mayProceed(handed, this.#clock.monotonic()),
      onHandOver: () => this.#started(handed, this.#clock.monotonic()),
      onContent: () => {
        handed.given = true;
      },
    };
    void this.#deps.transport.submit(message).then(
      (attempt) => this.#answered(handed, attempt),
      (error: unknown) => {
        this.#deps.log.error({ reason: error }, 'the transport refused a message');
        this.#answered(handed, failedAttempt(error));
      },
    );
  }

  /** A question: the transport also asks it, as often as it likes, of a message that only waits for a connection. */
  #mayProceed({ held, destination, checkedAt, unwanted, started }: HandedOver, now: number): boolean {
    if (this.#stopping || held.closing || unwanted || now >= held.deadline || now - checkedAt >= FRESH_MS + timing.WAIT_MS)
      return false;
    return started !== undefined || this.#destinations.mayStart(destination, this.#inFlight.size, now);
  }

  /** A connection has taken it. */
  #started(handed: HandedOver, now: number): void {
    this.#destinations.look(now);
    handed.started = this.#destinations.start(handed.destination);
  }

  #answered(handed: HandedOver, result: Attempt | Withdrawn): void {
    const { held, turn, message, destination, started } = handed;
    const now = this.#clock.monotonic();
    const attempt = result.outcome === 'withdrawn' ? undefined : result;
    held.inFlight -= 1;
    this.#inFlight.remove(handed);
    message.release();
    this.#destinations.look(now);
    this.#destinations.end(destination, started, attempt, now);
    if (attempt !== undefined) this.#settle(handed, attempt);
    else if (held.closing || this.#stopping) held.left.push({ turn, domain: destination.domain });
    else held.shard.giveBack(turn.position);
    if (this.#stopping && this.#inFlight.size === 0) this.#idle?.();
    if (held.closing && held.inFlight === 0) this.#deps.onQuiet(held);
    if (destination.delayed > 0 && !this.#stopping) this.#resume(destination, now);
    this.run(now);
    this.#deps.recorder.wake();
  }

  #settle({ held, turn, destination, message }: HandedOver, attempt: Attempt): void {
    this.#deps.tally.count(attempt);
    const reason = this.#deps.refusals.count(attempt);
    if (reason !== undefined && !held.closing) this.#deps.onRefused(held, reason);
    const { position, subscriberId, possibleRepeat } = turn;
    // An acceptance is kept without words.
    const told =
      attempt.outcome === 'submitted' ? attempt : { ...attempt, reply: withoutAddress(attempt.reply, message.envelope.to) };
    held.shard.settle(position, outcomeOf(subscriberId, told, possibleRepeat, this.#clock.now(), destination.domain));
  }
}
