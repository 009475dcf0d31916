import type { LeasedShard } from '../bulk/leased-shard.ts';
import type { ReadRecipient } from '../bulk/recipient-reader.ts';
import type { Destination } from './destinations.ts';

/** A recipient whose turn has come and whose domain may not have more just now. */
export interface Waiting {
  readonly held: LeasedShard;
  readonly destination: Destination;
  /** Read again when it gets old. */
  recipient: ReadRecipient;
  /** Monotonic. */
  readonly since: number;
}

/** Recipients out of the way of the others, in a line for each receiving domain; few enough to leave the window to the rest. */
export class DelayedRecipients {
  readonly most: number;
  readonly #lines = new Map<Destination, Waiting[]>();
  #size = 0;

  constructor(most: number) {
    this.most = most;
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size >= this.most;
  }

  /** Since when the one that has waited longest waits; infinity when none waits. Monotonic. */
  get oldestSince(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const [first] of this.#lines.values()) if (first !== undefined && first.since < oldest) oldest = first.since;
    return oldest;
  }

  add(waiting: Waiting): void {
    const { destination } = waiting;
    const line = this.#lines.get(destination);
    if (line === undefined) this.#lines.set(destination, [waiting]);
    else line.push(waiting);
    this.#count(destination, 1);
  }

  /** Who waits for this domain, the first in front. */
  of(destination: Destination): readonly Waiting[] {
    return this.#lines.get(destination) ?? [];
  }

  /** The next domain among those with waiting recipients. */
  next(): Destination | undefined {
    const [first] = this.#lines;
    if (first === undefined) return undefined;
    const [destination, line] = first;
    this.#lines.delete(destination);
    this.#lines.set(destination, line);
    return destination;
  }

  destinations(): Destination[] {
    return [...this.#lines.keys()];
  }

  /** Takes the first one away. */
  shift(destination: Destination): void {
    const line = this.#lines.get(destination);
    if (line?.shift() === undefined) return;
    this.#count(destination, -1);
    if (line.length === 0) this.#lines.delete(destination);
  }

  /** Removes and returns all. */
  takeAll(): Waiting[] {
    const all = [...this.#lines.values()].flat();
    for (const [destination, line] of this.#lines) this.#count(destination, -line.length);
    this.#lines.clear();
    return all;
  }

  /** Removes and returns all recipients of this shard. */
  leave(held: LeasedShard): Waiting[] {
    const leaving: Waiting[] = [];
    for (const [destination, line] of this.#lines) {
      const [going, staying] = [line.filter((one) => one.held === held), line.filter((one) => one.held !== held)];
      leaving.push(...going);
      this.#count(destination, -going.length);
      if (staying.length > 0) this.#lines.set(destination, staying);
      else this.#lines.delete(destination);
    }
    return leaving;
  }

  #count(destination: Destination, by: number): void {
    destination.delayed += by;
    this.#size += by;
  }
}
