import type { LedgerFilter } from '../../domain/delivery/index.ts';
import { csvRow } from '../../domain/shared/csv.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { UnitOfWork } from '../unit-of-work.ts';
import { recipientsPage } from './recipients.ts';

const COLUMNS = [
  'subscriber_id',
  'email',
  'state',
  'run',
  'attempts',
  'copies',
  'possible_repeat',
  'code',
  'reply',
  'first_attempt_at',
  'next_attempt_at',
  'at',
  'transport',
];

/**
 * The ledger of a campaign as CSV, page by page, each page in its own transaction: a recipient that changes state meanwhile is in
 * it once, as before or as after. Addresses are current, and empty after an erasure. Safe to open in a spreadsheet.
 * @throws NotFound
 */
export async function* recipientsCsv(
  work: UnitOfWork,
  projectId: Id,
  campaignId: Id,
  filter: Pick<LedgerFilter, 'state'>,
): AsyncGenerator<string> {
  await work.run(({ campaign }) => campaign.get(projectId, campaignId));
  yield csvRow(COLUMNS);
  for (let after: string | undefined; ; ) {
    const page = await work.run((scope) => recipientsPage(scope, projectId, campaignId, { ...filter, limit: 500, after }));
    const rows = page.items.map((row) =>
      csvRow([
        row.subscriberId,
        row.address ?? undefined,
        row.state,
        row.run,
        row.attempts,
        row.copies,
        String(row.possibleRepeat),
        row.code,
        row.reply,
        row.firstAttemptAt.toISOString(),
        row.nextAttemptAt?.toISOString(),
        row.at.toISOString(),
        row.transport,
      ]),
    );
    yield rows.join('');
    if (page.next === undefined) return;
    after = page.next;
  }
}
