/**
 * Tracking: what happened after a message was handed over. Opens, clicks and unsubscribes; bounces, complaints and replies
 * will follow.
 *
 * **Tokens.** Every message carries tokens that name its project, mailing and subscriber and prove it by a MAC, one per
 * purpose; a link's target is part of its own token. So a click is believed and redirected without a database. A token
 * that is forged, foreign or made for another purpose is `undefined`, never an error, and changes nothing.
 *
 * **Facts.** An *event* is a request as it came, with a count of those that followed the same link within its minute: a
 * replayed link is counted, not stored. HEAD asks where a link leads and is no event. Its key (project, time, id) is taken at
 * capture, so that writing it twice changes nothing. Events are raw and live as long as retention allows; *engagement* is what they amount to per person
 * and mailing, so that unique figures and behaviour segments never scan events. Each first open, first click and first
 * click on a link is reported exactly once, by the transaction that made it true, however many writers there are.
 *
 * **Promises.** An event is stored at most once, and what `recordEngagement` returns is exactly what changed. Client addresses are
 * cut to a network at capture. Every verdict is `unknown` until there are rules that tell people from machines.
 * **Not promised:** that a person opened (proxies and scanners fetch pixels and links), or that every open is seen.
 *
 * Standards: RFC 8058 (one-click unsubscribe), RFC 2104 (HMAC), RFC 4648 section 5 (base64url).
 */
export type { Engagement, RecordedEngagement, VerdictCounts } from './engagement.ts';
export { networkOf } from './network.ts';
export { RepeatedRequests } from './repeated-requests.ts';
export {
  type IssuedTokens,
  issueTransactionalTokens,
  type KeyFor,
  type MailingSubject,
  MessageTokens,
  TEST_TOKEN,
  type TokenPurpose,
  type TokenSubject,
  type TransactionalSubject,
  verifyMessageToken,
} from './token.ts';
export {
  issueLinkToken,
  type LinkScope,
  LONGEST_TRACKED_TARGET,
  UnsafeLink,
  verifyLinkToken,
  webLocation,
} from './tracked-link.ts';
export {
  captureEngagement,
  captureUnsubscribe,
  type EngagementEvent,
  type Followed,
  type TrackedRequest,
  type TrackingEvent,
  type UnsubscribeEvent,
} from './tracking-event.ts';
export { TrackingService } from './tracking-service.ts';
export type { TrackingStore } from './tracking-store.ts';
