import type { Clock } from '../shared/clock.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import { type Id, type Ids, isId } from '../shared/ids.ts';
import { numberedSlug, slugOf } from '../shared/slug.ts';
import { closed, HEALTHY, type TransportHealth } from './breaker.ts';
import { TransportInUse, TransportSlugTaken } from './delivery-errors.ts';
import {
  type NewTransport,
  parseLimits,
  parseTransportName,
  parseTransportSlug,
  type StoredTransport,
  splitSettings,
  type TransportChanges,
} from './stored-transport.ts';
import { parseTransportSettings, type TransportSettings } from './transport-settings.ts';
import type { FailingTransport, ProjectRouting, SealedTransport, TransportStore } from './transport-store.ts';

/** A place in the database, to which a ciphertext is bound. */
interface Place {
  readonly table: string;
  readonly row: string;
  readonly column: string;
}

/** Encrypts credentials, each for its place. */
export interface CredentialSeal {
  seal(projectId: Id, plain: string, place: Place): Uint8Array;
  /** @throws DomainError when it cannot be decrypted here */
  open(projectId: Id, sealed: Uint8Array, place: Place): string;
  /** Whether it was sealed under an older key. */
  sealedBefore(sealed: Uint8Array): boolean;
}

const placeOf = (id: Id): Place => ({ table: 'pennypost_delivery.transport', row: id, column: 'secrets' });

/** Far more than a project needs; every message looks through them. */
const MOST_TRANSPORTS = 100;

/** The transports of a project, and how well they are. */
export class DeliveryTransports {
  readonly #store: TransportStore;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #seal: CredentialSeal;

  constructor(deps: { transports: TransportStore; clock: Clock; ids: Ids; credentials: CredentialSeal }) {
    this.#store = deps.transports;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#seal = deps.credentials;
  }

  /** @throws InvalidInput, TransportSlugTaken */
  async create(projectId: Id, input: NewTransport): Promise<StoredTransport> {
    const { kind, settings, secrets } = splitSettings(input.kind, input.settings ?? {});
    const limits = parseLimits(input);
    const name = parseTransportName(input.name ?? kind.replaceAll('_', ' '));
    const slug = input.slug === undefined ? (slugOf(name) ?? 'transport') : parseTransportSlug(input.slug);
    if ((await this.#store.all(projectId)).length >= MOST_TRANSPORTS)
      throw new InvalidInput(`A project has at most ${MOST_TRANSPORTS} transports. Delete one that is not used.`);
    const now = this.#clock.now();
    const wished: StoredTransport = {
      projectId,
      id: this.#ids.next(),
      slug,
      name,
      kind,
      settings,
      secretNames: Object.keys(secrets),
      ...limits,
      state: 'active',
      version: 1,
      createdAt: now,
      updatedAt: now,
    };
    const sealed = this.#sealed(wished, secrets);
    let transport = wished;
    for (let number = 2; !(await this.#store.add(transport, sealed)); number += 1) {
      if (input.slug !== undefined || number > 100) throw new TransportSlugTaken(slug);
      transport = { ...wished, slug: numberedSlug(slug, number) };
    }
    return transport;
  }

  /** By id or slug. @throws NotFound */
  async get(projectId: Id, idOrSlug: string): Promise<StoredTransport> {
    return (await this.#find(projectId, idOrSlug)).transport;
  }

  /** In the order in which they were created. */
  async list(projectId: Id): Promise<readonly StoredTransport[]> {
    return (await this.#store.all(projectId)).map(({ transport }) => transport);
  }

  /**
   * Settings that are not named stay, credentials included. A changed transport counts as well, and is tried at once.
   * @throws InvalidInput, NotFound
   */
  async update(projectId: Id, idOrSlug: string, changes: TransportChanges): Promise<StoredTransport> {
    const { transport, sealed } = await this.#locked(projectId, idOrSlug);
    const { maxConnections = transport.maxConnections, messagesPerSecond = transport.messagesPerSecond } = changes;
    let next: StoredTransport = {
      ...transport,
      name: changes.name === undefined ? transport.name : parseTransportName(changes.name),
      ...parseLimits({ maxConnections, messagesPerSecond }),
      state: changes.state ?? transport.state,
      version: transport.version + 1,
      updatedAt: this.#clock.now(),
    };
    let nextSealed = sealed;
    if (changes.settings !== undefined) {
      const split = splitSettings(transport.kind, { ...this.#kept(transport, sealed, changes.settings), ...changes.settings });
      next = { ...next, settings: split.settings, secretNames: Object.keys(split.secrets) };
      nextSealed = this.#sealed(next, split.secrets);
    }
    await this.#store.save(next, nextSealed);
    await this.recovered(projectId, transport.id);
    return next;
  }

  /** @throws NotFound, TransportInUse while routes name it */
  async delete(projectId: Id, idOrSlug: string): Promise<StoredTransport> {
    const { transport } = await this.#locked(projectId, idOrSlug);
    const routes = (await this.#store.routes(projectId)).filter(({ transportId }) => transportId === transport.id);
    // A route that is created at the same moment is seen by the foreign key.
    if (routes.length > 0 || !(await this.#store.remove(projectId, transport.id)))
      throw new TransportInUse(transport.slug, `${Math.max(1, routes.length)} route(s) name it. Delete them or move them first`);
    return transport;
  }

  /** All settings, credentials included: for opening it. @throws NotFound, DomainError when they cannot be decrypted here */
  async settings(projectId: Id, idOrSlug: string): Promise<TransportSettings> {
    return this.opened(await this.#find(projectId, idOrSlug));
  }

  /** The same for one that was read. @throws InvalidInput, DomainError */
  opened({ transport, sealed }: SealedTransport): TransportSettings {
    return parseTransportSettings({ ...transport.settings, ...this.#secrets(transport, sealed), kind: transport.kind });
  }

  /** How messages of the project leave; undefined for a project without transports. */
  async routing(projectId: Id, revision: number): Promise<ProjectRouting | undefined> {
    const transports = await this.#store.all(projectId);
    if (transports.length === 0) return undefined;
    const [routes, health] = await Promise.all([this.#store.routes(projectId), this.#store.healthOf(projectId)]);
    return { projectId, revision, transports, routes, health };
  }

  revisions(projectIds: readonly Id[]): Promise<ReadonlyMap<Id, number>> {
    return this.#store.revisions(projectIds);
  }

  async health(projectId: Id, transportId: Id): Promise<TransportHealth> {
    return (await this.#store.health(projectId, transportId)) ?? HEALTHY;
  }

  healthOf(projectId: Id): Promise<ReadonlyMap<Id, TransportHealth>> {
    return this.#store.healthOf(projectId);
  }

  /** It was changed, or a test has shown that it works: messages take it at once. */
  async recovered(projectId: Id, transportId: Id): Promise<void> {
    const health = await this.#store.health(projectId, transportId);
    if (health !== undefined && health.state !== 'closed')
      await this.#store.saveHealth(projectId, transportId, closed(health, this.#clock.now()));
  }

  /** Of all projects: those that are left out now. */
  failing(limit = 100): Promise<readonly FailingTransport[]> {
    return this.#store.failing(limit);
  }

  /** False when another worker changed it since; then nothing is stored. */
  saveHealth(projectId: Id, transportId: Id, health: TransportHealth): Promise<boolean> {
    return this.#store.saveHealth(projectId, transportId, health);
  }

  /**
   * Seals a batch of credentials again that are under an older key. What is open, and what is opened meanwhile, is not disturbed: each ciphertext
   * is replaced by another of the same secret. @returns where to go on; undefined at the end
   */
  async reseal(
    after: { readonly projectId: Id; readonly id: Id } | undefined,
    limit: number,
  ): Promise<{
    readonly resealed: number;
    readonly unreadable: readonly Id[];
    readonly next: { projectId: Id; id: Id } | undefined;
  }> {
    const found = await this.#store.sealed(after, limit);
    const unreadable: Id[] = [];
    let resealed = 0;
    for (const credentials of found) {
      const { projectId, id, sealed } = credentials;
      if (!this.#seal.sealedBefore(sealed)) continue;
      const again = this.#sealedAgain(projectId, id, sealed);
      if (again === undefined) unreadable.push(id);
      else if (await this.#store.reseal(credentials, again)) resealed += 1;
    }
    const last = found.at(-1);
    return { resealed, unreadable, next: found.length === limit ? last : undefined };
  }

  #sealedAgain(projectId: Id, id: Id, sealed: Uint8Array): Uint8Array | undefined {
    try {
      return this.#seal.seal(projectId, this.#seal.open(projectId, sealed, placeOf(id)), placeOf(id));
    } catch {
      // Sealed under a key that this node does not have: the transport says so when it is opened.
      return undefined;
    }
  }

  async #find(projectId: Id, idOrSlug: string): Promise<SealedTransport> {
    const found = isId(idOrSlug)
      ? await this.#store.find(projectId, idOrSlug.toLowerCase())
      : await this.#store.findBySlug(projectId, idOrSlug);
    if (found === undefined) throw new NotFound('transport', idOrSlug.slice(0, 80));
    return found;
  }

  async #locked(projectId: Id, idOrSlug: string): Promise<SealedTransport> {
    const { id } = (await this.#find(projectId, idOrSlug)).transport;
    const found = await this.#store.lock(projectId, id);
    if (found === undefined) throw new NotFound('transport', idOrSlug.slice(0, 80));
    return found;
  }

  /** What stays of the stored settings. Credentials that are all given anew need not be decrypted. */
  #kept({ settings, secretNames, ...transport }: StoredTransport, sealed: Uint8Array | undefined, given: object): object {
    if (secretNames.every((name) => Object.hasOwn(given, name))) return settings;
    return { ...settings, ...this.#secrets({ ...transport, secretNames, settings }, sealed) };
  }

  #sealed({ projectId, id }: StoredTransport, secrets: Readonly<Record<string, string>>): Uint8Array | undefined {
    if (Object.keys(secrets).length === 0) return undefined;
    return this.#seal.seal(projectId, JSON.stringify(secrets), placeOf(id));
  }

  #secrets({ projectId, id }: StoredTransport, sealed: Uint8Array | undefined): Readonly<Record<string, string>> {
    return sealed === undefined ? {} : JSON.parse(this.#seal.open(projectId, sealed, placeOf(id)));
  }
}
