import type { Clock } from '../shared/clock.ts';
import type { Id } from '../shared/ids.ts';
import { type Engagement, engagementKey, linkKey, mergeEngagement } from './engagement.ts';
import type { EngagementEvent, UnsubscribeEvent } from './tracking-event.ts';
import type { TrackingStore } from './tracking-store.ts';

/** Opens or clicks of one event that were really stored now, with what they changed: the facts that counters are kept from. */
export interface RecordedEngagement {
  readonly projectId: Id;
  readonly kind: EngagementEvent['kind'];
  readonly at: Date;
  /** Absent for a transactional message. */
  readonly mailingId: Id | undefined;
  readonly link: number | undefined;
  /** How many requests it counts for. */
  readonly requests: number;
  /** True for the subscriber's first open (or click) of this mailing: exactly once per subscriber, mailing and kind. */
  readonly firstOfPerson: boolean;
  /** The same for this link; false for an open. */
  readonly firstOnLink: boolean;
}

export class TrackingService {
  private readonly store: TrackingStore;
  private readonly clock: Clock;

  constructor(deps: { store: TrackingStore; clock: Clock }) {
    this.store = deps.store;
    this.clock = deps.clock;
  }

  /**
   * Stores a batch of opens and clicks, of any projects, and adds them to the engagement of their subscribers. Safe to repeat: an event
   * that is known changes nothing and is not in the answer.
   */
  async recordEngagement(events: readonly EngagementEvent[]): Promise<readonly RecordedEngagement[]> {
    const stored = await this.storeNew(events);
    const { engagement, links } = mergeEngagement(stored);
    const [before, clicksBefore] = await Promise.all([this.store.addEngagement(engagement), this.store.addLinkEngagement(links)]);

    // A row without an event before has its first one now: the earliest event of the batch on that row says so.
    const firsts = new Set<string>();
    engagement.forEach((row, index) => {
      if (row.opens > 0 && before[index]?.opens === 0) firsts.add(`open ${engagementKey(row)}`);
      if (row.clicks > 0 && before[index]?.clicks === 0) firsts.add(`click ${engagementKey(row)}`);
    });
    links.forEach((row, index) => {
      if (clicksBefore[index] === 0) firsts.add(`link ${linkKey(row)}`);
    });
    return stored
      .toSorted((a, b) => a.at.getTime() - b.at.getTime())
      .map((event) => ({
        projectId: event.projectId,
        kind: event.kind,
        at: event.at,
        mailingId: event.mailingId,
        link: event.link,
        requests: event.requests,
        firstOfPerson: firsts.delete(`${event.kind} ${engagementKey(event)}`),
        firstOnLink: event.kind === 'click' && firsts.delete(`link ${linkKey(event)}`),
      }));
  }

  /**
   * Stores that a recipient unsubscribed by a message of this mailing. Leaving the lists is `audience`'s part.
   * @returns whether it is the subscriber's first unsubscribe from this mailing, and so to be counted
   */
  async recordUnsubscribe(event: UnsubscribeEvent): Promise<boolean> {
    const first = await this.store.markUnsubscribed(event.projectId, event.mailingId, event.subscriberId, event.at);
    // One event per subscriber and mailing: repeated clicks on the link add no information.
    if (first) await this.store.addEvents([event]);
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

  /** The events with the requests that are new; in key order, so that two writers with the same events do not wait in a circle. */
  private async storeNew(events: readonly EngagementEvent[]): Promise<readonly EngagementEvent[]> {
    const byId = new Map<Id, EngagementEvent>();
    for (const event of events) {
      const known = byId.get(event.id);
      if (known === undefined || known.requests < event.requests) byId.set(event.id, event);
    }
    const ordered = [...byId.values()].sort(inKeyOrder);
    const added = await this.store.addEvents(ordered);
    return ordered.flatMap((event) => {
      const requests = added.get(event.id) ?? 0;
      return requests === 0 ? [] : [{ ...event, requests }];
    });
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

/** That of the primary key (project_id, at, id). */
function inKeyOrder(one: EngagementEvent, other: EngagementEvent): number {
  if (one.projectId !== other.projectId) return one.projectId < other.projectId ? -1 : 1;
  const later = one.at.getTime() - other.at.getTime();
  if (later !== 0) return later;
  return one.id < other.id ? -1 : 1;
}
