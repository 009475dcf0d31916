import type { Id } from '../shared/ids.ts';
import type { LocalHour } from './calendar.ts';

/**
 * What is counted. Delivery: how messages ended, one count per outcome recorded (a message deferred three times counts
 * three times; state totals are the ledger's). Engagement: `_total` is every open or click, `_unique` the people, counted
 * when the first one is stored. The rest is once per message.
 */
export const COUNTER_KINDS = [
  'submitted',
  'deferred',
  'rejected',
  'in_doubt',
  'expired',
  'failed',
  'skipped',
  'cancelled',
  'opened_unique',
  'opened_total',
  'clicked_unique',
  'clicked_total',
  'unsubscribed',
  'complained',
  'bounced',
] as const;

export type CounterKind = (typeof COUNTER_KINDS)[number];

/** What a counter is about: `project`, `transactional`, `mailing:<id>`, `mailing:<id>:link:<index>`, `mailing:<id>:domain:<name>`. */
export type Subject = string;

/** Everything in the project, transactional messages included; unique figures are the sum over mailings. */
export const PROJECT: Subject = 'project';
/** All transactional messages of the project; their engagement has totals only. */
export const TRANSACTIONAL: Subject = 'transactional';

export const mailingSubject = (mailingId: Id): Subject => `mailing:${mailingId}`;
/** @param index of the link in the mailing's content */
export const linkSubject = (mailingId: Id, index: number): Subject => `mailing:${mailingId}:link:${index}`;
/** @param domain the receiving domain as A-labels in lower case */
export const domainSubject = (mailingId: Id, domain: string): Subject => `mailing:${mailingId}:domain:${domain}`;

/** A fact to be counted. */
export interface Increment {
  readonly subject: Subject;
  readonly kind: CounterKind;
  /** When it happened; day and hour are taken from it on the project's clocks. */
  readonly at: Date;
  /** Default 1. */
  readonly by?: number | undefined;
}

export interface CounterRow extends LocalHour {
  readonly subject: Subject;
  readonly kind: CounterKind;
  value: number;
}

/**
 * Increments merged by key, in key order: 8 writers that lock the same rows in different orders reach 69 transactions a
 * second, in one order 1,786.
 */
export function mergeIncrements(increments: readonly Increment[], local: (at: Date) => LocalHour): readonly CounterRow[] {
  const rows = new Map<string, CounterRow>();
  for (const { subject, kind, at, by = 1 } of increments) {
    const { day, hour } = local(at);
    // A space sorts before every character of a subject, so that this order is the primary key's.
    const key = `${subject} ${day} ${String(hour).padStart(2, '0')} ${kind}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { subject, day, hour, kind, value: by });
    else row.value += by;
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
