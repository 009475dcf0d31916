import { UniqueConstraintViolationException } from '@mikro-orm/core';
import {
  AddressTaken,
  type AudienceFilter,
  type AudienceStore,
  type Consent,
  type Exclusion,
  type ExclusionCounts,
  type ExclusionSearch,
  type Import,
  List,
  type ListCounts,
  type ListSearch,
  type ListState,
  Subscriber,
  type SubscriberSearch,
  type SubscriberState,
  type Subscription,
  type SubscriptionState,
  type Suppression,
  type SuppressionScope,
  type SuppressionSearch,
} from '../../domain/audience/index.ts';
import { parseEmailAddress } from '../../domain/shared/email-address.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../domain/shared/page.ts';
import * as explanation from './audience-explanation.ts';
import * as opting from './audience-opt-outs.ts';
import * as recipients from './audience-recipients.ts';
import * as records from './audience-records.ts';
import { pageWithinBudget } from './page-budget.ts';
import type { Session } from './session.ts';

const LIST = `project_id as "projectId", id, name, slug, description, double_opt_in as "doubleOptIn", archived_at as "archivedAt",
  created_at as "createdAt", updated_at as "updatedAt", version`;
const SUBSCRIBER = `s.project_id as "projectId", s.id, s.address, s.email_key as "emailKey", s.status, s.locale, s.time_zone as "timeZone",
  s.attributes, s.created_at as "createdAt", s.updated_at as "updatedAt", s.erased_at as "erasedAt", s.version`;
const SUBSCRIPTION = `project_id as "projectId", list_id as "listId", subscriber_id as "subscriberId", state, created_at as "createdAt", at`;

/** Subscribers, lists and subscriptions here; `audience-recipients.ts` judges who is mailed, `audience-records.ts` keeps the rest. */
export class PostgresAudienceStore implements AudienceStore {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** By `list_slug`. */
  async addList(list: List): Promise<boolean> {
    const rows = await this.session.sql.query(
      `insert into pennypost_audience.list (project_id, id, name, slug, description, double_opt_in, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (project_id, slug) do nothing returning 1 as added`,
      [list.projectId, list.id, list.name, list.slug, list.description, list.doubleOptIn, list.createdAt, list.updatedAt],
    );
    return rows.length > 0;
  }

  async findList(projectId: Id, id: Id): Promise<List | undefined> {
    return (await this.session.em.findOne(List, { projectId, id })) ?? undefined;
  }

  async findListBySlug(projectId: Id, slug: string): Promise<List | undefined> {
    return (await this.session.em.findOne(List, { projectId, slug })) ?? undefined;
  }

  /** Newest first, by the primary key: ids are UUIDv7. */
  async lists(projectId: Id, search: ListSearch): Promise<Page<List>> {
    const limit = pageLimit(search);
    const rows = await this.session.sql.query<ListState>(
      `select ${LIST} from pennypost_audience.list
       where project_id = $1 and ($2::uuid is null or id < $2::uuid) and ($3 or archived_at is null) order by id desc limit $4`,
      [projectId, idAfter(search) ?? null, search.includeArchived ?? false, limit + 1],
    );
    return toPage(
      rows.map((row) => new List(row)),
      limit,
      (list) => [list.id],
    );
  }

  /** Reads the lists whole, by the primary key of subscription. */
  listCounts(projectId: Id, listIds: readonly Id[]): Promise<readonly ListCounts[]> {
    return this.session.sql.query<ListCounts>(
      `select l.id as "listId",
         count(*) filter (where n.state = 'unconfirmed')::int as unconfirmed,
         count(*) filter (where n.state = 'confirmed')::int as confirmed,
         count(*) filter (where n.state = 'unsubscribed')::int as unsubscribed
       from pennypost_audience.list l
       left join pennypost_audience.subscription n on n.project_id = l.project_id and n.list_id = l.id
       where l.project_id = $1 and l.id = any($2::uuid[]) group by l.id`,
      [projectId, listIds],
    );
  }

  /** By the primary keys. The list first: who unsubscribes meanwhile sees that it goes, and does not wait. */
  async removeList(list: List): Promise<void> {
    await this.session.sql.query('select 1 as locked from pennypost_audience.list where project_id = $1 and id = $2 for update', [
      list.projectId,
      list.id,
    ]);
    await this.session.sql.query('delete from pennypost_audience.subscription where project_id = $1 and list_id = $2', [
      list.projectId,
      list.id,
    ]);
    await this.session.em.remove(list).flush();
  }

  /** By `subscriber_email_key`. */
  async addSubscriber(subscriber: Subscriber): Promise<boolean> {
    const { projectId, id, address, emailKey, status, locale, timeZone, attributes, createdAt, updatedAt } = subscriber;
    const rows = await this.session.sql.query(
      `insert into pennypost_audience.subscriber
         (project_id, id, address, email_key, status, locale, time_zone, attributes, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (project_id, email_key) do nothing returning 1 as added`,
      [projectId, id, address, emailKey, status, locale, timeZone, JSON.stringify(attributes), createdAt, updatedAt],
    );
    return rows.length > 0;
  }

  async findSubscriber(projectId: Id, id: Id, options: { readonly lock: boolean } = { lock: false }) {
    if (options.lock) await opting.lockSubscriber(this.session.sql, projectId, id);
    return (await this.session.em.findOne(Subscriber, { projectId, id }, { refresh: options.lock })) ?? undefined;
  }

  holdSubscriber(projectId: Id, id: Id) {
    return opting.holdSubscriber(this.session.sql, projectId, id);
  }

  holdAddress(projectId: Id, emailKey: string): Promise<void> {
    return opting.holdAddress(this.session.sql, projectId, emailKey);
  }

  holdLists(projectId: Id, listIds: readonly Id[]): Promise<readonly Id[]> {
    return opting.holdLists(this.session.sql, projectId, listIds);
  }

  /** By `subscriber_email_key`. */
  async findSubscriberByKey(
    projectId: Id,
    emailKey: string,
    options: { readonly lock: boolean } = { lock: false },
  ): Promise<Subscriber | undefined> {
    if (options.lock) {
      const locked = await this.session.sql.query(
        'select 1 as locked from pennypost_audience.subscriber where project_id = $1 and email_key = $2 for no key update',
        [projectId, emailKey],
      );
      // Whoever appears between the two statements is not locked, and so not found.
      if (locked.length === 0) return undefined;
    }
    return (await this.session.em.findOne(Subscriber, { projectId, emailKey })) ?? undefined;
  }

  async saveAddress(subscriber: Subscriber): Promise<void> {
    try {
      await this.session.em.flush();
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException) throw new AddressTaken(subscriber.address ?? '');
      throw error;
    }
  }

  /**
   * Newest first, by the primary key of subscriber, or of subscription when a list is named. A text is compared with every
   * row of the project on the way: half a second for a million people.
   */
  async search(projectId: Id, search: SubscriberSearch): Promise<Page<Subscriber>> {
    const values: unknown[] = [projectId, idAfter(search) ?? null, search.status ?? 'active'];
    const parameter = (value: unknown): string => `$${values.push(value)}`;
    const conditions = ['s.project_id = $1', '($2::uuid is null or s.id < $2::uuid)', 's.status = $3'];
    if (search.listId !== undefined) {
      const state = search.state === undefined ? '' : `and n.state = ${parameter(search.state)}`;
      conditions.push(`exists (select from pennypost_audience.subscription n
        where n.project_id = $1 and n.list_id = ${parameter(search.listId)} and n.subscriber_id = s.id ${state})`);
    }
    const text = search.text?.trim() ?? '';
    const key = addressKey(text);
    if (key !== undefined) conditions.push(`s.email_key = ${parameter(key)}`);
    else if (text !== '') {
      const pattern = parameter(`%${text.replace(/[\\%_]/g, '\\$&')}%`);
      conditions.push(
        `(s.email_key like lower(${pattern}) or exists (select from jsonb_each_text(s.attributes) a where a.value ilike ${pattern}))`,
      );
    }
    const page = await pageWithinBudget<SubscriberState>(
      this.session.sql,
      {
        select: SUBSCRIBER,
        from: `pennypost_audience.subscriber s where ${conditions.join(' and ')}`,
        orderBy: 's.id desc',
        octets: 'octet_length(s.attributes::text)',
        values,
        limit: pageLimit(search),
      },
      (subscriber) => [subscriber.id],
    );
    return { items: page.items.map((row) => new Subscriber(row)), next: page.next };
  }

  /** By the primary key. */
  async findSubscription(projectId: Id, listId: Id, subscriberId: Id): Promise<Subscription | undefined> {
    const [row] = await this.session.sql.query<Subscription>(
      `select ${SUBSCRIPTION} from pennypost_audience.subscription
       where project_id = $1 and list_id = $2 and subscriber_id = $3 for no key update`,
      [projectId, listId, subscriberId],
    );
    return row;
  }

  /** By `subscription_subscriber`. */
  subscriptionsOf(projectId: Id, subscriberIds: readonly Id[]): Promise<readonly Subscription[]> {
    return this.session.sql.query<Subscription>(
      `select ${SUBSCRIPTION} from pennypost_audience.subscription
       where project_id = $1 and subscriber_id = any($2::uuid[]) order by subscriber_id, list_id`,
      [projectId, subscriberIds],
    );
  }

  async moveSubscription(subscription: Subscription, from: SubscriptionState | undefined): Promise<boolean> {
    const { projectId, listId, subscriberId, state, createdAt, at } = subscription;
    const rows =
      from === undefined
        ? await this.session.sql.query(
            `insert into pennypost_audience.subscription (project_id, list_id, subscriber_id, state, created_at, at)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning 1 as moved`,
            [projectId, listId, subscriberId, state, createdAt, at],
          )
        : await this.session.sql.query(
            `update pennypost_audience.subscription set state = $4, at = $5, left_by = null, left_state = null
             where project_id = $1 and list_id = $2 and subscriber_id = $3 and state = $6 returning 1 as moved`,
            [projectId, listId, subscriberId, state, at, from],
          );
    return rows.length > 0;
  }

  leave(projectId: Id, subscriberId: Id, listIds: readonly Id[], campaignId: Id | undefined, at: Date) {
    return opting.leave(this.session.sql, projectId, subscriberId, listIds, campaignId, at);
  }

  optOutFacts(projectId: Id, subscriberId: Id, campaignId: Id, listIds: readonly Id[], undoSince: Date) {
    return opting.optOutFacts(this.session.sql, projectId, subscriberId, campaignId, listIds, undoSince);
  }

  returnTo(projectId: Id, subscriberId: Id, campaignId: Id, since: Date, at: Date) {
    return opting.returnTo(this.session.sql, projectId, subscriberId, campaignId, since, at);
  }

  liftOptOut(projectId: Id, emailKey: string, campaignId: Id, since: Date): Promise<boolean> {
    return opting.liftOptOut(this.session.sql, projectId, emailKey, campaignId, since);
  }

  liftMarketingOptOut(projectId: Id, emailKey: string): Promise<void> {
    return opting.liftMarketingOptOut(this.session.sql, projectId, emailKey);
  }

  async removeSubscriptions(projectId: Id, subscriberId: Id): Promise<void> {
    await this.session.sql.query('delete from pennypost_audience.subscription where project_id = $1 and subscriber_id = $2', [
      projectId,
      subscriberId,
    ]);
  }

  addConsent(consent: Consent): Promise<void> {
    return records.addConsent(this.session.sql, consent);
  }

  consentsOf(projectId: Id, subscriberId: Id) {
    return records.consentsOf(this.session.sql, projectId, subscriberId);
  }

  /** By `consent_subscriber`. */
  async stripConsents(projectId: Id, subscriberId: Id): Promise<void> {
    await this.session.sql.query(
      'update pennypost_audience.consent set ip = null, user_agent = null, text = null where project_id = $1 and subscriber_id = $2',
      [projectId, subscriberId],
    );
  }

  addSuppression(suppression: Suppression): Promise<boolean> {
    return records.addSuppression(this.session.sql, suppression);
  }

  copyWishes(projectId: Id, from: string, to: string): Promise<void> {
    return records.copyWishes(this.session.sql, projectId, from, to);
  }

  removeSuppressions(projectId: Id, emailKeys: readonly string[], scope: SuppressionScope | undefined): Promise<number> {
    return records.removeSuppressions(this.session.sql, projectId, emailKeys, scope);
  }

  suppressionsOf(projectId: Id, emailKeys: readonly string[]) {
    return records.suppressionsOf(this.session.sql, projectId, emailKeys);
  }

  suppressions(projectId: Id, search: SuppressionSearch) {
    return records.suppressions(this.session.sql, projectId, search);
  }

  audiencePage(projectId: Id, filter: AudienceFilter, after: Id | undefined, limit: number) {
    return recipients.audiencePage(this.session.sql, projectId, filter, after, limit);
  }

  countAudience(projectId: Id, filter: AudienceFilter): Promise<number> {
    return recipients.countAudience(this.session.sql, projectId, filter);
  }

  countExclusions(projectId: Id, filter: AudienceFilter): Promise<ExclusionCounts> {
    return explanation.countExclusions(this.session.sql, projectId, filter);
  }

  exclusions(projectId: Id, filter: AudienceFilter, search: ExclusionSearch): Promise<Page<Exclusion>> {
    return explanation.exclusions(this.session.sql, projectId, filter, search);
  }

  excludedIds(projectId: Id, filter: AudienceFilter) {
    return explanation.excludedIds(this.session.sql, projectId, filter);
  }

  recipients(projectId: Id, ids: readonly Id[], lists: readonly Id[]) {
    return recipients.recipients(this.session.sql, projectId, ids, lists);
  }

  refusals(projectId: Id, ids: readonly Id[], lists: readonly Id[]) {
    return recipients.refusals(this.session.sql, projectId, ids, lists);
  }

  addImport(imported: Import): Promise<void> {
    return records.addImport(this.session.sql, imported);
  }

  findImport(projectId: Id, id: Id) {
    return records.findImport(this.session.sql, projectId, id);
  }

  imports(projectId: Id, page: PageRequest) {
    return records.imports(this.session.sql, projectId, page);
  }

  stripRejections(projectId: Id, emailKey: string): Promise<number> {
    return records.stripRejections(this.session.sql, projectId, emailKey);
  }

  rejections(projectId: Id, importId: Id, page: PageRequest) {
    return records.rejections(this.session.sql, projectId, importId, page);
  }

  failImport(projectId: Id, id: Id, failure: string, at: Date): Promise<boolean> {
    return records.failImport(this.session.sql, projectId, id, failure, at);
  }

  failAbandonedImports(projectId: Id, before: Date, failure: string, at: Date): Promise<number> {
    return records.failAbandonedImports(this.session.sql, projectId, before, failure, at);
  }
}

/** The key to look for when the text is a whole address. */
function addressKey(text: string): string | undefined {
  if (!text.includes('@')) return undefined;
  try {
    return parseEmailAddress(text).key;
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
