import type { Id } from '../../domain/shared/ids.ts';
import { firstIdAt } from './delivery-message-row.ts';
import type { Sql } from './sql.ts';

/** What is removed from the rows of the delivery context while the rows stay: erasure and retention. */
export class ErasedMessages {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /**
   * Indexes: transactional_message_recipient, then primary key and transactional_message_copy for the whole of each message. An
   * attempt under way ends as it ends; `next_attempt_at` is set while one waits.
   */
  async eraseRecipient(projectId: Id, addresses: readonly string[], at: Date): Promise<void> {
    await this.#sql.query(
      `with whole as (
         select distinct coalesce(copy_of, id) as id from pennypost_delivery.transactional_message
         where project_id = $1 and lower(recipient) = any($2::text[])),
       files as (
         delete from pennypost_delivery.attachment a using whole w where a.project_id = $1 and a.message_id = w.id),
       answers as (
         delete from pennypost_delivery.message_batch b
         where b.project_id = $1 and exists (select from unnest($2::text[]) as address where position(address in lower(b.answer::text)) > 0)),
       labels as (
         delete from pennypost_delivery.message_tag t using whole w where t.project_id = $1 and t.message_id = w.id),
       erased as (
         update pennypost_delivery.transactional_message set content = '{}', variables = '{}', fingerprint = '', code = null,
           tags = '{}', metadata = null,
           recipient = case when lower(recipient) = any($2::text[]) then '' else recipient end,
           name = case when lower(recipient) = any($2::text[]) then null else name end,
           reply = case when next_attempt_at is not null and state <> 'attempting' then 'erased' end,
           state = case when next_attempt_at is not null and state <> 'attempting' then 'skipped' else state end,
           at = case when next_attempt_at is not null and state <> 'attempting' then $3 else at end,
           next_attempt_at = null
         where project_id = $1 and (id in (select id from whole) or copy_of in (select id from whole)) returning project_id, id)
       update pennypost_delivery.attempt a set reply = null from erased e
       where a.project_id = e.project_id and a.message_id = e.id and a.reply is not null`,
      [projectId, addresses.map((address) => address.toLowerCase()), at],
    );
  }

  /** Primary key: ids are UUIDv7 and begin with the time. A message has its content for as long as a copy of it waits. */
  async stripMessages(projectId: Id, before: Date, limit: number): Promise<number> {
    const rows = await this.#sql.query(
      `with stripped as (
         update pennypost_delivery.transactional_message set content = '{}', variables = '{}', metadata = null
         where (project_id, id) in (
           select project_id, id from pennypost_delivery.transactional_message m
           where project_id = $1 and id < $2 and next_attempt_at is null and state <> 'attempting' and content <> '{}'
             and not exists (select from pennypost_delivery.transactional_message c
               where c.project_id = m.project_id and c.copy_of = m.id and (c.next_attempt_at is not null or c.state = 'attempting'))
           order by id limit $3) returning project_id, id),
       files as (
         delete from pennypost_delivery.attachment a using stripped s where a.project_id = s.project_id and a.message_id = s.id)
       select id from stripped`,
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
