import type { Id } from '../../domain/shared/ids.ts';
import type { Sql } from './sql.ts';

/** What is removed from the rows of the delivery context while the rows stay: erasure and retention. */
export class ErasedMessages {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Index: transactional_message_recipient. An attempt under way ends as it ends; `next_attempt_at` is set while one waits. */
  async eraseRecipient(projectId: Id, addresses: readonly string[], at: Date): Promise<void> {
    await this.#sql.query(
      `with erased as (
         update pennypost_delivery.transactional_message set recipient = '', content = '{}', variables = '{}', fingerprint = '', code = null,
           reply = case when next_attempt_at is not null and state <> 'attempting' then 'erased' end,
           state = case when next_attempt_at is not null and state <> 'attempting' then 'skipped' else state end,
           at = case when next_attempt_at is not null and state <> 'attempting' then $3 else at end,
           next_attempt_at = null
         where project_id = $1 and lower(recipient) = any($2::text[]) returning project_id, id)
       update pennypost_delivery.attempt a set reply = null from erased e
       where a.project_id = e.project_id and a.message_id = e.id and a.reply is not null`,
      [projectId, addresses.map((address) => address.toLowerCase()), at],
    );
  }

  /** Primary key: ids are UUIDv7 and begin with the time. */
  async stripMessages(projectId: Id, before: Date, limit: number): Promise<number> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.transactional_message set content = '{}', variables = '{}'
       where (project_id, id) in (
         select project_id, id from pennypost_delivery.transactional_message
         where project_id = $1 and id < $2 and next_attempt_at is null and state <> 'attempting' and content <> '{}'
         order by id limit $3) returning id`,
      [projectId, firstIdAt(before), limit],
    );
    return rows.length;
  }

  /** Primary key. */
  async waitingMessages(projectId: Id): Promise<number> {
    const [row] = await this.#sql.query<{ waiting: number }>(
      `select count(*)::int as waiting from pennypost_delivery.transactional_message
       where project_id = $1 and (next_attempt_at is not null or state = 'attempting')`,
      [projectId],
    );
    return row?.waiting ?? 0;
  }
}

/** Smaller than every UUIDv7 that was made at this time or later. */
function firstIdAt(time: Date): Id {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}
