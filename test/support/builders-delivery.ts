import type { Content } from '../../src/domain/campaign/index.ts';
import type { Attempt, LedgerState, Outcome, RetryPolicy, ShardBatch, ShardLease } from '../../src/domain/delivery/index.ts';

/** A UUID that shows its number: `00000000-0000-7000-8000-00000000002a` is 42; `family` keeps kinds of ids apart. */
export const idOf = (number: number, family = 0): string =>
  `${family.toString(16).padStart(8, '0')}-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;

export const PROJECT = idOf(1, 0xa);
export const CAMPAIGN = idOf(1, 0xc);
export const AT = new Date('2026-11-22T10:00:00Z');
export const LAUNCHED_ON = '2026-11-22';

export const BRISK: RetryPolicy = { firstDelayMs: 60_000, maxDelayMs: 3_600_000, lifetimeMs: 72 * 3_600_000 };

export function aLease(size: number, given: Partial<ShardLease> = {}): ShardLease {
  return {
    projectId: PROJECT,
    mailingId: CAMPAIGN,
    run: 0,
    number: 0,
    launchedOn: LAUNCHED_ON,
    fence: 1,
    cursor: 0,
    claimedThrough: 0,
    recipients: Array.from({ length: size }, (_, position) => idOf(position)),
    settled: [],
    ...given,
  };
}

export function anOutcome(person: number, state: LedgerState = 'submitted', given: Partial<Outcome> = {}): Outcome {
  const reply = state === 'submitted' ? undefined : `because it is ${state}`;
  return { subscriberId: idOf(person), state, code: undefined, reply, possibleRepeat: false, at: AT, ...given };
}

export function anAttempt(outcome: Attempt['outcome'] = 'submitted', given: Partial<Attempt> = {}): Attempt {
  const code = { submitted: 250, deferred: 451, rejected: 550, in_doubt: undefined }[outcome];
  return { outcome, code, enhancedCode: undefined, reply: `${code ?? 'no answer'}`, fault: 'none', ...given };
}

export function aBatch(given: Partial<ShardBatch> = {}): ShardBatch {
  return {
    projectId: PROJECT,
    mailingId: CAMPAIGN,
    run: 0,
    number: 0,
    launchedOn: LAUNCHED_ON,
    fence: 1,
    batch: 1,
    cursor: 0,
    claimedThrough: 0,
    done: false,
    outcomes: [],
    ...given,
  };
}

export function aContent(given: Partial<Content> = {}): Content {
  return {
    kind: 'html',
    source: '<p>Hello</p>',
    subject: 'Hello',
    author: { address: 'hello@news.example.com' },
    headers: {},
    defaults: {},
    footer: 'project',
    layout: 'default',
    ...given,
  };
}

/** A batch that hands over everybody of the shard and settles these. */
export const batchOf = (lease: ShardLease, outcomes: readonly Outcome[], given: Partial<ShardBatch> = {}): ShardBatch =>
  aBatch({ ...lease, claimedThrough: lease.recipients.length, outcomes, ...given });
