import type { Id } from '../shared/ids.ts';
import type { AttemptOutcome } from './attempt.ts';

/**
 *   accepted, deferred, in_doubt -> attempting -> submitted | rejected | in_doubt | deferred | expired
 *   accepted, deferred, in_doubt -> skipped (suppressed) | failed (its data break the template, or it cannot be composed)
 *   anything -> submitted, when an attempt that was given up as lost turns out to have been accepted
 */
export type TransactionalState =
  | 'accepted'
  | 'attempting'
  | 'submitted'
  | 'deferred'
  | 'rejected'
  | 'in_doubt'
  | 'expired'
  | 'failed'
  | 'skipped';

/** What is known of a message beside its content: all that listings, replies and the record of an attempt need. */
export interface MessageFacts {
  readonly projectId: Id;
  readonly id: Id;
  readonly recipient: { readonly address: string; readonly smtputf8: boolean };
  readonly templateId: Id | undefined;
  readonly idempotencyKey: string | undefined;
  /** SHA-256 (hex) of the request, to tell a replay from another request under the same key. */
  readonly fingerprint: string;
  readonly state: TransactionalState;
  readonly attempts: number;
  /** How often an unexpected fault prevented an attempt. */
  readonly faults: number;
  readonly nextAttemptAt: Date | undefined;
  readonly acceptedAt: Date;
  readonly at: Date;
  readonly code: number | undefined;
  readonly reply: string | undefined;
}

/** One message caused by one user's action; stored with its job in one transaction, kept with every attempt. */
export interface TransactionalMessage extends MessageFacts {
  /** Content exactly as it was when the message was accepted (JSON), so that a template changed later changes nothing here. */
  readonly content: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Who makes an attempt, and over which transport (its name). */
export interface AttemptMaker {
  readonly workerId: Id;
  readonly transport: string;
}

export interface MessageAttempt {
  readonly projectId: Id;
  readonly messageId: Id;
  readonly number: number;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
  readonly outcome: AttemptOutcome | undefined;
  readonly code: number | undefined;
  readonly reply: string | undefined;
  /** Name of the transport that was asked. */
  readonly transport: string;
}
