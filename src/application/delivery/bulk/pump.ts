import type { RecipientFacts } from '../../../domain/audience/index.ts';
import { RenderFailed } from '../../../domain/campaign/index.ts';
import { type Attempt, failureOf, outcomeOf, type Turn, type Withdrawn, withoutAddress } from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Log } from '../../log.ts';
import type { Waiting } from '../pacing/delayed-recipients.ts';
import { type Destination, onWayTo } from '../pacing/destinations.ts';
import { keepsSignatures } from '../signing.ts';
import type { MessageInFlight } from './in-flight.ts';
import * as timing from './lane-timing.ts';
import { domainOf, failedAttempt, holdBack, type LeasedShard, settleUnsent } from './leased-shard.ts';
import type { Line, Lines } from './line.ts';
import type { OutcomeRecorder } from './outcome-recorder.ts';
import { FRESH_MS, type ReadRecipient } from './recipient-reader.ts';

interface HandedOver extends MessageInFlight {
  readonly line: Line;
}

export interface PumpDeps {
  readonly lines: Lines;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: OutcomeRecorder;
  /** The shards of this process, by name. */
  readonly held: ReadonlyMap<string, LeasedShard>;
  readonly maxUnrecorded: number;
  /** There is no point in going on with this mailing. */
  readonly onRefused: (held: LeasedShard, reason: string) => void;
  /** A shard that is being closed has nothing on the wire any more. */
  readonly onQuiet: (held: LeasedShard) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Feeds the connections: takes recipients from the held shards in turn, composes, hands over on the line that its route names, and
 * passes on the results. A recipient whose line or receiving domain may not have more now is delayed, and the others go on.
 */
export class Pump {
  readonly #deps: PumpDeps;
  readonly #clock: Clock;
  /** Domains whose delayed recipients are being read again. */
  readonly #reading = new Set<Destination>();
  #turn = 0;
  /** Whether recipients that need not wait were read ahead; undefined until that is asked. */
  #seen: boolean | undefined;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #stopping = false;
  #idle: (() => void) | undefined;

  constructor(deps: PumpDeps) {
    this.#deps = deps;
    this.#clock = deps.clock;
  }

  get #lines(): readonly Line[] {
    return this.#deps.lines.all;
  }

  /** Keeps about two messages per connection composed and waiting, of all held shards in turn. */
  run(now = this.#clock.monotonic()): void {
    if (this.#stopping) return;
    this.#seen = undefined;
    for (const line of this.#lines) {
      line.destinations.look(now);
      line.inTheWay.clear();
    }
    const held = [...this.#deps.held.values()];
    // Before the others: under a limit of messages per second these would never leave anything of it.
    for (const line of this.#lines) {
      const first = line.delayed.next();
      if (first !== undefined) this.#resume(line, first, now);
    }
    let empty = 0;
    while (empty < held.length && this.#hasRoom(now)) {
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
    this.#noteDemand(held, empty >= held.length, now);
    if (now - this.#sweptAt >= timing.SWEEP_MS) this.#sweep(now);
    this.#deps.recorder.wake();
  }

  /** Tells each line whether it lacks recipients: an idle one may give a slow domain more. */
  #noteDemand(held: readonly LeasedShard[], exhausted: boolean, now: number): void {
    const blocked = held.some((one) => one.blocked);
    for (const { full, destinations, delayed } of this.#lines) {
      if (full || this.#windowFull() || (blocked && this.#othersAhead())) destinations.busy();
      else if (exhausted && (blocked || delayed.size > 0)) destinations.idle(now);
    }
  }

  /** The hand-over of this shard has ended. */
  close(held: LeasedShard): void {
    for (const { delayed } of this.#lines)
      for (const { recipient, destination } of delayed.leave(held))
        held.left.push({ turn: recipient.turn, domain: destination.domain });
  }

  /** It goes on after all: who came back unsent meanwhile is next. */
  reopen(held: LeasedShard): void {
    for (const { turn } of held.left.splice(0)) held.shard.giveBack(turn.position);
  }

  /** Hands nothing more over. Resolves when nothing is on the wire any more, or when `patienceMs` have passed. */
  async drain(patienceMs: number): Promise<void> {
    this.#stopping = true;
    for (const held of this.#deps.held.values()) this.close(held);
    const { promise: idle, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    // A relay that never answers must not hold the process.
    const patience = setTimeout(resolve, patienceMs);
    if (this.quiet) resolve();
    await idle;
    clearTimeout(patience);
  }

  /** Nothing is on the wire. */
  get quiet(): boolean {
    return this.#lines.every(({ inFlight }) => inFlight.size === 0);
  }

  /** The window holds for what is handed over, also while a shard that was taken over has more than that to repeat. */
  #windowFull(): boolean {
    return this.#deps.recorder.handedOver >= this.#deps.maxUnrecorded;
  }

  /** Some line may have one more message. */
  #hasRoom(now: number): boolean {
    return !this.#windowFull() && this.#lines.some((line) => !line.full && line.ready(now));
  }

  /**
   * @param delayedOn the line on which it was delayed, and others of the same domain stand behind it
   * @returns false when it has to stay the next one
   */
  #process(held: LeasedShard, recipient: ReadRecipient, now: number, delayedOn?: Line): boolean {
    const { turn, facts, page, accepted } = recipient;
    if (accepted) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'accepted before');
    else if (page.failure !== undefined) settleUnsent(held, turn, this.#clock.now(), 'deferred', page.failure);
    else if (facts === undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'deleted');
    else if (facts.refusal !== undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', facts.refusal);
    else {
      const line = this.#lineFor(held, turn, facts.address);
      if (line === undefined) return this.#withoutLine(held, recipient, domainOf(facts.address));
      const waited = line === delayedOn;
      const destination = line.destinations.of(domainOf(facts.address));
      const open = waited || (destination.delayed === 0 && !line.full && line.ready(now));
      if (!open || !line.destinations.mayBegin(destination, line.inFlight.size, now))
        return this.#makeWay(line, { held, recipient, destination, since: now });
      if (!waited) line.othersAt = now;
      this.#compose(line, held, recipient, facts, destination);
    }
    return true;
  }

  #lineFor({ mailing, movedOn }: LeasedShard, { position }: Turn, address: string): Line | undefined {
    const { lines } = this.#deps;
    return lines.of(mailing, address, movedOn.get(position)) ?? (movedOn.has(position) ? lines.of(mailing, address) : undefined);
  }

  /** No transport of its routes is usable: others may pass, as far as theirs have one. */
  #withoutLine(held: LeasedShard, { turn }: ReadRecipient, domain: string): boolean {
    if (this.#deps.lines.blocked(held.mailing.projectId) !== undefined || !this.#othersAhead()) return false;
    holdBack(held, turn, this.#clock.now(), domain, `held back: no transport for ${domain} is usable`);
    return true;
  }

  /** Lets the others pass. @returns false when those of the same shard cannot */
  #makeWay(line: Line, waiting: Waiting): boolean {
    const { held, recipient, destination } = waiting;
    const { destinations, delayed, inFlight, inTheWay } = line;
    const reason = destinations.holdsBack(destination);
    // Of a domain that nothing is known of yet a few are enough: its answers are about to come, at once with nothing else on the way.
    const few = inFlight.size === onWayTo(destination) ? 0 : line.transport.slots;
    // A line that does not keep up must not hold the recipients of the other lines.
    const several = this.#lines.length > 1;
    if (!delayed.full && (several || reason !== undefined || destination.delayed < few)) {
      delayed.add(waiting);
      return true;
    }
    if (!inTheWay.has(destination.domain)) this.#seen = undefined;
    inTheWay.add(destination.domain);
    const slow = several && waiting.since - delayed.oldestSince >= timing.DELAY_MS ? slowLine(line) : reason;
    if (slow === undefined) return false;
    const mayPass = slow !== reason || this.#mayLookFurther(line, waiting.since);
    if (!destinations.keepsOthers(destination) && !(mayPass && this.#othersAhead())) return false;
    holdBack(held, recipient.turn, this.#clock.now(), destination.domain, slow);
    return true;
  }

  /** Delayed recipients get what their domains may have by now; one that has waited long enough is tried again in a later run. */
  #sweep(now: number): void {
    this.#sweptAt = now;
    this.#deps.lines.tend();
    const held = [...this.#deps.held.values()];
    const noRoom = held.length >= timing.MOST_HELD && held.every(({ shard }) => shard.remaining === 0);
    for (const line of this.#lines) {
      const { destinations, delayed, inFlight } = line;
      inFlight.refresh(now, this.#deps.onError);
      // The transport fails or was replaced: its recipients are taken again, and their routes name another line.
      if (line.shut) for (const { held, recipient } of delayed.takeAll()) held.reader.putBack(recipient);
      for (const destination of delayed.destinations()) {
        this.#resume(line, destination, now);
        const reason = destinations.holdsBack(destination);
        if (reason === undefined) continue;
        if (!noRoom && !destinations.keepsOthers(destination)) continue;
        for (const waiting of [...delayed.of(destination)]) {
          if (now - waiting.since < timing.DELAY_MS || now > waiting.held.deadline) break;
          delayed.shift(destination);
          holdBack(waiting.held, waiting.recipient.turn, this.#clock.now(), destination.domain, reason);
        }
      }
    }
  }

  /** False while all domains answer slowly: then no recipient is held back for others, unless they had no turn for long. */
  #mayLookFurther({ destinations, othersAt }: Line, now: number): boolean {
    return !destinations.slow || now - othersAt >= timing.UNSEEN_MS;
  }

  /** True when recipients that need not wait are near the next one. */
  #othersAhead(): boolean {
    if (this.#seen !== undefined) return this.#seen;
    const waiting = new Map(this.#lines.map((line) => [line, line.waitingDomains()]));
    this.#seen = [...this.#deps.held.values()].some(({ reader, mailing }) =>
      reader.isAhead((address) => {
        const line = this.#deps.lines.of(mailing, address);
        return line !== undefined && waiting.get(line)?.has(domainOf(address)) !== true;
      }),
    );
    return this.#seen;
  }

  /** Hands over to the delayed recipients of this domain, as far as it may have more. */
  #resume(line: Line, destination: Destination, now: number): void {
    const { destinations, delayed, inFlight } = line;
    for (let [first] = delayed.of(destination); first !== undefined; [first] = delayed.of(destination)) {
      const { held, recipient } = first;
      if (now > held.deadline || this.#windowFull() || !line.ready(now) || line.overfull) return;
      if (!destinations.mayBegin(destination, inFlight.size, now)) return;
      if (now - recipient.page.checkedAt > FRESH_MS) {
        this.#readAgain(line, destination, held);
        return;
      }
      delayed.shift(destination);
      if (!this.#process(held, recipient, now, line)) held.reader.putBack(recipient);
    }
  }

  /** The first who wait for this domain are read again: what was known of them is too old to mail them (promise D11). */
  #readAgain(line: Line, destination: Destination, held: LeasedShard): void {
    if (this.#reading.has(destination)) return;
    this.#reading.add(destination);
    const first = line.delayed.of(destination).slice(0, timing.READ_AGAIN);
    const stale = first.filter((waiting) => waiting.held === held);
    held.reader.again(stale.map(({ recipient }) => recipient.turn)).then(
      (recipients) => {
        this.#reading.delete(destination);
        for (const [index, recipient] of recipients.entries()) stale[index]!.recipient = recipient;
        const now = this.#clock.monotonic();
        line.destinations.look(now);
        if (!this.#stopping) this.#resume(line, destination, now);
      },
      (error: unknown) => {
        // The next sweep asks again.
        this.#reading.delete(destination);
        this.#deps.onError(error);
      },
    );
  }

  #compose(line: Line, held: LeasedShard, recipient: ReadRecipient, facts: RecipientFacts, destination: Destination): void {
    const { turn, page } = recipient;
    try {
      const message = held.mailing.compose(facts, turn, this.#clock.now());
      const { checkedAt } = page;
      const untouched = { started: undefined, unwanted: false, given: false, place: 0, trial: false };
      this.#handOver({ line, held, turn, message, destination, checkedAt, ...untouched });
    } catch (error) {
      if (!(error instanceof RenderFailed)) this.#deps.log.error({ reason: error }, 'a message could not be composed');
      const reason = error instanceof Error ? error.message : String(error);
      settleUnsent(held, turn, this.#clock.now(), 'failed', withoutAddress(reason, facts.address));
    }
  }

  #handOver(handed: HandedOver): void {
    const { line, held, destination } = handed;
    held.inFlight += 1;
    line.inFlight.add(handed);
    handed.trial = line.breaker.takeTrial();
    const now = this.#clock.monotonic();
    line.pace.take(now);
    line.destinations.begin(destination, now);
    const signer = keepsSignatures(line.transport) ? held.mailing.signer : undefined;
    const { content } = handed.message;
    // Signed on the thread pool, several at once; without keys the message goes straight to the transport.
    const submitted =
      signer === undefined
        ? this.#submit(handed, content)
        : signer.sign(content, this.#clock.now()).then((signed) => this.#submit(handed, signed));
    void submitted.then(
      (attempt) => this.#answered(handed, attempt),
      (error: unknown) => {
        this.#deps.log.error({ reason: error }, 'a message could not be signed, or the transport refused it');
        this.#answered(handed, failedAttempt(error));
      },
    );
  }

  #submit(handed: HandedOver, content: Uint8Array): Promise<Attempt | Withdrawn> {
    return handed.line.transport.submit({
      envelope: handed.message.envelope,
      content,
      dotSafe: true,
      proceed: () => this.#mayProceed(handed, this.#clock.monotonic()),
      onHandOver: () => this.#started(handed, this.#clock.monotonic()),
      onContent: () => {
        handed.given = true;
      },
    });
  }

  /** A question: the transport also asks it, as often as it likes, of a message that only waits for a connection. */
  #mayProceed({ line, held, destination, checkedAt, unwanted, started, trial }: HandedOver, now: number): boolean {
    if (this.#stopping || held.closing || unwanted || now >= held.deadline || now - checkedAt >= FRESH_MS + timing.WAIT_MS)
      return false;
    if (started === undefined && line.shut && !trial) return false;
    return started !== undefined || line.destinations.mayStart(destination, line.inFlight.size, now);
  }

  /** A connection has taken it. */
  #started(handed: HandedOver, now: number): void {
    const { destinations } = handed.line;
    destinations.look(now);
    handed.started = destinations.start(handed.destination);
  }

  #answered(handed: HandedOver, result: Attempt | Withdrawn): void {
    const { line, held, turn, message, destination, started, trial } = handed;
    const now = this.#clock.monotonic();
    const made = result.outcome === 'withdrawn' ? undefined : result;
    line.breaker.report(made, trial);
    const attempt = made !== undefined && this.#movesOn(handed, made) ? undefined : made;
    held.inFlight -= 1;
    line.inFlight.remove(handed);
    message.release();
    line.destinations.look(now);
    line.destinations.end(destination, started, made, now);
    if (attempt !== undefined) this.#settle(handed, attempt);
    else if (held.closing || this.#stopping) held.left.push({ turn, domain: destination.domain });
    else held.shard.giveBack(turn.position);
    if (this.#stopping && this.quiet) this.#idle?.();
    if (held.closing && held.inFlight === 0) this.#deps.onQuiet(held);
    if (destination.delayed > 0 && !this.#stopping) this.#resume(line, destination, now);
    this.run(now);
    this.#deps.recorder.wake();
  }

  /** Whether the attempt left nothing behind and failed for its transport alone, and another one takes the message at once. */
  #movesOn({ line, held, message, turn }: HandedOver, attempt: Attempt): boolean {
    if (attempt.outcome !== 'deferred' || failureOf(attempt) === undefined) return false;
    if (line.breaker.closed && held.movedOn.has(turn.position)) return false;
    if (this.#deps.lines.of(held.mailing, message.envelope.to, line.name) === undefined) return false;
    held.movedOn.set(turn.position, line.name);
    return true;
  }

  #settle({ line, held, turn, destination, message }: HandedOver, attempt: Attempt): void {
    line.tally.count(attempt);
    const reason = line.refusals.count(attempt);
    if (reason !== undefined && !held.closing) this.#deps.onRefused(held, reason);
    const { position, subscriberId, possibleRepeat } = turn;
    // An acceptance is kept without words.
    const told =
      attempt.outcome === 'submitted' ? attempt : { ...attempt, reply: withoutAddress(attempt.reply, message.envelope.to) };
    const facts = { possibleRepeat, at: this.#clock.now(), domain: destination.domain, transport: line.name };
    held.shard.settle(position, outcomeOf(subscriberId, told, facts));
  }
}

const slowLine = ({ name }: Line): string =>
  `held back: the transport ${name} does not keep up, and recipients of others were waiting`;
