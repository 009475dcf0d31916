import type {
  Attachment,
  AttemptMaker,
  MessageAttempt,
  MessageFacts,
  MessageMove,
  MessageSearch,
  StoredBatch,
  TransactionalMessage,
  TransactionalStore,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page } from '../../domain/shared/page.ts';
import { FACTS, type FactsRow, toFacts } from './delivery-message-row.ts';
import { messagePage } from './delivery-message-search.ts';
import { ErasedMessages } from './erased-messages.ts';
import type { Session } from './session.ts';
import { SESSION_NAME_OF_WORKER } from './session-name.ts';
import { DATABASE_NOW, type Sql } from './sql.ts';

/** Index: primary key. */
const MOVE = `update pennypost_delivery.transactional_message
  set state = $3, attempts = case when $10::int is null then greatest(attempts, $4::int) else $4::int end, next_attempt_at = $5,
    at = $6::timestamptz, code = $7, reply = $8, faults = $11
  where project_id = $1::uuid and id = $2::uuid and state = any($9) and ($10::int is null or attempts = $10) returning id`;

const movedValues = (message: MessageFacts, from: MessageMove): readonly unknown[] => [
  message.projectId,
  message.id,
  message.state,
  message.attempts,
  message.nextAttemptAt ?? null,
  message.at,
  message.code ?? null,
  storable(message.reply),
  from.states,
  from.attempts ?? null,
  message.faults,
];

/** PostgreSQL stores no NUL. */
const storable = (reply: string | undefined): string | null => reply?.replaceAll('\0', '') ?? null;

/** Transactional messages and their attempts, over PostgreSQL. */
export class PostgresTransactionalStore extends ErasedMessages implements TransactionalStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    super(session.sql);
    this.#sql = session.sql;
  }

  /**
   * Index: transactional_message_idempotency. Of equal requests at once, the later ones wait here for the first to commit.
   */
  async add(message: TransactionalMessage): Promise<boolean> {
    const rows = await this.#sql.query(
      `insert into pennypost_delivery.transactional_message (project_id, id, recipient, smtputf8, content, variables, template_id,
         idempotency_key, fingerprint, state, attempts, next_attempt_at, accepted_at, at, name, stream, tags,
         metadata, send_at, reply)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
       on conflict (project_id, idempotency_key) where idempotency_key is not null do nothing returning id`,
      [
        message.projectId,
        message.id,
        message.recipient.address,
        message.recipient.smtputf8,
        JSON.stringify(message.content),
        JSON.stringify(message.variables),
        message.templateId ?? null,
        message.idempotencyKey ?? null,
        message.fingerprint,
        message.state,
        message.attempts,
        message.nextAttemptAt ?? null,
        message.acceptedAt,
        message.at,
        message.recipient.name ?? null,
        message.stream ?? null,
        message.tags,
        message.metadata === undefined ? null : JSON.stringify(message.metadata),
        message.sendAt ?? null,
        message.reply ?? null,
      ],
    );
    return rows.length > 0;
  }

  async addAll(messages: readonly TransactionalMessage[]): Promise<void> {
    let position = 0;
    const rows = messages.map(({ recipient, ...message }) => {
      position = message.copyOf === undefined ? 0 : position + 1;
      return { ...message, ...recipient, position };
    });
    await this.#sql.query(
      `insert into pennypost_delivery.transactional_message (project_id, id, copy_of, position, recipient, smtputf8, field, name, content,
         variables, template_id, stream, tags, metadata, send_at, fingerprint, state, attempts, next_attempt_at, accepted_at, at, reply)
       select "projectId", id, "copyOf", position, address, smtputf8, field, name, content, variables, "templateId", stream, tags, metadata,
         "sendAt", fingerprint, state, 0, "nextAttemptAt", "acceptedAt", at, reply
       from jsonb_to_recordset($1::jsonb) as message ("projectId" uuid, id uuid, "copyOf" uuid, position smallint, address text,
         smtputf8 boolean, field text, name text, content jsonb, variables jsonb, "templateId" uuid, stream text, tags text[],
         metadata jsonb, "sendAt" timestamptz, fingerprint text, state text, "nextAttemptAt" timestamptz, "acceptedAt" timestamptz,
         at timestamptz, reply text)`,
      [JSON.stringify(rows)],
    );
  }

  /** Index: primary key. Of equal requests at once, the later ones wait here for the first to commit. */
  async addBatch(batch: StoredBatch & { projectId: Id; key: string }, at: Date): Promise<boolean> {
    const rows = await this.#sql.query(
      `insert into pennypost_delivery.message_batch (project_id, key, fingerprint, answer, at) values ($1, $2, $3, $4, $5)
       on conflict (project_id, key) do nothing returning 1 as added`,
      [batch.projectId, batch.key, batch.fingerprint, JSON.stringify(batch.answer), at],
    );
    return rows.length > 0;
  }

  /** Index: primary key. */
  async batch(projectId: Id, key: string): Promise<StoredBatch | undefined> {
    const [row] = await this.#sql.query<StoredBatch>(
      'select fingerprint, answer from pennypost_delivery.message_batch where project_id = $1 and key = $2',
      [projectId, key],
    );
    return row;
  }

  /** Index: primary key. */
  async forgetBatches(projectId: Id, before: Date): Promise<void> {
    await this.#sql.query('delete from pennypost_delivery.message_batch where project_id = $1 and at < $2', [projectId, before]);
  }

  async addTags(projectId: Id, messageId: Id, tags: readonly string[]): Promise<void> {
    await this.#sql.query(
      'insert into pennypost_delivery.message_tag (project_id, tag, message_id) select $1, tag, $2 from unnest($3::text[]) as tag',
      [projectId, messageId, tags],
    );
  }

  /** One row of parameters each: not every driver of a caller's transaction sends a list of byte strings. */
  async addAttachments(projectId: Id, messageId: Id, attachments: readonly Attachment[]): Promise<void> {
    const values: unknown[] = [projectId, messageId];
    const rows = attachments.map(({ name, type, contentId, bytes }, position) => {
      const places = [position, name, type, contentId ?? null, bytes].map((value) => `$${values.push(value)}`);
      return `($1, $2, ${places.join(', ')})`;
    });
    await this.#sql.query(
      `insert into pennypost_delivery.attachment (project_id, message_id, position, name, type, content_id, bytes) values ${rows.join(', ')}`,
      values,
    );
  }

  /** Index: primary key. */
  async attachments(projectId: Id, messageId: Id): Promise<readonly Attachment[]> {
    const rows = await this.#sql.query<Omit<Attachment, 'contentId'> & { contentId: string | null }>(
      `select name, type, content_id as "contentId", bytes from pennypost_delivery.attachment
       where project_id = $1 and message_id = $2 order by position`,
      [projectId, messageId],
    );
    return rows.map((row) => ({ ...row, contentId: row.contentId ?? undefined }));
  }

  /** Index: primary key. A copy has the content of its message. */
  async message(projectId: Id, id: Id): Promise<{ message: TransactionalMessage; due: boolean } | undefined> {
    const [row] = await this.#sql.query<FactsRow & Pick<TransactionalMessage, 'content' | 'variables'> & { due: boolean }>(
      `select ${FACTS}, coalesce(whole.content, m.content) as content, coalesce(whole.variables, m.variables) as variables,
         coalesce(m.state = 'accepted' or m.next_attempt_at <= clock_timestamp(), false) as due
       from pennypost_delivery.transactional_message m
       left join lateral (select w.content, w.variables from pennypost_delivery.transactional_message w
         where w.project_id = m.project_id and w.id = m.copy_of) whole on true
       where m.project_id = $1 and m.id = $2`,
      [projectId, id],
    );
    if (row === undefined) return undefined;
    const { content, variables, due, ...facts } = row;
    return { message: { ...toFacts(facts), content, variables }, due };
  }

  /** Indexes: primary key, transactional_message_copy. */
  async withCopies(projectId: Id, ids: readonly Id[]): Promise<readonly MessageFacts[]> {
    return this.#many(
      'where project_id = $1 and (copy_of = any($2::uuid[]) or (copy_of is null and id = any($2::uuid[]))) order by position, id',
      [projectId, ids],
    );
  }

  async byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined> {
    return this.#one('where project_id = $1 and idempotency_key = $2', [projectId, key]);
  }

  list(projectId: Id, search: MessageSearch): Promise<Page<MessageFacts>> {
    return messagePage(this.#sql, projectId, search);
  }

  /** Indexes: primary key, transactional_message_copy. */
  async cancel(projectId: Id, id: Id, from: readonly MessageFacts['state'][], at: Date): Promise<number> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.transactional_message set state = 'cancelled', next_attempt_at = null, at = $4
       where project_id = $1 and (copy_of = $2 or (id = $2 and copy_of is null)) and state = any($3) returning id`,
      [projectId, id, from, at],
    );
    return rows.length;
  }

  async move(message: MessageFacts, from: MessageMove): Promise<boolean> {
    const rows = await this.#sql.query(MOVE, movedValues(message, from));
    return rows.length > 0;
  }

  async moveToAttempt(message: MessageFacts, from: MessageMove, { workerId, transport }: AttemptMaker): Promise<boolean> {
    const rows = await this.#sql.query(
      `with moved as (${MOVE})
       insert into pennypost_delivery.attempt (project_id, message_id, number, started_at, worker_id, transport)
       select $1, $2, $4, $6, $12, $13 from moved returning 1`,
      [...movedValues(message, from), workerId, transport],
    );
    return rows.length > 0;
  }

  async moveFromAttempt(
    message: MessageFacts,
    from: MessageMove,
    end: Pick<MessageAttempt, 'outcome' | 'code' | 'reply' | 'fault'>,
  ): Promise<boolean> {
    const rows = await this.#sql.query(
      `with moved as (${MOVE}), ended as (
         update pennypost_delivery.attempt set ended_at = $6, outcome = $12, code = $13, reply = $14, fault = $15
         where project_id = $1 and message_id = $2 and number = $4 and exists (select from moved))
       select from moved`,
      [...movedValues(message, from), end.outcome ?? null, end.code ?? null, storable(end.reply), end.fault ?? null],
    );
    return rows.length > 0;
  }

  /** Index: primary keys. */
  async isAttemptOf(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>, workerId: Id): Promise<boolean> {
    const rows = await this.#sql.query(
      `select from pennypost_delivery.transactional_message m
       join pennypost_delivery.attempt a on (a.project_id, a.message_id, a.number) = (m.project_id, m.id, m.attempts)
       where m.project_id = $1 and m.id = $2 and m.attempts = $3 and m.state = 'attempting' and a.worker_id = $4`,
      [attempt.projectId, attempt.messageId, attempt.number, workerId],
    );
    return rows.length > 0;
  }

  async removeAttempt(attempt: Pick<MessageAttempt, 'projectId' | 'messageId' | 'number'>): Promise<void> {
    await this.#sql.query('delete from pennypost_delivery.attempt where project_id = $1 and message_id = $2 and number = $3', [
      attempt.projectId,
      attempt.messageId,
      attempt.number,
    ]);
  }

  /** Index: primary key. */
  async attempts(projectId: Id, ids: readonly Id[]): Promise<readonly MessageAttempt[]> {
    const rows = await this.#sql.query<MessageAttempt>(
      `select project_id as "projectId", message_id as "messageId", number, started_at as "startedAt", ended_at as "endedAt", outcome, code, reply,
         fault, transport
       from pennypost_delivery.attempt where project_id = $1 and message_id = any($2::uuid[]) order by message_id, number`,
      [projectId, ids],
    );
    return rows.map((row) => ({
      ...row,
      endedAt: row.endedAt ?? undefined,
      outcome: row.outcome ?? undefined,
      fault: row.fault ?? undefined,
      code: row.code ?? undefined,
      reply: row.reply ?? undefined,
    }));
  }

  /**
   * Index: transactional_message_unfinished. The kernel closes the sessions of a killed process at once, while one that is
   * stopped or slow keeps them; sessions that ended with the server itself prove nothing.
   */
  async unfinished(
    judge: Id,
    after: { readonly silentMs: number; readonly lostMs: number; readonly dead: readonly Id[] },
    limit: number,
  ): Promise<readonly MessageFacts[]> {
    const before = (milliseconds: '$2' | '$3'): string => `clock_timestamp() - ${milliseconds} * interval '1 millisecond'`;
    return this.#many(
      `where state = 'attempting' and exists (
         select from pennypost_delivery.attempt a
         join pennypost_delivery.worker judge on judge.id = $1
         left join pennypost_delivery.worker w on w.id = a.worker_id
         where (a.project_id, a.message_id, a.number) = (m.project_id, m.id, m.attempts) and (w.id is null or w.id = any($5::uuid[])
           or (w.seen_at < ${before('$3')} and judge.steady_since < ${before('$3')})
           or (w.seen_at < ${before('$2')} and judge.steady_since < ${before('$2')} and w.seen_at > pg_postmaster_start_time()
             and not exists (select from pg_stat_activity s
               where s.datname = current_database() and s.application_name = ${SESSION_NAME_OF_WORKER}))))
       order by at, project_id limit $4`,
      [judge, after.silentMs, after.lostMs, limit, after.dead],
    );
  }

  /** Index: transactional_message_unfinished. */
  async unfinishedOf(worker: Id, limit: number): Promise<readonly MessageFacts[]> {
    return this.#many(
      `where state = 'attempting' and exists (
         select from pennypost_delivery.attempt a
         where (a.project_id, a.message_id, a.number) = (m.project_id, m.id, m.attempts) and a.worker_id = $1)
       order by at, project_id limit $2`,
      [worker, limit],
    );
  }

  /** Index: transactional_message_unfinished. */
  async attemptingWorkers(): Promise<readonly { id: Id; process: string | undefined }[]> {
    const rows = await this.#sql.query<{ id: Id; process: string | null }>(
      `select distinct w.id, w.process from pennypost_delivery.transactional_message m
       join pennypost_delivery.attempt a on (a.project_id, a.message_id, a.number) = (m.project_id, m.id, m.attempts)
       join pennypost_delivery.worker w on w.id = a.worker_id
       where m.state = 'attempting'`,
    );
    return rows.map(({ id, process }) => ({ id, process: process ?? undefined }));
  }

  /** Index: transactional_message_due. */
  async due(limit: number): Promise<readonly MessageFacts[]> {
    return this.#many(
      `where next_attempt_at is not null and next_attempt_at <= ${DATABASE_NOW} order by next_attempt_at, project_id limit $1`,
      [limit],
    );
  }

  async #one(where: string, values: readonly unknown[]): Promise<MessageFacts | undefined> {
    return (await this.#many(where, values))[0];
  }

  async #many(where: string, values: readonly unknown[]): Promise<MessageFacts[]> {
    const rows = await this.#sql.query<FactsRow>(
      `select ${FACTS} from pennypost_delivery.transactional_message m ${where}`,
      values,
    );
    return rows.map(toFacts);
  }
}
