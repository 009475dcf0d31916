import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { type AccessStore, ApiKey, type ApiKeyState, Project, type ProjectState, SlugTaken } from '../../domain/access/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import {
  decodeCursor,
  InvalidCursor,
  idAfter,
  type Page,
  type PageRequest,
  pageLimit,
  toPage,
} from '../../domain/shared/page.ts';
import type { Session } from './session.ts';

const PROJECT = `id, name, slug, sender_domain as "senderDomain", author_domains as "authorDomains", tracking_base_url as "trackingBaseUrl", postal_address as "postalAddress",
  time_zone as "timeZone", default_language as "defaultLanguage", keep_messages_days as "keepMessagesDays", keep_events_days as "keepEventsDays", verified_domains as "verifiedDomains", created_at as "createdAt", version`;
const KEY = `project_id as "projectId", id, name, scopes, secret_hash as "secretHash", requests_per_second as "requestsPerSecond",
  created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt", last_used_at as "lastUsedAt"`;

/** Before every id. */
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

export class PostgresAccessStore implements AccessStore {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async addProject(project: Project): Promise<void> {
    try {
      await this.session.em.persist(project).flush();
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException) throw new SlugTaken(project.slug);
      throw error;
    }
  }

  async findProject(projectId: Id): Promise<Project | undefined> {
    return (await this.session.em.findOne(Project, { id: projectId })) ?? undefined;
  }

  async findProjectBySlug(slug: string): Promise<Project | undefined> {
    return (await this.session.em.findOne(Project, { slug })) ?? undefined;
  }

  /** By the primary key; many times a second, so a plain statement without the ORM's bookkeeping. */
  async readProject(projectId: Id): Promise<Project | undefined> {
    const [project] = await this.session.sql.query<ProjectState>(
      `select ${PROJECT} from pennypost_access.project where id = $1`,
      [projectId],
    );
    return project === undefined ? undefined : new Project(project);
  }

  async removeProject(project: Project, at: Date): Promise<void> {
    const { sql, em } = this.session;
    await sql.query('delete from pennypost_access.api_key where project_id = $1', [project.id]);
    await sql.query('insert into pennypost_access.deleted_project (id, deleted_at) values ($1, $2)', [project.id, at]);
    await em.remove(project).flush();
  }

  async deletedProjects(): Promise<readonly Id[]> {
    const rows = await this.session.sql.query<{ id: Id }>(
      'select id from pennypost_access.deleted_project order by deleted_at, id',
    );
    return rows.map(({ id }) => id);
  }

  async forgetDeletedProject(projectId: Id): Promise<void> {
    await this.session.sql.query('delete from pennypost_access.deleted_project where id = $1', [projectId]);
  }

  /** By the primary key. */
  async timeZones(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, string>> {
    const rows = await this.session.sql.query<{ id: Id; timeZone: string }>(
      `select id, time_zone as "timeZone" from pennypost_access.project where id = any($1::uuid[])`,
      [projectIds],
    );
    return new Map(rows.map(({ id, timeZone }) => [id, timeZone]));
  }

  /** By the unique index on slug. */
  async listProjects(page: PageRequest): Promise<Page<Project>> {
    const limit = pageLimit(page);
    const rows = await this.session.sql.query<ProjectState>(
      `select ${PROJECT} from pennypost_access.project where slug > $1 order by slug limit $2`,
      [slugAfter(page), limit + 1],
    );
    return toPage(
      rows.map((row) => new Project(row)),
      limit,
      (project) => [project.slug],
    );
  }

  async addKey(key: ApiKey): Promise<void> {
    await this.session.em.persist(key).flush();
  }

  async findKey(projectId: Id, keyId: Id): Promise<ApiKey | undefined> {
    return (await this.session.em.findOne(ApiKey, { projectId, id: keyId })) ?? undefined;
  }

  /** By the primary key: ids are UUIDv7, so their order is that of creation. */
  async listKeys(projectId: Id, page: PageRequest): Promise<Page<ApiKey>> {
    const limit = pageLimit(page);
    const rows = await this.session.sql.query<ApiKeyState>(
      `select ${KEY} from pennypost_access.api_key where project_id = $1 and id > $2 order by id limit $3`,
      [projectId, idAfter(page) ?? FIRST_ID, limit + 1],
    );
    return toPage(
      rows.map((row) => new ApiKey(row)),
      limit,
      (key) => [key.id],
    );
  }

  /** By `api_key_secret`; on the path of every request, so plain statements without the ORM's bookkeeping. */
  async findKeyBySecretHash(secretHash: string): Promise<{ readonly key: ApiKey; readonly project: Project } | undefined> {
    const { sql } = this.session;
    // Both at once: neither waits for what the other finds.
    const [[key], [project]] = await Promise.all([
      sql.query<ApiKeyState>(`select ${KEY} from pennypost_access.api_key where secret_hash = $1`, [secretHash]),
      sql.query<ProjectState>(
        `select ${PROJECT} from pennypost_access.project
         where id = (select project_id from pennypost_access.api_key where secret_hash = $1)`,
        [secretHash],
      ),
    ]);
    return key === undefined || project === undefined ? undefined : { key: new ApiKey(key), project: new Project(project) };
  }

  async recordKeyUse(projectId: Id, keyId: Id, at: Date): Promise<void> {
    await this.session.sql.query(
      `update pennypost_access.api_key set last_used_at = greatest(last_used_at, $3) where project_id = $1 and id = $2`,
      [projectId, keyId, at],
    );
  }

  async readFingerprint(): Promise<string | undefined> {
    const [row] = await this.session.sql.query<{ fingerprint: string }>(
      'select key_fingerprint as fingerprint from pennypost_access.instance',
    );
    return row?.fingerprint;
  }

  async rememberFingerprint(fingerprint: string, older: readonly string[], at: Date): Promise<string> {
    await this.session.sql.query(
      `insert into pennypost_access.instance as i (key_fingerprint, created_at) values ($1, $2)
       on conflict (only_row) do update set key_fingerprint = excluded.key_fingerprint where i.key_fingerprint = any($3::text[])`,
      [fingerprint, at, older],
    );
    return (await this.readFingerprint()) ?? fingerprint;
  }

  async readPublicUrl(): Promise<string | undefined> {
    const [row] = await this.session.sql.query<{ url: string | null }>('select public_url as url from pennypost_access.instance');
    return row?.url ?? undefined;
  }

  async storePublicUrl(url: string, replaces: boolean): Promise<void> {
    await this.session.sql.query(
      `update pennypost_access.instance set public_url = $1
       where public_url is null or (public_url is distinct from $1 and $2)`,
      [url, replaces],
    );
  }
}

function slugAfter(page: PageRequest): string {
  if (page.after === undefined) return '';
  const [slug] = decodeCursor(page.after, 1);
  if (slug === undefined || !/^[a-z0-9-]+$/.test(slug)) throw new InvalidCursor();
  return slug;
}
