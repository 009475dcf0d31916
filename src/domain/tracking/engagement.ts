import type { Id } from '../shared/ids.ts';
import type { EngagementEvent } from './tracking-event.ts';

/** What a batch of events changed, for one kind, mailing, link and quarter of an hour: the facts that counters are kept from. */
export interface RecordedEngagement {
  readonly projectId: Id;
  readonly kind: EngagementEvent['kind'];
  /** In that quarter of an hour. */
  readonly at: Date;
  /** Absent for a transactional message. */
  readonly mailingId: Id | undefined;
  readonly link: number | undefined;
  /** Requests that were really stored now. */
  readonly requests: number;
  /** Subscribers whose first open (or click) of this mailing it is: exactly once per subscriber, mailing and kind. */
  readonly firstOfPerson: number;
  /** The same for this link; 0 for opens. */
  readonly firstOnLink: number;
}

/** The engagement of one subscriber with one mailing. */
export interface Engagement {
  readonly firstOpenAt: Date | undefined;
  readonly lastOpenAt: Date | undefined;
  readonly opens: VerdictCounts;
  readonly firstClickAt: Date | undefined;
  readonly lastClickAt: Date | undefined;
  readonly clicks: VerdictCounts;
  readonly unsubscribedAt: Date | undefined;
}

export interface VerdictCounts {
  readonly human: number;
  readonly machine: number;
  readonly unknown: number;
}
