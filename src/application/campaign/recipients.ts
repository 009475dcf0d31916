import type { LedgerFilter, LedgerRow } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import type { Scope } from '../unit-of-work.ts';

/** A row of the ledger with the present address; null when the subscriber was erased meanwhile. */
export interface CampaignRecipient extends LedgerRow {
  readonly address: string | null;
}

/** One page of a campaign's ledger: mailing after mailing, by recipient. */
export async function recipientsPage(
  { audience, campaign, delivery }: Scope,
  projectId: Id,
  campaignId: Id,
  filter: LedgerFilter,
): Promise<Page<CampaignRecipient>> {
  const page = await delivery.ledger.page(await campaign.mailings.of(projectId, campaignId), filter);
  const ids = page.items.map((row) => row.subscriberId);
  const addresses = await audience.subscribers.addressesOf(projectId, ids);
  const items = page.items.map((row) => ({ ...row, address: addresses.get(row.subscriberId)?.address ?? null }));
  return { items, next: page.next };
}
