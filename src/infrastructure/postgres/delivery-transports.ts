import type {
  FailingTransport,
  ProjectRoute,
  SealedCredentials,
  SealedTransport,
  StoredTransport,
  TransportHealth,
  TransportStore,
} from '../../domain/delivery/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Session } from './session.ts';
import type { Sql } from './sql.ts';

const TRANSPORT = `project_id as "projectId", id, slug, name, kind, settings, secret_names as "secretNames", secrets,
  max_connections as "maxConnections", messages_per_second as "messagesPerSecond", state, version, created_at as "createdAt", updated_at as "updatedAt"`;
const ROUTE = `project_id as "projectId", id, transport_id as "transportId", lane, receiving_group as "receivingGroup", priority, weight,
  created_at as "createdAt"`;
const HEALTH = `transport_id as "transportId", state, cause, reason, openings, changed_at as "changedAt", next_trial_at as "nextTrialAt",
  trial_by as "trialBy", trial_until as "trialUntil", change`;

/** Part of every statement that changes how the messages of project $1 leave. */
const REVISED = `revised as (
  insert into pennypost_delivery.routing as known (project_id, revision) values ($1, 1)
  on conflict (project_id) do update set revision = known.revision + 1)`;

type Nullable<T> = { readonly [Name in keyof T]: undefined extends T[Name] ? Exclude<T[Name], undefined> | null : T[Name] };
type TransportRow = Nullable<StoredTransport> & { readonly secrets: Uint8Array | null };
type HealthRow = Nullable<TransportHealth> & { readonly transportId: Id };

const toTransport = ({ secrets, ...row }: TransportRow): SealedTransport => ({
  transport: {
    ...row,
    maxConnections: row.maxConnections ?? undefined,
    messagesPerSecond: row.messagesPerSecond ?? undefined,
  },
  sealed: secrets ?? undefined,
});

const toRoute = (row: Nullable<ProjectRoute>): ProjectRoute => ({
  ...row,
  lane: row.lane ?? undefined,
  receivingGroup: row.receivingGroup ?? undefined,
});

const toHealth = ({ transportId, ...row }: HealthRow): TransportHealth => ({
  ...row,
  cause: row.cause ?? undefined,
  reason: row.reason ?? undefined,
  changedAt: row.changedAt ?? undefined,
  nextTrialAt: row.nextTrialAt ?? undefined,
  trialBy: row.trialBy ?? undefined,
  trialUntil: row.trialUntil ?? undefined,
});

/** Transports, routes and health of projects, over PostgreSQL. */
export class PostgresTransportStore implements TransportStore {
  readonly #sql: Sql;

  constructor(session: Session) {
    this.#sql = session.sql;
  }

  /** The unique constraint on the slug detects one that is taken. */
  async add(transport: StoredTransport, sealed: Uint8Array | undefined): Promise<boolean> {
    const rows = await this.#sql.query(
      `with ${REVISED}
       insert into pennypost_delivery.transport (project_id, id, slug, name, kind, settings, secret_names, secrets, max_connections,
         messages_per_second, state, version, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
       on conflict (project_id, slug) do nothing returning 1 as added`,
      [
        transport.projectId,
        transport.id,
        transport.slug,
        transport.name,
        transport.kind,
        JSON.stringify(transport.settings),
        transport.secretNames,
        sealed ?? null,
        transport.maxConnections ?? null,
        transport.messagesPerSecond ?? null,
        transport.state,
        transport.version,
        transport.createdAt,
        transport.updatedAt,
      ],
    );
    return rows.length > 0;
  }

  find(projectId: Id, id: Id): Promise<SealedTransport | undefined> {
    return this.#one('where project_id = $1 and id = $2', [projectId, id]);
  }

  lock(projectId: Id, id: Id): Promise<SealedTransport | undefined> {
    return this.#one('where project_id = $1 and id = $2 for update', [projectId, id]);
  }

  findBySlug(projectId: Id, slug: string): Promise<SealedTransport | undefined> {
    return this.#one('where project_id = $1 and slug = $2', [projectId, slug]);
  }

  /** Index: primary key; ids are UUIDv7. */
  all(projectId: Id): Promise<readonly SealedTransport[]> {
    return this.#many('where project_id = $1 order by id', [projectId]);
  }

  async save(transport: StoredTransport, sealed: Uint8Array | undefined): Promise<void> {
    await this.#sql.query(
      `with ${REVISED}
       update pennypost_delivery.transport set name = $3, settings = $4, secret_names = $5, secrets = $6, max_connections = $7,
         messages_per_second = $8, state = $9, version = $10, updated_at = $11
       where project_id = $1 and id = $2`,
      [
        transport.projectId,
        transport.id,
        transport.name,
        JSON.stringify(transport.settings),
        transport.secretNames,
        sealed ?? null,
        transport.maxConnections ?? null,
        transport.messagesPerSecond ?? null,
        transport.state,
        transport.version,
        transport.updatedAt,
      ],
    );
  }

  async remove(projectId: Id, id: Id): Promise<boolean> {
    const rows = await this.#sql.query(
      `with ${REVISED}
       delete from pennypost_delivery.transport t where project_id = $1 and id = $2
         and not exists (select from pennypost_delivery.route r where r.project_id = $1 and r.transport_id = $2)
       returning 1 as removed`,
      [projectId, id],
    );
    return rows.length > 0;
  }

  /** The foreign key waits for a deletion of the transport that is under way. */
  async addRoute(route: ProjectRoute): Promise<void> {
    await this.#sql.query(
      `with ${REVISED}
       insert into pennypost_delivery.route (project_id, id, transport_id, lane, receiving_group, priority, weight, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        route.projectId,
        route.id,
        route.transportId,
        route.lane ?? null,
        route.receivingGroup ?? null,
        route.priority,
        route.weight,
        route.createdAt,
      ],
    );
  }

  async findRoute(projectId: Id, id: Id): Promise<ProjectRoute | undefined> {
    const [row] = await this.#sql.query<Nullable<ProjectRoute>>(
      `select ${ROUTE} from pennypost_delivery.route where project_id = $1 and id = $2`,
      [projectId, id],
    );
    return row && toRoute(row);
  }

  async routes(projectId: Id): Promise<readonly ProjectRoute[]> {
    const rows = await this.#sql.query<Nullable<ProjectRoute>>(
      `select ${ROUTE} from pennypost_delivery.route where project_id = $1 order by id`,
      [projectId],
    );
    return rows.map(toRoute);
  }

  async saveRoute({ projectId, id, priority, weight }: ProjectRoute): Promise<void> {
    await this.#sql.query(
      `with ${REVISED} update pennypost_delivery.route set priority = $3, weight = $4 where project_id = $1 and id = $2`,
      [projectId, id, priority, weight],
    );
  }

  async removeRoute(projectId: Id, id: Id): Promise<void> {
    await this.#sql.query(`with ${REVISED} delete from pennypost_delivery.route where project_id = $1 and id = $2`, [
      projectId,
      id,
    ]);
  }

  async health(projectId: Id, transportId: Id): Promise<TransportHealth | undefined> {
    const [row] = await this.#sql.query<HealthRow>(
      `select ${HEALTH} from pennypost_delivery.transport_health where project_id = $1 and transport_id = $2`,
      [projectId, transportId],
    );
    return row && toHealth(row);
  }

  async healthOf(projectId: Id): Promise<ReadonlyMap<Id, TransportHealth>> {
    const rows = await this.#sql.query<HealthRow>(
      `select ${HEALTH} from pennypost_delivery.transport_health where project_id = $1`,
      [projectId],
    );
    return new Map(rows.map((row) => [row.transportId, toHealth(row)]));
  }

  /** The first failure makes the row; of two workers that make it, one waits here and then finds another number of changes. */
  async saveHealth(projectId: Id, transportId: Id, health: TransportHealth): Promise<boolean> {
    const rows = await this.#sql.query(
      `with ${REVISED}
       insert into pennypost_delivery.transport_health as known (project_id, transport_id, state, cause, reason, openings, changed_at,
         next_trial_at, trial_by, trial_until, change)
       select $1, $2::uuid, $3, $4, $5, $6::int, $7::timestamptz, $8::timestamptz, $9::uuid, $10::timestamptz, $11::int
         from pennypost_delivery.transport where project_id = $1 and id = $2
       on conflict (project_id, transport_id) do update set state = excluded.state, cause = excluded.cause, reason = excluded.reason,
         openings = excluded.openings, changed_at = excluded.changed_at, next_trial_at = excluded.next_trial_at,
         trial_by = excluded.trial_by, trial_until = excluded.trial_until, change = excluded.change
       where known.change = excluded.change - 1
       returning 1 as saved`,
      [
        projectId,
        transportId,
        health.state,
        health.cause ?? null,
        health.reason?.replaceAll('\0', '') ?? null,
        health.openings,
        health.changedAt ?? null,
        health.nextTrialAt ?? null,
        health.trialBy ?? null,
        health.trialUntil ?? null,
        health.change,
      ],
    );
    return rows.length > 0;
  }

  /** Reads a row for each transport that has ever failed. */
  async failing(limit: number): Promise<readonly FailingTransport[]> {
    const rows = await this.#sql.query<Nullable<FailingTransport>>(
      `select t.project_id as "projectId", t.slug as transport, h.state, h.cause, h.reason, h.changed_at as "changedAt",
         h.next_trial_at as "nextTrialAt"
       from pennypost_delivery.transport_health h
       join pennypost_delivery.transport t on (t.project_id, t.id) = (h.project_id, h.transport_id)
       where h.state <> 'closed' order by h.changed_at, t.id limit $1`,
      [limit],
    );
    return rows.map((row) => ({
      ...row,
      cause: row.cause ?? undefined,
      reason: row.reason ?? undefined,
      changedAt: row.changedAt ?? undefined,
      nextTrialAt: row.nextTrialAt ?? undefined,
    }));
  }

  /** Index: primary key. */
  async revisions(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, number>> {
    const rows = await this.#sql.query<{ projectId: Id; revision: string }>(
      'select project_id as "projectId", revision from pennypost_delivery.routing where project_id = any($1::uuid[])',
      [projectIds],
    );
    return new Map(rows.map(({ projectId, revision }) => [projectId, Number(revision)]));
  }

  /** Index: primary key. */
  async sealed(after: { projectId: Id; id: Id } | undefined, limit: number): Promise<readonly SealedCredentials[]> {
    return this.#sql.query<SealedCredentials>(
      `select project_id as "projectId", id, secrets as sealed from pennypost_delivery.transport
       where secrets is not null and ($1::uuid is null or (project_id, id) > ($1::uuid, $2::uuid)) order by project_id, id limit $3`,
      [after?.projectId ?? null, after?.id ?? null, limit],
    );
  }

  async reseal({ projectId, id, sealed }: SealedCredentials, again: Uint8Array): Promise<boolean> {
    const rows = await this.#sql.query(
      `update pennypost_delivery.transport set secrets = $4 where project_id = $1 and id = $2 and secrets = $3 returning 1 as resealed`,
      [projectId, id, sealed, again],
    );
    return rows.length > 0;
  }

  async #one(where: string, values: readonly unknown[]): Promise<SealedTransport | undefined> {
    return (await this.#many(where, values))[0];
  }

  async #many(where: string, values: readonly unknown[]): Promise<SealedTransport[]> {
    const rows = await this.#sql.query<TransportRow>(`select ${TRANSPORT} from pennypost_delivery.transport ${where}`, values);
    return rows.map(toTransport);
  }
}
