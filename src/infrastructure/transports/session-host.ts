import type { PendingDelivery } from './pending-delivery.ts';

/** What a connection needs from the pool that owns it. */
export interface SessionHost<Session> {
  /** `smtp.example.com:587`, for replies of ours. */
  readonly server: string;
  readonly timeouts: SmtpTimeouts;
  readonly messagesPerConnection: number;
  /** True when no message may begin any more. */
  readonly closing: boolean;
  /** Milliseconds, coarse (about a second old at most). */
  readonly now: number;
  /** The next message that may proceed, or undefined; `working` when the connection still has another one. */
  take(working: boolean): PendingDelivery | undefined;
  /** Puts a message that was not begun back to the front of the queue. */
  giveBack(delivery: PendingDelivery): void;
  /** `idle` or `hungry` of the session may have changed. */
  stateChanged(session: Session): void;
  /** A transaction ended with a reply. */
  answered(): void;
  ended(session: Session, ending: SessionEnding): void;
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
