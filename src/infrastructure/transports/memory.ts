import type { Attempt, Envelope, OutgoingMessage, Transport, Withdrawn } from '../../domain/delivery/index.ts';
import { PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import { refuseEnvelope } from './smtp-envelope.ts';
import { WaitingLine } from './waiting-line.ts';
import { counted } from './waits.ts';
import { WHOLE_MESSAGES } from './whole-messages.ts';

export interface MemoryMessage {
  readonly envelope: Envelope;
  readonly content: Buffer;
}

export interface MemoryTransportOptions {
  /** Default: 10. */
  readonly slots?: number | undefined;
  /** What becomes of a message. Default: everything is submitted. */
  readonly answer?: ((message: OutgoingMessage) => Attempt | Promise<Attempt>) | undefined;
  /** Keep what was submitted. Default: true; a dry run over millions says false. */
  readonly keep?: boolean | undefined;
}

const ACCEPTED: Attempt = { outcome: 'submitted', code: 250, enhancedCode: '2.0.0', reply: '250 2.0.0 Ok', fault: 'none' };

const CUT_OFF: Attempt = {
  outcome: 'in_doubt',
  code: undefined,
  enhancedCode: undefined,
  reply: 'cut off: the transport is closing',
  fault: 'transport',
};

/** Hands nothing over: for dry runs, and for tests that script the answers. */
export class MemoryTransport implements Transport {
  readonly name = 'memory';
  readonly slots: number;
  readonly depth = 1;
  readonly capabilities = WHOLE_MESSAGES;
  /** What was submitted, in order. */
  readonly messages: MemoryMessage[] = [];
  private readonly answer: (message: OutgoingMessage) => Attempt | Promise<Attempt>;
  private readonly keep: boolean;
  private readonly line = new WaitingLine();
  private readonly working = new Map<Promise<void>, PendingDelivery>();
  private closing = false;

  constructor(options: MemoryTransportOptions = {}) {
    this.slots = options.slots ?? 10;
    this.answer = options.answer ?? (() => ACCEPTED);
    this.keep = options.keep ?? true;
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
    if (this.closing) throw new Error('The memory transport is closed.');
  }

  waits(): readonly string[] {
    return this.working.size === 0 ? [] : [`${counted(this.working.size, 'message')} wait for an answer of the memory transport`];
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
    const { message } = delivery;
    const attempt = await this.answer(message);
    if (this.keep && attempt.outcome === 'submitted') {
      this.messages.push({ envelope: message.envelope, content: Buffer.from(message.content) });
    }
    delivery.settle(attempt);
  }
}
