import type { Clock } from '../shared/clock.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import { parseReceivingGroup } from './receiving-groups.ts';
import { DEFAULT_PRIORITY, type ProjectRoute, parsePriority, parseWeight, type RouteChanges, type SendingLane } from './route.ts';
import type { TransportStore } from './transport-store.ts';

export interface NewRoute extends RouteChanges {
  readonly transportId: Id;
  readonly lane?: SendingLane | undefined;
  readonly receivingGroup?: string | undefined;
}

/** Every message looks through them. */
const MOST_ROUTES = 200;

/** The routes of a project: which transport takes which messages, and which ones take over. */
export class DeliveryRoutes {
  readonly #store: TransportStore;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor(deps: { transports: TransportStore; clock: Clock; ids: Ids }) {
    this.#store = deps.transports;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
  }

  /** @throws InvalidInput, NotFound when the project has no such transport */
  async create(projectId: Id, input: NewRoute): Promise<ProjectRoute> {
    if ((await this.#store.find(projectId, input.transportId)) === undefined) throw new NotFound('transport', input.transportId);
    const { lane, receivingGroup, priority = DEFAULT_PRIORITY, weight = 1 } = input;
    const route: ProjectRoute = {
      projectId,
      id: this.#ids.next(),
      transportId: input.transportId,
      lane,
      receivingGroup: receivingGroup === undefined ? undefined : parseReceivingGroup(receivingGroup),
      priority: parsePriority(priority),
      weight: parseWeight(weight),
      createdAt: this.#clock.now(),
    };
    const routes = await this.#store.routes(projectId);
    if (routes.length >= MOST_ROUTES) throw new InvalidInput(`A project has at most ${MOST_ROUTES} routes.`);
    const equal = routes.find(
      (one) =>
        one.transportId === route.transportId &&
        one.lane === route.lane &&
        one.receivingGroup === route.receivingGroup &&
        one.priority === route.priority,
    );
    if (equal !== undefined)
      throw new InvalidInput(`The route ${equal.id} is the same. Change its weight, or give this one another priority.`);
    await this.#store.addRoute(route);
    return route;
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<ProjectRoute> {
    const route = await this.#store.findRoute(projectId, id);
    if (route === undefined) throw new NotFound('route', id);
    return route;
  }

  list(projectId: Id): Promise<readonly ProjectRoute[]> {
    return this.#store.routes(projectId);
  }

  /** @throws InvalidInput, NotFound */
  async update(projectId: Id, id: Id, changes: RouteChanges): Promise<ProjectRoute> {
    const route = await this.get(projectId, id);
    const { priority = route.priority, weight = route.weight } = changes;
    const changed = { ...route, priority: parsePriority(priority), weight: parseWeight(weight) };
    await this.#store.saveRoute(changed);
    return changed;
  }

  /** @throws NotFound */
  async delete(projectId: Id, id: Id): Promise<ProjectRoute> {
    const route = await this.get(projectId, id);
    await this.#store.removeRoute(projectId, id);
    return route;
  }
}
