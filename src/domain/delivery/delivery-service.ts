import type { Clock } from '../shared/clock.ts';
import type { Ids } from '../shared/ids.ts';
import { DeliveryLanes } from './delivery-lanes.ts';
import { DeliveryLedger } from './delivery-ledger.ts';
import { DeliveryRoutes } from './delivery-routes.ts';
import { DeliveryRuns } from './delivery-runs.ts';
import { DeliveryTransactional } from './delivery-transactional.ts';
import { type CredentialSeal, DeliveryTransports } from './delivery-transports.ts';
import type { LaneStore } from './lane-store.ts';
import type { LedgerStore } from './ledger-store.ts';
import { BULK_RETRY, type RetryPolicy, TRANSACTIONAL_RETRY } from './retry-policy.ts';
import type { RunStore } from './run-store.ts';
import type { TransactionalStore } from './transactional-store.ts';
import type { TransportStore } from './transport-store.ts';

/** What the context keeps, each part for itself. Every method sees one project; what belongs to another does not exist for it. */
export interface DeliveryStores {
  readonly ledger: LedgerStore;
  readonly runs: RunStore;
  readonly lanes: LaneStore;
  readonly transactional: TransactionalStore;
  readonly transports: TransportStore;
}

/** The verbs of the context, by what they are about. See the manual page in `index.ts`. */
export class DeliveryService {
  readonly ledger: DeliveryLedger;
  readonly runs: DeliveryRuns;
  readonly lanes: DeliveryLanes;
  readonly transactional: DeliveryTransactional;
  readonly transports: DeliveryTransports;
  readonly routes: DeliveryRoutes;

  constructor({
    stores,
    bulkRetry = BULK_RETRY,
    transactionalRetry = TRANSACTIONAL_RETRY,
    ...rest
  }: {
    stores: DeliveryStores;
    clock: Clock;
    ids: Ids;
    random: () => number;
    credentials: CredentialSeal;
    bulkRetry?: RetryPolicy | undefined;
    transactionalRetry?: RetryPolicy | undefined;
  }) {
    const deps = { ...stores, ...rest, bulkRetry, transactionalRetry };
    this.ledger = new DeliveryLedger(deps);
    this.runs = new DeliveryRuns(this, deps);
    this.lanes = new DeliveryLanes(deps);
    this.transactional = new DeliveryTransactional(deps);
    this.transports = new DeliveryTransports(deps);
    this.routes = new DeliveryRoutes(deps);
  }
}
