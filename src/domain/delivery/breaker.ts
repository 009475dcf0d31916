import type { Id } from '../shared/ids.ts';
import type { Attempt, Fault } from './attempt.ts';
import { replyKind } from './reply.ts';

/** Why a transport is left out for a while. */
export type BreakerCause = 'connection' | 'authentication' | 'quota' | 'answers' | 'settings';

interface BreakerRule {
  readonly cause: BreakerCause;
  readonly faults: readonly Fault[];
  /** SMTP reply codes and HTTP statuses; undefined: any, and none. */
  readonly codes: RegExp | undefined;
  /** So many in a row, without any other answer between them, open the breaker. */
  readonly inARow: number;
  /** Until the first trial. */
  readonly pauseMs: number;
}

/**
 * What opens the breaker of a transport. The first row that matches an attempt counts. Everything else is an answer: it says that the
 * transport works, whatever it says about the message.
 */
export const BREAKER_RULES: readonly BreakerRule[] = [
  // One refusal can be a server that is being restarted; a second says that the credentials are wrong.
  { cause: 'authentication', faults: ['transport'], codes: /^(?:401|403|454|530|534|535|538)$/, inARow: 2, pauseMs: 30_000 },
  { cause: 'quota', faults: ['quota'], codes: undefined, inARow: 2, pauseMs: 30_000 },
  { cause: 'connection', faults: ['transport'], codes: undefined, inARow: 3, pauseMs: 5_000 },
  { cause: 'answers', faults: ['unknown'], codes: undefined, inARow: 10, pauseMs: 15_000 },
  // It cannot be opened at all: its credentials cannot be decrypted, or its settings are refused.
  { cause: 'settings', faults: [], codes: undefined, inARow: 1, pauseMs: 30_000 },
];

/** The longest pause between two trials. */
const LONGEST_PAUSE_MS = 300_000;
/** A transport that was well for less than this before it failed again is paused longer than the last time. */
const STEADY_MS = 120_000;
/** How long a worker may take for its trial: as long as a server may think about one message. */
export const TRIAL_MS = 120_000;

/** What is wrong with a transport. */
export interface BreakerFailure {
  readonly cause: BreakerCause;
  /** The last reply or error, without addresses. */
  readonly reason: string;
  /** The next hop named its own pause. */
  readonly retryAfterMs?: number | undefined;
}

const ruleOf = ({ fault, code }: Attempt): BreakerRule | undefined =>
  BREAKER_RULES.find(({ faults, codes }) => faults.includes(fault) && (codes === undefined || codes.test(String(code))));

/** What the attempt says against its transport; undefined when the transport answered. */
export function failureOf(attempt: Attempt): BreakerFailure | undefined {
  const rule = ruleOf(attempt);
  if (rule === undefined) return undefined;
  return { cause: rule.cause, reason: replyKind(attempt.reply), retryAfterMs: attempt.retryAfterMs };
}

/** Counts the failures in a row of one transport, as one process sees them. */
export class FailureCount {
  readonly #inARow = new Map<BreakerCause, number>();

  /** @returns the failure that opens the breaker; otherwise undefined */
  count(attempt: Attempt): BreakerFailure | undefined {
    const rule = ruleOf(attempt);
    if (rule === undefined) {
      this.#inARow.clear();
      return undefined;
    }
    const before = this.#inARow.get(rule.cause) ?? 0;
    this.#inARow.set(rule.cause, before + 1);
    if (before + 1 < rule.inARow) return undefined;
    this.#inARow.clear();
    return failureOf(attempt);
  }
}

/**
 * The breaker of a transport, shared by all workers:
 *   closed -> open (failures in a row) -> half_open (one message of one worker is tried) -> closed (answered) | open (failed, longer pause)
 */
export type BreakerState = 'closed' | 'open' | 'half_open';

export interface TransportHealth {
  readonly state: BreakerState;
  /** Of the last failure; kept when it is well again. */
  readonly cause: BreakerCause | undefined;
  readonly reason: string | undefined;
  /** How often it opened without having been well for long; the pause grows with it. */
  readonly openings: number;
  /** When the state was changed last. */
  readonly changedAt: Date | undefined;
  /** While open. */
  readonly nextTrialAt: Date | undefined;
  /** While half open: the worker whose message is the trial, and until when it may take. */
  readonly trialBy: Id | undefined;
  readonly trialUntil: Date | undefined;
  /** Counts the changes, so that of two workers one makes each. */
  readonly change: number;
}

export const HEALTHY: TransportHealth = {
  state: 'closed',
  cause: undefined,
  reason: undefined,
  openings: 0,
  changedAt: undefined,
  nextTrialAt: undefined,
  trialBy: undefined,
  trialUntil: undefined,
  change: 0,
};

const NO_TRIAL = { nextTrialAt: undefined, trialBy: undefined, trialUntil: undefined };

/** @param random 0 to 1, for the jitter: workers and transports that failed together are not tried together */
export function opened(health: TransportHealth, failure: BreakerFailure, now: Date, random: number): TransportHealth {
  const steady =
    health.state === 'closed' && (health.changedAt === undefined || now.getTime() - health.changedAt.getTime() >= STEADY_MS);
  const openings = steady ? 1 : health.openings + 1;
  const first = BREAKER_RULES.find(({ cause }) => cause === failure.cause)?.pauseMs ?? LONGEST_PAUSE_MS;
  const grown = Math.max(Math.min(LONGEST_PAUSE_MS, first * 2 ** Math.min(openings - 1, 10)), failure.retryAfterMs ?? 0);
  const pause = Math.min(grown, LONGEST_PAUSE_MS) * (0.75 + random / 2);
  const { cause, reason } = failure;
  return {
    ...NO_TRIAL,
    state: 'open',
    cause,
    reason,
    openings,
    changedAt: now,
    nextTrialAt: new Date(now.getTime() + pause),
    change: health.change + 1,
  };
}

/** Whether a worker may take the trial now. */
export function trialDue({ state, nextTrialAt, trialUntil }: TransportHealth, now: Date): boolean {
  if (state === 'open') return nextTrialAt !== undefined && nextTrialAt <= now;
  return state === 'half_open' && trialUntil !== undefined && trialUntil <= now;
}

export function onTrial(health: TransportHealth, worker: Id, now: Date): TransportHealth {
  const trialUntil = new Date(now.getTime() + TRIAL_MS);
  return { ...health, ...NO_TRIAL, state: 'half_open', trialBy: worker, trialUntil, changedAt: now, change: health.change + 1 };
}

/** Its trial was answered, or its settings were changed. */
export function closed(health: TransportHealth, now: Date): TransportHealth {
  return { ...health, ...NO_TRIAL, state: 'closed', changedAt: now, change: health.change + 1 };
}
