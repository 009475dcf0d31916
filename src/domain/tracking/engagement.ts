import type { Id } from '../shared/ids.ts';
import type { EngagementEvent } from './tracking-event.ts';

/** What a batch adds to one subscriber's engagement with one mailing. Verdict `unknown` until there are rules. */
export interface EngagementAddition {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly subscriberId: Id;
  opens: number;
  firstOpenAt: Date | undefined;
  lastOpenAt: Date | undefined;
  clicks: number;
  firstClickAt: Date | undefined;
  lastClickAt: Date | undefined;
}

/** The same for one link. */
export interface LinkAddition {
  readonly projectId: Id;
  readonly mailingId: Id;
  readonly subscriberId: Id;
  readonly link: number;
  clicks: number;
  firstClickAt: Date;
  lastClickAt: Date;
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

export const engagementKey = (of: { projectId: Id; mailingId: Id | undefined; subscriberId: Id | undefined }): string =>
  `${of.projectId}/${of.mailingId}/${of.subscriberId}`;

export const linkKey = (of: {
  projectId: Id;
  mailingId: Id | undefined;
  subscriberId: Id | undefined;
  link: number | undefined;
}): string => `${engagementKey(of)}/${of.link}`;

/**
 * Events merged by key and put in key order. Merged, because one statement must not touch a row twice; in order, because
 * writers that lock rows in different orders stop one another by deadlocks (8 writers: 69 transactions/s instead of 1,786).
 * Events of transactional messages have no engagement row.
 */
export function mergeEngagement(events: readonly EngagementEvent[]): { engagement: EngagementAddition[]; links: LinkAddition[] } {
  const engagement = new Map<string, EngagementAddition>();
  const links = new Map<string, LinkAddition>();
  for (const { projectId, mailingId, subscriberId, kind, link, at, requests, lastAt } of events) {
    if (mailingId === undefined || subscriberId === undefined) continue;
    const person = { projectId, mailingId, subscriberId };
    const row = addTo(engagement, engagementKey(person), () => nothingOf(person));
    if (kind === 'open') {
      row.opens += requests;
      row.firstOpenAt = earlier(row.firstOpenAt, at);
      row.lastOpenAt = later(row.lastOpenAt, lastAt);
      continue;
    }
    row.clicks += requests;
    row.firstClickAt = earlier(row.firstClickAt, at);
    row.lastClickAt = later(row.lastClickAt, lastAt);
    if (link === undefined) continue;
    const onLink = { ...person, link };
    const linkRow = addTo(links, linkKey(onLink), () => ({ ...onLink, clicks: 0, firstClickAt: at, lastClickAt: at }));
    linkRow.clicks += requests;
    linkRow.firstClickAt = earlier(linkRow.firstClickAt, at);
    linkRow.lastClickAt = later(linkRow.lastClickAt, lastAt);
  }
  return { engagement: inKeyOrder(engagement), links: inKeyOrder(links) };
}

function nothingOf(person: { projectId: Id; mailingId: Id; subscriberId: Id }): EngagementAddition {
  const never = { firstOpenAt: undefined, lastOpenAt: undefined, firstClickAt: undefined, lastClickAt: undefined };
  return { ...person, ...never, opens: 0, clicks: 0 };
}

function addTo<Row>(rows: Map<string, Row>, key: string, make: () => Row): Row {
  const known = rows.get(key);
  if (known !== undefined) return known;
  const made = make();
  rows.set(key, made);
  return made;
}

const earlier = (a: Date | undefined, b: Date): Date => (a === undefined || b < a ? b : a);
const later = (a: Date | undefined, b: Date): Date => (a === undefined || b > a ? b : a);
const inKeyOrder = <Row>(rows: Map<string, Row>): Row[] => [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
