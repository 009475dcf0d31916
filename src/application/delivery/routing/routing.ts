import {
  HEALTHY,
  type ProjectRouting,
  RoutePlan,
  type SealedTransport,
  type SendingLane,
  type StoredTransport,
  type TransportHealth,
  type TransportSettings,
} from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import type { UnitOfWork } from '../../unit-of-work.ts';
import { type OpenTransport, RoutedTransport } from './routed-transport.ts';
import { SharedBreaker } from './shared-breaker.ts';

/** A change of transports, routes or health is known to every worker after this time. */
export const REFRESH_MS = 1_000;
/** A project without messages for this time is forgotten, and its transports are closed. */
const FORGET_MS = 600_000;

/** How the messages of one project leave. */
export interface ProjectWays {
  /** Undefined: the project has no transports, and the transport of the environment is used. */
  readonly plan: RoutePlan<RoutedTransport> | undefined;
  readonly revision: number;
  usedAt: number;
}

/** Knows in one process how the messages of projects leave: which transports and routes they have, and which of these are well. */
export class Routing {
  readonly #work: UnitOfWork;
  readonly #open: OpenTransport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #workerId: Id;
  readonly #log: Log;
  readonly #projects = new Map<Id, ProjectWays>();
  readonly #loading = new Map<Id, Promise<ProjectWays>>();
  readonly #transports = new Map<Id, RoutedTransport>();
  readonly #closing = new Set<Promise<void>>();
  readonly #listeners: (() => void)[] = [];
  #refreshing: Promise<void> | undefined;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #workers = 1;

  constructor(deps: {
    work: UnitOfWork;
    openTransport: OpenTransport;
    clock: Clock;
    random: () => number;
    workerId: Id;
    log: Log;
  }) {
    this.#work = deps.work;
    this.#open = deps.openTransport;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#workerId = deps.workerId;
    this.#log = deps.log;
  }

  /** Called when transports, routes or health have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Undefined until it is loaded. */
  of(projectId: Id): ProjectWays | undefined {
    const known = this.#projects.get(projectId);
    if (known !== undefined) known.usedAt = this.#clock.monotonic();
    return known;
  }

  /** One of a project that is loaded; undefined when it is gone. */
  transport(id: Id): RoutedTransport | undefined {
    return this.#transports.get(id);
  }

  /** What is known is used while it is fresh: a process whose workers refresh it asks once for each project. */
  async load(projectId: Id): Promise<ProjectWays> {
    const now = this.#clock.monotonic();
    const known = this.#projects.get(projectId);
    if (known !== undefined) known.usedAt = now;
    if (known !== undefined && now - this.#refreshedAt < 2 * REFRESH_MS) return known;
    if (known !== undefined) await this.refresh();
    return this.#projects.get(projectId) ?? this.#read(projectId);
  }

  /** Reads what has changed, and tries transports that were left out. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const now = this.#clock.monotonic();
    this.#forget(now);
    const ids = [...this.#projects.keys()];
    if (ids.length > 0) {
      const revisions = await this.#work.single(({ delivery }) => delivery.transports.revisions(ids));
      const changed = ids.filter((id) => (revisions.get(id) ?? 0) !== this.#projects.get(id)?.revision);
      await Promise.all(changed.map((id) => this.#read(id)));
    }
    this.#refreshedAt = now;
    for (const transport of this.#transports.values()) {
      transport.tend(now);
      await transport.breaker.tend();
    }
  }

  /** The limits of transports hold for all workers together; each takes an equal part. */
  shareRate(workers: number): void {
    this.#workers = workers;
    for (const transport of this.#transports.values()) transport.share(workers, this.#clock.monotonic());
  }

  /**
   * Why no transport of the project takes messages of this lane now; undefined when one does, or when it has none.
   * `lasting`: they have failed for minutes, and the operator should look.
   */
  blocked(projectId: Id, lane: SendingLane): { readonly reason: string; readonly lasting: boolean } | undefined {
    const ways = this.#projects.get(projectId);
    if (ways?.plan === undefined) return undefined;
    const transports = ways.plan.ofLane(lane);
    ways.usedAt = this.#clock.monotonic();
    if (transports.some(({ usable }) => usable)) return undefined;
    for (const { breaker } of transports) breaker.want();
    const active = transports.filter(({ stored }) => stored.state === 'active');
    if (active.length === 0) return { reason: 'the project has no active transport', lasting: true };
    const told = active.map(({ slug, breaker }) => `${slug}: ${breaker.health.reason ?? 'a message is being tried'}`);
    const lasting = active.every(({ breaker }) => breaker.health.state === 'open' && breaker.health.openings > PATIENCE);
    return { reason: `no transport of the project is usable: ${told.join('; ')}`, lasting };
  }

  /** Finishes what is on the wire. */
  async close(): Promise<void> {
    for (const transport of this.#transports.values()) transport.close();
    await Promise.all(this.#closing);
  }

  #read(projectId: Id): Promise<ProjectWays> {
    const loading = this.#loading.get(projectId);
    if (loading !== undefined) return loading;
    const reading = this.#readAnew(projectId).finally(() => this.#loading.delete(projectId));
    this.#loading.set(projectId, reading);
    return reading;
  }

  async #readAnew(projectId: Id): Promise<ProjectWays> {
    const read = await this.#work.single(async ({ delivery: { transports } }) => {
      // The revision first: what changes after it is read again.
      const revision = (await transports.revisions([projectId])).get(projectId) ?? 0;
      const routing = revision === 0 ? undefined : await transports.routing(projectId, revision);
      const settings = new Map(routing?.transports.map((one) => [one.transport.id, settingsOf(one, transports)]));
      return { revision, routing, settings };
    });
    const { revision, routing, settings } = read;
    const plan = routing && this.#plan(routing, settings);
    const ways: ProjectWays = { plan, revision, usedAt: this.#clock.monotonic() };
    const before = this.#projects.get(projectId);
    this.#projects.set(projectId, ways);
    this.#drop(before, ways);
    for (const listener of this.#listeners) listener();
    return ways;
  }

  #plan(routing: ProjectRouting, settings: ReadonlyMap<Id, TransportSettings | Error>): RoutePlan<RoutedTransport> {
    const transports = routing.transports.map(({ transport: stored }) => {
      const own = settings.get(stored.id) ?? new Error('The settings of this transport were not read.');
      const health = routing.health.get(stored.id) ?? HEALTHY;
      const known = this.#transports.get(stored.id);
      if (known === undefined) return this.#add(stored, own, health);
      known.update(stored, own, this.#clock.monotonic());
      known.breaker.learn(health);
      return known;
    });
    return new RoutePlan(transports, routing.routes);
  }

  #add(stored: StoredTransport, settings: TransportSettings | Error, health: TransportHealth): RoutedTransport {
    const { id, projectId, slug } = stored;
    const breaker = new SharedBreaker({
      transport: slug,
      health,
      save: (next) => this.#work.single(({ delivery }) => delivery.transports.saveHealth(projectId, id, next)),
      onChange: () => {
        for (const listener of this.#listeners) listener();
      },
      workerId: this.#workerId,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
    });
    const transport = new RoutedTransport({
      stored,
      settings,
      breaker,
      open: this.#open,
      onClosing: (closing) => this.#await(closing),
    });
    transport.share(this.#workers, this.#clock.monotonic());
    this.#transports.set(id, transport);
    return transport;
  }

  #await(closing: Promise<void>): void {
    const closed = closing
      .catch((error: unknown) => this.#log.warn({ reason: error }, 'a transport could not be closed'))
      .finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  #forget(now: number): void {
    for (const [id, ways] of this.#projects) {
      if (now - ways.usedAt < FORGET_MS) continue;
      this.#projects.delete(id);
      this.#drop(ways, undefined);
    }
  }

  /** Closes transports that are gone. */
  #drop(before: ProjectWays | undefined, after: ProjectWays | undefined): void {
    const kept = new Set(after?.plan?.all);
    for (const transport of before?.plan?.all ?? []) {
      if (kept.has(transport)) continue;
      this.#transports.delete(transport.id);
      transport.close();
    }
  }
}

/** After so many pauses in a row, more than two minutes after a lost connection, a campaign is paused. */
const PATIENCE = 5;

/** A credential that cannot be decrypted here must not stop the other transports. */
function settingsOf(
  sealed: SealedTransport,
  transports: { opened(sealed: SealedTransport): TransportSettings },
): TransportSettings | Error {
  try {
    return transports.opened(sealed);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
