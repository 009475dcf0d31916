import type { Clock } from '../shared/clock.ts';
import { NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import { ForeignSecretKey, Unauthenticated } from './access-errors.ts';
import type { AccessStore } from './access-store.ts';
import { ApiKey, type NewApiKey } from './api-key.ts';
import { generateApiSecret, hashApiSecret, isApiSecret } from './api-secret.ts';
import { Caller } from './caller.ts';
import { AccessDomains } from './domains/access-domains.ts';
import type { DomainStore } from './domains/domain-store.ts';
import { type NewProject, Project, type ProjectChanges } from './project.ts';

/** The verbs of the context. Each runs inside the caller's unit of work. */
export class AccessService {
  readonly domains: AccessDomains;
  private readonly store: AccessStore;
  private readonly clock: Clock;
  private readonly ids: Ids;

  constructor(deps: { store: AccessStore; domains: DomainStore; clock: Clock; ids: Ids }) {
    this.domains = new AccessDomains({ store: deps.domains, clock: deps.clock, ids: deps.ids });
    this.store = deps.store;
    this.clock = deps.clock;
    this.ids = deps.ids;
  }

  /** @throws InvalidInput, SlugTaken */
  async createProject(wish: NewProject): Promise<Project> {
    const project = Project.create(this.ids.next(), wish, this.clock.now());
    await this.store.addProject(project);
    return project;
  }

  /** @throws InvalidInput, NotFound */
  async updateProject(projectId: Id, changes: ProjectChanges): Promise<Project> {
    const project = await this.getProject(projectId);
    project.change(changes);
    return project;
  }

  /** By id or by slug. @throws NotFound */
  async getProject(idOrSlug: string): Promise<Project> {
    const project = isId(idOrSlug)
      ? await this.store.findProject(idOrSlug.toLowerCase())
      : await this.store.findProjectBySlug(idOrSlug);
    if (project === undefined) throw new NotFound('project', idOrSlug);
    return project;
  }

  /** The project as it is, for reading alone: changes to what is returned are not stored. @throws NotFound */
  async readProject(projectId: Id): Promise<Project> {
    const project = await this.store.readProject(projectId);
    if (project === undefined) throw new NotFound('project', projectId);
    return project;
  }

  /** By the ids of the projects, without loading them. @throws NotFound for the first one that is gone */
  async timeZones(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, string>> {
    const found = await this.store.timeZones(projectIds);
    for (const id of projectIds) if (!found.has(id)) throw new NotFound('project', id);
    return found;
  }

  listProjects(page: PageRequest = {}): Promise<Page<Project>> {
    return this.store.listProjects(page);
  }

  /** The project and its keys are gone at once, for every verb and request; its other rows are removed by a job. @throws NotFound */
  async deleteProject(idOrSlug: string): Promise<Project> {
    const project = await this.getProject(idOrSlug);
    await this.store.removeProject(project, this.clock.now());
    return project;
  }

  /** Those whose rows in other tables are still being removed. */
  deletedProjects(): Promise<readonly Id[]> {
    return this.store.deletedProjects();
  }

  /** Nothing of it is left. */
  forgetDeletedProject(projectId: Id): Promise<void> {
    return this.store.forgetDeletedProject(projectId);
  }

  /** The secret is in this answer and nowhere else, ever. @throws InvalidInput, NotFound */
  async createKey(projectId: Id, wish: NewApiKey): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    await this.getProject(projectId);
    const secret = generateApiSecret();
    const key = ApiKey.issue(projectId, this.ids.next(), wish, secret, this.clock.now());
    await this.store.addKey(key);
    return { key, secret };
  }

  listKeys(projectId: Id, page: PageRequest = {}): Promise<Page<ApiKey>> {
    return this.store.listKeys(projectId, page);
  }

  /** Holds for every request that starts after the commit, on every node. @throws NotFound */
  async revokeKey(projectId: Id, keyId: Id): Promise<ApiKey> {
    const key = await this.store.findKey(projectId, keyId);
    if (key === undefined) throw new NotFound('API key', keyId);
    key.revoke(this.clock.now());
    return key;
  }

  /**
   * Who holds this secret. Looks the hash up on every call, so that a revoked key is refused at once everywhere.
   * @throws Unauthenticated with the reason for the log; its message is the same for all reasons.
   */
  async authenticate(secret: string): Promise<Caller> {
    if (!isApiSecret(secret)) throw new Unauthenticated('malformed');
    const found = await this.store.findKeyBySecretHash(hashApiSecret(secret));
    if (found === undefined) throw new Unauthenticated('unknown');
    const { key, project } = found;
    const now = this.clock.now();
    key.open(secret, now);
    if (key.wantsLastUsed(now)) await this.store.recordKeyUse(key.projectId, key.id, now);
    return new Caller({ project, keyId: key.id, scopes: key.scopes, requestsPerSecond: key.requestsPerSecond });
  }

  /**
   * At every start: the first secret that a database sees is its own from then on. Another one takes its place only on a node
   * that still knows the old one (`older`), so that links of before stay alive. @throws ForeignSecretKey
   */
  async rememberFingerprint(fingerprint: string, older: readonly string[] = []): Promise<void> {
    const stored = await this.store.rememberFingerprint(fingerprint, older, this.clock.now());
    if (stored !== fingerprint) throw new ForeignSecretKey(stored, fingerprint);
  }

  /** Without writing; a database that has seen no secret yet passes. @throws ForeignSecretKey */
  async checkFingerprint(fingerprint: string): Promise<void> {
    const stored = await this.store.readFingerprint();
    if (stored !== undefined && stored !== fingerprint) throw new ForeignSecretKey(stored, fingerprint);
  }

  /** What links of the instance begin with, in every process; undefined while none was stored. */
  publicUrl(): Promise<string | undefined> {
    return this.store.readPublicUrl();
  }

  /** @param options `replaces`: by the process that serves; others only fill the gap @returns the one that is stored now */
  async rememberPublicUrl(url: string, options: { readonly replaces: boolean }): Promise<string> {
    await this.store.storePublicUrl(url, options.replaces);
    return (await this.store.readPublicUrl()) ?? url;
  }
}
