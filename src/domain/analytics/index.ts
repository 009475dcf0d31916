/**
 * Analytics: numbers kept as facts arrive, and the reports made from them.
 *
 * **Counters** are rows (project, subject, day, hour, kind). The code that stores a fact counts it in the same transaction, and
 * only facts that really changed something, so that counters equal a recount of the facts at any moment, however many writers there
 * are and whatever is written twice. Day and hour are those of the project's time zone when the fact happened; a project that moves
 * keeps its past as it was.
 *
 * **Reports** read counters and what the caller hands in (recipients, state totals of the ledger, links): their cost does not
 * grow with the number of events. Unique figures count subscribers, counted when their first open, click or unsubscribe is
 * stored. State totals of a campaign are the ledger's alone.
 *
 * **Promises.** A daily series holds every day of its range, empty ones as zero, also over changes of clocks; its sum is the
 * total. Every rate carries its definition. **Not promised:** that unique figures of a range or of the project are distinct
 * people: they are sums over days and campaigns.
 */

export { AnalyticsService, type DailyFigures, type DailySeries, type SeriesRequest } from './analytics-service.ts';
export type { AnalyticsStore, CounterTotal, DayTotal } from './analytics-store.ts';
export { addDays, type Day, daysBetween, LocalClocks, type LocalHour, localHours, parseDay } from './calendar.ts';
export {
  COUNTER_KINDS,
  type CounterKind,
  type CounterRow,
  domainSubject,
  type Increment,
  linkSubject,
  mailingSubject,
  PROJECT,
  type Subject,
  TRANSACTIONAL,
} from './counter.ts';
export {
  type CampaignFacts,
  type CampaignReport,
  type DomainFigures,
  type LinkFigures,
  type Rate,
  type RateName,
  type ReportedState,
  type ReportSheet,
  reportSheet,
  type SheetSection,
  type UniqueAndTotal,
} from './report.ts';
