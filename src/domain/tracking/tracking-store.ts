import type { Id } from '../shared/ids.ts';
import type { Engagement, EngagementAddition, LinkAddition } from './engagement.ts';
import type { TrackingEvent } from './tracking-event.ts';

/** Every row names its project, and a project's facts are only ever found under its id. */
export interface TrackingStore {
  /**
   * Stores events, each key (project, at, id) once in the batch. A row that is there takes the greater number of requests.
   * @returns how many requests are new, by the ids of the rows that were written
   */
  addEvents(events: readonly TrackingEvent[]): Promise<ReadonlyMap<Id, number>>;
  /** Adds to the rows, in the order given. @returns for each addition, in its order, what the row held before */
  addEngagement(additions: readonly EngagementAddition[]): Promise<readonly { opens: number; clicks: number }[]>;
  /** Adds to the rows, in the order given. @returns for each addition, in its order, how many clicks the row held before */
  addLinkEngagement(additions: readonly LinkAddition[]): Promise<readonly number[]>;
  /** @returns whether this is the subscriber's first unsubscribe from this mailing */
  markUnsubscribed(projectId: Id, mailingId: Id, subscriberId: Id, at: Date): Promise<boolean>;
  engagement(projectId: Id, mailingId: Id, subscriberId: Id): Promise<Engagement | undefined>;
  /** A partition for every month (UTC) from `from` through `through`; what lies in the default partition moves into it. */
  ensurePartitions(from: Date, through: Date): Promise<void>;
  stripEvents(projectId: Id, subscriberId: Id): Promise<void>;
  removeEvents(projectId: Id, before: Date, limit: number): Promise<number>;
}
