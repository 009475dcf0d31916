import type {
  AudiencePage,
  ExcludedIds,
  Exclusion,
  ExclusionCounts,
  ExclusionReason,
  ExclusionSearch,
  RecipientFacts,
  RecipientStore,
} from '../../domain/audience/index.ts';
import type { Audience } from '../../domain/shared/audience.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, pageLimit, toPage } from '../../domain/shared/page.ts';
import { audienceValues, CONFIRMED, judged, lookedUp } from './audience-mailable.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** All subscribers with a subscription to an included list, in any state. */
const WITH_SUBSCRIPTION = judged('s.id, s.address', lookedUp(''), 'joined.subscriber_id is not null');

/** One search of each primary key for the whole page: ids of one page lie side by side. */
const OF_A_PAGE = judged(
  's.id, s.address, s.locale, s.time_zone as "timeZone", s.attributes',
  lookedUp('and n.subscriber_id = any($4::uuid[])'),
  's.id = any($4::uuid[])',
);

interface RecipientRow extends Omit<RecipientFacts, 'smtputf8' | 'locale' | 'timeZone' | 'refusal' | 'address'> {
  readonly address: string | null;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly refusal: ExclusionReason | null;
}

/** Recipients over PostgreSQL: no ORM, one round trip a question. */
export class PostgresRecipientStore implements RecipientStore {
  private readonly sql: Sql;

  constructor({ sql }: Session) {
    this.sql = sql;
  }

  /**
   * Candidates are read in order of subscriber, each list by its part of the primary key of subscription and no further than the
   * page needs; then they are judged together. So a page may hold less than `limit`, and an empty one is skipped. `union` keeps
   * subscribers of several lists once.
   */
  async page(projectId: Id, audience: Audience, after: Id | undefined, limit: number): Promise<AudiencePage | undefined> {
    const [, include, exclude] = audienceValues(projectId, audience);
    if (include.length === 0) return undefined;
    const parts = include.map(
      (_, index) => `(select n.subscriber_id as id from pennypost_audience.subscription n
        where n.project_id = $1 and n.list_id = $${index + 6}::uuid and n.subscriber_id > $4::uuid and n.state = 'confirmed'
        order by n.subscriber_id limit $5::int)`,
    );
    // As an array: a join lets the planner read the whole table of subscribers for every page.
    const statement = `with candidate as materialized (select id from (${parts.join(' union ')}) merged order by id limit $5::int)
      select array_agg(id order by id) filter (where refusal is null)::text as ids,
        count(*) filter (where refusal is null)::int as count,
        (select furthest.id::text from (select id from candidate order by id desc limit 1) furthest) as last
      from (${judged('s.id', CONFIRMED, 's.id = any(array(select id from candidate))')}) judged`;
    for (let from = after ?? BEFORE_ALL; ; ) {
      const [page] = await this.sql.query<AudiencePage & { readonly last: Id | null }>(statement, [
        projectId,
        include,
        exclude,
        from,
        limit,
        ...include,
      ]);
      if (page === undefined || page.last === null) return undefined;
      if (page.count > 0) return page;
      from = page.last;
    }
  }

  /** Reads the lists whole, by the primary key of subscription. */
  async count(projectId: Id, audience: Audience): Promise<number> {
    const candidates = `s.id in (select n.subscriber_id from pennypost_audience.subscription n
      where n.project_id = $1 and n.list_id = any($2::uuid[]) and n.state = 'confirmed')`;
    const [row] = await this.sql.query<{ count: number }>(
      `select count(*)::int as count from (${judged('s.id', CONFIRMED, candidates)}) judged where refusal is null`,
      audienceValues(projectId, audience),
    );
    return row?.count ?? 0;
  }

  /** Reads the lists whole: for reports, not for sending. */
  async countExclusions(projectId: Id, audience: Audience): Promise<ExclusionCounts> {
    const rows = await this.sql.query<{ reason: ExclusionReason | null; count: number }>(
      `select refusal as reason, count(*)::int as count from (${WITH_SUBSCRIPTION}) judged group by refusal`,
      audienceValues(projectId, audience),
    );
    const of = (reason: ExclusionReason | null): number => rows.find((row) => row.reason === reason)?.count ?? 0;
    return {
      included: of(null),
      excluded: {
        unsubscribed: of('unsubscribed'),
        unconfirmed: of('unconfirmed'),
        suppressed: of('suppressed'),
        excluded_list: of('excluded_list'),
        erased: of('erased'),
      },
    };
  }

  /** By id; of one reason where one is named. */
  async exclusions(projectId: Id, audience: Audience, search: ExclusionSearch): Promise<Page<Exclusion>> {
    const limit = pageLimit(search);
    const rows = await this.sql.query<Exclusion>(
      `select id as "subscriberId", address, refusal as reason from (${WITH_SUBSCRIPTION}) judged
       where refusal is not null and ($4::text is null or refusal = $4) and ($5::uuid is null or id > $5::uuid) order by id limit $6`,
      [...audienceValues(projectId, audience), search.reason ?? null, idAfter(search) ?? null, limit + 1],
    );
    return toPage(rows, limit, (row) => [row.subscriberId]);
  }

  /** Reads the lists whole; 37 bytes an id. */
  excludedIds(projectId: Id, audience: Audience): Promise<readonly ExcludedIds[]> {
    return this.sql.query(
      `select refusal as reason, array_agg(id)::text as ids from (${WITH_SUBSCRIPTION}) judged
       where refusal is not null group by refusal`,
      audienceValues(projectId, audience),
    );
  }

  /** The bulk sender reads every page of recipients, and checks it again before hand-over, through this: no ORM, one round trip. */
  async read(projectId: Id, ids: readonly Id[], audience: Audience): Promise<ReadonlyMap<Id, RecipientFacts>> {
    const rows = await this.sql.query<RecipientRow>(OF_A_PAGE, [
      ...audienceValues(projectId, audience),
      // A thousand ids joined here: the driver would look at each of them for quotes.
      `{${ids.join(',')}}`,
    ]);
    const found = new Map<Id, RecipientFacts>();
    for (const row of rows) {
      const address = row.address ?? '';
      found.set(row.id, {
        id: row.id,
        address,
        // Domains are A-labels: only a local part can hold anything but ASCII.
        smtputf8: /[^\0-\x7f]/.test(address),
        locale: row.locale ?? undefined,
        timeZone: row.timeZone ?? undefined,
        attributes: row.attributes,
        refusal: row.refusal ?? undefined,
      });
    }
    for (const id of ids) if (!found.has(id)) found.set(id, deleted(id));
    return found;
  }
}

const deleted = (id: Id): RecipientFacts => ({
  id,
  address: '',
  smtputf8: false,
  locale: undefined,
  timeZone: undefined,
  attributes: {},
  refusal: 'deleted',
});
