import type { Id } from '../shared/ids.ts';
import type { Engagement, RecordedEngagement } from './engagement.ts';
import type { EngagementEvent, UnsubscribeEvent } from './tracking-event.ts';

/** Every row names its project, and a project's facts are only ever found under its id. */
export interface TrackingStore {
  /**
   * Stores events and adds them to the engagement of their subscribers. An event that is there takes the greater number of requests.
   * @returns what changed, in figures
   */
  recordEngagement(events: readonly EngagementEvent[]): Promise<readonly RecordedEngagement[]>;
  addUnsubscribe(event: UnsubscribeEvent): Promise<void>;
  /** @returns whether this is the subscriber's first unsubscribe from this mailing */
  markUnsubscribed(projectId: Id, mailingId: Id, subscriberId: Id, at: Date): Promise<boolean>;
  engagement(projectId: Id, mailingId: Id, subscriberId: Id): Promise<Engagement | undefined>;
  /** A partition for every month (UTC) from `from` through `through`; what lies in the default partition moves into it. */
  ensurePartitions(from: Date, through: Date): Promise<void>;
  stripEvents(projectId: Id, subscriberId: Id): Promise<void>;
  removeEvents(projectId: Id, before: Date, limit: number): Promise<number>;
}
