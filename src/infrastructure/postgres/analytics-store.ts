import type {
  AnalyticsStore,
  CounterKind,
  CounterRow,
  CounterTotal,
  Day,
  DayTotal,
  Subject,
} from '../../domain/analytics/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

export class PostgresAnalyticsStore implements AnalyticsStore {
  private readonly sql: Sql;

  constructor(session: Session) {
    this.sql = session.sql;
  }

  /** Conflicts on the primary key (project_id, subject, day, hour, kind). */
  async add(projectId: Id, rows: readonly CounterRow[]): Promise<void> {
    await this.sql.query(
      `insert into pennypost_analytics.counter as c (project_id, subject, day, hour, kind, value)
       select $1::uuid, * from unnest($2::text[], $3::date[], $4::smallint[], $5::text[], $6::bigint[])
       on conflict (project_id, subject, day, hour, kind) do update set value = c.value + excluded.value`,
      [
        projectId,
        rows.map((row) => row.subject),
        rows.map((row) => row.day),
        rows.map((row) => row.hour),
        rows.map((row) => row.kind),
        rows.map((row) => row.value),
      ],
    );
  }

  /** By the primary key's beginning, two ranges for each; `;` is the character after `:`. */
  async totals(projectId: Id, subjects: readonly Subject[]): Promise<readonly CounterTotal[]> {
    const rows = await this.sql.query<{ subject: Subject; kind: CounterKind; value: string }>(
      `select c.subject, c.kind, sum(c.value) as value from unnest($2::text[]) as s (name) cross join lateral (
         select subject, kind, value from pennypost_analytics.counter where project_id = $1 and subject = s.name
         union all
         select subject, kind, value from pennypost_analytics.counter
         where project_id = $1 and subject >= s.name || ':' and subject < s.name || ';') c
       group by c.subject, c.kind`,
      [projectId, subjects],
    );
    return rows.map(({ subject, kind, value }) => ({ subject, kind, value: Number(value) }));
  }

  /** By the primary key (project_id, subject, day). */
  async byDay(
    projectId: Id,
    subjects: readonly Subject[],
    kinds: readonly CounterKind[],
    from: Day,
    to: Day,
  ): Promise<readonly DayTotal[]> {
    const rows = await this.sql.query<{ day: Day; kind: CounterKind; value: string }>(
      `select day::text as day, kind, sum(value) as value from pennypost_analytics.counter
       where project_id = $1 and subject = any($2::text[]) and day between $3 and $4 and kind = any($5)
       group by day, kind`,
      [projectId, subjects, from, to, kinds],
    );
    return rows.map(({ day, kind, value }) => ({ day, kind, value: Number(value) }));
  }
}
