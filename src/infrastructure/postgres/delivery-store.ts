import type { DeliveryStores } from '../../domain/delivery/index.ts';
import { PostgresLaneStore } from './delivery-lanes.ts';
import { PostgresLedgerStore } from './delivery-ledger.ts';
import { PostgresRunStore } from './delivery-runs.ts';
import { PostgresTransactionalStore } from './delivery-transactional.ts';
import { PostgresTransportStore } from './delivery-transports.ts';
import type { Session } from './session.ts';

/** What the delivery context keeps, over one session. */
export const postgresDeliveryStores = (session: Session): DeliveryStores => ({
  ledger: new PostgresLedgerStore(session),
  runs: new PostgresRunStore(session),
  lanes: new PostgresLaneStore(session),
  transactional: new PostgresTransactionalStore(session),
  transports: new PostgresTransportStore(session),
});
