import type { AudienceStores } from '../../domain/audience/index.ts';
import { PostgresImportStore } from './audience-imports.ts';
import { PostgresListStore } from './audience-lists.ts';
import { PostgresRecipientStore } from './audience-recipients.ts';
import { PostgresSubscriberStore } from './audience-subscribers.ts';
import { PostgresSubscriptionStore } from './audience-subscriptions.ts';
import { PostgresSuppressionStore } from './audience-suppressions.ts';
import type { Session } from './session.ts';

/** What the audience context keeps, over one session. */
export const postgresAudienceStores = (session: Session): AudienceStores => ({
  subscribers: new PostgresSubscriberStore(session),
  lists: new PostgresListStore(session),
  subscriptions: new PostgresSubscriptionStore(session),
  suppressions: new PostgresSuppressionStore(session),
  imports: new PostgresImportStore(session),
  recipients: new PostgresRecipientStore(session),
});
