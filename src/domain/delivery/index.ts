/**
 * Delivery: getting one message to one recipient.
 *
 * It owns the ledger (one row per mailing and recipient, the truth about a mailing), the runs and shards in
 * which a mailing is sent, transactional messages with their attempts (row and attempt name the transport), the retry schedule, and the workers that are alive.
 * It also owns the transports of projects with their sealed credentials, the routes that choose among them, and the breaker of each transport.
 *
 * States of a message: `pending` (no row yet), `deferred`, `submitted`, `rejected`, `in_doubt`, `expired`, `failed`,
 * `skipped`, `cancelled`. Their sum is always the number of recipients. Acceptance, once recorded, never gives way to another state.
 *
 * A run is one pass over recipients: run 0 is the launch, later ones are cut from the ledger (retries, resends). A shard is
 * about 10,000 recipients of a run in an order fixed when the run was cut. One worker holds a shard by a lease of 10 seconds
 * in the database's time; every claim raises its fence, and only the present fence moves state and cursor.
 *
 * Promises: no recipient is skipped, because a shard is done only when the contiguous cursor has passed all of them. No recipient whose
 * acceptance was recorded is mailed again. Not promised: exactly once. A crash between hand-over and commit can repeat at
 * most the process's window of unrecorded messages, each with the same Message-ID and the mark `possible_repeat`.
 * While a transport fails, the next route takes its messages; a message in doubt stays with its transport.
 *
 * Follows RFC 5321 (replies, retries), RFC 3463 (status codes), RFC 6409 (what submitted means).
 */
export { ATTACHMENT_LIMITS, type Attachment, type AttachmentInput, parseAttachments } from './attachment.ts';
export { type Attempt, type AttemptOutcome, concernsTransport, type Fault } from './attempt.ts';
export {
  type BreakerCause,
  type BreakerFailure,
  type BreakerState,
  closed,
  FailureCount,
  failureOf,
  HEALTHY,
  onTrial,
  opened,
  type TransportHealth,
  trialDue,
} from './breaker.ts';
export { NotWaiting, RunOpen, TransportInUse } from './delivery-errors.ts';
export { LEASE_MS } from './delivery-lanes.ts';
export { ledgerCursor } from './delivery-ledger.ts';
export type { NewRoute } from './delivery-routes.ts';
export type { RecipientPages } from './delivery-runs.ts';
export { DeliveryService, type DeliveryStores } from './delivery-service.ts';
export type { CredentialSeal } from './delivery-transports.ts';
export type { BatchVerdict, LaneStore, LedgerChange, MovedState, RecordedBatches } from './lane-store.ts';
export type { LedgerFilter, LedgerStore, LedgerTotals, Reached, StateReply } from './ledger-store.ts';
export type { MailingKey } from './mailing-key.ts';
export {
  finalOutcome,
  firstRow,
  followingRow,
  LEDGER_STATES,
  type LedgerRow,
  type LedgerState,
  type MessageState,
  mayBeRepeated,
  noTotals,
  type Outcome,
  outcomeOf,
  type StateReason,
  type StateTotals,
} from './message.ts';
export { type MessageLabels, type MessageLabelsInput, parseLabels, parseStream, parseTag } from './message-labels.ts';
export type { AcceptedCopies, NewMessage, NewRecipient, StoredBatch } from './new-message.ts';
export { receivingGroupOf } from './receiving-groups.ts';
export { attemptFromReply, cleanReply, enhancedCodeOf, replyKind } from './reply.ts';
export { withoutAddress } from './reply-privacy.ts';
export type { ReplyStage } from './reply-rule.ts';
export { requestFingerprint } from './request-fingerprint.ts';
export { BULK_RETRY, nextAttemptAt, type RetryPolicy, TRANSACTIONAL_RETRY } from './retry-policy.ts';
export { type ProjectRoute, type RouteChanges, RoutePlan, SENDING_LANES, type SendingLane, type Way } from './route.ts';
export { type Run, type RunKey, type RunPurpose, type RunState, runName } from './run.ts';
export type { RunStore } from './run-store.ts';
export { isLoopbackHost, type SettingField } from './setting-fields.ts';
export { leaseName, type ShardBatch, type ShardKey, type ShardLease, ShardProgress, shardName, type Turn } from './shard.ts';
export {
  type NewTransport,
  type StoredTransport,
  TRANSPORT_STATES,
  type TransportChanges,
  type TransportState,
} from './stored-transport.ts';
export {
  type AttemptMaker,
  MESSAGE_STATES,
  type MessageAttempt,
  type MessageFacts,
  type RecipientField,
  type TransactionalMessage,
  type TransactionalState,
} from './transactional-message.ts';
export type { MessageMove, MessageSearch, TransactionalStore } from './transactional-store.ts';
export type { Envelope, OutgoingMessage, Transport, TransportCapabilities, Withdrawn } from './transport.ts';
export {
  parseTransportSettings,
  secretSettings,
  TRANSPORT_KINDS,
  TRANSPORT_SETTINGS,
  type TransportKind,
  type TransportSettings,
} from './transport-settings.ts';
export type { FailingTransport, ProjectRouting, SealedCredentials, SealedTransport, TransportStore } from './transport-store.ts';
export { type KnownWorker, LANES, type Lane, leads, type Stuck, type Worker, type WorkerProgress } from './worker.ts';
