import { randomUUID } from 'node:crypto';
import { recordEngagement } from '../../../src/application/tracking/record-engagement.ts';
import { AccessService } from '../../../src/domain/access/index.ts';
import { AnalyticsService } from '../../../src/domain/analytics/index.ts';
import type { Clock } from '../../../src/domain/shared/clock.ts';
import { type EngagementEvent, TrackingService, type UnsubscribeEvent } from '../../../src/domain/tracking/index.ts';
import { PostgresDomainStore } from '../../../src/infrastructure/postgres/access-domains.ts';
import { PostgresAccessStore } from '../../../src/infrastructure/postgres/access-store.ts';
import { PostgresAnalyticsStore } from '../../../src/infrastructure/postgres/analytics-store.ts';
import { inTransaction, type Session } from '../../../src/infrastructure/postgres/session.ts';
import { PostgresTrackingStore } from '../../../src/infrastructure/postgres/tracking-store.ts';
import { openTestOrm } from '../../support/database.ts';

export interface Contexts {
  readonly access: AccessService;
  readonly tracking: TrackingService;
  readonly analytics: AnalyticsService;
  readonly session: Session;
}

/** The contexts that meet when somebody opens or clicks, on a database of their own. */
export interface EngagementWorld {
  /** The clock that the services ask. */
  now: Date;
  run<T>(work: (contexts: Contexts) => Promise<T>): Promise<T>;
  createProject(timeZone: string): Promise<string>;
  /** What a commit of the recorder does. */
  record(events: readonly EngagementEvent[]): Promise<void>;
  rows<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export async function openEngagementWorld(): Promise<EngagementWorld> {
  const { orm, close } = await openTestOrm();
  const world = {
    now: new Date('2026-11-22T10:00:00Z'),
    run: <T>(work: (contexts: Contexts) => Promise<T>): Promise<T> => inTransaction(orm, (session) => work(contextsOf(session))),
    createProject: (timeZone: string): Promise<string> =>
      world.run(async ({ access }) => {
        const slug = `project-${randomUUID().slice(0, 8)}`;
        return (await access.createProject({ name: slug, slug, senderDomain: 'news.example.com', timeZone })).id;
      }),
    record: (events: readonly EngagementEvent[]): Promise<void> => world.run((contexts) => recordEngagement(contexts, events)),
    rows: <Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> =>
      world.run(({ session }) => session.sql.query<Row>(sql, values)),
    close,
  };
  const clock: Clock = { now: () => world.now, monotonic: () => performance.now() };
  const contextsOf = (session: Session): Contexts => ({
    access: new AccessService({
      store: new PostgresAccessStore(session),
      domains: new PostgresDomainStore(session),
      clock,
      ids: { next: () => randomUUID() },
    }),
    tracking: new TrackingService({ store: new PostgresTrackingStore(session), clock }),
    analytics: new AnalyticsService({ store: new PostgresAnalyticsStore(session), clock }),
    session,
  });
  return world;
}

const facts = {
  messageId: undefined,
  link: undefined,
  method: 'GET',
  userAgent: 'Mozilla/5.0',
  secFetchSite: undefined,
  secFetchMode: 'navigate',
  secFetchDest: undefined,
  purpose: undefined,
  network: '203.0.113.0/24',
  requests: 1,
};

type Given = Pick<EngagementEvent, 'projectId' | 'mailingId' | 'subscriberId'> & {
  readonly at?: Date;
  readonly id?: string;
  readonly userAgent?: string;
};

export const anOpen = (given: Given): EngagementEvent => ({
  ...facts,
  id: randomUUID(),
  at: new Date('2026-11-22T10:00:00Z'),
  kind: 'open',
  lastAt: given.at ?? new Date('2026-11-22T10:00:00Z'),
  ...given,
});

export const aClick = (given: Given & { readonly link: number }): EngagementEvent => ({
  ...anOpen(given),
  kind: 'click',
  link: given.link,
});

export const anUnsubscribe = (given: {
  readonly projectId: string;
  readonly mailingId: string;
  readonly subscriberId: string;
  readonly at?: Date;
}): UnsubscribeEvent => {
  const at = given.at ?? new Date('2026-11-22T10:00:00Z');
  return { ...facts, id: randomUUID(), at, lastAt: at, kind: 'unsubscribe', ...given };
};
