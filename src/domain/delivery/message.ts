import type { Id } from '../shared/ids.ts';
import type { Attempt } from './attempt.ts';
import { nextAttemptAt, type RetryPolicy } from './retry-policy.ts';

/**
 * States of one message. `pending` is the absence of a ledger row; every other state is a row. What may replace what
 * is decided in one place, `followingRow`.
 */
export const LEDGER_STATES = [
  'submitted',
  'deferred',
  'rejected',
  'in_doubt',
  'expired',
  'failed',
  'skipped',
  'cancelled',
] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];
export type MessageState = 'pending' | LedgerState;
export type StateTotals = Readonly<Record<LedgerState, number>>;

/** Why messages are in a state. */
export interface StateReason {
  readonly state: LedgerState;
  /** The reply or the reason as it reads for all of them (`replyKind`). */
  readonly reason: string;
  readonly count: number;
  /** How many of this state were looked at: all of them, unless they are very many. */
  readonly of: number;
}

export const noTotals = (): Record<LedgerState, number> => ({
  submitted: 0,
  deferred: 0,
  rejected: 0,
  in_doubt: 0,
  expired: 0,
  failed: 0,
  skipped: 0,
  cancelled: 0,
});

/** How sure a state is that the recipient has the message. Acceptance is the one fact that never gives way. */
const certainty = (state: LedgerState): number => (state === 'submitted' ? 2 : state === 'in_doubt' ? 1 : 0);

/** What became of one recipient in one run, ready for the ledger. */
export interface Outcome {
  readonly subscriberId: Id;
  readonly state: LedgerState;
  readonly code: number | undefined;
  /** Reply or reason; undefined for a plain acceptance, which needs no words. */
  readonly reply: string | undefined;
  /** True when an earlier holder may already have handed this message over: an upper bound, never a guess below it. */
  readonly possibleRepeat: boolean;
  readonly at: Date;
  /** False when it was deferred without an attempt: its next delay does not grow. Default: as its state says. */
  readonly attempted?: boolean | undefined;
  /** A deferral that is due at once, because only the end of this worker's sending caused it. Default: after the policy's delay. */
  readonly dueAtOnce?: boolean | undefined;
  /** Receiving domain, for counters; not kept in the ledger. */
  readonly domain?: string | undefined;
  /** Name of the transport that was asked; undefined when none was. */
  readonly transport?: string | undefined;
}

/** One row of the ledger, the truth about one message of a mailing. */
export interface LedgerRow {
  readonly subscriberId: Id;
  readonly run: number;
  readonly state: LedgerState;
  /** Number of times that the next hop accepted it; more than 1 is a known repeat. */
  readonly copies: number;
  readonly possibleRepeat: boolean;
  readonly attempts: number;
  readonly firstAttemptAt: Date;
  readonly nextAttemptAt: Date | undefined;
  readonly code: number | undefined;
  readonly reply: string | undefined;
  readonly at: Date;
  /** Name of the transport of the latest attempt; undefined when none was asked. */
  readonly transport: string | undefined;
}

/** The recipient may have more copies than one: a worker ended without telling whether it had handed the message over. */
export const mayBeRepeated = ({
  state,
  copies,
  possibleRepeat,
}: Pick<LedgerRow, 'state' | 'copies' | 'possibleRepeat'>): boolean => possibleRepeat && (copies > 0 || state === 'in_doubt');

/** True for the states that mean a transport was asked. */
const wasAttempted = ({ state, attempted = true }: Outcome): boolean =>
  attempted && state !== 'skipped' && state !== 'failed' && state !== 'cancelled';

/** An attempt as the ledger keeps it. */
export function outcomeOf(
  subscriberId: Id,
  attempt: Attempt,
  facts: Pick<Outcome, 'possibleRepeat' | 'at' | 'domain' | 'transport'>,
): Outcome {
  const accepted = attempt.outcome === 'submitted';
  return {
    subscriberId,
    state: attempt.outcome,
    code: attempt.code,
    reply: accepted ? undefined : attempt.reply,
    ...facts,
  };
}

/** The state in a cancelled run: there is no retry, so a deferral is final. */
export const finalOutcome = (outcome: Outcome): Outcome =>
  outcome.state === 'deferred' ? { ...outcome, state: 'cancelled' } : outcome;

const dueAt = (policy: RetryPolicy, attempts: number, { at, dueAtOnce }: Outcome, jitter: number): Date =>
  dueAtOnce === true ? at : nextAttemptAt(policy, attempts, at, jitter);

/** The row for a recipient who has none yet. */
export function firstRow(run: number, outcome: Outcome, policy: RetryPolicy, jitter: number): LedgerRow {
  return {
    subscriberId: outcome.subscriberId,
    run,
    state: outcome.state,
    copies: outcome.state === 'submitted' ? 1 : 0,
    possibleRepeat: outcome.possibleRepeat,
    attempts: wasAttempted(outcome) ? 1 : 0,
    firstAttemptAt: outcome.at,
    nextAttemptAt: outcome.state === 'deferred' ? dueAt(policy, 1, outcome, jitter) : undefined,
    code: outcome.code,
    reply: outcome.reply,
    at: outcome.at,
    transport: outcome.transport,
  };
}

/**
 * The row after a further outcome. A later run replaces any state but acceptance (and turns a deferral past the policy's
 * lifetime into `expired`). The same or an older run, heard of late, only wins with more certainty that the recipient has the
 * message: a deferral beside a message in doubt would be retried, and that could be a repeat (promise D4).
 */
export function followingRow(row: LedgerRow, run: number, outcome: Outcome, policy: RetryPolicy, jitter: number): LedgerRow {
  const copies = row.copies + (outcome.state === 'submitted' ? 1 : 0);
  const attempts = row.attempts + (wasAttempted(outcome) ? 1 : 0);
  const possibleRepeat = row.possibleRepeat || outcome.possibleRepeat || copies > 1;
  const facts = { ...row, run: Math.max(row.run, run), copies, attempts, possibleRepeat };
  const replaces = run > row.run ? row.state !== 'submitted' : certainty(outcome.state) > certainty(row.state);
  if (!replaces) return facts;
  // A resend of what had ended begins a new lifetime; a retry goes on with the old one.
  const firstAttemptAt = row.state === 'deferred' ? row.firstAttemptAt : outcome.at;
  const expired = outcome.state === 'deferred' && outcome.at.getTime() - firstAttemptAt.getTime() >= policy.lifetimeMs;
  const state = expired ? 'expired' : outcome.state;
  return {
    ...facts,
    firstAttemptAt,
    state,
    nextAttemptAt: state === 'deferred' ? dueAt(policy, attempts, outcome, jitter) : undefined,
    code: outcome.code,
    reply: outcome.reply,
    at: outcome.at,
    transport: outcome.transport ?? row.transport,
  };
}
