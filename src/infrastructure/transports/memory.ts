import type { Attempt, Envelope, OutgoingMessage } from '../../domain/delivery/index.ts';
import { InProcessTransport } from './in-process-transport.ts';
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

/** Hands nothing over: for dry runs, and for tests that script the answers. */
export class MemoryTransport extends InProcessTransport {
  /** What was submitted, in order. */
  readonly messages: MemoryMessage[];

  constructor({ slots = 10, answer = () => ACCEPTED, keep = true }: MemoryTransportOptions = {}) {
    const messages: MemoryMessage[] = [];
    const deliver = async (message: OutgoingMessage): Promise<Attempt> => {
      const attempt = await answer(message);
      if (keep && attempt.outcome === 'submitted')
        messages.push({ envelope: message.envelope, content: Buffer.from(message.content) });
      return attempt;
    };
    super({ name: 'memory', slots, capabilities: WHOLE_MESSAGES, deliver });
    this.messages = messages;
  }
}
