import type { PendingDelivery } from './pending-delivery.ts';

/** First in, first out; `Array.shift` alone moves every element once the line is long. */
export class WaitingLine {
  private items: (PendingDelivery | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  get first(): PendingDelivery | undefined {
    return this.items[this.head];
  }

  add(delivery: PendingDelivery): void {
    this.items.push(delivery);
  }

  returnToFront(delivery: PendingDelivery): void {
    if (this.head > 0) {
      this.head -= 1;
      this.items[this.head] = delivery;
    } else this.items.unshift(delivery);
  }

  /** Takes out, in order, those that may not proceed any more. */
  removeStale(): PendingDelivery[] {
    const waiting = this.items.slice(this.head).filter((delivery) => delivery !== undefined);
    const stale = new Set(waiting.filter((delivery) => !delivery.mayProceed()));
    if (stale.size > 0) {
      this.items = waiting.filter((delivery) => !stale.has(delivery));
      this.head = 0;
    }
    return [...stale];
  }

  shift(): PendingDelivery | undefined {
    const delivery = this.items[this.head];
    if (delivery === undefined) return undefined;
    this.items[this.head] = undefined;
    this.head += 1;
    if (this.head === this.items.length) {
      this.items = [];
      this.head = 0;
    } else if (this.head >= 1024) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return delivery;
  }
}
