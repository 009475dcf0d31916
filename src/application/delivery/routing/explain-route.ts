import {
  HEALTHY,
  type ProjectRoute,
  type RoutePlan,
  receivingGroupOf,
  type SendingLane,
  type StoredTransport,
  type TransportHealth,
  type Way,
} from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { domainOf } from '../bulk/leased-shard.ts';

/** `lane`: default transactional. */
export interface ExplainRequest {
  readonly lane?: SendingLane | undefined;
}

export interface ExplainedWay {
  /** Slug. */
  readonly transport: string;
  readonly transportId: Id;
  /** Undefined: no route matches, and the transports are used in the order in which they were created. */
  readonly route: ProjectRoute | undefined;
  /** Part of these messages that it takes, among the ways of the same priority. */
  readonly share: number;
  /** False while it is disabled or its breaker is not closed. */
  readonly usable: boolean;
  readonly health: TransportHealth;
  /** In words. */
  readonly why: string;
}

/** Which way a message would go, and why. */
export interface RouteExplanation {
  readonly address: string;
  readonly domain: string;
  readonly receivingGroup: string | undefined;
  readonly lane: SendingLane;
  /** In the order of preference. Empty for a project without transports. */
  readonly ways: readonly ExplainedWay[];
  /** In words. */
  readonly why: string;
}

export function explainRoute(
  plan: RoutePlan<StoredTransport>,
  health: ReadonlyMap<Id, TransportHealth>,
  address: string,
  { lane = 'transactional' }: ExplainRequest = {},
): RouteExplanation {
  const domain = domainOf(address).toLowerCase();
  const ways = plan.ways({ lane, domain }).map((way) => explained(way, health.get(way.transport.id) ?? HEALTHY));
  return { address, domain, receivingGroup: receivingGroupOf(domain), lane, ways, why: summaryOf(ways) };
}

function explained(way: Way<StoredTransport>, health: TransportHealth): ExplainedWay {
  const { transport, route, share } = way;
  const usable = transport.state === 'active' && health.state === 'closed';
  const why = [matchOf(way), ...leftOut(transport, health)].join('; ');
  return { transport: transport.slug, transportId: transport.id, route, share, usable, health, why };
}

function matchOf({ route, share }: Way<StoredTransport>): string {
  if (route === undefined) return 'no route matches, and transports are used in the order in which they were created';
  const { receivingGroup = 'all recipients', lane = 'both lanes', priority } = route;
  const part = share < 1 ? `, ${Math.round(share * 1_000) / 10} % by weight` : '';
  return `route for ${receivingGroup}, ${lane}, priority ${priority}${part}`;
}

function leftOut({ state }: StoredTransport, health: TransportHealth): readonly string[] {
  if (state === 'disabled') return ['left out: it is disabled'];
  if (health.state === 'closed') return [];
  const trial =
    health.state === 'half_open' ? 'a message is being tried' : `next trial at ${health.nextTrialAt?.toISOString() ?? 'once'}`;
  return [`left out: ${health.cause ?? 'unknown'} failures (${health.reason ?? 'no reason'}), ${trial}`];
}

function summaryOf(ways: readonly ExplainedWay[]): string {
  if (ways.length === 0) return 'The project has no transports: the transport of the environment is used.';
  const first = ways.findIndex(({ usable }) => usable);
  const chosen = ways[first];
  if (chosen === undefined) return 'No transport is usable now: messages wait.';
  const names = ways.filter((way) => way.usable && (way === chosen || equal(way, chosen))).map(({ transport }) => transport);
  const others =
    first === 0
      ? ''
      : ` ${ways
          .slice(0, first)
          .map(({ transport }) => transport)
          .join(', ')}: left out.`;
  if (names.length === 1) return `Messages leave by ${names[0]}.${others}`;
  return `Messages are shared by weight among ${names.join(', ')}.${others}`;
}

const equal = ({ route: a }: ExplainedWay, { route: b }: ExplainedWay): boolean =>
  a !== undefined && b !== undefined && a.lane === b.lane && a.receivingGroup === b.receivingGroup && a.priority === b.priority;
