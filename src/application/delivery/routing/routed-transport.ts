import type { SendingLane, StoredTransport, Transport, TransportSettings } from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { Pace } from '../pacing/pace.ts';
import type { SharedBreaker } from './shared-breaker.ts';

export interface OpeningOptions {
  readonly lane: SendingLane;
  /** Connections or parallel calls. Undefined: the default of this process for the lane. */
  readonly connections: number | undefined;
}

/** Opens a transport; nothing is connected before its first message. @throws Error when its settings cannot be used */
export type OpenTransport = (settings: TransportSettings, options: OpeningOptions) => Transport;

/** Most connections for transactional mail, beside those of the campaigns. */
const TRANSACTIONAL = 4;
/** An open transport that no message has taken for this time is closed. */
const UNUSED_MS = 300_000;

interface OpenOne {
  readonly transport: Transport;
  /** Version and connections that it was opened with. */
  readonly mark: string;
  usedAt: number;
}

/** A transport of a project in this process: opened when a message needs it, once for each lane, with one pace for both. */
export class RoutedTransport {
  readonly id: Id;
  readonly slug: string;
  readonly breaker: SharedBreaker;
  /** Transactional messages take from it without waiting, so that bulk mail makes room for them. */
  readonly pace: Pace;
  #stored: StoredTransport;
  /** Or why they cannot be read. */
  #settings: TransportSettings | Error;
  readonly #open: OpenTransport;
  readonly #opened = new Map<SendingLane, OpenOne>();
  readonly #onClosing: (closing: Promise<void>) => void;
  #workers = 1;

  constructor(deps: {
    stored: StoredTransport;
    settings: TransportSettings | Error;
    breaker: SharedBreaker;
    open: OpenTransport;
    /** What is replaced or unused finishes what is on the wire meanwhile. */
    onClosing: (closing: Promise<void>) => void;
  }) {
    this.id = deps.stored.id;
    this.slug = deps.stored.slug;
    this.breaker = deps.breaker;
    this.#stored = deps.stored;
    this.#settings = deps.settings;
    this.#open = deps.open;
    this.#onClosing = deps.onClosing;
    this.pace = new Pace(deps.stored.messagesPerSecond);
  }

  get stored(): StoredTransport {
    return this.#stored;
  }

  /** Messages may take it now. */
  get usable(): boolean {
    return this.#stored.state === 'active' && this.breaker.usable;
  }

  /** @param now monotonic milliseconds, as everywhere here */
  update(stored: StoredTransport, settings: TransportSettings | Error, now: number): void {
    if (stored.version === this.#stored.version) return;
    this.#stored = stored;
    this.#settings = settings;
    this.pace.change(stored.messagesPerSecond, now);
    this.pace.share(this.#workers, now);
  }

  /** The limits hold for all workers together; each takes an equal part. */
  share(workers: number, now: number): void {
    if (workers === this.#workers) return;
    this.#workers = Math.max(1, workers);
    this.pace.share(this.#workers, now);
  }

  /** Of this lane, opened at need; another one when settings or limits have changed. Undefined when it cannot be opened. */
  transport(lane: SendingLane, now: number): Transport | undefined {
    const connections = this.#connections(lane);
    const mark = `${this.#stored.version}/${connections}`;
    const known = this.#opened.get(lane);
    if (known?.mark === mark) {
      known.usedAt = now;
      return known.transport;
    }
    if (this.#settings instanceof Error) return this.#cannot(this.#settings);
    try {
      const transport = this.#open(this.#settings, { lane, connections });
      this.#close(lane);
      this.#opened.set(lane, { transport, mark, usedAt: now });
      return transport;
    } catch (error) {
      return this.#cannot(error);
    }
  }

  tend(now: number): void {
    for (const [lane, { usedAt }] of this.#opened) if (now - usedAt >= UNUSED_MS) this.#close(lane);
  }

  close(): void {
    for (const lane of [...this.#opened.keys()]) this.#close(lane);
  }

  #cannot(error: unknown): undefined {
    this.breaker.fail({ cause: 'settings', reason: error instanceof Error ? error.message : String(error) });
  }

  #close(lane: SendingLane): void {
    const open = this.#opened.get(lane);
    this.#opened.delete(lane);
    if (open !== undefined) this.#onClosing(open.transport.close());
  }

  /** Of the limit a quarter is for transactional mail, one connection at least, and the rest for campaigns. */
  #connections(lane: SendingLane): number | undefined {
    const { maxConnections } = this.#stored;
    if (maxConnections === undefined) return undefined;
    const own = Math.max(1, Math.floor(maxConnections / this.#workers));
    const transactional = Math.max(1, Math.min(TRANSACTIONAL, Math.floor(own / 4)));
    return lane === 'transactional' ? transactional : Math.max(1, own - transactional);
  }
}
