import {
  type KnownWorker,
  type LaneStore,
  leaseName,
  type RecordedBatches,
  type RetryPolicy,
  type ShardBatch,
  type ShardLease,
  type Worker,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { BatchRecorder, type HeldKey, keyColumns } from './delivery-batches.ts';
import { CLAIM, type ClaimedRow } from './delivery-claim.ts';
import { LedgerWriter } from './delivery-ledger-writer.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

/** Leases of shards, batches of outcomes and the workers, over PostgreSQL. Leases live by the clock of the database. */
export class PostgresLaneStore implements LaneStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    this.#sql = session.sql;
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

  /** A new worker takes over how long others were in touch: in a crash loop no worker would be connected for long enough to judge others. */
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
    // A killed worker never deregisters; after a day its row is not needed any more.
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
}
