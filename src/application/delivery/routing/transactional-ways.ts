import {
  type Attempt,
  concernsTransport,
  failureOf,
  type MessageAttempt,
  type MessageFacts,
  type Transport,
} from '../../../domain/delivery/index.ts';
import type { Clock } from '../../../domain/shared/clock.ts';
import { domainOf } from '../bulk/leased-shard.ts';
import type { RoutedTransport } from './routed-transport.ts';
import type { Routing } from './routing.ts';

/** The way of one attempt. */
export interface MessageWay {
  /** As the attempt names it. */
  readonly name: string;
  readonly transport: Transport;
  /** False when the transport fails meanwhile: a message that waits for it takes another one. */
  mayProceed(): boolean;
  /**
   * Tells how the attempt ended.
   * @param attempt undefined when the message was not handed over
   * @returns whether another transport takes the message at once
   */
  end(attempt: Attempt | undefined): boolean;
}

/** No transport that the message may take is usable now. */
export interface NoWay {
  readonly until: Date;
  readonly reason: string;
}

/** Without a trial ahead, when another worker is making one. */
const LOOK_AGAIN_MS = 5_000;

/** Chooses the transport of each attempt of a transactional message. */
export class TransactionalWays {
  readonly #environment: MessageWay;
  readonly #routing: Routing;
  readonly #clock: Clock;

  /** @param deps.environment the transport of projects without transports */
  constructor(deps: { environment: Transport; routing: Routing; clock: Clock }) {
    const { environment } = deps;
    this.#environment = { name: environment.name, transport: environment, mayProceed: () => true, end: () => false };
    this.#routing = deps.routing;
    this.#clock = deps.clock;
  }

  /** @param tries the earlier attempts of the message */
  async of({ projectId, id, recipient }: MessageFacts, tries: readonly MessageAttempt[]): Promise<MessageWay | NoWay> {
    const { plan } = await this.#routing.load(projectId);
    if (plan === undefined) return this.#environment;
    const domain = domainOf(recipient.address).toLowerCase();
    const all = plan.ways({ lane: 'transactional', domain, key: id }).map(({ transport }) => transport);
    const possible = ownOf(tries, plan.all) ?? all.filter(({ stored }) => stored.state === 'active');
    const failed = failedIn(tries);
    const ordered = possible.toSorted((a, b) => Number(failed.has(a.slug)) - Number(failed.has(b.slug)));
    for (const transport of ordered) {
      const others = ordered.filter((other) => other !== transport && !failed.has(other.slug));
      const way = await this.#take(transport, others);
      if (way !== undefined) return way;
    }
    const trials = possible.flatMap(({ breaker }) => breaker.health.nextTrialAt ?? []);
    const [next = new Date(this.#clock.now().getTime() + LOOK_AGAIN_MS)] = trials.toSorted((a, b) => a.getTime() - b.getTime());
    const told = possible.map(({ slug, breaker }) => `${slug}: ${breaker.health.reason ?? 'a message is being tried'}`);
    const reason = told.length === 0 ? 'the project has no active transport' : `no transport is usable: ${told.join('; ')}`;
    return { until: next, reason };
  }

  async #take(transport: RoutedTransport, others: readonly RoutedTransport[]): Promise<MessageWay | undefined> {
    const { breaker, slug } = transport;
    if (!breaker.usable && !(await breaker.tryOne())) return undefined;
    const now = this.#clock.monotonic();
    const open = transport.transport('transactional', now);
    if (open === undefined) return undefined;
    const trial = breaker.takeTrial();
    transport.pace.take(now);
    return {
      name: slug,
      transport: open,
      mayProceed: () => trial || breaker.closed,
      end(attempt) {
        breaker.report(attempt, trial);
        if (attempt?.outcome !== 'deferred' || failureOf(attempt) === undefined) return false;
        return others.some(({ usable }) => usable);
      },
    };
  }
}

/** A message in doubt stays with its transport, which may recognise it: another one would send it once more. */
function ownOf(tries: readonly MessageAttempt[], transports: readonly RoutedTransport[]): RoutedTransport[] | undefined {
  const doubtful = tries.findLast(({ outcome }) => outcome === 'in_doubt');
  const own = transports.find(({ slug, stored }) => slug === doubtful?.transport && stored.state === 'active');
  return own && [own];
}

/** Transports that failed since one of them last answered. */
function failedIn(tries: readonly MessageAttempt[]): ReadonlySet<string> {
  const answered = tries.findLastIndex(({ outcome, fault }) => outcome !== 'deferred' || !concernsTransport(fault ?? 'none'));
  return new Set(tries.slice(answered + 1).map(({ transport }) => transport));
}
