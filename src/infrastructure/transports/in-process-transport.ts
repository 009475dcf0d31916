import type { Attempt, OutgoingMessage, Transport, TransportCapabilities, Withdrawn } from '../../domain/delivery/index.ts';
import { PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import { refuseEnvelope } from './smtp-envelope.ts';
import { WaitingLine } from './waiting-line.ts';
import { counted } from './waits.ts';

export interface InProcessOptions {
  readonly name: string;
  readonly slots: number;
  readonly capabilities: TransportCapabilities;
  /** How the attempt of a message ends. Its content may be read from now on, and not after the promise settles. */
  readonly deliver: (message: OutgoingMessage) => Attempt | Promise<Attempt>;
}

const CUT_OFF: Attempt = {
  outcome: 'in_doubt',
  code: undefined,
  enhancedCode: undefined,
  reply: 'cut off: the transport is closing',
  fault: 'transport',
};

/** Hands messages to a function of this process, several at a time. */
export class InProcessTransport implements Transport {
  readonly name: string;
  readonly slots: number;
  readonly depth = 1;
  readonly capabilities: TransportCapabilities;
  private readonly deliver: InProcessOptions['deliver'];
  private readonly line = new WaitingLine();
  private readonly working = new Map<Promise<void>, PendingDelivery>();
  private closing = false;

  constructor({ name, slots, capabilities, deliver }: InProcessOptions) {
    this.name = name;
    this.slots = slots;
    this.capabilities = capabilities;
    this.deliver = deliver;
  }

  submit(message: OutgoingMessage): Promise<Attempt | Withdrawn> {
    if (this.closing) return Promise.resolve(WITHDRAWN);
    const refusal = refuseEnvelope(message.envelope);
    if (refusal !== undefined) return Promise.resolve(refusal);
    return new Promise((resolve, reject) => {
      this.line.add(new PendingDelivery(message, resolve, reject));
      this.dispatch();
    });
  }

  async verify(): Promise<void> {
    if (this.closing) throw new Error(`The ${this.name} transport is closed.`);
  }

  waits(): readonly string[] {
    return this.working.size === 0
      ? []
      : [`${counted(this.working.size, 'message')} wait for an answer of the ${this.name} transport`];
  }

  async close(patienceMs?: number): Promise<void> {
    this.closing = true;
    for (let next = this.line.shift(); next !== undefined; next = this.line.shift()) next.settle(WITHDRAWN);
    const { promise: cutOff, resolve } = Promise.withResolvers<void>();
    const patience = patienceMs === undefined ? undefined : setTimeout(resolve, patienceMs);
    await Promise.race([Promise.all(this.working.keys()), cutOff]);
    clearTimeout(patience);
    for (const delivery of this.working.values()) delivery.settle(CUT_OFF);
  }

  private dispatch(): void {
    while (this.working.size < this.slots) {
      const delivery = this.line.shift();
      if (delivery === undefined) return;
      const work = this.handOver(delivery).finally(() => {
        this.working.delete(work);
        this.dispatch();
      });
      this.working.set(work, delivery);
    }
  }

  private async handOver(delivery: PendingDelivery): Promise<void> {
    if (!delivery.mayProceed()) {
      delivery.settle(WITHDRAWN);
      return;
    }
    if (!delivery.handOver() || !delivery.giveContent()) return;
    try {
      delivery.settle(await this.deliver(delivery.message));
    } catch (error) {
      delivery.fail(error);
    }
  }
}
