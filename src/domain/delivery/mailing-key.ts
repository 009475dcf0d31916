import type { Id } from '../shared/ids.ts';

/** Names a mailing: one frozen content that is sent to recipients. Delivery knows nothing else of it. */
export interface MailingKey {
  readonly projectId: Id;
  readonly mailingId: Id;
  /** Part of the ledger's key, fixed at launch (UTC date, `YYYY-MM-DD`). */
  readonly launchedOn: string;
}
