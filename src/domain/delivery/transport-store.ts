import type { Id } from '../shared/ids.ts';
import type { TransportHealth } from './breaker.ts';
import type { ProjectRoute } from './route.ts';
import type { StoredTransport } from './stored-transport.ts';

/** A transport with its sealed credentials. */
export interface SealedTransport {
  readonly transport: StoredTransport;
  /** Undefined when it needs none. */
  readonly sealed: Uint8Array | undefined;
}

/** How messages of a project leave, as one reading of the database. */
export interface ProjectRouting {
  readonly projectId: Id;
  /** Grows with every change of transports, routes and health. */
  readonly revision: number;
  /** In the order in which they were created. */
  readonly transports: readonly SealedTransport[];
  readonly routes: readonly ProjectRoute[];
  /** Only of transports that have failed before. */
  readonly health: ReadonlyMap<Id, TransportHealth>;
}

/** Transports, routes and health of projects. Every change raises the revision of the project's routing. */
export interface TransportStore {
  /** False when the slug is taken. */
  add(transport: StoredTransport, sealed: Uint8Array | undefined): Promise<boolean>;
  find(projectId: Id, id: Id): Promise<SealedTransport | undefined>;
  /** The same, and no other change of it happens before the unit of work ends. */
  lock(projectId: Id, id: Id): Promise<SealedTransport | undefined>;
  findBySlug(projectId: Id, slug: string): Promise<SealedTransport | undefined>;
  /** In the order in which they were created. */
  all(projectId: Id): Promise<readonly SealedTransport[]>;
  save(transport: StoredTransport, sealed: Uint8Array | undefined): Promise<void>;
  /** With its health. False when a route names it. */
  remove(projectId: Id, id: Id): Promise<boolean>;
  addRoute(route: ProjectRoute): Promise<void>;
  findRoute(projectId: Id, id: Id): Promise<ProjectRoute | undefined>;
  routes(projectId: Id): Promise<readonly ProjectRoute[]>;
  saveRoute(route: ProjectRoute): Promise<void>;
  removeRoute(projectId: Id, id: Id): Promise<void>;
  health(projectId: Id, transportId: Id): Promise<TransportHealth | undefined>;
  healthOf(projectId: Id): Promise<ReadonlyMap<Id, TransportHealth>>;
  /** False when another worker changed it since; then nothing is stored. `change` of `health` is one more than what was read. */
  saveHealth(projectId: Id, transportId: Id, health: TransportHealth): Promise<boolean>;
  /** Of all projects: those whose breaker is not closed, the longest first. */
  failing(limit: number): Promise<readonly FailingTransport[]>;
  /** Those of these projects that have or had transports. */
  revisions(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, number>>;
  /** Sealed credentials of any project, in the order of (project, id), after these two. */
  sealed(after: { readonly projectId: Id; readonly id: Id } | undefined, limit: number): Promise<readonly SealedCredentials[]>;
  /** Replaces the ciphertext, unless another was stored meanwhile. The version stays: what is open goes on. */
  reseal(credentials: SealedCredentials, sealed: Uint8Array): Promise<boolean>;
}

/** A transport that is left out. */
export interface FailingTransport extends Pick<TransportHealth, 'state' | 'cause' | 'reason' | 'changedAt' | 'nextTrialAt'> {
  readonly projectId: Id;
  readonly transport: string;
}

export interface SealedCredentials {
  readonly projectId: Id;
  readonly id: Id;
  readonly sealed: Uint8Array;
}
