/**
 * Owns the connections of one SMTP transport and the queue of messages that wait for them. The limit of connections follows
 * Postfix's feedback: it grows by 1/N per answered transaction and shrinks when the server closes or refuses connections.
 * After a failure, no connection is opened for a while (full jitter, 1 s doubling to 30 s).
 */
import { type Attempt, cleanReply, type OutgoingMessage, type Transport, type Withdrawn } from '../../domain/delivery/index.ts';
import { ChunkingSession } from './chunking-session.ts';
import { PendingDelivery, WITHDRAWN } from './pending-delivery.ts';
import type { SessionEnding, SessionHost, SmtpDialogue, SmtpTimeouts } from './session-host.ts';
import { refuseEnvelope } from './smtp-envelope.ts';
import { type OpenedConnection, openConnection, peerName, type SmtpConnectFailed, type SmtpPeer } from './smtp-handshake.ts';
import { SmtpSession } from './smtp-session.ts';
import { WaitingLine } from './waiting-line.ts';
import { waitsOf } from './waits.ts';
import { WHOLE_MESSAGES } from './whole-messages.ts';

/** All settings of `SmtpTransport`, with defaults filled in. */
export interface SmtpSettings {
  readonly peer: SmtpPeer;
  readonly maxConnections: number;
  readonly messagesPerConnection: number;
  /** Use CHUNKING where it is offered beside PIPELINING. */
  readonly chunking: boolean;
  readonly timeouts: SmtpTimeouts;
  /** Milliseconds between attempts to connect after a failure: from 0 to `minimum`, doubling up to `maximum`. */
  readonly backoff: { readonly minimum: number; readonly maximum: number };
  /** Milliseconds that `close` waits for messages on the wire. */
  readonly closeTimeout: number;
  /** A monotonic clock, in milliseconds. */
  readonly monotonic: () => number;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
  readonly onEvent: (event: SmtpEvent) => void;
}

/** An event to log. Never contains addresses, content or credentials. */
export interface SmtpEvent {
  readonly event: 'connect_failed' | 'connection_failed' | 'chunking_failed';
  readonly server: string;
  readonly reason: string;
}

export interface SmtpStats {
  /** Numbers of connections: open, with a message, being opened. */
  readonly open: number;
  readonly busy: number;
  readonly opening: number;
  readonly waiting: number;
  /** Connections that the feedback allows now. */
  readonly limit: number;
  /** Milliseconds until the next attempt to connect; 0 when there is no wait. */
  readonly backingOff: number;
}

/** Postfix's `initial_destination_concurrency`. */
const INITIAL_CONNECTIONS = 5;
/** When there are more, all are forgotten and detected again. */
const MOST_SLOW_DOMAINS = 1_000;

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1).toLowerCase();

export class SmtpTransport implements Transport, SessionHost {
  readonly name = 'smtp';
  readonly slots: number;
  /** Messages on the way on the connection that has the most. */
  depth = 1;
  readonly capabilities = WHOLE_MESSAGES;
  readonly server: string;
  readonly timeouts: SmtpTimeouts;
  readonly messagesPerConnection: number;
  closing = false;
  chunking: boolean;
  now: number;
  private readonly settings: SmtpSettings;
  private readonly line = new WaitingLine();
  private readonly sessions = new Set<SmtpDialogue>();
  private readonly idle = new Set<SmtpDialogue>();
  private readonly hungry = new Set<SmtpDialogue>();
  /** Detected only on connections that pipeline messages by BDAT. */
  private readonly slowDomains = new Set<string>();
  private readonly shutdown = new AbortController();
  private opening = 0;
  private limit: number;
  private failures = 0;
  private backoffUntil = 0;
  private backoffTimer: NodeJS.Timeout | undefined;
  /**
   * A failure to connect that no message has reported yet; kept until the backoff ends. It defers one message, and only when no
   * other connection is open or opening. Without it, a server that is down would go unnoticed while messages are withdrawn.
   */
  private untold: Attempt | undefined;
  private dispatching: NodeJS.Immediate | undefined;
  private ticker: NodeJS.Timeout | undefined;
  private closed: Promise<void> | undefined;
  private onAllEnded: (() => void) | undefined;

  constructor(settings: SmtpSettings) {
    this.settings = settings;
    this.slots = settings.maxConnections;
    this.server = peerName(settings.peer);
    this.timeouts = settings.timeouts;
    this.messagesPerConnection = settings.messagesPerConnection;
    this.chunking = settings.chunking;
    this.limit = Math.min(INITIAL_CONNECTIONS, settings.maxConnections);
    this.now = settings.monotonic();
  }

  submit(message: OutgoingMessage): Promise<Attempt | Withdrawn> {
    if (this.closing) return Promise.resolve(WITHDRAWN);
    const refusal = refuseEnvelope(message.envelope);
    if (refusal !== undefined) return Promise.resolve(refusal);
    const result = new Promise<Attempt | Withdrawn>((resolve, reject) => {
      this.line.add(new PendingDelivery(message, resolve, reject));
    });
    // Outside the promise: an error thrown inside would settle this message, which may still be queued.
    this.tell();
    this.wake();
    return result;
  }

  async verify(): Promise<void> {
    const { socket } = await openConnection(this.settings.peer, this.shutdown.signal);
    await new Promise<void>((resolve) => {
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.resume();
      socket.end('QUIT\r\n');
      socket.setTimeout(this.settings.peer.commandTimeout, () => socket.destroy());
    });
  }

  stats(): SmtpStats {
    let busy = 0;
    for (const session of this.sessions) if (session.busy) busy += 1;
    return {
      open: this.sessions.size,
      busy,
      opening: this.opening,
      waiting: this.line.length,
      limit: Math.floor(this.limit),
      backingOff: this.backoffTimer === undefined ? 0 : Math.max(0, this.backoffUntil - this.settings.monotonic()),
    };
  }

  waits(): readonly string[] {
    const replies = [...this.sessions].flatMap((session) => session.awaited ?? []);
    return waitsOf(this.server, this.settings.monotonic(), replies, this.stats());
  }

  close(patienceMs = this.settings.closeTimeout): Promise<void> {
    this.closed ??= this.closeAll(patienceMs).finally(() => this.settings.peer.auth?.tokens?.close());
    return this.closed;
  }

  private async closeAll(patienceMs: number): Promise<void> {
    this.closing = true;
    clearTimeout(this.backoffTimer);
    this.backoffTimer = undefined;
    this.shutdown.abort();
    for (let next = this.line.shift(); next !== undefined; next = this.line.shift()) next.settle(WITHDRAWN);
    if (this.sessions.size === 0 && this.opening === 0) return this.stopTicker();
    const ended = new Promise<void>((resolve) => {
      this.onAllEnded = resolve;
    });
    for (const session of this.sessions) session.quit('the transport is closing');
    const cap = setTimeout(() => {
      for (const session of [...this.sessions]) session.abandon('cut off: the transport is closing');
    }, patienceMs);
    await ended;
    clearTimeout(cap);
  }

  // The methods of `SessionHost`, which the connections call.

  take(working: boolean): PendingDelivery | undefined {
    // One message is reserved for each connection being opened. An idle connection ignores this.
    while (this.line.length > (working ? this.opening : 0)) {
      if (working && this.line.first !== undefined && this.isSlow(this.line.first)) return undefined;
      const delivery = this.line.shift();
      if (delivery === undefined) return undefined;
      if (delivery.mayProceed()) return delivery;
      delivery.settle(WITHDRAWN);
    }
    return undefined;
  }

  giveBack(delivery: PendingDelivery): void {
    if (this.closing) delivery.settle(WITHDRAWN);
    else this.line.returnToFront(delivery);
  }

  stateChanged(session: SmtpDialogue): void {
    if (session.idle) this.idle.add(session);
    else this.idle.delete(session);
    if (session.hungry) this.hungry.add(session);
    else this.hungry.delete(session);
  }

  monotonic(): number {
    return this.settings.monotonic();
  }

  isSlow({ message }: PendingDelivery): boolean {
    return this.slowDomains.size > 0 && this.slowDomains.has(domainOf(message.envelope.to));
  }

  tookLong({ message }: PendingDelivery, long: boolean): void {
    if (long) {
      if (this.slowDomains.size >= MOST_SLOW_DOMAINS) this.slowDomains.clear();
      this.slowDomains.add(domainOf(message.envelope.to));
    } else if (this.slowDomains.size > 0) this.slowDomains.delete(domainOf(message.envelope.to));
  }

  depthChanged(): void {
    this.depth = Math.max(1, ...[...this.sessions].map((session) => session.depth));
  }

  chunkingFailed(reason: string): void {
    if (!this.chunking) return;
    this.chunking = false;
    this.settings.onEvent({ event: 'chunking_failed', server: this.server, reason });
  }

  answered(): void {
    this.failures = 0;
    if (this.limit < this.slots) this.limit = Math.min(this.slots, this.limit + 1 / this.limit);
  }

  ended(session: SmtpDialogue, ending: SessionEnding): void {
    this.sessions.delete(session);
    this.idle.delete(session);
    this.hungry.delete(session);
    this.depthChanged();
    if (ending.kind === 'failed') {
      this.settings.onEvent({ event: 'connection_failed', server: this.server, reason: ending.reason });
      this.limit = Math.max(1, this.limit - 1 / this.limit);
      if (session.fresh) this.backOff();
    }
    this.afterEnd();
  }

  private afterEnd(): void {
    if (this.sessions.size === 0 && this.opening === 0) {
      // During a backoff the ticker runs on, to remove stale messages.
      if (this.backoffTimer === undefined) this.stopTicker();
      this.onAllEnded?.();
    }
    this.dispatch();
  }

  /** With pipelining, messages submitted in one turn of the event loop leave in one write. */
  private wake(): void {
    if (this.depth === 1) this.dispatch();
    else
      this.dispatching ??= setImmediate(() => {
        this.dispatching = undefined;
        this.dispatch();
      });
  }

  private dispatch(): void {
    if (this.closing) return;
    for (const session of this.idle) {
      if (this.line.length === 0) return;
      session.pull();
    }
    while (this.line.length > this.opening && this.mayOpen()) this.open();
    for (const session of this.hungry) {
      if (this.line.length <= this.opening) return;
      session.pull();
    }
  }

  private mayOpen(): boolean {
    return this.backoffTimer === undefined && this.sessions.size + this.opening < Math.floor(this.limit);
  }

  private open(): void {
    this.opening += 1;
    this.ticker ??= this.startTicker();
    openConnection(this.settings.peer, this.shutdown.signal).then(
      (connection) => this.opened(connection),
      (error: SmtpConnectFailed) => this.connectFailed(error),
    );
  }

  private opened(connection: OpenedConnection): void {
    this.opening -= 1;
    const { chunking, pipelining } = connection.extensions;
    const asChunks = this.chunking && chunking && pipelining;
    const session = asChunks ? new ChunkingSession(connection, this) : new SmtpSession(connection, this);
    this.sessions.add(session);
    if (this.closing) session.quit('the transport is closing');
    else session.pull();
  }

  private connectFailed(error: SmtpConnectFailed): void {
    this.opening -= 1;
    if (!this.closing) {
      this.settings.onEvent({ event: 'connect_failed', server: this.server, reason: error.message });
      this.limit = Math.max(1, this.sessions.size + this.opening);
      this.backOff();
      if (this.sessions.size + this.opening === 0) {
        const { message: reply, replyCode: code, enhancedCode } = error;
        this.untold = { outcome: 'deferred', code, enhancedCode, reply: cleanReply(reply), fault: 'transport' };
        this.tell();
      }
    }
    this.afterEnd();
  }

  private tell(): void {
    if (this.untold === undefined) return;
    const delivery = this.take(false);
    if (delivery === undefined) return;
    delivery.settle(this.untold);
    this.untold = undefined;
  }

  private backOff(): void {
    const { minimum, maximum } = this.settings.backoff;
    // Connections that fail together count as one failure.
    if (this.backoffTimer !== undefined || this.closing) return;
    const delay = this.settings.random() * Math.min(maximum, minimum * 2 ** this.failures);
    this.failures += 1;
    this.backoffUntil = this.settings.monotonic() + delay;
    this.backoffTimer = setTimeout(() => {
      this.backoffTimer = undefined;
      this.untold = undefined;
      this.afterEnd();
    }, delay);
  }

  /** One timer for all connections and waiting messages; a timer per message would cost more than the check. */
  private startTicker(): NodeJS.Timeout {
    const { command, data, block, dot, idle } = this.timeouts;
    this.now = this.settings.monotonic();
    const period = Math.min(1000, Math.max(10, Math.min(command, data, block, dot, idle) / 4));
    return setInterval(() => {
      this.now = this.settings.monotonic();
      for (const session of [...this.sessions]) session.checkTime();
      // A pause or stop does not wait for a server that is down.
      for (const delivery of this.line.removeStale()) delivery.settle(WITHDRAWN);
    }, period);
  }

  private stopTicker(): void {
    clearInterval(this.ticker);
    this.ticker = undefined;
  }
}
