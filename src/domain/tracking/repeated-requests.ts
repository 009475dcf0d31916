import type { EngagementEvent } from './tracking-event.ts';

/** Requests for one link that look different (a scanner, then a person) are kept apart, up to this number per minute. */
const LOOKS = 3;
/** Links and pixels remembered at most; beyond, the one that has waited longest begins a new event. */
const REMEMBERED = 20_000;
const MINUTE_MS = 60_000;

/**
 * Makes one event of the requests that follow one link, or load one pixel, within a minute. Its number of requests counts them
 * exactly, and a replayed link fills no table. An event is identified by its first request: written again with more requests it
 * replaces itself, written again with as many it changes nothing.
 */
export class RepeatedRequests {
  private readonly known = new Map<string, EngagementEvent[]>();
  private minute = Number.NaN;

  /** The event that this request belongs to, with all requests so far: the request itself when it is the first. */
  fold(event: EngagementEvent): EngagementEvent {
    const minute = Math.floor(event.at.getTime() / MINUTE_MS);
    if (minute !== this.minute) {
      this.known.clear();
      this.minute = minute;
    }
    const followed = `${event.projectId} ${event.mailingId} ${event.subscriberId} ${event.messageId} ${event.kind} ${event.link}`;
    const events = this.known.get(followed);
    if (events === undefined) {
      for (const oldest of this.known.keys()) {
        if (this.known.size < REMEMBERED) break;
        this.known.delete(oldest);
      }
      this.known.set(followed, [event]);
      return event;
    }
    const same = events.findIndex((known) => looksLike(known, event));
    if (same === -1 && events.length < LOOKS) {
      events.push(event);
      return event;
    }
    const index = Math.max(same, 0);
    const first = events[index]!;
    const folded = { ...first, requests: first.requests + 1, lastAt: event.at };
    events[index] = folded;
    return folded;
  }
}

const looksLike = (one: EngagementEvent, other: EngagementEvent): boolean =>
  one.method === other.method &&
  one.userAgent === other.userAgent &&
  one.network === other.network &&
  one.purpose === other.purpose &&
  one.secFetchSite === other.secFetchSite &&
  one.secFetchMode === other.secFetchMode &&
  one.secFetchDest === other.secFetchDest;
