import type { Id } from '../shared/ids.ts';
import type { Day } from './calendar.ts';
import type { CounterKind, CounterRow, Subject } from './counter.ts';

export interface AnalyticsStore {
  /** Adds the rows' values to the counters, in the order given; every key at most once. */
  add(projectId: Id, rows: readonly CounterRow[]): Promise<void>;
  /** Sums over all time of the subject and of everything under it (`campaign:<id>` and `campaign:<id>:...`). */
  totals(projectId: Id, subject: Subject): Promise<readonly CounterTotal[]>;
  /** Sums by day, only for days on which something was counted. */
  byDay(projectId: Id, subject: Subject, kinds: readonly CounterKind[], from: Day, to: Day): Promise<readonly DayTotal[]>;
}

export interface CounterTotal {
  readonly subject: Subject;
  readonly kind: CounterKind;
  readonly value: number;
}

export interface DayTotal {
  readonly day: Day;
  readonly kind: CounterKind;
  readonly value: number;
}
