/** Ends of one try at handing a message over (RFC 5321 section 4.2.1). */
export type AttemptOutcome = 'submitted' | 'deferred' | 'rejected' | 'in_doubt';

/**
 * What a refusal concerns. Only `recipient` may count against the recipient.
 * - `message`: this message only; its size, a header, an attachment. The next one may be accepted.
 * - `sender`: the author, the domain, its authentication or reputation.
 * - `transport`: the next hop, the connection to it, or the credentials for it.
 * - `quota`: a limit of the next hop on messages or calls; the same message is accepted later.
 * - `unknown`: an answer that no rule reads. It counts against the transport, never against the recipient.
 */
export type Fault = 'none' | 'message' | 'recipient' | 'sender' | 'transport' | 'quota' | 'unknown';

export interface Attempt {
  readonly outcome: AttemptOutcome;
  /** SMTP reply code (250, 421, 550) or HTTP status, or undefined when the connection gave none. */
  readonly code: number | undefined;
  /** RFC 3463 status as text (`5.1.1`), from the reply or undefined. */
  readonly enhancedCode: string | undefined;
  /** The reply or the connection error, to display; one line, cleaned of NUL and control characters, at most 500 characters. */
  readonly reply: string;
  readonly fault: Fault;
  /** The id by which the provider names the message in its events and its log, where it gives one. */
  readonly providerMessageId?: string | undefined;
  /** Milliseconds after which the next hop asks to be tried again (Retry-After), where it says so. */
  readonly retryAfterMs?: number | undefined;
}

/** True when a refusal says that the transport may refuse every message at present. */
export const concernsTransport = (fault: Fault): boolean => fault === 'transport' || fault === 'quota' || fault === 'unknown';
