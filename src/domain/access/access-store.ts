import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { ApiKey } from './api-key.ts';
import type { Project } from './project.ts';

/** Where projects, keys and the instance's fingerprint are kept, for the length of one unit of work. */
export interface AccessStore {
  /** @throws SlugTaken */
  addProject(project: Project): Promise<void>;
  /** Later changes to the returned project are stored when the unit of work ends. */
  findProject(projectId: Id): Promise<Project | undefined>;
  findProjectBySlug(slug: string): Promise<Project | undefined>;
  /** Without change tracking: for read-only callers. */
  readProject(projectId: Id): Promise<Project | undefined>;
  /** Without the projects themselves; a project that is gone is missing. */
  timeZones(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, string>>;
  /** With its keys; what other tables hold of it is removed later. */
  removeProject(project: Project, at: Date): Promise<void>;
  /** Those whose rows in other tables are still being removed. */
  deletedProjects(): Promise<readonly Id[]>;
  forgetDeletedProject(projectId: Id): Promise<void>;
  /** In the order of slugs. */
  listProjects(page: PageRequest): Promise<Page<Project>>;

  addKey(key: ApiKey): Promise<void>;
  /** Later changes to the returned key are stored when the unit of work ends. */
  findKey(projectId: Id, keyId: Id): Promise<ApiKey | undefined>;
  /** The oldest first. */
  listKeys(projectId: Id, page: PageRequest): Promise<Page<ApiKey>>;
  /** The one read that cannot know the project: the secret is what tells it. Nothing read here is tracked for changes. */
  findKeyBySecretHash(secretHash: string): Promise<{ readonly key: ApiKey; readonly project: Project } | undefined>;
  /** Never moves `lastUsedAt` back. */
  recordKeyUse(projectId: Id, keyId: Id, at: Date): Promise<void>;

  /** The fingerprint of the secret that this database was set up with. */
  readFingerprint(): Promise<string | undefined>;
  /** Stores the fingerprint unless there is another one that is not among `older`; returns the one that is stored now. */
  rememberFingerprint(fingerprint: string, older: readonly string[], at: Date): Promise<string>;

  /** Undefined while no process that serves or works had one set. */
  readPublicUrl(): Promise<string | undefined>;
  /** Does nothing where one is stored, unless it `replaces` that. */
  storePublicUrl(url: string, replaces: boolean): Promise<void>;
}
