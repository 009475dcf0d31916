import {
  LEASE_MS,
  leaseName,
  type RecordedBatches,
  runName,
  type ShardLease,
  ShardProgress,
  type WorkerProgress,
} from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import { Background, within } from '../background.ts';
import { activityOf, type LaneActivity } from '../status/lane-activity.ts';
import { BlockedMailings } from './blocked-mailings.ts';
import { type BulkLaneOptions, type BulkLanePorts, DEFAULT_WINDOW } from './bulk-lane-ports.ts';
import * as timing from './lane-timing.ts';
import { keyOf, type LeasedShard, leaseKey, part, remainingOf } from './leased-shard.ts';
import type { Lines } from './line.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';
import { Pump } from './pump.ts';
import { RecipientReader } from './recipient-reader.ts';
import type { SendingMailing } from './sending-mailing.ts';

/**
 * The bulk lane of one process: claims shards, reads their recipients ahead, composes messages, hands them over on the
 * transport's connections and records the outcomes. One pump feeds the connections; the other parts prepare its work.
 */
export class BulkLane {
  readonly #id: Id;
  readonly #lines: Lines;
  readonly #ports: BulkLanePorts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxUnrecorded: number;
  readonly #recorder: OutcomeRecorder;
  readonly #pump: Pump;
  readonly #held = new Map<string, LeasedShard>();
  readonly #blocked: BlockedMailings;
  readonly #background = new Background((error) => this.#reportError(error));
  /** Separate from the other timers, because leases are renewed while the lane drains. */
  readonly #renewing = new Background((error) => this.#reportError(error));
  readonly #fatal: (error: unknown) => void;
  #stopping = false;
  #claiming = false;
  #claimAgain = false;
  /** The last claim found no shard of any mailing. The next claim is tried at the next tick. */
  #nothingFree = false;
  #reachableSince = Number.POSITIVE_INFINITY;
  #tookTurnsAt = Number.NEGATIVE_INFINITY;

  constructor(deps: {
    id: Id;
    lines: Lines;
    ports: BulkLanePorts;
    clock: Clock;
    log: Log;
    options?: BulkLaneOptions;
    /** Called when the process must end, because outcomes can no longer be recorded. */
    onFatal: (error: unknown) => void;
  }) {
    this.#id = deps.id;
    this.#ports = deps.ports;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#maxUnrecorded = deps.options?.maxUnrecorded ?? DEFAULT_WINDOW;
    this.#lines = deps.lines;
    this.#blocked = new BlockedMailings(deps.lines);
    this.#fatal = deps.onFatal;
    this.#recorder = new OutcomeRecorder({
      commit: (batches) => deps.ports.commit(batches),
      isTransient: (error) => deps.ports.isTransient(error),
      clock: deps.clock,
      log: deps.log,
      maxUnrecorded: this.#maxUnrecorded,
      leastAhead: deps.lines.all.reduce((slots, { transport }) => slots + transport.slots, 0),
      onCommitted: (recorded, begunAt) => this.#committed(recorded, begunAt),
      onFatal: (error) => this.#giveUp(error),
    });
    this.#pump = new Pump({
      lines: deps.lines,
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
    // On a timer of its own: claiming may wait for the database or a large content, and messages on the wire must not wait for it.
    this.#background.every(timing.SWEEP_MS, async () => this.#pump.run());
    this.#background.every(timing.CONTROL_MS, () => this.#control());
    this.#background.every(timing.SETTLE_MS, () => this.#ports.settle());
    this.#background.every(timing.RATE_MS, async () => {
      for (const { tally } of this.#lines.all) tally.measure(this.#clock.monotonic());
    });
    this.wake();
  }

  /** Looks for shards to claim. Called when a job announces some. */
  wake(): void {
    void this.#background.guard(() => this.#lookForWork());
  }

  /** The limit of messages per second holds for all workers together; each takes an equal part. */
  shareRate(workers: number): void {
    this.#lines.share(workers, this.#clock.monotonic());
  }

  get progress(): WorkerProgress {
    return {
      shards: this.#held.size,
      submitted: this.#lines.all.reduce((sum, { tally }) => sum + tally.submitted, this.#lines.submittedBefore),
      perSecond: this.#lines.all.reduce((sum, { tally }) => sum + tally.perSecond, 0),
      unrecorded: this.#recorder.unrecorded,
      // Without shards nothing is sent, and the last trouble may be out of date.
      trouble: this.#held.size > 0 ? this.#lines.all.find(({ tally }) => tally.trouble !== undefined)?.tally.trouble : undefined,
    };
  }

  get activity(): LaneActivity {
    const parts = { lines: this.#lines, recorder: this.#recorder };
    return activityOf({ held: [...this.#held.values()], ...parts, now: this.#clock.monotonic() });
  }

  /** Messages handed over without a recorded outcome. They are in doubt if this process ends now. */
  get inDoubt(): number {
    return this.#recorder.handedOver;
  }

  /**
   * Stops claiming, finishes messages on the wire, records all outcomes and gives shards back (promise D9). Leases are renewed
   * until then, because a worker that took over a shard would repeat messages on the wire. Waits only for a limited time.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#background.endTimers();
    await this.#pump.drain(timing.DRAIN_MS);
    // Messages past their final dot are in doubt from here on, because their replies are no longer read.
    if (!this.#pump.quiet) await Promise.all(this.#lines.all.map(({ transport }) => transport.close(0)));
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
    // A claim that was under way when the stop began may still return a shard.
    await this.#background.settled();
    for (const held of this.#held.values()) part(held, this.#clock.now());
    await this.#recorder.flush();
    // A shard that cannot be given back is free when its lease ends.
    for (const held of [...this.#held.values()]) await this.#giveBack(held, true).catch((error) => this.#reportError(error));
  }

  /** Ends the hand-over, because outcomes can no longer be recorded. Other workers claim the shards when the leases end. */
  #giveUp(error: unknown): void {
    this.#stopping = true;
    void this.#pump.drain(0);
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
        while (!this.#stopping && this.#takesShards() && (await this.#claimOne()));
        await this.#takeTurns();
      } while (this.#claimAgain);
    } finally {
      this.#claiming = false;
    }
  }

  #takesShards(): boolean {
    if (this.#held.size >= timing.MOST_HELD) return false;
    let busy = 0;
    for (const { shard } of this.#held.values()) if (shard.remaining > 0) busy += 1;
    return busy < timing.MOST_SHARDS;
  }

  /** At the limit of shards, exchanges the oldest for one of a mailing without a shard here, so that no mailing starves. */
  async #takeTurns(): Promise<void> {
    const now = this.#clock.monotonic();
    if (this.#stopping || this.#takesShards() || now - this.#tookTurnsAt < timing.TAKE_TURNS_MS) return;
    this.#tookTurnsAt = now;
    const [longest] = [...this.#held.values()].filter((held) => !held.closing).sort((a, b) => a.since - b.since);
    if (longest === undefined || !(await this.#claimOne())) return;
    this.#close(longest);
    if (longest.inFlight === 0) await this.#giveBack(longest);
  }

  /** Claims one shard. While enough recipients remain, only mailings without a shard in this process are considered. */
  async #claimOne(): Promise<boolean> {
    // After the machine slept, this process's own leases have expired too. Renew them before claiming.
    if ([...this.#held.values()].some((held) => !held.fenced && this.#clock.monotonic() > held.deadline)) await this.#renew();
    const open = [...this.#held.values()].filter((held) => !held.closing);
    const known = remainingOf(open) < this.#maxUnrecorded ? [] : open.map((held) => held.mailing.mailingId);
    const avoid = [...new Set([...known, ...this.#blocked.present()])];
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

  /** Releases a shard whose mailing cannot be loaded, so that no other worker waits for the end of the lease. */
  async #letGo(lease: ShardLease, error: unknown): Promise<never> {
    await this.#ports.release([leaseKey(lease)]).catch((another: unknown) => this.#reportError(another));
    throw error;
  }

  /** Pauses a mailing that cannot be compiled, with the reason. Otherwise its shards would be claimed and released for ever. */
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
    const shard = new ShardProgress(lease);
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
      movedOn: new Map(),
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

  /** The run was resumed before the last reply arrived, so the shard was not given back and can be used again. */
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
    // Claims the next shard while the last recipients of this one are on the wire. Otherwise connections would be idle.
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

  /** Applies pause, resume and cancel, within half a second. Messages on the wire are finished. */
  async #control(): Promise<void> {
    if (this.#held.size === 0) return;
    for (const held of this.#held.values()) {
      const blocked = this.#blocked.look(held);
      if (blocked?.lasting === true) this.#refused(held, blocked.reason);
      else if (blocked !== undefined) this.#close(held);
    }
    const runs = new Map([...this.#held.values()].map((held) => [runName(held.shard.lease), held.shard.lease]));
    const running = await this.#ports.runningOf([...runs.values()]);
    for (const held of [...this.#held.values()]) {
      const run = runName(held.shard.lease);
      // A shard that was claimed during the query is handled next time.
      if (!held.closing && (running.has(run) || !runs.has(run))) continue;
      if (held.reopens && held.inFlight > 0 && !held.fenced && running.has(run)) this.#reopen(held);
      else {
        if (!held.closing) held.reopens = true;
        this.#close(held);
        if (held.inFlight === 0) await this.#giveBack(held);
      }
    }
  }

  /** Another worker holds the shard now. Outcomes of messages on the wire are still recorded. */
  #lose(held: LeasedShard): void {
    if (held.fenced) return;
    held.fenced = true;
    this.#close(held);
    this.#log.warn({ shard: held.name }, 'lost the lease of a shard to another worker');
    if (held.inFlight === 0) void this.#background.guard(() => this.#giveBack(held));
  }

  async #giveBack(held: LeasedShard, unfinished = false): Promise<void> {
    if (this.#held.get(held.name) !== held || (held.inFlight > 0 && !unfinished)) return;
    // While messages are on the wire the claim is not reduced: the next holder must mark them as possible repeats.
    if (held.inFlight === 0) {
      part(held, this.#clock.now());
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
