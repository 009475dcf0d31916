import type { Id } from '../shared/ids.ts';
import type { AttemptOutcome, Fault } from './attempt.ts';
import type { MessageLabels } from './message-labels.ts';

/**
 *   scheduled, accepted, deferred, in_doubt -> attempting -> submitted | rejected | in_doubt | deferred | expired
 *   scheduled, accepted, deferred, in_doubt -> skipped (suppressed) | failed (its data break the template, or it cannot be composed)
 *   scheduled, accepted, deferred -> cancelled
 *   anything -> submitted, when an attempt that was given up as lost turns out to have been accepted
 */
export const MESSAGE_STATES = [
  'scheduled',
  'accepted',
  'attempting',
  'submitted',
  'deferred',
  'rejected',
  'in_doubt',
  'expired',
  'failed',
  'skipped',
  'cancelled',
] as const;
export type TransactionalState = (typeof MESSAGE_STATES)[number];

/** Which header field names a recipient; no field names one in bcc. */
export type RecipientField = 'to' | 'cc' | 'bcc';

/**
 * What is known of a message to one recipient beside its content: all that listings, replies and the record of an attempt need.
 * A message to several recipients is one of these for each of them; the first has its content, and the others say whose copy they are.
 */
export interface MessageFacts extends MessageLabels {
  readonly projectId: Id;
  readonly id: Id;
  /** The message that this is a copy of, for a further recipient. */
  readonly copyOf: Id | undefined;
  readonly recipient: {
    readonly address: string;
    readonly smtputf8: boolean;
    readonly field: RecipientField;
    readonly name: string | undefined;
  };
  readonly templateId: Id | undefined;
  /** Not to be sent before. */
  readonly sendAt: Date | undefined;
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
  /** What a refusal concerned. */
  readonly fault: Fault | undefined;
  /** Name of the transport that was asked. */
  readonly transport: string;
}
