import type { Clock } from '../shared/clock.ts';
import type { Id } from '../shared/ids.ts';
import type { Engagement, RecordedEngagement } from './engagement.ts';
import type { EngagementEvent, UnsubscribeEvent } from './tracking-event.ts';
import type { TrackingStore } from './tracking-store.ts';

export class TrackingService {
  private readonly store: TrackingStore;
  private readonly clock: Clock;

  constructor(deps: { store: TrackingStore; clock: Clock }) {
    this.store = deps.store;
    this.clock = deps.clock;
  }

  /**
   * Stores a batch of opens and clicks, of any projects, and adds them to the engagement of their subscribers. Safe to repeat: an event
   * that is known changes nothing and is in no figure of the answer.
   */
  recordEngagement(events: readonly EngagementEvent[]): Promise<readonly RecordedEngagement[]> {
    return this.store.recordEngagement(events);
  }

  /**
   * Stores that a recipient unsubscribed by a message of this mailing. Leaving the lists is `audience`'s part.
   * @returns whether it is the subscriber's first unsubscribe from this mailing, and so to be counted
   */
  async recordUnsubscribe(event: UnsubscribeEvent): Promise<boolean> {
    const first = await this.store.markUnsubscribed(event.projectId, event.mailingId, event.subscriberId, event.at);
    // One event per subscriber and mailing: repeated clicks on the link add no information.
    if (first) await this.store.addUnsubscribe(event);
    return first;
  }

  /** The engagement of one subscriber with one mailing; undefined when there is none. */
  engagement(projectId: Id, mailingId: Id, subscriberId: Id): Promise<Engagement | undefined> {
    return this.store.engagement(projectId, mailingId, subscriberId);
  }

  /** Makes the partitions of this month and the next ones; to be called at start and daily. Facts outside them are kept too. */
  ensurePartitions(monthsAhead = 2): Promise<void> {
    const now = this.clock.now();
    return this.store.ensurePartitions(now, new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + monthsAhead, 1)));
  }

  /** Removes user agent and network from the events of a subscriber. */
  stripEvents(projectId: Id, subscriberId: Id): Promise<void> {
    return this.store.stripEvents(projectId, subscriberId);
  }

  /** Removes events from before; engagement and counters stay. @returns how many, `limit` at most */
  removeEvents(projectId: Id, before: Date, limit: number): Promise<number> {
    return this.store.removeEvents(projectId, before, limit);
  }
}
