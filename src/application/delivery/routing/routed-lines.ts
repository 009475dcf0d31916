import type { Clock } from '../../../domain/shared/clock.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import type { Log } from '../../log.ts';
import { domainOf } from '../bulk/leased-shard.ts';
import { Line, type LineLimits, type Lines } from '../bulk/line.ts';
import type { SendingMailing } from '../bulk/sending-mailing.ts';
import type { RoutedTransport } from './routed-transport.ts';
import type { Routing } from './routing.ts';

/** The lines of the bulk lane: that of the environment, and one for each transport of the projects that it sends for. */
export class RoutedLines implements Lines {
  readonly #environment: Line;
  readonly #routing: Routing;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #window: number;
  readonly #limits: LineLimits;
  readonly #lines = new Map<Id, Line>();
  #all: readonly Line[];
  #submittedBefore = 0;

  constructor(deps: { environment: Line; routing: Routing; clock: Clock; log: Log; window: number; limits: LineLimits }) {
    this.#environment = deps.environment;
    this.#routing = deps.routing;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#window = deps.window;
    this.#limits = deps.limits;
    this.#all = [deps.environment];
  }

  get all(): readonly Line[] {
    return this.#all;
  }

  get submittedBefore(): number {
    return this.#submittedBefore;
  }

  of(mailing: SendingMailing, address: string, except?: string): Line | undefined {
    const plan = this.#routing.of(mailing.projectId)?.plan;
    if (plan === undefined) return except === this.#environment.name ? undefined : this.#environment;
    // The same for every attempt, and for a worker that takes over.
    const key = `${mailing.mailingId}/${address}`;
    for (const { transport } of plan.ways({ lane: 'bulk', domain: domainOf(address).toLowerCase(), key })) {
      if (transport.usable) {
        const line = this.#lineOf(transport);
        if (line !== undefined && line.name !== except) return line;
      } else transport.breaker.want();
    }
    return undefined;
  }

  blocked(projectId: Id): { readonly reason: string; readonly lasting: boolean } | undefined {
    return this.#routing.blocked(projectId, 'bulk');
  }

  share(workers: number, now: number): void {
    this.#environment.pace.share(workers, now);
    this.#routing.shareRate(workers);
  }

  tend(): void {
    const now = this.#clock.monotonic();
    for (const [id, line] of this.#lines) {
      const transport = this.#routing.transport(id);
      // It follows a change of settings or limits also while no message asks for it.
      if (transport === undefined) this.#leave(id, line);
      else if (line.inFlight.size > 0 && transport.transport('bulk', now) !== line.transport) this.#leave(id, line);
    }
    const gone = this.#all.filter((line) => line.leaving && line.inFlight.size === 0 && line.delayed.size === 0);
    if (gone.length === 0) return;
    for (const { tally } of gone) this.#submittedBefore += tally.submitted;
    this.#all = this.#all.filter((line) => !gone.includes(line));
  }

  #lineOf(transport: RoutedTransport): Line | undefined {
    const now = this.#clock.monotonic();
    const open = transport.transport('bulk', now);
    const known = this.#lines.get(transport.id);
    if (known !== undefined && known.transport === open) return known;
    if (known !== undefined) this.#leave(transport.id, known);
    if (open === undefined) return undefined;
    const line = new Line({
      transport: open,
      now,
      log: this.#log,
      window: this.#window,
      // The breaker leaves a transport out that fails; a campaign pauses when no other is left.
      limits: { ...this.#limits, pauseAfterTransportErrors: Number.POSITIVE_INFINITY },
      name: transport.slug,
      pace: transport.pace,
      breaker: transport.breaker,
    });
    this.#lines.set(transport.id, line);
    this.#all = [...this.#all, line];
    return line;
  }

  #leave(id: Id, line: Line): void {
    line.leaving = true;
    this.#lines.delete(id);
  }
}
