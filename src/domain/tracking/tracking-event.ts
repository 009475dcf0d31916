import type { Id } from '../shared/ids.ts';
import { networkOf } from './network.ts';
import type { TokenSubject } from './token.ts';

/**
 * What a request tells about who made it, before any verdict on whether that was a person or a machine. Browsers say in
 * Sec-Fetch-* why they fetch, prefetchers in Purpose that they do.
 */
export interface TrackedRequest {
  readonly method: string;
  readonly userAgent: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly secFetchMode: string | undefined;
  readonly secFetchDest: string | undefined;
  /** `Sec-Purpose`, `Purpose` or `X-Moz`: `prefetch`, `preview`. */
  readonly purpose: string | undefined;
  /** The client's address as text, or undefined where it is not known. */
  readonly ip: string | undefined;
}

/**
 * A raw fact: one request with a verified token. `projectId`, `at` and `id` are its key; all three are taken once, at
 * capture, so that writing it again changes nothing.
 */
export interface TrackingEvent extends Omit<TrackedRequest, 'ip'> {
  readonly projectId: Id;
  readonly at: Date;
  readonly id: Id;
  readonly kind: 'open' | 'click' | 'unsubscribe';
  /** Both absent for a transactional message. */
  readonly mailingId: Id | undefined;
  readonly subscriberId: Id | undefined;
  /** Only for a transactional message. */
  readonly messageId: Id | undefined;
  /** Index of the link in its content; only for a click. */
  readonly link: number | undefined;
  /** A network, never an address: `203.0.113.0/24`, `2001:db8:1::/48`. */
  readonly network: string | undefined;
  /** How many requests the event stands for; grows while further ones of its minute come, see `RepeatedRequests`. */
  readonly requests: number;
  /** When the last of them came. */
  readonly lastAt: Date;
}

export interface EngagementEvent extends TrackingEvent {
  readonly kind: 'open' | 'click';
}

export interface UnsubscribeEvent extends TrackingEvent {
  readonly kind: 'unsubscribe';
  readonly mailingId: Id;
  readonly subscriberId: Id;
}

const MAX_USER_AGENT = 500;
const MAX_HEADER = 100;

/** What was followed: the pixel, or the link with that index. */
export type Followed = { readonly kind: 'open' } | { readonly kind: 'click'; readonly link: number };

/** @param key id and time of the fact, taken now */
export function captureEngagement(
  subject: TokenSubject,
  followed: Followed,
  request: TrackedRequest,
  key: { id: Id; at: Date },
): EngagementEvent {
  return {
    ...requestFacts(request),
    ...key,
    projectId: subject.projectId,
    kind: followed.kind,
    mailingId: subject.kind === 'mailing' ? subject.mailingId : undefined,
    subscriberId: subject.kind === 'mailing' ? subject.subscriberId : undefined,
    messageId: subject.kind === 'transactional' ? subject.messageId : undefined,
    link: followed.kind === 'click' ? followed.link : undefined,
    requests: 1,
    lastAt: key.at,
  };
}

/** @param key id and time of the fact, taken now */
export function captureUnsubscribe(
  subject: TokenSubject & { readonly kind: 'mailing' },
  request: TrackedRequest,
  key: { id: Id; at: Date },
): UnsubscribeEvent {
  const { projectId, mailingId, subscriberId } = subject;
  const facts = requestFacts(request);
  const none = { messageId: undefined, link: undefined };
  return { ...facts, ...key, ...none, projectId, mailingId, subscriberId, kind: 'unsubscribe', requests: 1, lastAt: key.at };
}

function requestFacts(request: TrackedRequest): Omit<TrackedRequest, 'ip'> & Pick<TrackingEvent, 'network'> {
  return {
    method: clean(request.method, 20) ?? '',
    userAgent: clean(request.userAgent, MAX_USER_AGENT),
    secFetchSite: clean(request.secFetchSite, MAX_HEADER),
    secFetchMode: clean(request.secFetchMode, MAX_HEADER),
    secFetchDest: clean(request.secFetchDest, MAX_HEADER),
    purpose: clean(request.purpose, MAX_HEADER),
    network: request.ip === undefined ? undefined : networkOf(request.ip),
  };
}

/** Without control characters (PostgreSQL stores no NUL) and halves of characters, cut to a length. */
function clean(text: string | undefined, length: number): string | undefined {
  return text
    ?.slice(0, length)
    .replace(/\p{Cc}/gu, '')
    .toWellFormed();
}
