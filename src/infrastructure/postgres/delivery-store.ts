import {
  type DeliveryStore,
  type KnownWorker,
  LEDGER_STATES,
  type LedgerRow,
  type LedgerState,
  type LedgerTotals,
  leaseName,
  type MailingKey,
  noTotals,
  type Reached,
  type RecordedBatches,
  type RetryPolicy,
  type Run,
  type RunKey,
  runName,
  type ShardBatch,
  type ShardKey,
  type ShardLease,
  type StateReply,
  type Worker,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { BatchRecorder, type HeldKey, keyColumns } from './batch-recorder.ts';
import { cancelRest } from './cancel-rest.ts';
import { CLAIM, type ClaimedRow } from './claim-shard.ts';
import { ensureLedgerPartition } from './ledger-partitions.ts';
import { type LedgerRecord, LedgerWriter, toLedgerRow } from './ledger-writer.ts';
import type { Session } from './session.ts';
import { DATABASE_NOW, type Sql } from './sql.ts';
import { TransactionalMessages } from './transactional-messages.ts';

/** Dates without a time are read as text, because a Date would move them by the process's time zone. */
const RUN_COLUMNS = `project_id as "projectId", mailing_id as "mailingId", number, launched_on::text as "launchedOn", purpose, state,
  audience, created_at as "createdAt", ended_at as "endedAt"`;

/** The delivery context over PostgreSQL. */
export class PostgresDeliveryStore extends TransactionalMessages implements DeliveryStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    super(session.sql);
    this.#sql = session.sql;
  }

  async addRun(run: Run): Promise<void> {
    await this.#sql.query(
      `insert into pennypost_delivery.run (project_id, mailing_id, number, launched_on, purpose, state, audience, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [run.projectId, run.mailingId, run.number, run.launchedOn, run.purpose, run.state, run.audience, run.createdAt],
    );
    if (run.number > 0) await this.watch(run.projectId, run.mailingId, true);
  }

  async addShard(key: ShardKey, launchedOn: string, recipients: string, size: number): Promise<void> {
    await this.#sql.query(
      `insert into pennypost_delivery.shard (project_id, mailing_id, run, number, launched_on, recipients, size)
       values ($1, $2, $3, $4, $5, $6::uuid[], $7)`,
      [key.projectId, key.mailingId, key.run, key.number, launchedOn, recipients, size],
    );
  }

  async closeRun(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>): Promise<number> {
    const [row] = await this.#sql.query<{ audience: number }>(
      `update pennypost_delivery.run set audience =
         (select coalesce(sum(size), 0)::int from pennypost_delivery.shard where project_id = $1 and mailing_id = $2 and run = $3)
       where project_id = $1 and mailing_id = $2 and number = $3 returning audience`,
      [run.projectId, run.mailingId, run.number],
    );
    return row?.audience ?? 0;
  }

  async runs(projectId: Id, mailingId: Id): Promise<readonly Run[]> {
    const rows = await this.#sql.query<Run>(
      `select ${RUN_COLUMNS} from pennypost_delivery.run where project_id = $1 and mailing_id = $2 order by number`,
      [projectId, mailingId],
    );
    return rows.map(toRun);
  }

  async setRunState(projectId: Id, mailingId: Id, from: readonly Run['state'][], to: Run['state'], at: Date): Promise<number> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.run set state = $4, ended_at = case when $4 in ('done', 'cancelled') then $5::timestamptz end
       where project_id = $1 and mailing_id = $2 and state = any($3) returning number`,
      [projectId, mailingId, from, to, at],
    );
    return rows.length;
  }

  async endRun(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>, at: Date): Promise<boolean> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.run set state = 'done', ended_at = $4
       where project_id = $1 and mailing_id = $2 and number = $3 and state = 'running' and not exists (
         select from pennypost_delivery.shard where project_id = $1 and mailing_id = $2 and run = $3 and state = 'open')
       returning number`,
      [run.projectId, run.mailingId, run.number, at],
    );
    return rows.length > 0;
  }

  async watch(projectId: Id, mailingId: Id, watched: boolean): Promise<void> {
    await this.#sql.query(
      'update pennypost_delivery.run set watched = $3 where project_id = $1 and mailing_id = $2 and number = 0',
      [projectId, mailingId, watched],
    );
  }

  async beginCancelling(projectId: Id, mailingId: Id): Promise<void> {
    await this.#sql.query(
      'update pennypost_delivery.run set cancelling = true where project_id = $1 and mailing_id = $2 and number = 0',
      [projectId, mailingId],
    );
  }

  /** Index: run_cancelling. */
  async cancelling(limit: number) {
    return this.#sql.query<MailingKey>(
      `select project_id as "projectId", mailing_id as "mailingId", launched_on::text as "launchedOn"
       from pennypost_delivery.run where number = 0 and cancelling limit $1`,
      [limit],
    );
  }

  cancelRest(mailing: MailingKey, at: Date) {
    return cancelRest(this.#sql, mailing, at);
  }

  /** Index: primary key. */
  async runningOf(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    const rows = await this.#sql.query<RunKey>(
      `select r.project_id as "projectId", r.mailing_id as "mailingId", r.number as run from pennypost_delivery.run r
       join unnest($1::uuid[], $2::uuid[], $3::int[]) as k (project_id, mailing_id, number)
         on (r.project_id, r.mailing_id, r.number) = (k.project_id, k.mailing_id, k.number)
       where r.state = 'running'`,
      [runs.map((key) => key.projectId), runs.map((key) => key.mailingId), runs.map((key) => key.run)],
    );
    return new Set(rows.map(runName));
  }

  async claim(
    owner: Id,
    leaseMs: number,
    options: { avoid: readonly Id[]; expiredBefore: boolean },
  ): Promise<ShardLease | undefined> {
    const [row] = await this.#sql.query<ClaimedRow>(CLAIM, [owner, leaseMs, options.avoid, options.expiredBefore]);
    if (row === undefined) return undefined;
    // 10,000 ids: split here in 1 ms, by the driver's parser of arrays in 10.
    const recipients = row.recipients.slice(1, -1).split(',');
    return {
      projectId: row.project_id,
      mailingId: row.mailing_id,
      run: row.run,
      number: row.number,
      launchedOn: row.launched_on,
      fence: row.fence,
      cursor: row.cursor,
      claimedThrough: row.claimed_through,
      recipients,
      repeats: row.purpose === 'resend_in_doubt',
      settled: await this.#settledPositions(row, recipients.slice(row.cursor, row.claimed_through)),
    };
  }

  /** Positions of `[cursor, claimed_through)` with a row of this run. Index: primary key. */
  async #settledPositions(row: ClaimedRow, open: readonly Id[]): Promise<number[]> {
    if (open.length === 0) return [];
    const rows = await this.#sql.query<{ subscriber_id: string }>(
      `select subscriber_id from pennypost_delivery.mailing_recipient
       where project_id = $1 and launched_on = $2 and mailing_id = $3 and subscriber_id = any($4::uuid[]) and run >= $5`,
      [row.project_id, row.launched_on, row.mailing_id, open, row.run],
    );
    const settled = new Set(rows.map((found) => found.subscriber_id));
    return open.flatMap((id, index) => (settled.has(id) ? [row.cursor + index] : []));
  }

  /** Locks in key order, as `record` does: otherwise the two could wait for each other. */
  async renew(owner: Id, leaseMs: number, held: readonly HeldKey[]): Promise<ReadonlySet<string>> {
    const rows = await this.#sql.query<HeldKey>(
      `with mine as (
         select s.project_id, s.mailing_id, s.run, s.number
         from pennypost_delivery.shard s
         join unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[]) as h (project_id, mailing_id, run, number, fence)
           on (s.project_id, s.mailing_id, s.run, s.number, s.fence) = (h.project_id, h.mailing_id, h.run, h.number, h.fence)
         where s.owner = $7 and s.state = 'open'
         order by s.project_id, s.mailing_id, s.run, s.number for update of s
       )
       update pennypost_delivery.shard s set leased_until = clock_timestamp() + $6 * interval '1 millisecond'
       from mine m where (s.project_id, s.mailing_id, s.run, s.number) = (m.project_id, m.mailing_id, m.run, m.number)
       returning s.project_id as "projectId", s.mailing_id as "mailingId", s.run, s.number, s.fence`,
      [...keyColumns(held), leaseMs, owner],
    );
    return new Set(rows.map(leaseName));
  }

  async release(held: readonly HeldKey[]): Promise<void> {
    await this.#sql.query(
      `update pennypost_delivery.shard s set owner = null, leased_until = null
       from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[]) as h (project_id, mailing_id, run, number, fence)
       where (s.project_id, s.mailing_id, s.run, s.number) = (h.project_id, h.mailing_id, h.run, h.number) and s.fence = h.fence`,
      keyColumns(held),
    );
  }

  async releaseAllOf(owner: Id): Promise<number> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.shard set owner = null, leased_until = null where owner = $1 and state = 'open' returning number`,
      [owner],
    );
    return rows.length;
  }

  record(batches: readonly ShardBatch[], policy: RetryPolicy, leaseMs: number, random: () => number): Promise<RecordedBatches> {
    return new BatchRecorder(this.#sql, new LedgerWriter(this.#sql, policy, random), leaseMs).record(batches);
  }

  /** Index: run_running, shard_open. */
  async finishedRuns(limit: number): Promise<readonly Run[]> {
    const rows = await this.#sql.query<Run>(
      `select ${RUN_COLUMNS} from pennypost_delivery.run r
       where r.state = 'running' and not exists (
         select 1 from pennypost_delivery.shard s where s.project_id = r.project_id and s.mailing_id = r.mailing_id and s.run = r.number
           and s.state = 'open')
       order by r.project_id, r.mailing_id, r.number limit $1`,
      [limit],
    );
    return rows.map(toRun);
  }

  /** Indexes: run_watched, mailing_recipient_due. */
  async mailingsDue(limit: number) {
    return this.#sql.query<MailingKey>(
      `select r.project_id as "projectId", r.mailing_id as "mailingId", r.launched_on::text as "launchedOn"
       from pennypost_delivery.run r
       where r.number = 0 and r.watched
         and not exists (select 1 from pennypost_delivery.run o where o.project_id = r.project_id and o.mailing_id = r.mailing_id
           and o.number > 0 and o.state in ('running', 'paused'))
         and exists (select 1 from pennypost_delivery.mailing_recipient m where m.project_id = r.project_id and m.launched_on = r.launched_on
           and m.mailing_id = r.mailing_id and m.state = 'deferred' and m.next_attempt_at <= ${DATABASE_NOW})
       limit $1`,
      [limit],
    );
  }

  async hasDeferred(projectId: Id, mailingId: Id, launchedOn: string): Promise<boolean> {
    const rows = await this.#sql.query(
      `select 1 from pennypost_delivery.mailing_recipient
       where project_id = $1 and mailing_id = $2 and launched_on = $3 and state = 'deferred' limit 1`,
      [projectId, mailingId, launchedOn],
    );
    return rows.length > 0;
  }

  /** Index: mailing_recipient_state for all but submitted, the primary key for those. */
  async recipientsInStates(mailing: MailingKey, states: readonly LedgerState[] | 'due', after: Id | undefined, limit: number) {
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
  async recipientsWithoutRow(mailing: MailingKey, ids: string): Promise<{ ids: string; count: number }> {
    const [row] = await this.#sql.query<{ ids: string | null; count: number }>(
      `select array_agg(i.id order by i.id)::text as ids, count(*)::int as count from unnest($4::uuid[]) as i (id)
       where not exists (select 1 from pennypost_delivery.mailing_recipient m
         where m.project_id = $1 and m.mailing_id = $2 and m.launched_on = $3 and m.subscriber_id = i.id)`,
      [mailing.projectId, mailing.mailingId, mailing.launchedOn, ids],
    );
    return { ids: row?.ids ?? '{}', count: row?.count ?? 0 };
  }

  /** Index: primary key. */
  async reachedAmong(mailing: MailingKey, ids: readonly Id[]): Promise<Reached> {
    const rows = await this.#sql.query<{ id: Id; accepted: boolean }>(
      `select subscriber_id as id, state = 'submitted' as accepted from pennypost_delivery.mailing_recipient
       where project_id = $1 and launched_on = $2 and mailing_id = $3 and subscriber_id = any($4::uuid[])
         and (state = 'submitted' or possible_repeat)`,
      [mailing.projectId, mailing.launchedOn, mailing.mailingId, ids],
    );
    const those = (accepted: boolean) => new Set(rows.filter((row) => row.accepted === accepted).map((row) => row.id));
    return { accepted: those(true), possibly: those(false) };
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
  async ledger(
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

  ensureLedgerPartition(launchedOn: string): Promise<void> {
    return ensureLedgerPartition(this.#sql, launchedOn);
  }

  /** A new worker takes over how long others were in touch: in a crash loop nobody would ever be for long enough to judge. */
  async saveWorker(worker: Worker, steadyMs: number): Promise<void> {
    await this.#sql.query(
      `insert into pennypost_delivery.worker as w (id, host, pid, process, lanes, started_at, seen_at, steady_since, progress)
       values ($1, $2, $3, $8, $4, $5, clock_timestamp(), coalesce(
         (select min(o.steady_since) from pennypost_delivery.worker o where o.seen_at > clock_timestamp() - $7 * interval '1 millisecond'),
         clock_timestamp()), $6)
       on conflict (id) do update set seen_at = clock_timestamp(), progress = excluded.progress, lanes = excluded.lanes,
         steady_since = case when w.seen_at > clock_timestamp() - $7 * interval '1 millisecond' then w.steady_since
           else clock_timestamp() end`,
      [
        worker.id,
        worker.host,
        worker.pid,
        worker.lanes,
        worker.startedAt,
        JSON.stringify(worker.progress),
        steadyMs,
        worker.process ?? null,
      ],
    );
    // A worker that was killed never says goodbye; a day is long after anybody asks for it.
    await this.#sql.query(`delete from pennypost_delivery.worker where seen_at < clock_timestamp() - interval '1 day'`);
  }

  /** Index: transactional_message_unfinished. */
  async forgetWorker(id: Id): Promise<void> {
    await this.#sql.query(
      `delete from pennypost_delivery.worker where id = $1 and not exists (
         select from pennypost_delivery.transactional_message m
         join pennypost_delivery.attempt a on (a.project_id, a.message_id, a.number) = (m.project_id, m.id, m.attempts)
         where m.state = 'attempting' and a.worker_id = $1)`,
      [id],
    );
  }

  async workers(withinMs: number): Promise<readonly KnownWorker[]> {
    return this.#sql.query<KnownWorker>(
      `select id, host, pid, lanes, started_at as "startedAt", progress #- '{stuck,toldAt}' as progress,
         seen_at > earliest as responds
       from pennypost_delivery.worker, lateral (select clock_timestamp() - $1 * interval '1 millisecond' as earliest) as bound
       where seen_at > earliest or (progress #>> '{stuck,toldAt}')::timestamptz > earliest
       order by started_at, id`,
      [withinMs],
    );
  }

  async openShards() {
    const [row] = await this.#sql.query<{ shards: number; recipients: number; age: number }>(
      `select count(*)::int as shards, coalesce(sum(s.size - s.cursor), 0)::int as recipients,
         coalesce(extract(epoch from clock_timestamp() - min(r.created_at)) * 1000, 0)::float8 as age
       from pennypost_delivery.shard s
       join pennypost_delivery.run r on (r.project_id, r.mailing_id, r.number) = (s.project_id, s.mailing_id, s.run)
       where s.state = 'open' and r.state = 'running'`,
    );
    return { shards: row?.shards ?? 0, recipients: row?.recipients ?? 0, oldestAgeMs: row?.age ?? 0 };
  }
}

const toRun = (row: Run): Run => ({ ...row, endedAt: row.endedAt ?? undefined });
