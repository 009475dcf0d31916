import { type MailingKey, type Run, type RunKey, type RunStore, runName, type ShardKey } from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { cancelRest } from './delivery-cancelling.ts';
import { ensureLedgerPartition } from './delivery-partitions.ts';
import type { Session } from './session.ts';
import { DATABASE_NOW, type Sql } from './sql.ts';

/** Dates without a time are read as text, because a Date would move them by the process's time zone. */
const RUN_COLUMNS = `project_id as "projectId", mailing_id as "mailingId", number, launched_on::text as "launchedOn", purpose, state,
  audience, created_at as "createdAt", ended_at as "endedAt"`;

/** Runs and the shards that they are cut into, over PostgreSQL. */
export class PostgresRunStore implements RunStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    this.#sql = session.sql;
  }

  async add(run: Run): Promise<void> {
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

  async close(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>): Promise<number> {
    const [row] = await this.#sql.query<{ audience: number }>(
      `update pennypost_delivery.run set audience =
         (select coalesce(sum(size), 0)::int from pennypost_delivery.shard where project_id = $1 and mailing_id = $2 and run = $3)
       where project_id = $1 and mailing_id = $2 and number = $3 returning audience`,
      [run.projectId, run.mailingId, run.number],
    );
    return row?.audience ?? 0;
  }

  async of(projectId: Id, mailingId: Id): Promise<readonly Run[]> {
    const rows = await this.#sql.query<Run>(
      `select ${RUN_COLUMNS} from pennypost_delivery.run where project_id = $1 and mailing_id = $2 order by number`,
      [projectId, mailingId],
    );
    return rows.map(toRun);
  }

  async setState(projectId: Id, mailingId: Id, from: readonly Run['state'][], to: Run['state'], at: Date): Promise<number> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.run set state = $4, ended_at = case when $4 in ('done', 'cancelled') then $5::timestamptz end
       where project_id = $1 and mailing_id = $2 and state = any($3) returning number`,
      [projectId, mailingId, from, to, at],
    );
    return rows.length;
  }

  async end(run: Pick<Run, 'projectId' | 'mailingId' | 'number'>, at: Date): Promise<boolean> {
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
  async running(runs: readonly RunKey[]): Promise<ReadonlySet<string>> {
    const rows = await this.#sql.query<RunKey>(
      `select r.project_id as "projectId", r.mailing_id as "mailingId", r.number as run from pennypost_delivery.run r
       join unnest($1::uuid[], $2::uuid[], $3::int[]) as k (project_id, mailing_id, number)
         on (r.project_id, r.mailing_id, r.number) = (k.project_id, k.mailing_id, k.number)
       where r.state = 'running'`,
      [runs.map((key) => key.projectId), runs.map((key) => key.mailingId), runs.map((key) => key.run)],
    );
    return new Set(rows.map(runName));
  }

  /** Index: run_running, shard_open. */
  async finished(limit: number): Promise<readonly Run[]> {
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
  async due(limit: number) {
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

  ensurePartition(launchedOn: string): Promise<void> {
    return ensureLedgerPartition(this.#sql, launchedOn);
  }
}

const toRun = (row: Run): Run => ({ ...row, endedAt: row.endedAt ?? undefined });
