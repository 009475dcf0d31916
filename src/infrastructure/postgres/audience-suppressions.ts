import {
  SUPPRESSION_REASONS,
  type Suppression,
  type SuppressionScope,
  type SuppressionSearch,
  type SuppressionStore,
} from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { decodeCursor, InvalidCursor, type Page, pageLimit, toPage } from '../../domain/shared/page.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

const SUPPRESSION = 'project_id as "projectId", email_key as "emailKey", scope, reason, evidence, at';

/** Suppressions over PostgreSQL. */
export class PostgresSuppressionStore implements SuppressionStore {
  private readonly sql: Sql;

  constructor({ sql }: Session) {
    this.sql = sql;
  }

  /** By the primary key. */
  async add(suppression: Suppression): Promise<boolean> {
    const { projectId, emailKey, scope, reason, evidence, at } = suppression;
    const rows = await this.sql.query(
      `insert into pennypost_audience.suppression as x (project_id, email_key, scope, reason, evidence, at)
       values ($1, $2, $3, $4, $5, $6)
       on conflict (project_id, email_key, scope) do update set reason = excluded.reason, evidence = excluded.evidence, at = excluded.at
         where array_position($7::text[], excluded.reason) > array_position($7::text[], x.reason)
       returning 1 as changed`,
      [projectId, emailKey, scope, reason, JSON.stringify(evidence), at, SUPPRESSION_REASONS],
    );
    return rows.length > 0;
  }

  /** By the primary key. Suppressions that the new address has already stay as they are. */
  async copyWishes(projectId: Id, from: string, to: string): Promise<void> {
    await this.sql.query(
      `insert into pennypost_audience.suppression (project_id, email_key, scope, reason, evidence, at)
       select project_id, $3, scope, reason, evidence, at from pennypost_audience.suppression
       where project_id = $1 and email_key = $2 and reason in ('unsubscribe', 'complaint')
       on conflict (project_id, email_key, scope) do nothing`,
      [projectId, from, to],
    );
  }

  /** By the primary key. */
  async remove(projectId: Id, emailKeys: readonly string[], scope: SuppressionScope | undefined): Promise<number> {
    const rows = await this.sql.query(
      `delete from pennypost_audience.suppression
       where project_id = $1 and email_key = any($2) and ($3::text is null or scope = $3) returning 1 as lifted`,
      [projectId, emailKeys, scope ?? null],
    );
    return rows.length;
  }

  /** By the primary key. */
  of(projectId: Id, emailKeys: readonly string[]): Promise<readonly Suppression[]> {
    return this.sql.query<Suppression>(
      `select ${SUPPRESSION} from pennypost_audience.suppression where project_id = $1 and email_key = any($2) order by at, scope`,
      [projectId, emailKeys],
    );
  }

  /** By `suppression_at`, backwards; times travel as whole microseconds, which a Date would cut. */
  async page(projectId: Id, search: SuppressionSearch): Promise<Page<Suppression>> {
    const limit = pageLimit(search);
    const [at, emailKey, scope] = search.after === undefined ? [null, null, null] : decodeCursor(search.after, 3);
    if (typeof at === 'string' && !/^\d{1,17}$/.test(at)) throw new InvalidCursor();
    const rows = await this.sql.query<Suppression & { readonly micros: string }>(
      `select ${SUPPRESSION}, (extract(epoch from at) * 1000000)::bigint::text as micros from pennypost_audience.suppression
       where project_id = $1 and ($5::text is null or scope = $5) and ($6::text is null or reason = $6)
         and ($2::text is null or (at, email_key, scope) < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3, $4))
       order by at desc, email_key desc, scope desc limit $7`,
      [projectId, at, emailKey, scope, search.scope ?? null, search.reason ?? null, limit + 1],
    );
    const { items, next } = toPage(rows, limit, (row) => [row.micros, row.emailKey, row.scope]);
    return { items: items.map(({ micros: _, ...suppression }) => suppression), next };
  }

  /** By the primary key. */
  async liftOptOut(projectId: Id, emailKey: string, campaignId: Id, since: Date): Promise<boolean> {
    const rows = await this.sql.query(
      `delete from pennypost_audience.suppression
       where project_id = $1 and email_key = $2 and scope = 'marketing' and reason = 'unsubscribe' and evidence->>'campaign' = $3
         and at >= $4
       returning 1 as lifted`,
      [projectId, emailKey, campaignId, since],
    );
    return rows.length > 0;
  }

  /** By the primary key. A row that another transaction is changing is left to it: waiting here could close a circle of locks. */
  async liftMarketingOptOut(projectId: Id, emailKey: string): Promise<void> {
    await this.sql.query(
      `with refusal as (
         select project_id, email_key, scope from pennypost_audience.suppression
         where project_id = $1 and email_key = $2 and scope = 'marketing' and reason = 'unsubscribe'
         for update skip locked
       )
       delete from pennypost_audience.suppression s using refusal r
       where s.project_id = r.project_id and s.email_key = r.email_key and s.scope = r.scope`,
      [projectId, emailKey],
    );
  }
}
