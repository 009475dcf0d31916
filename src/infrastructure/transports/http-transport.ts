/**
 * Hands messages over to the HTTP API of a provider: parallel calls, batches where the provider takes them and messages wait, and a pause
 * after a failure or a limit. The provider itself is a `Provider`: what a call looks like, and what its answers mean.
 */
import {
  type Attempt,
  cleanReply,
  concernsTransport,
  type OutgoingMessage,
  type Transport,
  type TransportCapabilities,
  type Withdrawn,
} from '../../domain/delivery/index.ts';
import { type HttpAnswer, type HttpClient, HttpFailed } from '../network/http-client.ts';
import { PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import { MessageNotConvertible, type Provider, type ProviderCall } from './providers/provider.ts';
import { refuseEnvelope } from './smtp-envelope.ts';
import { WaitingLine } from './waiting-line.ts';
import { counted, seconds } from './waits.ts';

export interface HttpTransportSettings {
  readonly slots: number;
  /** Milliseconds between calls after a failure: from 0 to `minimum`, doubling up to `maximum`. */
  readonly backoff: { readonly minimum: number; readonly maximum: number };
  /** Milliseconds that `close` waits for calls under way. */
  readonly closeTimeout: number;
  readonly monotonic: () => number;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

/** One message of a call, and what its caller was told. */
interface Item<M> {
  readonly delivery: PendingDelivery;
  readonly message: M;
  /** Told that its content leaves: it cannot be withdrawn any more. */
  given: boolean;
  /** A function of its caller threw: its `submit` has ended. */
  failed: boolean;
}

/** A lane keeps about this number of messages waiting for each slot, which bounds what it must hold in memory. */
const MOST_DEPTH = 100;
/** How often a call without an answer is made again, where the provider recognises it. */
const MOST_REPEATS = 3;
/** No message waits longer for a provider that asks for patience: another route may be free. */
const LONGEST_PAUSE_MS = 30_000;
const STALE_CHECK_MS = 1_000;

export class HttpTransport<M> implements Transport {
  readonly name: string;
  readonly slots: number;
  readonly depth: number;
  readonly capabilities: TransportCapabilities;
  private readonly provider: Provider<M>;
  private readonly client: HttpClient;
  private readonly settings: HttpTransportSettings;
  private readonly line = new WaitingLine();
  private readonly working = new Map<Promise<void>, number>();
  /** Parallel calls that the provider allows, as far as its answers tell: halved by a limit, and growing by 1/N with each success. */
  private limit: number;
  private failures = 0;
  private pausedUntil = 0;
  private pauseTimer: NodeJS.Timeout | undefined;
  private staleTimer: NodeJS.Timeout | undefined;
  private dispatching: NodeJS.Immediate | undefined;
  private readonly shutdown = new AbortController();
  private closed: Promise<void> | undefined;

  constructor(provider: Provider<M>, client: HttpClient, settings: HttpTransportSettings) {
    this.provider = provider;
    this.client = client;
    this.settings = settings;
    this.name = provider.kind;
    this.slots = settings.slots;
    this.limit = settings.slots;
    this.capabilities = provider.capabilities;
    this.depth = Math.min(this.capabilities.batchSize, MOST_DEPTH);
  }

  submit(message: OutgoingMessage): Promise<Attempt | Withdrawn> {
    if (this.closing) return Promise.resolve(WITHDRAWN);
    const refusal = refuseEnvelope(message.envelope) ?? this.refuseSize(message);
    if (refusal !== undefined) return Promise.resolve(refusal);
    const result = new Promise<Attempt | Withdrawn>((resolve, reject) => {
      this.line.add(new PendingDelivery(message, resolve, reject));
    });
    // Messages that are submitted in one turn of the event loop go in one call.
    this.dispatching ??= setImmediate(() => {
      this.dispatching = undefined;
      this.dispatch();
    });
    return result;
  }

  async verify(): Promise<void> {
    const { check } = this.provider;
    const wrong = await this.client
      .request(await check.call())
      .then((answer) => check.read(answer))
      .catch((error: Error) => error.message);
    if (wrong !== undefined) throw new Error(this.clean(`${this.client.origin}: ${wrong}`));
  }

  waits(): readonly string[] {
    const { host } = new URL(this.client.origin);
    const now = this.settings.monotonic();
    const words: string[] = [];
    if (this.working.size > 0) {
      const longest = now - Math.min(...this.working.values());
      words.push(`${counted(this.working.size, 'call')} to ${host} without an answer (longest ${seconds(longest)})`);
    }
    if (this.pauseTimer !== undefined)
      words.push(`the next call to ${host} comes in ${seconds(Math.max(0, this.pausedUntil - now))}`);
    if (this.line.length > 0) words.push(`${counted(this.line.length, 'message')} in line for a call`);
    return words;
  }

  close(patienceMs = this.settings.closeTimeout): Promise<void> {
    this.closed ??= this.closeAll(patienceMs);
    return this.closed;
  }

  private get closing(): boolean {
    return this.closed !== undefined;
  }

  private async closeAll(patienceMs: number): Promise<void> {
    clearImmediate(this.dispatching);
    clearTimeout(this.pauseTimer);
    clearInterval(this.staleTimer);
    this.pauseTimer = undefined;
    for (let next = this.line.shift(); next !== undefined; next = this.line.shift()) next.settle(WITHDRAWN);
    this.shutdown.abort();
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    await Promise.race([Promise.all(this.working.keys()), patience]);
    clearTimeout(timer);
    await this.client.destroy('cut off: the transport is closing');
    await Promise.all(this.working.keys());
  }

  private dispatch(): void {
    while (!this.closing && this.pauseTimer === undefined && this.working.size < Math.floor(this.limit)) {
      const batch = this.takeBatch();
      if (batch.length === 0) return;
      const work = this.handOver(batch).finally(() => {
        this.working.delete(work);
        this.dispatch();
      });
      this.working.set(work, this.settings.monotonic());
    }
  }

  /** No more bytes than one message may have: JSON and base64 make them half as many again, which every provider takes. */
  private takeBatch(): PendingDelivery[] {
    const batch: PendingDelivery[] = [];
    let bytes = 0;
    while (batch.length < this.capabilities.batchSize) {
      bytes += this.line.first?.message.content.byteLength ?? 0;
      if (batch.length > 0 && bytes > this.provider.maxMessageBytes) break;
      const delivery = this.line.shift();
      if (delivery === undefined) break;
      if (delivery.mayProceed()) batch.push(delivery);
      else delivery.settle(WITHDRAWN);
    }
    return batch;
  }

  /** Never rejects: what is thrown ends the messages of this call. */
  private async handOver(batch: readonly PendingDelivery[]): Promise<void> {
    try {
      const items = await Promise.all(batch.map((delivery) => this.prepare(delivery)));
      const ready = items.filter((item) => item !== undefined);
      const alone = ready.filter(({ message }) => this.provider.goesAlone?.(message) === true);
      await this.send(ready.filter((item) => !alone.includes(item)));
      for (const item of alone) await this.send([item]);
    } catch (error) {
      for (const delivery of batch) delivery.fail(error);
    }
  }

  private async prepare(delivery: PendingDelivery): Promise<Item<M> | undefined> {
    try {
      return { delivery, message: await this.provider.prepare(delivery.message), given: false, failed: false };
    } catch (error) {
      if (error instanceof MessageNotConvertible) delivery.settle(refused('5.6.0', error.message));
      else delivery.fail(error);
      return undefined;
    }
  }

  private async send(items: readonly Item<M>[]): Promise<void> {
    if (items.length === 0) return;
    const call = await this.provider.call(items.map(({ message }) => message));
    try {
      const answer = await this.client.request({ ...call, onStart: () => this.mayStart(items) });
      await this.answered(items, call, this.read(answer, items), 0);
    } catch (error) {
      if (!(error instanceof HttpFailed)) throw error;
      if (error.declined) await this.send(this.stillProceeding(items));
      else if (error.handedOver) await this.answered(items, call, this.lost(items, error), 0);
      else this.notHandedOver(items, error);
    }
  }

  /** The last question before the content leaves. */
  private mayStart(items: readonly Item<M>[]): boolean {
    if (this.closing || !items.every((item) => item.given || item.delivery.mayProceed())) return false;
    return items.every((item) => {
      item.given ||= item.delivery.handOver() && item.delivery.giveContent();
      item.failed = !item.given;
      return item.given;
    });
  }

  /** Settles those of a declined call that were withdrawn. */
  private stillProceeding(items: readonly Item<M>[]): readonly Item<M>[] {
    return items.filter(({ delivery, given, failed }) => {
      if (!this.closing && !failed && (given || delivery.mayProceed())) return true;
      delivery.settle(WITHDRAWN);
      return false;
    });
  }

  private read(answer: HttpAnswer, items: readonly Item<M>[]): readonly Attempt[] {
    const messages = items.map(({ message }) => message);
    return this.provider.read(answer, messages).map((attempt) => ({ ...attempt, reply: this.clean(attempt.reply) }));
  }

  /** Settles, or makes the same call again where that cannot be a second copy. */
  private async answered(
    items: readonly Item<M>[],
    call: ProviderCall,
    attempts: readonly Attempt[],
    repeats: number,
  ): Promise<void> {
    const inDoubt = attempts.some(({ outcome }) => outcome === 'in_doubt');
    if (inDoubt && this.provider.repeatable && repeats < MOST_REPEATS && (await this.waitToRepeat(repeats))) {
      const again = await this.client.request(call).then(
        (answer) => this.read(answer, items),
        (error: HttpFailed) => this.lost(items, error),
      );
      // A provider that refuses for good does not know the first call. One that defers says nothing about it.
      const better = again.map((attempt, at) => (isFinal(attempt) ? attempt : (attempts[at] ?? attempt)));
      return this.answered(items, call, better, repeats + 1);
    }
    if (attempts.every(asksForShortPause) && !this.closing) this.giveBack(items, attempts);
    else
      items.forEach(({ delivery }, at) => {
        delivery.settle(attempts[at] ?? this.lostAttempt('the answer names fewer messages than were handed over'));
      });
    this.followUp(attempts);
  }

  private followUp(attempts: readonly Attempt[]): void {
    const troubled = attempts.find(({ fault, outcome }) => outcome !== 'submitted' && concernsTransport(fault));
    if (troubled === undefined) {
      this.failures = 0;
      this.limit = Math.min(this.slots, this.limit + 1 / this.limit);
      return;
    }
    if (troubled.fault === 'quota' && this.pauseTimer === undefined) this.limit = Math.max(1, this.limit / 2);
    this.pause(troubled.retryAfterMs);
  }

  private lost(items: readonly Item<M>[], { message }: Error): readonly Attempt[] {
    return items.map(() => this.lostAttempt(message));
  }

  private lostAttempt(what: string): Attempt {
    const reply = this.clean(`${this.client.origin}: ${what}`);
    return { outcome: 'in_doubt', code: undefined, enhancedCode: undefined, reply, fault: 'transport' };
  }

  /** No byte has left. The first message tells of it; the others wait for the next attempt to connect. */
  private notHandedOver(items: readonly Item<M>[], error: HttpFailed): void {
    const [first, ...others] = items;
    if (this.closing) {
      for (const { delivery } of items) delivery.settle(WITHDRAWN);
      return;
    }
    const attempt: Attempt = { ...this.lostAttempt(error.message), outcome: 'deferred' };
    first?.delivery.settle(attempt);
    this.giveBack(
      others,
      others.map(() => attempt),
    );
    this.pause(undefined);
  }

  /** Back to the front of the line, in order. @param attempts of those that have been there often enough */
  private giveBack(items: readonly Item<M>[], attempts: readonly Attempt[]): void {
    for (const [at, { delivery }] of [...items.entries()].toReversed()) {
      delivery.returns += 1;
      if (delivery.mayReturn) this.line.returnToFront(delivery);
      else delivery.settle(attempts[at] ?? WITHDRAWN);
    }
  }

  /** @param asked milliseconds that the provider asks for */
  private pause(asked: number | undefined): void {
    if (this.closing || this.pauseTimer !== undefined) return;
    const { minimum, maximum } = this.settings.backoff;
    const own = this.settings.random() * Math.min(maximum, minimum * 2 ** this.failures);
    const delay = Math.min(Math.max(asked ?? 0, own), LONGEST_PAUSE_MS);
    this.failures += 1;
    this.pausedUntil = this.settings.monotonic() + delay;
    this.pauseTimer = setTimeout(() => {
      clearInterval(this.staleTimer);
      this.pauseTimer = undefined;
      this.dispatch();
    }, delay);
    // A campaign that is paused does not wait for a provider that is down.
    this.staleTimer = setInterval(() => {
      for (const delivery of this.line.removeStale()) delivery.settle(WITHDRAWN);
    }, STALE_CHECK_MS);
  }

  /** @returns false when the transport closes meanwhile */
  private waitToRepeat(repeats: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { signal } = this.shutdown;
    if (signal.aborted) return Promise.resolve(false);
    const stop = (): void => done(false);
    const timer = setTimeout(() => done(true), this.settings.backoff.minimum * 2 ** repeats);
    const done = (go: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(go);
    };
    signal.addEventListener('abort', stop);
    return promise;
  }

  private refuseSize({ content }: OutgoingMessage): Attempt | undefined {
    const most = this.provider.maxMessageBytes;
    if (content.byteLength <= most) return undefined;
    return refused('5.3.4', `The message has ${content.byteLength} bytes; ${this.name} takes at most ${most}.`);
  }

  /** A provider that repeats a request in its error would otherwise bring the key into the database. */
  private clean(text: string): string {
    return cleanReply(this.provider.secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text));
  }
}

/** A limit that is over before another route would be of use: the messages were not taken, and wait here. */
const asksForShortPause = ({ outcome, fault, retryAfterMs = Number.POSITIVE_INFINITY }: Attempt): boolean =>
  outcome === 'deferred' && fault === 'quota' && retryAfterMs <= LONGEST_PAUSE_MS;

const isFinal = ({ outcome }: Attempt): boolean => outcome === 'submitted' || outcome === 'rejected';

const refused = (enhancedCode: string, reply: string): Attempt => ({
  outcome: 'rejected',
  code: undefined,
  enhancedCode,
  reply,
  fault: 'message',
});
