import type { Id } from '../shared/ids.ts';
import type { Outcome } from './message.ts';

/** Names one shard of one run of one mailing. */
export interface ShardKey {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly run: number;
  readonly number: number;
}

/** What a claim hands to its new holder. */
export interface ShardLease extends ShardKey {
  /** Fixed at launch; part of the ledger's key (UTC date, `YYYY-MM-DD`). */
  readonly launchedOn: string;
  /** Grows with every claim; only its present value may move the shard. */
  readonly fence: number;
  readonly cursor: number;
  readonly claimedThrough: number;
  /** Subscriber ids in the order fixed at launch. */
  readonly recipients: readonly Id[];
  /** All messages of this run may have been accepted before (a resend of messages in doubt). Default false. */
  readonly repeats?: boolean | undefined;
  /** Positions behind the cursor that already have an outcome of this run. */
  readonly settled: readonly number[];
}

export const shardName = (key: ShardKey): string => `${key.projectId}/${key.mailingId}/${key.run}/${key.number}`;

/** Names one holding of a shard: a process that lost a shard may hold it again while its older holding still has answers to record. */
export const leaseName = (lease: ShardKey & { readonly fence: number }): string => `${shardName(lease)}#${lease.fence}`;

/** What one recorder commit says about one shard. */
export interface ShardBatch extends ShardKey {
  readonly launchedOn: string;
  readonly fence: number;
  /** 1 for the first batch under this fence, then one more each time. */
  readonly batch: number;
  readonly cursor: number;
  readonly claimedThrough: number;
  readonly done: boolean;
  readonly outcomes: readonly Outcome[];
}

/** One position to hand over. */
export interface Turn {
  readonly position: number;
  readonly subscriberId: Id;
  readonly possibleRepeat: boolean;
}

const NOBODY: ReadonlySet<Id> = new Set();

/**
 * A shard in the hands of its holder: which positions may be handed over, which have an outcome, how far the contiguous
 * cursor may move. Positions count from 0; `cursor` and `claimedThrough` are counts, so `[cursor, claimedThrough)` is what a
 * crash leaves open.
 *
 *   settled ......... cursor ... (some settled) ... claimedThrough ......... size
 *
 * Invariant: a position is handed over only below a `claimedThrough` whose commit has been answered.
 */
export class HeldShard {
  readonly lease: ShardLease;
  readonly size: number;
  #cursor: number;
  #claimedThrough: number;
  #batch = 0;
  #next: number;
  readonly #inherited: number;
  /** Positions at or above the cursor with an outcome that is committed. */
  readonly #committed = new Set<number>();
  /** Positions below `claimedThrough` without a committed outcome: what a crash now could repeat. */
  #unrecorded: number;
  #gathered: { readonly position: number; readonly outcome: Outcome }[] = [];
  /** Given back before any byte was written; handed out again first. */
  readonly #returned: number[] = [];
  #handedOver = 0;
  /** The cursor as the last answered commit has it. */
  #toldCursor: number;

  constructor(lease: ShardLease) {
    this.lease = lease;
    this.size = lease.recipients.length;
    this.#cursor = lease.cursor;
    this.#toldCursor = lease.cursor;
    this.#claimedThrough = lease.claimedThrough;
    this.#inherited = lease.claimedThrough;
    this.#next = lease.cursor;
    for (const position of lease.settled) if (position >= lease.cursor) this.#committed.add(position);
    let unrecorded = 0;
    for (let position = lease.cursor; position < lease.claimedThrough; position += 1)
      if (!this.#committed.has(position)) unrecorded += 1;
    this.#unrecorded = unrecorded;
    this.#advance();
  }

  get cursor(): number {
    return this.#cursor;
  }

  get claimedThrough(): number {
    return this.#claimedThrough;
  }

  /** Claimed positions without a committed outcome; the sum over a process is bounded by its window. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Turns taken and not given back whose outcome is not committed: what this holder, if it crashed now, could repeat. */
  get handedOver(): number {
    return this.#handedOver;
  }

  /** Positions that may be handed over now. */
  get ready(): number {
    return this.#claimedThrough - this.#next + this.#returned.length;
  }

  /** Positions that were not handed over yet, claimed or not. */
  get remaining(): number {
    return this.size - this.#next + this.#returned.length;
  }

  get done(): boolean {
    return this.#cursor >= this.size;
  }

  /**
   * All recipients have an outcome and no commit has said so: an earlier holder that recorded its last ones late completes a shard
   * without a notice.
   */
  get doneUntold(): boolean {
    return this.done && this.#toldCursor < this.size;
  }

  /** Outcomes known and not yet in a batch. */
  get gathered(): number {
    return this.#gathered.length;
  }

  /** Positions with an outcome, but for those of a commit under way: it changes whenever this holding gets anywhere. */
  get settled(): number {
    return this.#cursor + this.#committed.size + this.#gathered.length;
  }

  /** Behind the last position with an outcome; before it some may have none. */
  get settledThrough(): number {
    let through = this.#cursor;
    for (const { position } of this.#gathered) through = Math.max(through, position + 1);
    for (const position of this.#committed) through = Math.max(through, position + 1);
    return through;
  }

  /** The turns that come next, claimed or not, without taking them: for reading people ahead. `known` ones are left out. */
  peek(count: number, known: { has(subscriberId: Id): boolean } = NOBODY): readonly Turn[] {
    const turns: Turn[] = [];
    const add = (position: number): void => {
      if (!known.has(this.lease.recipients[position] ?? '')) turns.push(this.#turn(position));
    };
    for (let index = this.#returned.length - 1; index >= 0 && turns.length < count; index -= 1) add(this.#returned[index]!);
    for (let position = this.#next; position < this.size && turns.length < count; position += 1) {
      if (!this.#committed.has(position)) add(position);
    }
    return turns;
  }

  /** The next position to hand over, or undefined while the claim has to be extended first. */
  take(): Turn | undefined {
    const position = this.#returned.pop() ?? this.#following();
    if (position === undefined) return undefined;
    this.#handedOver += 1;
    return this.#turn(position);
  }

  /** Gives back a turn of which no byte was written. */
  giveBack(position: number): void {
    this.#handedOver -= 1;
    this.#returned.push(position);
  }

  /**
   * Takes the turns that came back unsent and lie before others with an outcome: without an outcome of their own the next holder would
   * have to take them for handed over.
   */
  takeReturned(): readonly Turn[] {
    const through = this.settledThrough;
    const taken: Turn[] = [];
    for (const position of this.#returned.splice(0)) {
      if (position < through) taken.push(this.#turn(position));
      else this.#returned.push(position);
    }
    this.#handedOver += taken.length;
    return taken;
  }

  settle(position: number, outcome: Outcome): void {
    this.#gathered.push({ position, outcome });
  }

  /**
   * The next batch to commit: everything gathered, and a claim extended by at most `room` positions. `applied` must be
   * called when, and only when, its commit has been answered.
   */
  nextBatch(room: number): { readonly batch: ShardBatch; readonly applied: () => void } {
    return this.#cut(Math.min(this.size, this.#claimedThrough + Math.max(0, room)));
  }

  /**
   * The batch before the shard is given back with nothing on the wire: the claim shrinks to what has an outcome, so that the
   * next holder marks no message as a possible repeat that was never handed over.
   */
  lastBatch(): { readonly batch: ShardBatch; readonly applied: () => void } {
    const last = this.settledThrough;
    // Inherited and still open: another worker may have handed these over, so their mark must stay.
    return this.#cut(Math.max(last, this.#cursor < this.#inherited ? this.#inherited : 0));
  }

  #cut(claimedThrough: number): { readonly batch: ShardBatch; readonly applied: () => void } {
    const gathered = this.#gathered;
    this.#gathered = [];
    const fresh = new Set(gathered.map((entry) => entry.position));
    let cursor = this.#cursor;
    while (cursor < claimedThrough && (this.#committed.has(cursor) || fresh.has(cursor))) cursor += 1;
    this.#batch += 1;
    const batch: ShardBatch = {
      projectId: this.lease.projectId,
      mailingId: this.lease.mailingId,
      run: this.lease.run,
      number: this.lease.number,
      launchedOn: this.lease.launchedOn,
      fence: this.lease.fence,
      batch: this.#batch,
      cursor,
      claimedThrough,
      done: cursor >= this.size,
      outcomes: gathered.map((entry) => entry.outcome),
    };
    const applied = (): void => {
      for (const position of fresh) this.#committed.add(position);
      this.#unrecorded += claimedThrough - this.#claimedThrough - fresh.size;
      this.#handedOver -= fresh.size;
      this.#claimedThrough = claimedThrough;
      this.#toldCursor = cursor;
      this.#advance();
    };
    return { batch, applied };
  }

  #following(): number | undefined {
    while (this.#next < this.#claimedThrough) {
      const position = this.#next;
      this.#next += 1;
      if (!this.#committed.has(position)) return position;
    }
    return undefined;
  }

  #advance(): void {
    while (this.#cursor < this.#claimedThrough && this.#committed.delete(this.#cursor)) this.#cursor += 1;
    if (this.#next < this.#cursor) this.#next = this.#cursor;
  }

  #turn(position: number): Turn {
    const subscriberId = this.lease.recipients[position];
    if (subscriberId === undefined) throw new RangeError(`Position ${position} is outside a shard of ${this.size}.`);
    return { position, subscriberId, possibleRepeat: this.lease.repeats === true || position < this.#inherited };
  }
}
