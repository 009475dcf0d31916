import type { Consent, OptOutFacts, Subscription, SubscriptionState, SubscriptionStore } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { SUPPRESSED, stopsMarketing } from './audience-mailable.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

const SUBSCRIPTION = `project_id as "projectId", list_id as "listId", subscriber_id as "subscriberId", state, created_at as "createdAt", at`;
const CONSENT = `project_id as "projectId", id, subscriber_id as "subscriberId", list_ids as "listIds", action, source, ip,
  user_agent as "userAgent", text, text_version as "textVersion", import_id as "importId", given_at as "givenAt", recorded_at as "recordedAt"`;

/** Subscriptions and consents over PostgreSQL. */
export class PostgresSubscriptionStore implements SubscriptionStore {
  private readonly sql: Sql;

  constructor({ sql }: Session) {
    this.sql = sql;
  }

  /** By the primary key. */
  async find(projectId: Id, listId: Id, subscriberId: Id): Promise<Subscription | undefined> {
    const [row] = await this.sql.query<Subscription>(
      `select ${SUBSCRIPTION} from pennypost_audience.subscription
       where project_id = $1 and list_id = $2 and subscriber_id = $3 for no key update`,
      [projectId, listId, subscriberId],
    );
    return row;
  }

  /** By `subscription_subscriber`. */
  of(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]> {
    return this.sql.query<Subscription>(
      `select ${SUBSCRIPTION} from pennypost_audience.subscription
       where project_id = $1 and subscriber_id = any($2::uuid[]) order by subscriber_id, list_id`,
      [projectId, subscriberIds],
    );
  }

  async move(subscription: Subscription, from: SubscriptionState | undefined): Promise<boolean> {
    const { projectId, listId, subscriberId, state, createdAt, at } = subscription;
    const rows =
      from === undefined
        ? await this.sql.query(
            `insert into pennypost_audience.subscription (project_id, list_id, subscriber_id, state, created_at, at)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning 1 as moved`,
            [projectId, listId, subscriberId, state, createdAt, at],
          )
        : await this.sql.query(
            `update pennypost_audience.subscription set state = $4, at = $5, left_by = null, left_state = null
             where project_id = $1 and list_id = $2 and subscriber_id = $3 and state = $6 returning 1 as moved`,
            [projectId, listId, subscriberId, state, at, from],
          );
    return rows.length > 0;
  }

  /** In order of list, so that two calls for one subscriber cannot deadlock. */
  async leave(
    projectId: Id,
    subscriberId: Id,
    listIds: readonly Id[],
    campaignId: Id | undefined,
    at: Date,
  ): Promise<readonly Id[]> {
    if (listIds.length === 0) return [];
    const rows = await this.sql.query<{ listId: Id }>(
      `insert into pennypost_audience.subscription as n (project_id, list_id, subscriber_id, state, created_at, at, left_by)
       select $1, l.id, $2, 'unsubscribed', $4, $4, $5 from unnest($3::uuid[]) as l (id) order by l.id
       on conflict (project_id, list_id, subscriber_id) do update
         set state = excluded.state, at = excluded.at, left_by = excluded.left_by, left_state = n.state
         where n.state <> 'unsubscribed'
       returning list_id as "listId"`,
      [projectId, subscriberId, listIds, at, campaignId ?? null],
    );
    return rows.map((row) => row.listId);
  }

  /** By the primary keys of subscriber and suppression, `subscription_subscriber` and `consent_subscriber`. */
  async optOutFacts(
    projectId: Id,
    subscriberId: Id,
    campaignId: Id,
    listIds: readonly Id[],
    undoSince: Date,
  ): Promise<OptOutFacts> {
    const [facts] = await this.sql.query<OptOutFacts>(
      `select s.status = 'erased' as erased,
         coalesce(${stopsMarketing('suppressed.scopes')}, false) as suppressed,
         coalesce('marketing' = any(suppressed.scopes), false) as "marketingRefused",
         coalesce(lists.joined, 0) as joined, coalesce(lists.gone, 0) as left, coalesce(lists.by_link, 0) as "leftByLink",
         coalesce(lists.undoable, false) or exists (select from pennypost_audience.suppression u
           where u.project_id = $1 and u.email_key = s.email_key and u.scope = 'marketing' and u.reason = 'unsubscribe'
             and u.evidence->>'campaign' = $3::text and u.at >= $5) as undoable,
         (select count(*)::int from pennypost_audience.consent c
           where c.project_id = $1 and c.subscriber_id = $2 and c.action = 'resubscribe' and c.recorded_at >= $5) as undone
       from pennypost_audience.subscriber s
       ${SUPPRESSED}
       left join lateral (
         select (count(*) filter (where n.list_id = any($4::uuid[]) and n.state <> 'unsubscribed'))::int as joined,
           (count(*) filter (where n.list_id = any($4::uuid[]) and n.state = 'unsubscribed'))::int as gone,
           (count(*) filter (where n.list_id = any($4::uuid[]) and n.state = 'unsubscribed' and n.left_by = $3::uuid))::int as by_link,
           bool_or(n.state = 'unsubscribed' and n.left_by = $3::uuid and n.left_state is not null and n.at >= $5) as undoable
         from pennypost_audience.subscription n where n.project_id = $1 and n.subscriber_id = s.id) lists on true
       where s.project_id = $1 and s.id = $2`,
      [projectId, subscriberId, campaignId, listIds, undoSince],
    );
    // Unknown here, as after a restored backup: mailed by nothing.
    return facts ?? UNKNOWN;
  }

  /** By `subscription_subscriber`. A list that the subscriber was not on has no earlier state to restore. */
  async returnTo(projectId: Id, subscriberId: Id, campaignId: Id, since: Date, at: Date): Promise<readonly Id[]> {
    await this.sql.query(
      `delete from pennypost_audience.subscription
       where project_id = $1 and subscriber_id = $2 and state = 'unsubscribed' and left_by = $3 and left_state is null and at >= $4`,
      [projectId, subscriberId, campaignId, since],
    );
    const rows = await this.sql.query<{ listId: Id }>(
      `update pennypost_audience.subscription set state = left_state, at = $5, left_by = null, left_state = null
       where project_id = $1 and subscriber_id = $2 and state = 'unsubscribed' and left_by = $3 and left_state is not null and at >= $4
       returning list_id as "listId"`,
      [projectId, subscriberId, campaignId, since, at],
    );
    return rows.map((row) => row.listId);
  }

  async removeAll(projectId: Id, subscriberId: Id): Promise<void> {
    await this.sql.query('delete from pennypost_audience.subscription where project_id = $1 and subscriber_id = $2', [
      projectId,
      subscriberId,
    ]);
  }

  async addConsent(consent: Consent): Promise<void> {
    await this.sql.query(
      `insert into pennypost_audience.consent (project_id, id, subscriber_id, list_ids, action, source, ip, user_agent, text,
         text_version, import_id, given_at, recorded_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        consent.projectId,
        consent.id,
        consent.subscriberId,
        consent.listIds,
        consent.action,
        consent.source,
        consent.ip,
        consent.userAgent,
        consent.text,
        consent.textVersion,
        consent.importId,
        consent.givenAt,
        consent.recordedAt,
      ],
    );
  }

  /** Oldest first, by `consent_subscriber`. */
  consentsOf(projectId: Id, subscriberId: Id): Promise<readonly Consent[]> {
    return this.sql.query<Consent>(
      `select ${CONSENT} from pennypost_audience.consent where project_id = $1 and subscriber_id = $2 order by recorded_at, id limit 1000`,
      [projectId, subscriberId],
    );
  }

  /** By `consent_subscriber`. */
  async stripConsents(projectId: Id, subscriberId: Id): Promise<void> {
    await this.sql.query(
      'update pennypost_audience.consent set ip = null, user_agent = null, text = null where project_id = $1 and subscriber_id = $2',
      [projectId, subscriberId],
    );
  }
}

const UNKNOWN: OptOutFacts = {
  erased: true,
  suppressed: false,
  marketingRefused: false,
  joined: 0,
  left: 0,
  leftByLink: 0,
  undoable: false,
  undone: 0,
};
