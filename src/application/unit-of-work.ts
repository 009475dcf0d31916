import type { AccessService } from '../domain/access/index.ts';
import type { AnalyticsService } from '../domain/analytics/index.ts';
import type { AudienceService } from '../domain/audience/index.ts';
import type { CampaignService } from '../domain/campaign/index.ts';
import type { DeliveryService } from '../domain/delivery/index.ts';
import type { TrackingService } from '../domain/tracking/index.ts';
import type { JobQueue } from './job.ts';

/** The contexts and the job queue, all inside one transaction. */
export interface Scope {
  readonly access: AccessService;
  readonly audience: AudienceService;
  readonly campaign: CampaignService;
  readonly delivery: DeliveryService;
  readonly tracking: TrackingService;
  readonly analytics: AnalyticsService;
  readonly jobs: JobQueue;
}

/** What can be done without loading an aggregate. */
export type BulkScope = Omit<Scope, 'access' | 'campaign'> & {
  readonly access: Pick<AccessService, 'authenticate' | 'readProject' | 'timeZones' | 'publicUrl'> & {
    readonly domains: Pick<AccessService['domains'], 'activeKeys'>;
  };
  readonly campaign: { readonly templates: Pick<CampaignService['templates'], 'contentAt'> };
};

/** A job must be enqueued inside a transaction. */
export type SingleScope = Omit<BulkScope, 'jobs'>;

/** A transaction that the caller of a verb has open on the same database, as its adapter gives it. */
export interface CallerTransaction {
  /** Runs one statement in it; `text` has `$1` for the first value. */
  query(text: string, values: readonly unknown[]): Promise<readonly object[]>;
}

/** One transaction over all contexts: commits everything that `work` did, or nothing when it throws. */
export interface UnitOfWork {
  run<T>(work: (scope: Scope) => Promise<T>): Promise<T>;
  /** The same for what happens many times a second: batches, claims, counters. Verbs that load an aggregate fail in it. */
  bulk<T>(work: (scope: BulkScope) => Promise<T>): Promise<T>;
  /** Without a transaction: every statement for itself. For pages and for verbs of one statement. */
  single<T>(work: (scope: SingleScope) => Promise<T>): Promise<T>;
}

/** A unit of work inside an open transaction of the caller's, which commits or rolls it back with its own work. */
export interface JoinedWork {
  /** When `work` throws, the transaction is as it was before. @throws TransactionUnusable */
  within<T>(transaction: CallerTransaction, work: (scope: BulkScope) => Promise<T>): Promise<T>;
}
