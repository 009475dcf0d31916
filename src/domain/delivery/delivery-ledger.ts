import { type Id, isId } from '../shared/ids.ts';
import { decodeCursor, encodeCursor, InvalidCursor, type Page, pageLimit, toPage } from '../shared/page.ts';
import type { LedgerFilter, LedgerStore, LedgerTotals, Reached, StateReply } from './ledger-store.ts';
import type { MailingKey } from './mailing-key.ts';
import type { LedgerRow, StateReason } from './message.ts';
import { reasonsIn } from './reasons.ts';

/** Looked at per state: a report must not take longer because a million were refused. */
const MOST_REPLIES = 1_000;
/** Shown per state. */
const MOST_REASONS = 5;

/** Where a listing of the ledger goes on behind this recipient of this mailing. */
export const ledgerCursor = (mailing: MailingKey, subscriberId: Id): string => encodeCursor([mailing.mailingId, subscriberId]);

/** What became of the recipients of mailings. Figures of several mailings add up. */
export class DeliveryLedger {
  readonly #store: LedgerStore;

  constructor(deps: { ledger: LedgerStore }) {
    this.#store = deps.ledger;
  }

  /** The sums over these mailings. */
  totals(projectId: Id, mailingIds: readonly Id[]): Promise<LedgerTotals> {
    return this.#store.totals(projectId, mailingIds);
  }

  /** One row per recipient with an outcome: mailing after mailing, by subscriber id. */
  async page(mailings: readonly MailingKey[], filter: LedgerFilter): Promise<Page<LedgerRow>> {
    const limit = pageLimit(filter);
    const start = placeAfter(filter);
    const from = start === undefined ? 0 : mailings.findIndex(({ mailingId }) => mailingId === start.mailingId);
    if (from < 0) throw new InvalidCursor();
    const found: { readonly mailing: MailingKey; readonly row: LedgerRow }[] = [];
    for (const mailing of mailings.slice(from)) {
      const after = mailing.mailingId === start?.mailingId ? start.subscriberId : undefined;
      const rows = await this.#store.rows(mailing, { state: filter.state, after, limit: limit + 1 - found.length });
      found.push(...rows.map((row) => ({ mailing, row })));
      if (found.length > limit) break;
    }
    const page = toPage(found, limit, ({ mailing, row }) => [mailing.mailingId, row.subscriberId]);
    return { items: page.items.map(({ row }) => row), next: page.next };
  }

  /** Those of `ids` (a PostgreSQL array literal) without an outcome in any of these mailings. */
  async withoutRow(mailings: readonly MailingKey[], ids: string): Promise<{ readonly ids: string; readonly count: number }> {
    let rest = { ids, count: 0 };
    for (const mailing of mailings) rest = await this.#store.withoutRow(mailing, rest.ids);
    return rest;
  }

  /** Why messages are in their states, by state, the commonest reason first. */
  async reasons(mailings: readonly MailingKey[]): Promise<readonly StateReason[]> {
    const replies: StateReply[] = [];
    for (const mailing of mailings) replies.push(...(await this.#store.replies(mailing, MOST_REPLIES)));
    return reasonsIn(replies, MOST_REASONS);
  }

  /** Those of `ids` that earlier hand-overs have reached, surely or possibly. */
  reached(mailing: MailingKey, ids: readonly Id[]): Promise<Reached> {
    return this.#store.reached(mailing, ids);
  }

  /** Removes the replies of mail servers from a subscriber's rows: they may quote the address. */
  stripReplies(projectId: Id, subscriberId: Id): Promise<void> {
    return this.#store.stripReplies(projectId, subscriberId);
  }
}

/** @throws InvalidCursor */
function placeAfter({ after }: LedgerFilter): { readonly mailingId: Id; readonly subscriberId: Id } | undefined {
  if (after === undefined) return undefined;
  const [mailingId = '', subscriberId = ''] = decodeCursor(after, 2);
  if (!isId(mailingId) || !isId(subscriberId)) throw new InvalidCursor();
  return { mailingId, subscriberId };
}
