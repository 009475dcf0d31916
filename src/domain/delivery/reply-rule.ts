import type { AttemptOutcome, Fault } from './attempt.ts';

/** The command that was answered; `body` is the reply to the final dot. */
export type ReplyStage = 'mail' | 'rcpt' | 'data' | 'body';

/** Why a message was refused, in the words of reports. */
export type ReplyReason =
  | 'accepted'
  | 'unknown_recipient'
  | 'bad_address'
  | 'mailbox_disabled'
  | 'mailbox_full'
  | 'recipient_busy'
  | 'no_mail_domain'
  | 'greylisted'
  | 'rate_limited'
  | 'authentication'
  | 'reputation'
  | 'content'
  | 'too_big'
  | 'policy'
  | 'sender_address'
  | 'relay_denied'
  | 'relay_configuration'
  | 'unsupported'
  | 'next_hop'
  | 'protocol'
  | 'unknown';

/** One row: every condition that is given must hold. The first row that matches wins. */
export interface ReplyRule {
  /** A verdict names its rule; stable. */
  readonly name: string;
  readonly stages?: readonly ReplyStage[];
  readonly code?: RegExp;
  /** Against the RFC 3463 status; a reply without one never matches. */
  readonly enhanced?: RegExp;
  /** Against the text without the codes. */
  readonly text?: RegExp;
  /** Only where the class of the basic code must not decide. */
  readonly outcome?: Exclude<AttemptOutcome, 'submitted' | 'in_doubt'>;
  readonly fault: Fault;
  readonly reason: ReplyReason;
  /** The replies that the row was written for, as `stage: reply`; they are its test. */
  readonly examples: readonly string[];
}
