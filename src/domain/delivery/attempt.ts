/** Ends of one try at handing a message over (RFC 5321 section 4.2.1). */
export type AttemptOutcome = 'submitted' | 'deferred' | 'rejected' | 'in_doubt';

/** What a refusal concerns. Only `recipient` may count against the recipient. */
export type Fault = 'none' | 'recipient' | 'sender' | 'transport';

export interface Attempt {
  readonly outcome: AttemptOutcome;
  /** SMTP reply code (250, 421, 550) or undefined when the connection gave none. */
  readonly code: number | undefined;
  /** RFC 3463 status as text (`5.1.1`), from the reply or undefined. */
  readonly enhancedCode: string | undefined;
  /** The reply or the connection error, to display; one line, cleaned of NUL and control characters, at most 500 characters. */
  readonly reply: string;
  readonly fault: Fault;
}
