import type { MessageFacts, MessageSearch, TransactionalState } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, pageLimit, toPage } from '../../domain/shared/page.ts';
import { FACTS, type FactsRow, firstIdAt, toFacts } from './delivery-message-row.ts';
import type { Sql } from './sql.ts';

/** Nearly every message ends in it, so a walk in the order of the listing finds enough of them at once. */
const USUAL: TransactionalState = 'submitted';

/**
 * Newest first (UUIDv7 sorts by time). A recipient, a state or a tag of a message may be that of a copy. Indexes: primary key,
 * transactional_message_recipient, transactional_message_state (or _unfinished, or _due), transactional_message_stream, the primary key of message_tag.
 */
export async function messagePage(sql: Sql, projectId: Id, search: MessageSearch): Promise<Page<MessageFacts>> {
  const limit = pageLimit(search);
  const values: unknown[] = [projectId, limit + 1];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const { recipient, state, tag, stream, since, until } = search;
  const where = ['m.project_id = $1', 'm.copy_of is null'];
  const after = idAfter(search);
  if (after !== undefined) where.push(`m.id < ${value(after)}::uuid`);
  if (since !== undefined) where.push(`m.id >= ${value(firstIdAt(since))}::uuid`);
  if (until !== undefined) where.push(`m.id < ${value(firstIdAt(until))}::uuid`);
  if (stream !== undefined) where.push(`m.stream = ${value(stream)}`);
  if (recipient !== undefined) where.push(ofCopies(`lower(c.recipient) = ${value(recipient.toLowerCase())}`, state));
  else if (state === USUAL)
    where.push(`(m.state = '${USUAL}' or exists (select from pennypost_delivery.transactional_message c
      where c.project_id = m.project_id and c.copy_of = m.id and c.state = '${USUAL}'))`);
  else if (state !== undefined) where.push(ofCopies('true', state));
  const tagged =
    tag === undefined
      ? ''
      : `join pennypost_delivery.message_tag t on t.project_id = m.project_id and t.message_id = m.id and t.tag = ${value(tag)}`;
  const rows = await sql.query<FactsRow>(
    `select ${FACTS} from pennypost_delivery.transactional_message m ${tagged}
     where ${where.join(' and ')} order by m.id desc limit $2`,
    values,
  );
  return toPage(rows.map(toFacts), limit, (message) => [message.id]);
}

/** The state as text of the statement: an index over some states serves no statement that leaves them open. */
function ofCopies(condition: string, state: TransactionalState | undefined): string {
  const waits = state === 'accepted' ? ' and c.next_attempt_at is not null' : '';
  return `m.id in (select coalesce(c.copy_of, c.id) from pennypost_delivery.transactional_message c
    where c.project_id = $1 and ${condition}${state === undefined ? '' : ` and c.state = '${state}'`}${waits})`;
}
