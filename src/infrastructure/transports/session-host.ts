import type { PendingDelivery } from './pending-delivery.ts';
import type { AwaitedReply } from './waits.ts';

/** How transactions are spoken on one open connection, as the pool sees it. */
export interface SmtpDialogue {
  /** Nothing is on the wire and a message may begin. */
  readonly idle: boolean;
  /** A message is on the wire, and another may follow behind it. */
  readonly hungry: boolean;
  readonly busy: boolean;
  /** How many messages may wait for their final reply at once, now. */
  readonly depth: number;
  /** Undefined when no message is here. */
  readonly awaited: AwaitedReply | undefined;
  /** True while no transaction was answered: a failure now is as good as one of connecting. */
  readonly fresh: boolean;
  /** Begins as many messages as it is free for. */
  pull(): void;
  /** Says QUIT if nothing is on the wire. */
  quit(reason: string): void;
  /** Cuts the connection. Messages whose content was not given are withdrawn. */
  abandon(reason: string): void;
  /** To be called about every second. */
  checkTime(): void;
}

/** What a connection needs from the pool that owns it. */
export interface SessionHost {
  /** `smtp.example.com:587`, for replies that the transport makes itself. */
  readonly server: string;
  readonly timeouts: SmtpTimeouts;
  readonly messagesPerConnection: number;
  /** True when no message may begin any more. */
  readonly closing: boolean;
  /** Milliseconds, coarse (about a second old at most). */
  readonly now: number;
  /** Milliseconds, exact. */
  monotonic(): number;
  /** False when the server does not do what it offered: nothing more is sent by BDAT. */
  readonly chunking: boolean;
  /** The next message that may proceed, or undefined; `working` when the connection still has another one. */
  take(working: boolean): PendingDelivery | undefined;
  /** Puts a message that was not begun back to the front of the queue. */
  giveBack(delivery: PendingDelivery): void;
  /** `idle` or `hungry` of the session may have changed. */
  stateChanged(session: SmtpDialogue): void;
  /** The message's receiving domain took long with the last one: nothing should stand behind it. */
  isSlow(delivery: PendingDelivery): boolean;
  /** How long its receiving domain took, so far. */
  tookLong(delivery: PendingDelivery, long: boolean): void;
  /** `depth` of a session has changed. */
  depthChanged(): void;
  /** The server offers CHUNKING and does not do it. */
  chunkingFailed(reason: string): void;
  /** A transaction ended with a reply. */
  answered(): void;
  ended(session: SmtpDialogue, ending: SessionEnding): void;
}

/** Milliseconds; the defaults are the minima of RFC 5321 section 4.5.3.2. */
export interface SmtpTimeouts {
  /** For the reply to MAIL, RCPT and RSET. */
  readonly command: number;
  /** For the reply to DATA. */
  readonly data: number;
  /** For progress inside a body. */
  readonly block: number;
  /** For the reply to the final dot. */
  readonly dot: number;
  /** How long a connection stays open without work. */
  readonly idle: number;
}

/** `failed`: the connection broke, or was closed by the server with work on it. */
export interface SessionEnding {
  readonly kind: 'quit' | 'failed';
  readonly reason: string;
}
