import type { Id } from '../shared/ids.ts';
import type { Day } from './calendar.ts';
import type { CounterKind, CounterRow, Subject } from './counter.ts';

export interface AnalyticsStore {
  /** Adds the rows' values to the counters, in the order given; every key at most once. */
  add(projectId: Id, rows: readonly CounterRow[]): Promise<void>;
  /** Sums over all time of these subjects and of everything under them (`mailing:<id>` and `mailing:<id>:...`). */
  totals(projectId: Id, subjects: readonly Subject[]): Promise<readonly CounterTotal[]>;
  /** Sums of these subjects by day, only for days on which something was counted. */
  byDay(
    projectId: Id,
    subjects: readonly Subject[],
    kinds: readonly CounterKind[],
    from: Day,
    to: Day,
  ): Promise<readonly DayTotal[]>;
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
