import { type NewRoute, type ProjectRoute, type RouteChanges, RoutePlan } from '../../../domain/delivery/index.ts';
import { parseAddressee } from '../../../domain/shared/email-address.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../../domain/shared/page.ts';
import type { Scope, UnitOfWork } from '../../unit-of-work.ts';
import { type ExplainRequest, explainRoute, type RouteExplanation } from './explain-route.ts';

/** A route with the transport that it names. */
export interface ShownRoute extends ProjectRoute {
  /** Slug. */
  readonly transport: string;
}

export interface RouteInput extends Omit<NewRoute, 'transportId'> {
  /** Id or slug. */
  readonly transport: string;
}

/** Which transport takes which messages of a project, and which ones take over. */
export interface Routes {
  /** @throws InvalidInput, NotFound */
  create(projectId: Id, input: RouteInput): Promise<ShownRoute>;
  list(projectId: Id, page?: PageRequest): Promise<Page<ShownRoute>>;
  /** @throws NotFound */
  get(projectId: Id, routeId: Id): Promise<ShownRoute>;
  /** @throws InvalidInput, NotFound */
  update(projectId: Id, routeId: Id, changes: RouteChanges): Promise<ShownRoute>;
  /** @throws NotFound */
  delete(projectId: Id, routeId: Id): Promise<ShownRoute>;
  /** Which way a message to this address would go, and why. @throws InvalidInput */
  explain(projectId: Id, address: string, request?: ExplainRequest): Promise<RouteExplanation>;
}

export function routeVerbs({ work }: { readonly work: UnitOfWork }): Routes {
  return {
    create: (projectId, { transport, ...input }) =>
      work.run(async ({ delivery }) => {
        const { id, slug } = await delivery.transports.get(projectId, transport);
        return { ...(await delivery.routes.create(projectId, { ...input, transportId: id })), transport: slug };
      }),
    list: (projectId, page = {}) =>
      work.run(async ({ delivery }) => {
        const [after, limit] = [idAfter(page), pageLimit(page)];
        const slugs = new Map((await delivery.transports.list(projectId)).map(({ id, slug }) => [id, slug]));
        const routes = await delivery.routes.list(projectId);
        const rows = routes.filter(({ id }) => after === undefined || id > after).slice(0, limit + 1);
        const items = rows.map((route) => ({ ...route, transport: slugs.get(route.transportId) ?? '' }));
        return toPage(items, limit, ({ id }) => [id]);
      }),
    get: (projectId, routeId) => work.run(async (scope) => shown(scope, await scope.delivery.routes.get(projectId, routeId))),
    update: (projectId, routeId, changes) =>
      work.run(async (scope) => shown(scope, await scope.delivery.routes.update(projectId, routeId, changes))),
    delete: (projectId, routeId) =>
      work.run(async (scope) => shown(scope, await scope.delivery.routes.delete(projectId, routeId))),
    explain: (projectId, address, request) =>
      work.run(async ({ delivery }) => {
        const { address: parsed } = parseAddressee(address, '/address');
        const transports = await delivery.transports.list(projectId);
        const plan = new RoutePlan(transports, await delivery.routes.list(projectId));
        return explainRoute(plan, await delivery.transports.healthOf(projectId), parsed, request);
      }),
  };
}

async function shown({ delivery }: Scope, route: ProjectRoute): Promise<ShownRoute> {
  return { ...route, transport: (await delivery.transports.get(route.projectId, route.transportId)).slug };
}
