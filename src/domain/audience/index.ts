/**
 * Audience: which addresses may be mailed, and the proof of it.
 *
 * Owns subscribers (a person's address and attributes), lists, subscriptions (one person on one list), suppressions,
 * consents and imports. Its service has a part for each.
 *
 * States
 * - subscription: unconfirmed -> confirmed -> unsubscribed (`subscription.ts` has the table). Only `confirmed` is mailed.
 * - subscriber: active -> erased, for good. - import: running -> done | failed.
 *
 * Promises
 * - One address is one subscriber: addresses are compared in NFC, lower case and with A-labels (RFC 5321, 5890, 6532).
 * - One rule decides which subscribers of an audience may be mailed (`recipients`): for the launch, the counts, the explanation
 *   and the check before each hand-over. An audience that includes nothing matches no subscriber.
 * - An unsubscribed subscriber comes back only by a stated consent of their own; no import and no other call brings them back.
 * - An import changes no subscriber before its file was read whole, and then works in batches: other calls wait for one batch at
 *   most. It never changes subscribers that left one of its lists, are suppressed or erased (`protected`). Of several rows about
 *   one address the last one wins. rows = imported + duplicates + rejected + protected, also when it fails on the way.
 * - An unsubscribe link always records something: where a list of its mail was deleted, marketing to the address is suppressed.
 * - On a double opt-in list imported subscribers are `unconfirmed` and not mailed, unless the import states a consent, which is
 *   stored for each of them (GDPR Art. 7(1)).
 * - Erasing a subscriber leaves an id and a keyed hash of the address: nothing to read, yet no import mails it again. Only
 *   `suppressions.lift` for that address, at the person's own request, ends it.
 *
 * Does not promise that an address exists, nor that a suppression with the scope of a list stops transactional mail: that
 * needs the scope `project`. Attributes have 64 kB as JSON at most.
 */
export { ATTRIBUTE_COUNT, ATTRIBUTES_OCTETS, type Attributes, type JsonValue } from './attributes.ts';
export { listsIn } from './audience.ts';
export {
  AddressTaken,
  ImportHoldsDepartures,
  ImportUnreadable,
  ListArchived,
  ListSlugTaken,
  SubscriberErased,
  SubscriptionRefused,
} from './audience-errors.ts';
export type { Joined, Joining, Moved, NewSuppression, SubscriberFields } from './audience-inputs.ts';
export { AudienceService, type AudienceStores } from './audience-service.ts';
export type { OptOut, OptOutState } from './audience-subscriptions.ts';
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
  type SuppressionFilter,
  type SuppressionReason,
  type SuppressionScope,
} from './suppression.ts';
export type { SuppressionSearch, SuppressionStore } from './suppression-store.ts';
