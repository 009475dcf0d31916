import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { receives } from './receiving-groups.ts';
import type { Lane } from './worker.ts';

/** The lanes that send mail. */
export const SENDING_LANES = ['transactional', 'bulk'] as const satisfies readonly Lane[];
export type SendingLane = (typeof SENDING_LANES)[number];

/** A way that messages of a project may take; priority and weight as in SRV records (RFC 2782). */
export interface ProjectRoute {
  readonly projectId: Id;
  readonly id: Id;
  readonly transportId: Id;
  /** Undefined: both. */
  readonly lane: SendingLane | undefined;
  /** The name of a group or a domain; undefined: every recipient. */
  readonly receivingGroup: string | undefined;
  /** The lowest comes first; the next ones take over while it fails. */
  readonly priority: number;
  /** Share among routes of the same priority. */
  readonly weight: number;
  readonly createdAt: Date;
}

export interface RouteChanges {
  readonly priority?: number | undefined;
  readonly weight?: number | undefined;
}

export const DEFAULT_PRIORITY = 10;
/** Receiving domains for which the routes that match are remembered. */
const MOST_DOMAINS = 4_096;
const MOST_PRIORITY = 1_000;
const MOST_WEIGHT = 1_000;

/** @throws InvalidInput */
export function parsePriority(priority: number): number {
  if (Number.isInteger(priority) && priority >= 0 && priority <= MOST_PRIORITY) return priority;
  throw new InvalidInput(`A priority is a whole number from 0 to ${MOST_PRIORITY}; the lowest comes first.`, '/priority');
}

/** @throws InvalidInput */
export function parseWeight(weight: number): number {
  if (Number.isInteger(weight) && weight >= 1 && weight <= MOST_WEIGHT) return weight;
  throw new InvalidInput(`A weight is a whole number from 1 to ${MOST_WEIGHT}.`, '/weight');
}

/** What a message is, to the routes. */
export interface Routable {
  readonly lane: SendingLane;
  /** Receiving domain in lower case. */
  readonly domain: string;
  /** The same for every attempt of one message, so that a retry takes the same way. */
  readonly key?: string | undefined;
}

/** One way in the order of preference. */
export interface Way<T> {
  readonly transport: T;
  /** Undefined: no route of the project matches, and its transports are used in the order in which they were created. */
  readonly route: ProjectRoute | undefined;
  /** Its part of the messages, while all ways before it fail; 1 without others of its priority. */
  readonly share: number;
}

/**
 * Decides which way a message goes. Of the routes that match, those for its receiving group come before those for all, then those for its
 * lane before those for both, then the lowest priority. Routes that are equal in all of these share the messages by weight.
 */
export class RoutePlan<T extends { readonly id: Id }> {
  /** By lane and receiving domain: the routes that match, those that share messages together. */
  readonly #levels = new Map<string, readonly (readonly ProjectRoute[])[]>();
  /** In the order in which they were created. */
  readonly all: readonly T[];
  readonly #transports: ReadonlyMap<Id, T>;
  /** In the order of preference. */
  readonly #routes: readonly ProjectRoute[];

  /** @param transports in the order in which they were created */
  constructor(transports: readonly T[], routes: readonly ProjectRoute[]) {
    this.all = transports;
    this.#transports = new Map(transports.map((transport) => [transport.id, transport]));
    this.#routes = routes.filter(({ transportId }) => this.#transports.has(transportId)).toSorted(byPreference);
  }

  /**
   * All ways, the preferred one first.
   * @param message without a key, those that share messages stand by their weights
   */
  ways(message: Routable): readonly Way<T>[] {
    const { key } = message;
    const levels = this.#levelsOf(message);
    if (levels.length === 0) return this.all.map((transport) => ({ transport, route: undefined, share: 1 }));
    const ways: Way<T>[] = [];
    const seen = new Set<Id>();
    for (const level of levels) {
      const whole = level.reduce((sum, { weight }) => sum + weight, 0);
      const ordered = level.length === 1 ? level : key === undefined ? level.toSorted(byWeight) : byKey(level, key);
      for (const route of ordered) {
        // A transport that two routes name is tried once.
        if (seen.has(route.transportId)) continue;
        seen.add(route.transportId);
        ways.push({ transport: this.#transports.get(route.transportId)!, route, share: route.weight / whole });
      }
    }
    return ways;
  }

  /** Transports that messages of this lane may take. */
  ofLane(lane: SendingLane): readonly T[] {
    const routes = this.#routes.filter((route) => route.lane === undefined || route.lane === lane);
    if (!routes.some(({ receivingGroup }) => receivingGroup === undefined)) return this.all;
    const named = new Set(routes.map(({ transportId }) => transportId));
    return this.all.filter(({ id }) => named.has(id));
  }

  #levelsOf(message: Routable): readonly (readonly ProjectRoute[])[] {
    const name = `${message.lane}/${message.domain}`;
    const known = this.#levels.get(name);
    if (known !== undefined) return known;
    const matching = this.#routes.filter((route) => matches(route, message));
    const levels: ProjectRoute[][] = [];
    for (const route of matching) {
      const last = levels.at(-1);
      if (last?.[0] !== undefined && byPreference(last[0], route) === 0) last.push(route);
      else levels.push([route]);
    }
    if (this.#levels.size >= MOST_DOMAINS) this.#levels.clear();
    this.#levels.set(name, levels);
    return levels;
  }
}

const matches = ({ lane, receivingGroup }: ProjectRoute, message: Routable): boolean =>
  (lane === undefined || lane === message.lane) && (receivingGroup === undefined || receives(receivingGroup, message.domain));

const general = (value: string | undefined): number => (value === undefined ? 1 : 0);

const byPreference = (a: ProjectRoute, b: ProjectRoute): number =>
  general(a.receivingGroup) - general(b.receivingGroup) || general(a.lane) - general(b.lane) || a.priority - b.priority;

const byWeight = (a: ProjectRoute, b: ProjectRoute): number => b.weight - a.weight;

/**
 * Weighted rendezvous hashing: the first is chosen with the probability of its weight, each message has an order of its own that never
 * changes, and without one route only its messages move.
 */
function byKey(level: readonly ProjectRoute[], key: string): readonly ProjectRoute[] {
  const placed = level.map((route) => ({ route, place: -Math.log(fraction(`${key}/${route.transportId}`)) / route.weight }));
  return placed.sort((a, b) => a.place - b.place).map(({ route }) => route);
}

/** FNV-1a with the last step of MurmurHash3, as a number above 0 and below 1: 0.1 us, and even enough for shares. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}
