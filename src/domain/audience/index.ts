/**
 * Audience: who may be mailed, and the proof of it.
 *
 * Owns subscribers (a person's address and attributes), lists, subscriptions (one person on one list), suppressions,
 * consents and imports.
 *
 * States
 * - subscription: unconfirmed -> confirmed -> unsubscribed (`subscription.ts` has the table). Only `confirmed` is mailed.
 * - subscriber: active -> erased, for good. - import: running -> done | failed.
 *
 * Promises
 * - One address is one subscriber: addresses are compared in NFC, lower case and with A-labels (RFC 5321, 5890, 6532).
 * - Who unsubscribed comes back only by an own, stated word; neither an import nor anybody else's call brings them back.
 * - An import changes nobody before its file was read whole, and then everybody in batches: nobody waits for more than a batch.
 *   It never changes people who left one of its lists, are suppressed or erased (`protected`). Of several rows about one
 *   address the last one wins. rows = imported + duplicates + rejected + protected, also when it fails on the way.
 * - An unsubscribe link always keeps something: where the list that brought its mail is gone, marketing to the address is refused.
 * - On a double opt-in list imported people are `unconfirmed` and not mailed, unless the import states a consent, which is
 *   stored for each of them (GDPR Art. 7(1)).
 * - Erasing a person leaves an id and a keyed hash of the address: nothing to read, yet no import mails it again.
 *   Only the person's own return lifts that (`unsuppress`).
 * - What `recipients` says of somebody is true at the moment of the question, whatever an audience fixed earlier says.
 *
 * Does not promise that an address exists, nor that a list scope of suppression keeps transactional mail away: that asks for
 * the scope `project`. Attributes have 64 kB as JSON at most.
 */
export { ATTRIBUTE_COUNT, ATTRIBUTES_OCTETS, type Attributes, type JsonValue } from './attributes.ts';
export { listIdsOf } from './audience.ts';
export {
  AddressTaken,
  ImportHoldsDepartures,
  ImportUnreadable,
  ListArchived,
  ListSlugTaken,
  SubscriberErased,
  SubscriptionRefused,
} from './audience-errors.ts';
export { AudienceService, type AudienceStores } from './audience-service.ts';
export type { OptOut, OptOutState } from './audience-subscriptions.ts';
export type { Joined, Joining, Moved, SubscriberWish, Suppressing } from './audience-wish.ts';
export { isBlank } from './cell-cleaning.ts';
export type { Consent, ConsentAction, Evidence } from './consent.ts';
export { EXCLUSION_REASONS, type Exclusion, type ExclusionCounts, type ExclusionReason } from './exclusion.ts';
export {
  type FileFindings,
  IMPORT_AGAIN,
  IMPORT_AS,
  type Import,
  type ImportAs,
  type ImportState,
  type ImportTotals,
  type ImportWarning,
  KEPT_REJECTIONS,
  type NewImport,
  NO_TOTALS,
  type Rejection,
  rejection,
} from './import.ts';
export { ImportColumns, type ImportedPerson } from './import-columns.ts';
export { ImportDepartures } from './import-departures.ts';
export {
  type ImportLoad,
  type ImportLoader,
  ImportsBusy,
  type MarkedAddress,
  type StagedRejection,
  type StagedRow,
} from './import-loader.ts';
export type { FileHeader } from './import-plan.ts';
export type { ImportStore } from './import-store.ts';
export { List, type ListChanges, type ListState, type NewList } from './list.ts';
export type { ListCounts, ListSearch, ListStore } from './list-store.ts';
export type { AudiencePage, RecipientFacts, Refusal } from './recipient.ts';
export type { ExcludedIds, ExclusionSearch, RecipientStore } from './recipient-store.ts';
export { addressesIn } from './rejected-addresses.ts';
export { Subscriber, type SubscriberChanges, type SubscriberState, type SubscriberStatus } from './subscriber.ts';
export type { SubscriberAddress, SubscriberSearch, SubscriberStore } from './subscriber-store.ts';
export { SUBSCRIPTION_STATES, type Subscription, type SubscriptionState } from './subscription.ts';
export type { OptOutFacts, SubscriptionStore } from './subscription-store.ts';
export {
  type ErasureKeys,
  erasureMark,
  erasureMarker,
  STOPPING_SCOPES,
  SUPPRESSION_REASONS,
  type Suppression,
  type SuppressionReason,
  type SuppressionScope,
} from './suppression.ts';
export type { SuppressionSearch, SuppressionStore } from './suppression-store.ts';
