import type { Clock } from '../shared/clock.ts';
import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import type { AnalyticsStore } from './analytics-store.ts';
import { addDays, type Day, daysBetween, LocalClocks, parseDay } from './calendar.ts';
import { type CounterKind, type Increment, mailingSubject, mergeIncrements, type Subject } from './counter.ts';
import { buildReport, type CampaignFacts, type CampaignReport } from './report.ts';

/** `from` and `to`: the first and the last day, both included; default: the 30 days up to today, at most 3,660 days. */
export interface SeriesRequest {
  /** What it is about, as the answer says it: `project` or `campaign:<id>`. */
  readonly subject: string;
  /** Whose counters are summed up. */
  readonly counters: readonly Subject[];
  readonly kinds: readonly CounterKind[];
  readonly from?: Day | undefined;
  readonly to?: Day | undefined;
  /** The project's, by which its counters are cut; says what today is. */
  readonly timeZone: string;
}

export interface DailySeries {
  readonly subject: string;
  readonly from: Day;
  readonly to: Day;
  readonly timeZone: string;
  /** Every day of the range in order; a kind that was not counted that day is 0. */
  readonly days: readonly DailyFigures[];
}

export interface DailyFigures {
  readonly day: Day;
  /** One figure for each kind that was asked for. */
  readonly counts: Readonly<Partial<Record<CounterKind, number>>>;
}

const DEFAULT_DAYS = 30;
const MAX_DAYS = 3_660;

export class AnalyticsService {
  private readonly store: AnalyticsStore;
  private readonly clock: Clock;
  private readonly clocks: LocalClocks;

  /** @param deps clocks: where services of several units of work share them */
  constructor(deps: { store: AnalyticsStore; clock: Clock; clocks?: LocalClocks }) {
    this.store = deps.store;
    this.clock = deps.clock;
    this.clocks = deps.clocks ?? new LocalClocks();
  }

  /**
   * Counts facts, in the transaction that stores them. Call it once per project and transaction, as the last thing written,
   * and for several projects in the order of their ids: within a call rows are locked in key order, across calls by the caller.
   * @param timeZone the project's at the time of the facts
   */
  async count(projectId: Id, timeZone: string, increments: readonly Increment[]): Promise<void> {
    const rows = mergeIncrements(increments, this.clocks.in(timeZone)).filter((row) => row.value !== 0);
    if (rows.length > 0) await this.store.add(projectId, rows);
  }

  async campaignReport(projectId: Id, facts: CampaignFacts): Promise<CampaignReport> {
    return buildReport(facts, await this.store.totals(projectId, facts.mailingIds.map(mailingSubject)));
  }

  /** @throws InvalidInput for days that do not exist, a range that ends before it begins or is longer than 3,660 days */
  async dailySeries(projectId: Id, request: SeriesRequest): Promise<DailySeries> {
    const { subject, counters, kinds, timeZone } = request;
    const to = request.to === undefined ? this.clocks.in(timeZone)(this.clock.now()).day : parseDay(request.to, '/to');
    const from = request.from === undefined ? addDays(to, 1 - DEFAULT_DAYS) : parseDay(request.from, '/from');
    if (from > to) throw new InvalidInput(`The range ends (${to}) before it begins (${from}).`, '/from');
    if (addDays(from, MAX_DAYS) <= to) throw new InvalidInput(`A series has at most ${MAX_DAYS} days.`, '/from');
    const counted = new Map<Day, Partial<Record<CounterKind, number>>>();
    for (const { day, kind, value } of await this.store.byDay(projectId, counters, kinds, from, to)) {
      counted.set(day, { ...counted.get(day), [kind]: value });
    }
    const nothing = Object.fromEntries(kinds.map((kind) => [kind, 0]));
    const days = daysBetween(from, to).map((day) => ({ day, counts: { ...nothing, ...counted.get(day) } }));
    return { subject, from, to, timeZone, days };
  }
}
