import {
  LEDGER_STATES,
  type LedgerRow,
  type LedgerState,
  type LedgerStore,
  type LedgerTotals,
  type MailingKey,
  noTotals,
  type Reached,
  type StateReply,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { type LedgerRecord, toLedgerRow } from './delivery-ledger-writer.ts';
import type { Session } from './session.ts';
import { DATABASE_NOW, type Sql } from './sql.ts';

/** The ledger over PostgreSQL, for reading; batches of outcomes are written by `delivery-ledger-writer.ts`. */
export class PostgresLedgerStore implements LedgerStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    this.#sql = session.sql;
  }

  /** Indexes: primary keys. */
  async totals(projectId: Id, mailingIds: readonly Id[]): Promise<LedgerTotals> {
    const sums = LEDGER_STATES.map((state) => `coalesce(sum(${state}), 0)::int as ${state}`).join(', ');
    const [row] = await this.#sql.query<Record<LedgerState | 'audience' | 'repeated' | 'possibleRepeats', number>>(
      `select ${sums}, coalesce(sum(copies), 0)::int as repeated,
         coalesce(sum(possible_repeats), 0)::int as "possibleRepeats",
         (select coalesce(sum(audience), 0)::int from pennypost_delivery.run
          where project_id = $1 and mailing_id = any($2::uuid[]) and purpose in ('first', 'resend_new')) as audience
       from pennypost_delivery.shard where project_id = $1 and mailing_id = any($2::uuid[])`,
      [projectId, mailingIds],
    );
    if (row === undefined) return { audience: 0, states: noTotals(), repeated: 0, possibleRepeats: 0 };
    const { audience, repeated, possibleRepeats, ...states } = row;
    return { audience, states, repeated, possibleRepeats };
  }

  /** Index: primary key, or mailing_recipient_state when a state is asked for. */
  async rows(
    { projectId, mailingId, launchedOn }: MailingKey,
    { state, after, limit }: { state: LedgerState | undefined; after: Id | undefined; limit: number },
  ): Promise<readonly LedgerRow[]> {
    const records = await this.#sql.query<LedgerRecord>(
      `select subscriber_id, run, state, copies, attempts, possible_repeat, code, first_attempt_at, at, next_attempt_at, reply,
         transport
       from pennypost_delivery.mailing_recipient
       where project_id = $1 and mailing_id = $2 and launched_on = $3
         and ($4::text is null or state = $4::pennypost_delivery.message_state) and ($5::uuid is null or subscriber_id > $5::uuid)
       order by subscriber_id limit $6`,
      [projectId, mailingId, launchedOn, state ?? null, after ?? null, limit],
    );
    return records.map(toLedgerRow);
  }

  /** Index: mailing_recipient_state. */
  async replies({ projectId, mailingId, launchedOn }: MailingKey, limit: number): Promise<readonly StateReply[]> {
    const rows = await this.#sql.query<{ state: LedgerState; reply: string | null; count: number }>(
      `select l.state, l.reply, count(*)::int as count from unnest($4::pennypost_delivery.message_state[]) as s (state)
       cross join lateral (select m.state, m.reply from pennypost_delivery.mailing_recipient m
         where m.project_id = $1 and m.mailing_id = $2 and m.launched_on = $3 and m.state = s.state and m.state <> 'submitted'
         order by m.subscriber_id limit $5) l
       group by l.state, l.reply`,
      [projectId, mailingId, launchedOn, LEDGER_STATES.filter((state) => state !== 'submitted'), limit],
    );
    return rows.map(({ state, reply, count }) => ({ state, reply: reply ?? undefined, count }));
  }

  /** Index: mailing_recipient_state for all but submitted, the primary key for those. */
  async inStates(mailing: MailingKey, states: readonly LedgerState[] | 'due', after: Id | undefined, limit: number) {
    const due = states === 'due';
    const [row] = await this.#sql.query<{ ids: string; count: number; last: Id | null }>(
      `select array_agg(subscriber_id order by subscriber_id)::text as ids, count(*)::int as count, max(subscriber_id::text) as last
       from (select subscriber_id from pennypost_delivery.mailing_recipient
         where project_id = $1 and mailing_id = $2 and launched_on = $3 and state = any($4::pennypost_delivery.message_state[])
           ${due ? `and next_attempt_at <= ${DATABASE_NOW}` : ''} and ($5::uuid is null or subscriber_id > $5)
         order by subscriber_id limit $6) page`,
      [mailing.projectId, mailing.mailingId, mailing.launchedOn, due ? ['deferred'] : states, after ?? null, limit],
    );
    return row?.last == null ? undefined : { ids: row.ids, count: row.count, last: row.last };
  }

  /** Index: primary key. */
  async withoutRow(mailing: MailingKey, ids: string): Promise<{ ids: string; count: number }> {
    const [row] = await this.#sql.query<{ ids: string | null; count: number }>(
      `select array_agg(i.id order by i.id)::text as ids, count(*)::int as count from unnest($4::uuid[]) as i (id)
       where not exists (select 1 from pennypost_delivery.mailing_recipient m
         where m.project_id = $1 and m.mailing_id = $2 and m.launched_on = $3 and m.subscriber_id = i.id)`,
      [mailing.projectId, mailing.mailingId, mailing.launchedOn, ids],
    );
    return { ids: row?.ids ?? '{}', count: row?.count ?? 0 };
  }

  /** Index: primary key. */
  async reached(mailing: MailingKey, ids: readonly Id[]): Promise<Reached> {
    const rows = await this.#sql.query<{ id: Id; accepted: boolean }>(
      `select subscriber_id as id, state = 'submitted' as accepted from pennypost_delivery.mailing_recipient
       where project_id = $1 and launched_on = $2 and mailing_id = $3 and subscriber_id = any($4::uuid[])
         and (state = 'submitted' or possible_repeat)`,
      [mailing.projectId, mailing.launchedOn, mailing.mailingId, ids],
    );
    const those = (accepted: boolean) => new Set(rows.filter((row) => row.accepted === accepted).map((row) => row.id));
    return { accepted: those(true), possibly: those(false) };
  }

  async hasDeferred({ projectId, mailingId, launchedOn }: MailingKey): Promise<boolean> {
    const rows = await this.#sql.query(
      `select 1 from pennypost_delivery.mailing_recipient
       where project_id = $1 and mailing_id = $2 and launched_on = $3 and state = 'deferred' limit 1`,
      [projectId, mailingId, launchedOn],
    );
    return rows.length > 0;
  }

  /** Primary keys of run and mailing_recipient: one look per mailing of the project. */
  async stripReplies(projectId: Id, subscriberId: Id): Promise<void> {
    await this.#sql.query(
      `update pennypost_delivery.mailing_recipient m set reply = null
       from (select distinct launched_on, mailing_id from pennypost_delivery.run where project_id = $1) r
       where m.project_id = $1 and m.launched_on = r.launched_on and m.mailing_id = r.mailing_id and m.subscriber_id = $2
         and m.reply is not null`,
      [projectId, subscriberId],
    );
  }
}
