import { expect } from 'vitest';
import { type ShardBatch, ShardProgress, type Turn } from '../../src/domain/delivery/index.ts';
import { aLease, anOutcome } from './builders-delivery.ts';

/**
 * One shard with its row in the database as the simplest thing that is true: what is committed, who has an outcome, who was
 * handed over. Every step checks what the holder says against it.
 */
export class ModelShard {
  readonly #size: number;
  readonly #window: number;
  #stored = { cursor: 0, claimedThrough: 0 };
  readonly #ledger = new Set<number>();
  #held: ShardProgress;
  /** What the present holder claimed in the moment of its claim, less who had an outcome: each of these is marked. */
  #marked = new Set<number>();
  #taken: Turn[] = [];
  #known = new Set<number>();
  #flying: { batch: ShardBatch; positions: ReadonlySet<number>; applied: () => void } | undefined;
  /** Handed over by holders who were fenced out: they may tell of it at any time. */
  #late: number[] = [];
  /** Who had an outcome when the present holder claimed, or got one from it: the others it must hand over. */
  #seen = new Set<number>();
  /** How often a position was handed over (taken and not given back). */
  readonly #handedOver = new Map<number, number>();

  constructor(size: number, window: number) {
    this.#size = size;
    this.#window = window;
    this.#held = this.#claim();
  }

  take(): void {
    const turn = this.#held.take();
    if (turn === undefined) expect(this.#held.ready).toBe(0);
    else {
      expect(turn.position).toBeLessThan(this.#stored.claimedThrough);
      expect(this.#seen.has(turn.position)).toBe(false);
      expect(turn.possibleRepeat).toBe(this.#marked.has(turn.position));
      const before = this.#handedOver.get(turn.position) ?? 0;
      if (before > 0) expect(turn.possibleRepeat).toBe(true);
      this.#handedOver.set(turn.position, before + 1);
      this.#taken.push(turn);
    }
    this.#check();
  }

  giveBack(pick: number): void {
    const turn = this.#pick(pick);
    if (turn === undefined) return;
    this.#handedOver.set(turn.position, (this.#handedOver.get(turn.position) ?? 0) - 1);
    this.#held.giveBack(turn.position);
    this.#check();
  }

  settle(pick: number): void {
    const turn = this.#pick(pick);
    if (turn === undefined) return;
    this.#known.add(turn.position);
    this.#held.settle(turn.position, anOutcome(turn.position));
    this.#check();
  }

  cut(pick: number): void {
    if (this.#flying !== undefined) return;
    const room = this.#window - this.#held.unrecorded + this.#held.gathered;
    this.#fly(this.#held.nextBatch(room <= 0 ? 0 : pick % (room + 1)));
    this.#check();
  }

  /** The commit is made and its answer arrives. */
  answer(): void {
    const flying = this.#flying;
    if (flying === undefined) return;
    this.#store();
    this.#flying = undefined;
    flying.applied();
    expect(this.#held.cursor).toBe(this.#stored.cursor);
    expect(this.#held.claimedThrough).toBe(this.#stored.claimedThrough);
    this.#check();
  }

  /** The holder is gone; the commit that was under way was made or was not. */
  crash(pick: number): void {
    if (this.#flying !== undefined && pick % 2 === 0) this.#store();
    this.#held = this.#claim();
    this.#check();
  }

  /** Somebody else holds the shard; what the holder had handed over or knew is told late, or never. */
  fence(): void {
    this.#late.push(...this.#taken.map((turn) => turn.position), ...this.#known, ...(this.#flying?.positions ?? []));
    this.#held = this.#claim();
    this.#check();
  }

  /** A holder who was fenced out tells of one outcome: a fact, and no business of the present holder. */
  late(pick: number): void {
    const [position] = this.#late.splice(pick % Math.max(1, this.#late.length), 1);
    if (position !== undefined) this.#ledger.add(position);
  }

  release(): void {
    if (this.#taken.length > 0 || this.#flying !== undefined) return;
    this.#fly(this.#held.lastBatch());
    const before = this.#marked;
    this.answer();
    this.#held = this.#claim();
    const lastOutcome = Math.max(-1, ...this.#ledger);
    // Nobody gets a mark who was neither claimed by a crashed holder nor stands before an outcome.
    for (const position of this.#marked) expect(before.has(position) || position < lastOutcome).toBe(true);
    this.#check();
  }

  /** Works the rest off and judges the whole. */
  finish(): void {
    for (let rounds = 0; this.#stored.cursor < this.#size; rounds += 1) {
      if (rounds > 10 * this.#size + 10) throw new Error('The shard does not come to an end.');
      this.answer();
      while (this.#held.ready > 0) this.take();
      while (this.#taken.length > 0) this.settle(0);
      if (this.#held.gathered > 0 || this.#held.doneUnrecorded || this.#held.remaining > 0) this.cut(this.#window);
    }
    this.answer();
    expect(this.#held.doneUnrecorded).toBe(false);
    expect(this.#ledger.size).toBe(this.#size);
    for (let position = 0; position < this.#size; position += 1) expect(this.#handedOver.get(position)).toBeGreaterThanOrEqual(1);
  }

  #claim(): ShardProgress {
    const { cursor, claimedThrough } = this.#stored;
    const open = Array.from({ length: claimedThrough - cursor }, (_, index) => cursor + index);
    const settled = open.filter((position) => this.#ledger.has(position));
    this.#seen = new Set(settled);
    this.#marked = new Set(open.filter((position) => !this.#ledger.has(position)));
    this.#taken = [];
    this.#known = new Set();
    this.#flying = undefined;
    return new ShardProgress(aLease(this.#size, { cursor, claimedThrough, settled }));
  }

  #pick(pick: number): Turn | undefined {
    const [turn] = this.#taken.splice(pick % Math.max(1, this.#taken.length), 1);
    return turn;
  }

  #fly({ batch, applied }: { batch: ShardBatch; applied: () => void }): void {
    this.#flying = { batch, applied, positions: this.#known };
    expect(batch.outcomes).toHaveLength(this.#known.size);
    this.#known = new Set();
  }

  #store(): void {
    if (this.#flying === undefined) return;
    const { batch, positions } = this.#flying;
    for (const position of positions) {
      this.#ledger.add(position);
      this.#seen.add(position);
    }
    this.#stored = { cursor: batch.cursor, claimedThrough: batch.claimedThrough };
    for (let position = 0; position < batch.cursor; position += 1) expect(this.#ledger.has(position)).toBe(true);
    // Contiguous: whoever stands at the cursor has no outcome that the holder knows of, unless the claim ends there.
    if (batch.cursor < batch.claimedThrough) expect(this.#seen.has(batch.cursor)).toBe(false);
    expect(batch.done).toBe(batch.cursor === this.#size);
    if (batch.done) expect(this.#ledger.size).toBe(this.#size);
  }

  #check(): void {
    const held = this.#held;
    let unrecorded = 0;
    for (let position = held.cursor; position < held.claimedThrough; position += 1)
      if (!this.#seen.has(position)) unrecorded += 1;
    expect(held.unrecorded).toBe(unrecorded);
    expect(held.unrecorded).toBeLessThanOrEqual(this.#window);
    expect(held.handedOver).toBe(this.#taken.length + this.#known.size + (this.#flying?.positions.size ?? 0));
    expect(held.handedOver).toBeLessThanOrEqual(held.unrecorded);
    expect(held.gathered).toBe(this.#known.size);
  }
}
