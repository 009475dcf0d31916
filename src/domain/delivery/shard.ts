import type { Id } from '../shared/ids.ts';
import type { Outcome } from './message.ts';

/** Names one shard of one run of one mailing. */
export interface ShardKey {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly run: number;
  readonly number: number;
}

/** The data that a claim returns to the new holder. */
export interface ShardLease extends ShardKey {
  /** Fixed at launch; part of the ledger's key (UTC date, `YYYY-MM-DD`). */
  readonly launchedOn: string;
  /** Grows with every claim. Only a holder with the present value may move the cursor. */
  readonly fence: number;
  readonly cursor: number;
  readonly claimedThrough: number;
  /** Subscriber ids in the order fixed at launch. */
  readonly recipients: readonly Id[];
  /** True when all messages of this run may have been accepted before (a resend of messages in doubt). Default false. */
  readonly repeats?: boolean | undefined;
  /** Positions from the cursor on that already have an outcome of this run. */
  readonly settled: readonly number[];
}

export const shardName = (key: ShardKey): string => `${key.projectId}/${key.mailingId}/${key.run}/${key.number}`;

/** Names one lease. A process may lease a shard again while outcomes of its earlier lease are not recorded yet. */
export const leaseName = (lease: ShardKey & { readonly fence: number }): string => `${shardName(lease)}#${lease.fence}`;

/** The part of a recorder commit that concerns one shard. */
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

/** One recipient to hand over, by position. */
export interface Turn {
  readonly position: number;
  readonly subscriberId: Id;
  readonly possibleRepeat: boolean;
}

const NONE: ReadonlySet<Id> = new Set();

/**
 * A leased shard: tracks which positions may be handed over, which have an outcome, and how far the contiguous cursor may move.
 * Positions count from 0. A crash leaves the positions `[cursor, claimedThrough)` in doubt.
 *
 *   settled ......... cursor ... (some settled) ... claimedThrough ......... size
 *
 * Invariant: a position is handed over only below a `claimedThrough` whose commit has been answered.
 */
export class ShardProgress {
  readonly lease: ShardLease;
  readonly size: number;
  #cursor: number;
  #claimedThrough: number;
  #batch = 0;
  #next: number;
  readonly #inherited: number;
  /** Positions at or above the cursor with a committed outcome. */
  readonly #committed = new Set<number>();
  /** Number of positions below `claimedThrough` without a committed outcome. A crash now could repeat them. */
  #unrecorded: number;
  #gathered: { readonly position: number; readonly outcome: Outcome }[] = [];
  /** Positions given back before any byte was written. `take` returns them first. */
  readonly #returned: number[] = [];
  #handedOver = 0;
  /** The cursor of the last answered commit. */
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

  /** Turns taken and not given back, without a committed outcome. A crash of this holder could repeat them. */
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
   * True when all recipients have an outcome, but no commit of this holder has marked the shard as done. This happens when an
   * earlier holder records its last outcomes late.
   */
  get doneUnrecorded(): boolean {
    return this.done && this.#toldCursor < this.size;
  }

  /** Number of outcomes that are not in a batch yet. */
  get gathered(): number {
    return this.#gathered.length;
  }

  /** Positions with an outcome, except those of a commit under way. It changes whenever this lease makes progress. */
  get settled(): number {
    return this.#cursor + this.#committed.size + this.#gathered.length;
  }

  /** One more than the last position with an outcome. Earlier positions may have none. */
  get settledThrough(): number {
    let through = this.#cursor;
    for (const { position } of this.#gathered) through = Math.max(through, position + 1);
    for (const position of this.#committed) through = Math.max(through, position + 1);
    return through;
  }

  /** The next turns, claimed or not, without taking them, for reading recipients ahead. Leaves out `known` subscribers. */
  peek(count: number, known: { has(subscriberId: Id): boolean } = NONE): readonly Turn[] {
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
   * Takes the returned turns that lie before positions with an outcome. They need an outcome too: otherwise the next holder would
   * treat them as handed over.
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
   * The next batch to commit: all gathered outcomes, and a claim extended by at most `room` positions. Call `applied` when, and
   * only when, the commit has been answered.
   */
  nextBatch(room: number): { readonly batch: ShardBatch; readonly applied: () => void } {
    return this.#cut(Math.min(this.size, this.#claimedThrough + Math.max(0, room)));
  }

  /**
   * The last batch before the shard is given back with nothing on the wire. The claim shrinks to the positions with an outcome,
   * so that the next holder does not mark messages as possible repeats that were never handed over.
   */
  lastBatch(): { readonly batch: ShardBatch; readonly applied: () => void } {
    const last = this.settledThrough;
    // Another worker may have handed over the inherited positions without an outcome, so they stay claimed.
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
