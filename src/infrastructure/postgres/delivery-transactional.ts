import type {
  AttemptMaker,
  MessageAttempt,
  MessageFacts,
  MessageMove,
  TransactionalMessage,
  TransactionalStore,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import { ErasedMessages } from './erased-messages.ts';
import type { Session } from './session.ts';
import { SESSION_NAME_OF_WORKER } from './session-name.ts';
import { DATABASE_NOW, type Sql } from './sql.ts';

/** Named one by one: a prepared `select *` fails when a later release adds a column. Everything but the content and the variables: what listings and the record of an attempt read. */
const FACTS = `project_id as "projectId", id, recipient, smtputf8, template_id as "templateId", idempotency_key as "idempotencyKey", fingerprint,
  state, attempts, faults, next_attempt_at as "nextAttemptAt", accepted_at as "acceptedAt", at, code, reply`;

interface FactsRow
  extends Omit<MessageFacts, 'recipient' | 'templateId' | 'idempotencyKey' | 'nextAttemptAt' | 'code' | 'reply'> {
  readonly recipient: string;
  readonly smtputf8: boolean;
  readonly templateId: string | null;
  readonly idempotencyKey: string | null;
  readonly nextAttemptAt: Date | null;
  readonly code: number | null;
  readonly reply: string | null;
}

const toFacts = ({ recipient, smtputf8, ...row }: FactsRow): MessageFacts => ({
  ...row,
  recipient: { address: recipient, smtputf8 },
  templateId: row.templateId ?? undefined,
  idempotencyKey: row.idempotencyKey ?? undefined,
  nextAttemptAt: row.nextAttemptAt ?? undefined,
  code: row.code ?? undefined,
  reply: row.reply ?? undefined,
});

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
         idempotency_key, fingerprint, state, attempts, next_attempt_at, accepted_at, at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
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
      ],
    );
    return rows.length > 0;
  }

  /** Index: primary key. */
  async message(projectId: Id, id: Id): Promise<{ message: TransactionalMessage; due: boolean } | undefined> {
    const [row] = await this.#sql.query<FactsRow & Pick<TransactionalMessage, 'content' | 'variables'> & { due: boolean }>(
      `select ${FACTS}, content, variables, coalesce(state = 'accepted' or next_attempt_at <= clock_timestamp(), false) as due
       from pennypost_delivery.transactional_message where project_id = $1 and id = $2`,
      [projectId, id],
    );
    if (row === undefined) return undefined;
    const { content, variables, due, ...facts } = row;
    return { message: { ...toFacts(facts), content, variables }, due };
  }

  async facts(projectId: Id, id: Id): Promise<MessageFacts | undefined> {
    return this.#one('where project_id = $1 and id = $2', [projectId, id]);
  }

  async byIdempotencyKey(projectId: Id, key: string): Promise<MessageFacts | undefined> {
    return this.#one('where project_id = $1 and idempotency_key = $2', [projectId, key]);
  }

  /** Newest first (UUIDv7 sorts by time). Index: primary key. */
  async list(projectId: Id, page: PageRequest): Promise<Page<MessageFacts>> {
    const limit = pageLimit(page);
    const before = idAfter(page) ?? null;
    const rows = await this.#many('where project_id = $1 and ($2::uuid is null or id < $2::uuid) order by id desc limit $3', [
      projectId,
      before,
      limit + 1,
    ]);
    return toPage(rows, limit, (message) => [message.id]);
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
    end: Pick<MessageAttempt, 'outcome' | 'code' | 'reply'>,
  ): Promise<boolean> {
    const rows = await this.#sql.query(
      `with moved as (${MOVE}), ended as (
         update pennypost_delivery.attempt set ended_at = $6, outcome = $12, code = $13, reply = $14
         where project_id = $1 and message_id = $2 and number = $4 and exists (select from moved))
       select from moved`,
      [...movedValues(message, from), end.outcome ?? null, end.code ?? null, storable(end.reply)],
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

  async attempts(projectId: Id, messageId: Id): Promise<readonly MessageAttempt[]> {
    const rows = await this.#sql.query<MessageAttempt>(
      `select project_id as "projectId", message_id as "messageId", number, started_at as "startedAt", ended_at as "endedAt", outcome, code, reply,
         transport
       from pennypost_delivery.attempt where project_id = $1 and message_id = $2 order by number`,
      [projectId, messageId],
    );
    return rows.map((row) => ({
      ...row,
      endedAt: row.endedAt ?? undefined,
      outcome: row.outcome ?? undefined,
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
      `m where state = 'attempting' and exists (
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
      `m where state = 'attempting' and exists (
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
      `select ${FACTS} from pennypost_delivery.transactional_message ${where}`,
      values,
    );
    return rows.map(toFacts);
  }
}
