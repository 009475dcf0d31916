import type { RecipientFacts } from '../../domain/audience/index.ts';
import { RenderFailed } from '../../domain/campaign/index.ts';
import {
  type Attempt,
  HeldShard,
  LEASE_MS,
  leaseName,
  outcomeOf,
  type RecordedBatches,
  runName,
  type ShardLease,
  type Transport,
  type Turn,
  type Withdrawn,
  type WorkerProgress,
} from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Log } from '../log.ts';
import { Background } from './background.ts';
import type { BulkLaneOptions, BulkLanePorts } from './bulk-lane-ports.ts';
import { domainOf, failedAttempt, type Held, keyOf, leaseKey, remainingOf, settleUnsent } from './held.ts';
import * as timing from './lane-timing.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';
import { Pace } from './pace.ts';
import { FRESH_MS, type ReadRecipient, RecipientReader } from './recipient-reader.ts';
import { Refusals } from './refusals.ts';
import type { SendingCampaign, SendingMessage } from './sending-campaign.ts';
import { type Standing, standingOf } from './standing.ts';
import { Tally } from './tally.ts';

/**
 * The bulk lane of one process: claims shards, reads their people ahead, composes, hands over on the transport's connections
 * and records. One pump feeds the connections; everything else only prepares work for it or takes results from it.
 */
export class BulkLane {
  readonly #id: Id;
  readonly #transport: Transport;
  readonly #ports: BulkLanePorts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxUnrecorded: number;
  readonly #pace: Pace;
  readonly #refusals: Refusals;
  readonly #recorder: OutcomeRecorder;
  readonly #held = new Map<string, Held>();
  readonly #background = new Background((error) => this.#stumbled(error));
  /** Beside the others: it goes on while the lane drains. */
  readonly #renewing = new Background((error) => this.#stumbled(error));
  readonly #fatal: (error: unknown) => void;
  #turn = 0;
  #onWire = 0;
  #stopping = false;
  #claiming = false;
  #claimAgain = false;
  /** The last look found no shard of any campaign; until the next tick nobody need look again. */
  #nothingFree = false;
  #reachableSince = Number.POSITIVE_INFINITY;
  readonly #tally: Tally;
  #idle: (() => void) | undefined;

  constructor(deps: {
    id: Id;
    transport: Transport;
    ports: BulkLanePorts;
    clock: Clock;
    log: Log;
    options?: BulkLaneOptions;
    /** The process cannot go on: nothing more can be recorded. */
    onFatal: (error: unknown) => void;
  }) {
    this.#id = deps.id;
    this.#transport = deps.transport;
    this.#ports = deps.ports;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#maxUnrecorded = deps.options?.maxUnrecorded ?? 1_000;
    this.#tally = new Tally(deps.clock.monotonic(), deps.log);
    this.#pace = new Pace(deps.options?.messagesPerSecond);
    this.#refusals = new Refusals({
      transportErrors: deps.options?.pauseAfterTransportErrors ?? 500,
      senderFaults: deps.options?.pauseAfterSenderFaults ?? 100,
    });
    this.#fatal = deps.onFatal;
    this.#recorder = new OutcomeRecorder({
      commit: (batches) => deps.ports.commit(batches),
      isTransient: (error) => deps.ports.isTransient(error),
      clock: deps.clock,
      log: deps.log,
      maxUnrecorded: this.#maxUnrecorded,
      onCommitted: (recorded, begunAt) => this.#committed(recorded, begunAt),
      onFatal: (error) => this.#giveUp(error),
    });
  }

  start(): void {
    this.#renewing.every(timing.RENEW_MS, () => this.#renew());
    this.#background.every(timing.TICK_MS, () => this.#lookForWork());
    this.#background.every(timing.CONTROL_MS, () => this.#control());
    this.#background.every(timing.SETTLE_MS, () => this.#ports.settle());
    this.#background.every(timing.RATE_MS, async () => this.#tally.measure(this.#clock.monotonic()));
    this.wake();
  }

  /** There may be a shard to claim: called when a job says so. */
  wake(): void {
    void this.#background.guard(() => this.#lookForWork());
  }

  /** The limit of messages per second is one for all: each of `workers` takes its part of it. */
  shareRate(workers: number): void {
    this.#pace.share(workers);
  }

  get progress(): WorkerProgress {
    return {
      shards: this.#held.size,
      submitted: this.#tally.submitted,
      perSecond: this.#tally.perSecond,
      unrecorded: this.#recorder.unrecorded,
      // Nobody asks the next hop for anything else: what it said last may be long over.
      trouble: this.#held.size > 0 ? this.#tally.trouble : undefined,
    };
  }

  get standing(): Standing {
    const [transport, recorder, pace, now] = [this.#transport, this.#recorder, this.#pace, this.#clock.monotonic()];
    return standingOf({ held: [...this.#held.values()], transport, recorder, pace, now });
  }

  /**
   * Stops claiming, finishes what is on the wire, writes all outcomes, hands shards back (promise D9). Leases are renewed to
   * the end: whoever took a shard over meanwhile would repeat what is on the wire.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#background.endTimers();
    const { promise: idle, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    // A relay that never answers must not hold the process: its messages stay claimed, and so marked for the next holder.
    const patience = setTimeout(resolve, timing.DRAIN_MS);
    if (this.#onWire === 0) resolve();
    await idle;
    clearTimeout(patience);
    // A claim that was under way when all this began may still bring a shard.
    await this.#background.settled();
    await this.#recorder.flush();
    for (const held of [...this.#held.values()]) await this.#giveBack(held, true);
    this.#recorder.stop();
    this.#renewing.endTimers();
    await Promise.all([this.#renewing.settled(), this.#background.settled()]);
  }

  /** Nothing more can be recorded, so nothing more may be handed over; the shards go to others when their leases end. */
  #giveUp(error: unknown): void {
    this.#stopping = true;
    this.#background.endTimers();
    this.#renewing.endTimers();
    this.#fatal(error);
  }

  #stumbled(error: unknown): void {
    if (this.#ports.isTransient(error)) {
      if (this.#reachableSince !== Number.POSITIVE_INFINITY)
        this.#log.warn({ reason: String(error) }, 'the database is away; workers wait');
      this.#reachableSince = Number.POSITIVE_INFINITY;
    } else {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#log.error({ reason }, 'bulk sending stumbled');
    }
  }

  async #lookForWork(): Promise<void> {
    this.#nothingFree = false;
    this.#pump();
    if (this.#claiming) {
      this.#claimAgain = true;
      return;
    }
    this.#claiming = true;
    try {
      do {
        this.#claimAgain = false;
        while (!this.#stopping && this.#held.size < timing.MOST_SHARDS && (await this.#claimOne()));
      } while (this.#claimAgain);
    } finally {
      this.#claiming = false;
    }
  }

  /** One more shard: any while there is little left to do, else only of campaigns that this process holds nothing of. */
  async #claimOne(): Promise<boolean> {
    // After a sleep of the machine our own leases look as free as anybody's: keep what is ours before taking more.
    if ([...this.#held.values()].some((held) => !held.fenced && this.#clock.monotonic() > held.deadline)) await this.#renew();
    const open = [...this.#held.values()].filter((held) => !held.closing);
    const avoid = remainingOf(open) < this.#maxUnrecorded ? [] : [...new Set(open.map((held) => held.campaign.campaignId))];
    const takeExpired = this.#clock.monotonic() - this.#reachableSince >= LEASE_MS;
    const begunAt = this.#clock.monotonic();
    const lease = await this.#ports.claim(this.#id, { avoid, takeExpired });
    this.#reachableSince = Math.min(this.#reachableSince, this.#clock.monotonic());
    this.#nothingFree = lease === undefined && avoid.length === 0;
    if (lease === undefined) return false;
    const campaign = this.#stopping ? undefined : await this.#load(lease);
    if (campaign === undefined) await this.#ports.release([leaseKey(lease)]);
    else this.#hold(lease, campaign, begunAt);
    return true;
  }

  /** A campaign that cannot be compiled here is paused, with the reason: it would be claimed in vain for ever. */
  async #load(lease: ShardLease): Promise<SendingCampaign | undefined> {
    try {
      return await this.#ports.loadCampaign(lease.projectId, lease.campaignId);
    } catch (error) {
      if (this.#ports.isTransient(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error({ campaign: lease.campaignId, reason }, 'a campaign cannot be sent and was paused');
      await this.#ports.pauseCampaign(lease.projectId, lease.campaignId, reason);
      return undefined;
    }
  }

  #hold(lease: ShardLease, campaign: SendingCampaign, begunAt: number): void {
    const shard = new HeldShard(lease);
    const reader = new RecipientReader({
      shard,
      clock: this.#clock,
      read: (turns) => this.#background.follow(this.#ports.readRecipients(campaign, lease, turns)),
      onReady: () => this.#pump(),
      onError: (error) => this.#stumbled(error),
    });
    const deadline = begunAt + LEASE_MS - timing.LEASE_MARGIN_MS;
    const held: Held = { shard, name: leaseName(lease), campaign, reader, deadline, closing: false, fenced: false, onWire: 0 };
    this.#held.set(held.name, held);
    this.#recorder.track(shard);
    this.#pump();
  }

  /** Keeps about two messages per connection composed and waiting, of all held shards in turn. */
  #pump(): void {
    if (this.#stopping) return;
    const room = Math.max(this.#transport.slots * 3, 4);
    let empty = 0;
    const held = [...this.#held.values()];
    while (this.#onWire < room && empty < held.length && this.#mayHandOver()) {
      const next = held[this.#turn % held.length];
      this.#turn += 1;
      const recipient =
        next === undefined || next.closing || this.#clock.monotonic() > next.deadline ? undefined : next.reader.next();
      if (next === undefined || recipient === undefined) {
        empty += 1;
        continue;
      }
      empty = 0;
      this.#process(next, recipient);
    }
    this.#recorder.wake();
  }

  /** The window holds for what is handed over, also while a shard that was taken over has more than that to repeat. */
  #mayHandOver(): boolean {
    return this.#recorder.handedOver < this.#maxUnrecorded && this.#pace.ready(this.#clock.monotonic());
  }

  #process(held: Held, recipient: ReadRecipient): void {
    const { turn, facts, failure, accepted } = recipient;
    if (accepted) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'accepted before');
    else if (failure !== undefined) settleUnsent(held, turn, this.#clock.now(), 'deferred', failure);
    else if (facts === undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', 'deleted');
    else if (facts.refusal !== undefined) settleUnsent(held, turn, this.#clock.now(), 'skipped', facts.refusal);
    else this.#compose(held, recipient, facts);
  }

  #compose(held: Held, { turn, checkedAt }: ReadRecipient, facts: RecipientFacts): void {
    try {
      this.#handOver(held, turn, held.campaign.compose(facts, turn, this.#clock.now()), checkedAt);
    } catch (error) {
      if (!(error instanceof RenderFailed)) this.#log.error({ reason: String(error) }, 'a message could not be composed');
      settleUnsent(held, turn, this.#clock.now(), 'failed', error instanceof Error ? error.message : String(error));
    }
  }

  #handOver(held: Held, turn: Turn, message: SendingMessage, checkedAt: number): void {
    held.onWire += 1;
    this.#onWire += 1;
    this.#pace.take();
    const proceed = (): boolean => {
      const now = this.#clock.monotonic();
      return !this.#stopping && !held.closing && now < held.deadline && now - checkedAt < FRESH_MS + timing.WAIT_MS;
    };
    const { envelope, content } = message;
    void this.#transport.submit({ envelope, content, dotSafe: true, proceed }).then(
      (attempt) => this.#answered(held, turn, attempt, message),
      (error: unknown) => {
        this.#log.error({ reason: String(error) }, 'the transport refused a message');
        this.#answered(held, turn, failedAttempt(error), message);
      },
    );
  }

  #answered(held: Held, turn: Turn, attempt: Attempt | Withdrawn, message: SendingMessage): void {
    held.onWire -= 1;
    this.#onWire -= 1;
    message.release();
    if (attempt.outcome === 'withdrawn') held.shard.giveBack(turn.position);
    else {
      this.#tally.count(attempt);
      this.#pauseWhereRefused(held, attempt);
      held.shard.settle(
        turn.position,
        outcomeOf(turn.subscriberId, attempt, turn.possibleRepeat, this.#clock.now(), domainOf(message.envelope.to)),
      );
    }
    if (this.#stopping && this.#onWire === 0) this.#idle?.();
    if (held.closing && held.onWire === 0) void this.#background.guard(() => this.#giveBack(held));
    this.#pump();
    this.#recorder.wake();
  }

  #pauseWhereRefused(held: Held, attempt: Attempt): void {
    const reason = this.#refusals.count(attempt);
    if (reason === undefined || held.closing) return;
    held.closing = true;
    void this.#background.guard(() => this.#ports.pauseCampaign(held.campaign.projectId, held.campaign.campaignId, reason));
  }

  #committed(recorded: RecordedBatches, begunAt: number): void {
    let ended = false;
    for (const [name, verdict] of recorded.verdicts) {
      const held = this.#held.get(name);
      if (held === undefined) continue;
      if (verdict === 'fenced') this.#lose(held);
      else if (verdict === 'moved') held.deadline = begunAt + LEASE_MS - timing.LEASE_MARGIN_MS;
      if (held.shard.done) {
        this.#drop(held);
        ended = true;
      }
    }
    if (ended) {
      void this.#background.guard(() => this.#ports.settle());
      this.wake();
    }
    // The next shard is claimed while the last people of this one are on the wire, or the connections would run dry meanwhile.
    else if (!this.#nothingFree && remainingOf(this.#held.values()) < this.#maxUnrecorded) this.wake();
    this.#pump();
  }

  async #renew(): Promise<void> {
    const mine = [...this.#held.values()].filter((held) => !held.fenced);
    if (mine.length === 0) return;
    const begunAt = this.#clock.monotonic();
    const kept = await this.#ports.renew(this.#id, mine.map(keyOf));
    this.#reachableSince = Math.min(this.#reachableSince, this.#clock.monotonic());
    for (const held of mine) {
      if (this.#held.get(held.name) !== held) continue;
      if (kept.has(held.name)) held.deadline = begunAt + LEASE_MS - timing.LEASE_MARGIN_MS;
      else if (!held.shard.done) this.#lose(held);
    }
    this.#pump();
  }

  /** Pause, resume and cancel take effect here, within half a second and what is on the wire. */
  async #control(): Promise<void> {
    if (this.#held.size === 0) return;
    const runs = new Map([...this.#held.values()].map((held) => [runName(held.shard.lease), held.shard.lease]));
    const running = await this.#ports.runningOf([...runs.values()]);
    for (const held of [...this.#held.values()]) {
      const run = runName(held.shard.lease);
      // One that was claimed while we asked is judged the next time.
      if (!held.closing && (running.has(run) || !runs.has(run))) continue;
      held.closing = true;
      if (held.onWire === 0) await this.#giveBack(held);
    }
  }

  /** Somebody else holds it now: what is on the wire is still recorded, as facts. */
  #lose(held: Held): void {
    if (held.fenced) return;
    held.fenced = true;
    held.closing = true;
    this.#log.warn({ shard: held.name }, 'lost the lease of a shard to another worker');
    if (held.onWire === 0) void this.#background.guard(() => this.#giveBack(held));
  }

  async #giveBack(held: Held, unfinished = false): Promise<void> {
    if (this.#held.get(held.name) !== held || (held.onWire > 0 && !unfinished)) return;
    // With something still on the wire the claim stays as it is: the next holder must mark those messages.
    if (held.onWire === 0) await this.#recorder.retract(held.shard);
    if (this.#held.get(held.name) !== held) return;
    this.#drop(held);
    if (!held.fenced) await this.#ports.release([keyOf(held)]);
  }

  #drop(held: Held): void {
    this.#recorder.untrack(held.shard);
    this.#held.delete(held.name);
  }
}
