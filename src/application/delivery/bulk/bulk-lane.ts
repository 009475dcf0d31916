import {
  HeldShard,
  LEASE_MS,
  leaseName,
  type RecordedBatches,
  runName,
  type ShardLease,
  type WorkerProgress,
} from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import { Background, within } from '../background.ts';
import { activityOf, type LaneActivity } from '../status/lane-activity.ts';
import { type BulkLaneOptions, type BulkLanePorts, DEFAULT_WINDOW } from './bulk-lane-ports.ts';
import * as timing from './lane-timing.ts';
import { keyOf, type LeasedShard, leaseKey, remainingOf } from './leased-shard.ts';
import type { Line, Route } from './line.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';
import { Pump } from './pump.ts';
import { RecipientReader } from './recipient-reader.ts';
import type { SendingMailing } from './sending-mailing.ts';

/**
 * The bulk lane of one process: claims shards, reads their people ahead, composes, hands over on the transport's connections
 * and records. One pump feeds the connections; everything else only prepares work for it or takes results from it.
 */
export class BulkLane {
  readonly #id: Id;
  readonly #lines: readonly Line[];
  readonly #ports: BulkLanePorts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxUnrecorded: number;
  readonly #recorder: OutcomeRecorder;
  readonly #pump: Pump;
  readonly #held = new Map<string, LeasedShard>();
  readonly #background = new Background((error) => this.#reportError(error));
  /** Beside the others: it goes on while the lane drains. */
  readonly #renewing = new Background((error) => this.#reportError(error));
  readonly #fatal: (error: unknown) => void;
  #stopping = false;
  #claiming = false;
  #claimAgain = false;
  /** The last look found no shard of any mailing; the next look is at the next tick. */
  #nothingFree = false;
  #reachableSince = Number.POSITIVE_INFINITY;
  #tookTurnsAt = Number.NEGATIVE_INFINITY;

  constructor(deps: {
    id: Id;
    lines: readonly Line[];
    /** Names one of `lines`. */
    route: Route;
    ports: BulkLanePorts;
    clock: Clock;
    log: Log;
    options?: BulkLaneOptions;
    /** The process cannot go on: nothing more can be recorded. */
    onFatal: (error: unknown) => void;
  }) {
    this.#id = deps.id;
    this.#ports = deps.ports;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#maxUnrecorded = deps.options?.maxUnrecorded ?? DEFAULT_WINDOW;
    this.#lines = deps.lines;
    this.#fatal = deps.onFatal;
    this.#recorder = new OutcomeRecorder({
      commit: (batches) => deps.ports.commit(batches),
      isTransient: (error) => deps.ports.isTransient(error),
      clock: deps.clock,
      log: deps.log,
      maxUnrecorded: this.#maxUnrecorded,
      leastAhead: deps.lines.reduce((slots, { transport }) => slots + transport.slots, 0),
      onCommitted: (recorded, begunAt) => this.#committed(recorded, begunAt),
      onFatal: (error) => this.#giveUp(error),
    });
    this.#pump = new Pump({
      lines: deps.lines,
      route: deps.route,
      clock: deps.clock,
      log: deps.log,
      recorder: this.#recorder,
      held: this.#held,
      maxUnrecorded: this.#maxUnrecorded,
      onRefused: (held, reason) => this.#refused(held, reason),
      onQuiet: (held) => void this.#background.guard(() => this.#giveBack(held)),
      onError: (error) => this.#reportError(error),
    });
  }

  start(): void {
    this.#renewing.every(timing.RENEW_MS, () => this.#renew());
    this.#background.every(timing.TICK_MS, () => this.#lookForWork());
    // Not in the look for work: that may wait for the database or a large content, and messages on the wire grow old meanwhile.
    this.#background.every(timing.SWEEP_MS, async () => this.#pump.run());
    this.#background.every(timing.CONTROL_MS, () => this.#control());
    this.#background.every(timing.SETTLE_MS, () => this.#ports.settle());
    this.#background.every(timing.RATE_MS, async () => this.#measure());
    this.wake();
  }

  /** There may be a shard to claim: called when a job says so. */
  wake(): void {
    void this.#background.guard(() => this.#lookForWork());
  }

  /** The limit of messages per second is one for all: each of `workers` takes its part of it. */
  shareRate(workers: number): void {
    for (const { pace } of this.#lines) pace.share(workers, this.#clock.monotonic());
  }

  get progress(): WorkerProgress {
    return {
      shards: this.#held.size,
      submitted: this.#lines.reduce((sum, { tally }) => sum + tally.submitted, 0),
      perSecond: this.#lines.reduce((sum, { tally }) => sum + tally.perSecond, 0),
      unrecorded: this.#recorder.unrecorded,
      // The next hop is not asked anything else: its last answer may be out of date.
      trouble: this.#held.size > 0 ? this.#lines.find(({ tally }) => tally.trouble !== undefined)?.tally.trouble : undefined,
    };
  }

  get activity(): LaneActivity {
    const parts = { lines: this.#lines, recorder: this.#recorder };
    return activityOf({ held: [...this.#held.values()], ...parts, now: this.#clock.monotonic() });
  }

  /** Messages handed over whose outcome is not recorded: in doubt, should this process end now. */
  get inDoubt(): number {
    return this.#recorder.handedOver;
  }

  /**
   * Stops claiming, finishes what is on the wire, writes all outcomes, hands shards back (promise D9). Leases are renewed to
   * the end: a worker that took a shard over meanwhile would repeat messages that are being sent. Without the database it gives up after a while.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#background.endTimers();
    await this.#pump.drain(timing.DRAIN_MS);
    // What is past its final dot is in doubt from here on: no answer to it would be heard any more.
    if (!this.#pump.quiet) await Promise.all(this.#lines.map(({ transport }) => transport.close(0)));
    const handedBack = await within(timing.HAND_BACK_MS, this.#handBack());
    this.#recorder.stop();
    this.#renewing.endTimers();
    if (handedBack) await Promise.all([this.#renewing.settled(), this.#background.settled()]);
    else {
      const facts = { inDoubt: this.inDoubt, shards: [...this.#held.keys()], waitedMs: timing.HAND_BACK_MS };
      this.#log.error(
        facts,
        'the database did not take the last outcomes: the next worker sends messages in doubt again, marked as possible repeats',
      );
    }
  }

  async #handBack(): Promise<void> {
    // A claim that was under way when all this began may still bring a shard.
    await this.#background.settled();
    for (const held of this.#held.values()) this.#pump.part(held);
    await this.#recorder.flush();
    // What cannot be given back waits for the end of its lease.
    for (const held of [...this.#held.values()]) await this.#giveBack(held, true).catch((error) => this.#reportError(error));
  }

  /** Nothing more can be recorded, so nothing more may be handed over; the shards go to others when their leases end. */
  #giveUp(error: unknown): void {
    this.#stopping = true;
    this.#pump.stop();
    this.#background.endTimers();
    this.#renewing.endTimers();
    this.#fatal(error);
  }

  #reportError(error: unknown): void {
    if (this.#ports.isTransient(error)) {
      if (this.#reachableSince !== Number.POSITIVE_INFINITY)
        this.#log.warn({ reason: error }, 'the database is unavailable; workers wait');
      this.#reachableSince = Number.POSITIVE_INFINITY;
    } else {
      this.#log.error({ reason: error }, 'bulk sending failed and is tried again');
    }
  }

  #measure(): void {
    for (const { tally } of this.#lines) tally.measure(this.#clock.monotonic());
  }

  async #lookForWork(): Promise<void> {
    this.#nothingFree = false;
    if (this.#claiming) {
      this.#claimAgain = true;
      return;
    }
    this.#claiming = true;
    try {
      do {
        this.#claimAgain = false;
        while (!this.#stopping && this.#hasHands() && (await this.#claimOne()));
        await this.#takeTurns();
      } while (this.#claimAgain);
    } finally {
      this.#claiming = false;
    }
  }

  #hasHands(): boolean {
    if (this.#held.size >= timing.MOST_HELD) return false;
    let busy = 0;
    for (const { shard } of this.#held.values()) if (shard.remaining > 0) busy += 1;
    return busy < timing.MOST_SHARDS;
  }

  /** At its limit of shards it gives one back when a mailing without a shard here waits: otherwise mailings beyond that number would starve. */
  async #takeTurns(): Promise<void> {
    const now = this.#clock.monotonic();
    if (this.#stopping || this.#hasHands() || now - this.#tookTurnsAt < timing.TAKE_TURNS_MS) return;
    this.#tookTurnsAt = now;
    const [longest] = [...this.#held.values()].filter((held) => !held.closing).sort((a, b) => a.since - b.since);
    if (longest === undefined || !(await this.#claimOne())) return;
    this.#close(longest);
    if (longest.inFlight === 0) await this.#giveBack(longest);
  }

  /** One more shard: any while there is little left to do, otherwise only of mailings without a shard in this process. */
  async #claimOne(): Promise<boolean> {
    // After a sleep of the machine the own leases look as free as all others: keep them before taking more.
    if ([...this.#held.values()].some((held) => !held.fenced && this.#clock.monotonic() > held.deadline)) await this.#renew();
    const open = [...this.#held.values()].filter((held) => !held.closing);
    const avoid = remainingOf(open) < this.#maxUnrecorded ? [] : [...new Set(open.map((held) => held.mailing.mailingId))];
    const takeExpired = this.#clock.monotonic() - this.#reachableSince >= LEASE_MS;
    const begunAt = this.#clock.monotonic();
    const lease = await this.#ports.claim(this.#id, { avoid, takeExpired });
    this.#reachableSince = Math.min(this.#reachableSince, this.#clock.monotonic());
    this.#nothingFree = lease === undefined && avoid.length === 0;
    if (lease === undefined) return false;
    const mailing = this.#stopping ? undefined : await this.#load(lease).catch((error) => this.#letGo(lease, error));
    if (mailing === undefined) await this.#ports.release([leaseKey(lease)]);
    else this.#hold(lease, mailing, begunAt);
    return true;
  }

  /** Claimed in vain: no other worker should have to wait for the end of this lease. */
  async #letGo(lease: ShardLease, error: unknown): Promise<never> {
    await this.#ports.release([leaseKey(lease)]).catch((another: unknown) => this.#reportError(another));
    throw error;
  }

  /** A mailing that cannot be compiled here is paused, with the reason: it would be claimed in vain for ever. */
  async #load(lease: ShardLease): Promise<SendingMailing | undefined> {
    try {
      return await this.#ports.loadMailing(lease.projectId, lease.mailingId);
    } catch (error) {
      if (this.#ports.isTransient(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error({ mailing: lease.mailingId, reason }, 'a mailing cannot be sent and was paused');
      await this.#ports.pauseMailing(lease.projectId, lease.mailingId, reason);
      return undefined;
    }
  }

  #hold(lease: ShardLease, mailing: SendingMailing, begunAt: number): void {
    const shard = new HeldShard(lease);
    const reader = new RecipientReader({
      shard,
      clock: this.#clock,
      read: (turns) => this.#background.follow(this.#ports.readRecipients(mailing, lease, turns)),
      check: (turns) => this.#background.follow(this.#ports.checkRecipients(mailing, lease, turns)),
      onReady: () => this.#pump.run(),
      onError: (error) => this.#reportError(error),
    });
    const held: LeasedShard = {
      shard,
      name: leaseName(lease),
      mailing,
      reader,
      deadline: begunAt + LEASE_MS - timing.LEASE_MARGIN_MS,
      closing: false,
      reopens: false,
      fenced: false,
      blocked: false,
      inFlight: 0,
      since: begunAt,
      left: [],
    };
    this.#held.set(held.name, held);
    this.#recorder.track(shard);
    this.#pump.run();
  }

  #refused(held: LeasedShard, reason: string): void {
    this.#close(held);
    void this.#background.guard(async () => {
      await this.#ports.pauseMailing(held.mailing.projectId, held.mailing.mailingId, reason);
      held.reopens = true;
    });
  }

  #close(held: LeasedShard): void {
    held.closing = true;
    this.#pump.close(held);
    this.#recorder.close(held.shard);
  }

  /** Its run goes on while an answer is still awaited, without which it could not be given back. */
  #reopen(held: LeasedShard): void {
    held.closing = false;
    held.reopens = false;
    this.#pump.reopen(held);
    this.#recorder.reopen(held.shard);
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
    this.#pump.run();
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
    this.#pump.run();
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
      if (held.reopens && held.inFlight > 0 && !held.fenced && running.has(run)) this.#reopen(held);
      else {
        if (!held.closing) held.reopens = true;
        this.#close(held);
        if (held.inFlight === 0) await this.#giveBack(held);
      }
    }
  }

  /** Another worker holds it now: messages that are being sent are still recorded, as facts. */
  #lose(held: LeasedShard): void {
    if (held.fenced) return;
    held.fenced = true;
    this.#close(held);
    this.#log.warn({ shard: held.name }, 'lost the lease of a shard to another worker');
    if (held.inFlight === 0) void this.#background.guard(() => this.#giveBack(held));
  }

  async #giveBack(held: LeasedShard, unfinished = false): Promise<void> {
    if (this.#held.get(held.name) !== held || (held.inFlight > 0 && !unfinished)) return;
    // With something still on the wire the claim stays as it is: the next holder must mark those messages.
    if (held.inFlight === 0) {
      this.#pump.part(held);
      await this.#recorder.retract(held.shard);
    }
    if (this.#held.get(held.name) !== held) return;
    this.#drop(held);
    if (!held.fenced) await this.#ports.release([keyOf(held)]);
  }

  #drop(held: LeasedShard): void {
    this.#recorder.untrack(held.shard);
    this.#held.delete(held.name);
  }
}
