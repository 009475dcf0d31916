import type { MikroORM } from '@mikro-orm/postgresql';
import type { JobQueue } from '../../application/job.ts';
import type { BulkScope, CallerTransaction, JoinedWork, Scope, SingleScope, UnitOfWork } from '../../application/unit-of-work.ts';
import type { KeyRing } from '../../domain/access/index.ts';
import { AccessService } from '../../domain/access/index.ts';
import { AnalyticsService, LocalClocks } from '../../domain/analytics/index.ts';
import { AudienceService } from '../../domain/audience/index.ts';
import { CampaignService } from '../../domain/campaign/index.ts';
import { DeliveryService, type RetryPolicy } from '../../domain/delivery/index.ts';
import type { Clock } from '../../domain/shared/clock.ts';
import type { Ids } from '../../domain/shared/ids.ts';
import { TrackingService } from '../../domain/tracking/index.ts';
import { PostgresDomainStore } from './access-domains.ts';
import { PostgresAccessStore } from './access-store.ts';
import { PostgresAnalyticsStore } from './analytics-store.ts';
import { postgresAudienceStores } from './audience-store.ts';
import { inBulkTransaction, singleStatements } from './bulk-session.ts';
import { inCallerTransaction } from './caller-transaction.ts';
import { PostgresCampaignStore } from './campaign-store.ts';
import { PostgresTemplateStore } from './campaign-templates.ts';
import { postgresDeliveryStores } from './delivery-store.ts';
import { inTransaction, type Session } from './session.ts';
import { PostgresTrackingStore } from './tracking-store.ts';

/** What the rest of the house may hold and pass on, and never look into. */
export type Orm = MikroORM;

export interface UnitOfWorkDeps {
  readonly orm: MikroORM;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly keys: KeyRing;
  /** @param due gets the queues with jobs that may start once the transaction is committed */
  readonly jobsIn: (session: Session, due: Set<string>) => JobQueue;
  /** There are jobs in these queues, committed. */
  readonly wake: (queues: ReadonlySet<string>) => void;
  readonly random: () => number;
  readonly bulkRetry?: RetryPolicy | undefined;
  readonly transactionalRetry?: RetryPolicy | undefined;
}

/** A transaction of MikroORM, with every context's service and the job queue working inside it. */
export class PostgresUnitOfWork implements UnitOfWork, JoinedWork {
  readonly #deps: UnitOfWorkDeps;
  readonly #clocks = new LocalClocks();

  constructor(deps: UnitOfWorkDeps) {
    this.#deps = deps;
  }

  run<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    return this.#waking((due) => inTransaction(this.#deps.orm, (session) => work(this.#scope(session, due))));
  }

  bulk<T>(work: (scope: BulkScope) => Promise<T>): Promise<T> {
    return this.#waking((due) => inBulkTransaction(this.#deps.orm, (session) => work(this.#scope(session, due))));
  }

  single<T>(work: (scope: SingleScope) => Promise<T>): Promise<T> {
    return work(this.#scope(singleStatements(this.#deps.orm), new Set()));
  }

  /** No worker is woken: when the caller commits is not known here. */
  within<T>(transaction: CallerTransaction, work: (scope: BulkScope) => Promise<T>): Promise<T> {
    const { fingerprint, olderFingerprints } = this.#deps.keys;
    return inCallerTransaction(transaction, [fingerprint, ...olderFingerprints], (session) =>
      work(this.#scope(session, new Set())),
    );
  }

  async #waking<T>(transaction: (due: Set<string>) => Promise<T>): Promise<T> {
    const due = new Set<string>();
    const result = await transaction(due);
    if (due.size > 0) this.#deps.wake(due);
    return result;
  }

  /** Built on demand: most units of work ask for one or two contexts. */
  #scope(session: Session, due: Set<string>): Scope {
    const { clock, ids, keys, random, bulkRetry, transactionalRetry } = this.#deps;
    return lazily({
      access: () =>
        new AccessService({ store: new PostgresAccessStore(session), domains: new PostgresDomainStore(session), clock, ids }),
      audience: () =>
        new AudienceService({
          stores: postgresAudienceStores(session),
          clock,
          ids,
          erasureKeys: (projectId) => keys.erasureKeys(projectId),
        }),
      campaign: () => {
        const store = new PostgresCampaignStore(session);
        return new CampaignService({ store, mailings: store, templates: new PostgresTemplateStore(session), clock, ids });
      },
      delivery: () =>
        new DeliveryService({
          stores: postgresDeliveryStores(session),
          clock,
          ids,
          random,
          credentials: keys,
          bulkRetry,
          transactionalRetry,
        }),
      tracking: () => new TrackingService({ store: new PostgresTrackingStore(session), clock }),
      analytics: () => new AnalyticsService({ store: new PostgresAnalyticsStore(session), clock, clocks: this.#clocks }),
      jobs: () => this.#deps.jobsIn(session, due),
    });
  }
}

type Makers<T> = { readonly [Name in keyof T]: () => T[Name] };

function lazily(makers: Makers<Scope>): Scope {
  const made: Partial<Scope> = {};
  const part = <Name extends keyof Scope>(name: Name): Scope[Name] => {
    const known = made[name];
    if (known !== undefined) return known;
    const fresh = makers[name]();
    made[name] = fresh;
    return fresh;
  };
  return {
    get access() {
      return part('access');
    },
    get audience() {
      return part('audience');
    },
    get campaign() {
      return part('campaign');
    },
    get delivery() {
      return part('delivery');
    },
    get tracking() {
      return part('tracking');
    },
    get analytics() {
      return part('analytics');
    },
    get jobs() {
      return part('jobs');
    },
  };
}
