import { UniqueConstraintViolationException } from '@mikro-orm/core';
import {
  AddressTaken,
  Subscriber,
  type SubscriberAddress,
  type SubscriberSearch,
  type SubscriberState,
  type SubscriberStore,
} from '../../domain/audience/index.ts';
import { parseEmailAddress } from '../../domain/shared/email-address.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import type { Id } from '../../domain/shared/ids.ts';
import { idAfter, type Page, pageLimit } from '../../domain/shared/page.ts';
import { pageWithinBudget } from './page-budget.ts';
import type { Session } from './session.ts';

const SUBSCRIBER = `s.project_id as "projectId", s.id, s.address, s.email_key as "emailKey", s.status, s.locale, s.time_zone as "timeZone",
  s.attributes, s.created_at as "createdAt", s.updated_at as "updatedAt", s.erased_at as "erasedAt", s.version`;

/** Subscribers over PostgreSQL: one by MikroORM, locks and searches by SQL. */
export class PostgresSubscriberStore implements SubscriberStore {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** By `subscriber_email_key`. */
  async add(subscriber: Subscriber): Promise<boolean> {
    const { projectId, id, address, emailKey, status, locale, timeZone, attributes, createdAt, updatedAt } = subscriber;
    const rows = await this.session.sql.query(
      `insert into pennypost_audience.subscriber
         (project_id, id, address, email_key, status, locale, time_zone, attributes, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (project_id, email_key) do nothing returning 1 as added`,
      [projectId, id, address, emailKey, status, locale, timeZone, JSON.stringify(attributes), createdAt, updatedAt],
    );
    return rows.length > 0;
  }

  async find(projectId: Id, id: Id, options: { readonly lock: boolean } = { lock: false }): Promise<Subscriber | undefined> {
    // Waits for everything that is being added for the subscriber, and lets nothing more be added.
    if (options.lock)
      await this.session.sql.query(
        'select 1 as locked from pennypost_audience.subscriber where project_id = $1 and id = $2 for update',
        [projectId, id],
      );
    return (await this.session.em.findOne(Subscriber, { projectId, id }, { refresh: options.lock })) ?? undefined;
  }

  /** By `subscriber_email_key`. */
  async findByKey(
    projectId: Id,
    emailKey: string,
    options: { readonly lock: boolean } = { lock: false },
  ): Promise<Subscriber | undefined> {
    if (options.lock) {
      const locked = await this.session.sql.query(
        'select 1 as locked from pennypost_audience.subscriber where project_id = $1 and email_key = $2 for no key update',
        [projectId, emailKey],
      );
      // A subscriber that appears between the two statements is not locked, and so not found.
      if (locked.length === 0) return undefined;
    }
    return (await this.session.em.findOne(Subscriber, { projectId, emailKey })) ?? undefined;
  }

  /** `for key share` gives way to no change of attributes, and so not to an import: only an erasure holds it up. */
  async hold(projectId: Id, id: Id): Promise<{ readonly id: Id; readonly emailKey: string | null } | undefined> {
    const [row] = await this.session.sql.query<{ id: Id; emailKey: string | null }>(
      `select id, email_key as "emailKey" from pennypost_audience.subscriber where project_id = $1 and id = $2 for key share`,
      [projectId, id],
    );
    return row;
  }

  /** By `subscriber_email_key`. */
  async holdAddress(projectId: Id, emailKey: string): Promise<void> {
    await this.session.sql.query(
      'select 1 as held from pennypost_audience.subscriber where project_id = $1 and email_key = $2 for key share',
      [projectId, emailKey],
    );
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
   * row of the project on the way: half a second for a million subscribers.
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
  async addressesOf(projectId: Id, ids: readonly Id[]): Promise<ReadonlyMap<Id, SubscriberAddress>> {
    const rows = await this.session.sql.query<{ id: Id; address: string; locale: string | null }>(
      `select id, address, locale from pennypost_audience.subscriber
       where project_id = $1 and id = any($2::uuid[]) and address is not null`,
      [projectId, ids],
    );
    return new Map(rows.map(({ id, address, locale }) => [id, { address, locale: locale ?? undefined }]));
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
