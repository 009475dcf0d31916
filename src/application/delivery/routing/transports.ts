import {
  HEALTHY,
  type NewTransport,
  type StoredTransport,
  secretSettings,
  type TransportChanges,
  type TransportHealth,
  TransportInUse,
} from '../../../domain/delivery/index.ts';
import type { Id } from '../../../domain/shared/ids.ts';
import { idAfter, type Page, type PageRequest, pageLimit, toPage } from '../../../domain/shared/page.ts';
import { campaignsInUse } from '../../access/delete-project.ts';
import type { Scope, UnitOfWork } from '../../unit-of-work.ts';
import type { TransportTest, VerifyTransport } from './verify-transport.ts';

/** A transport as it is shown: of its credentials only whether they are set. */
export interface ShownTransport extends Omit<StoredTransport, 'secretNames'> {
  /** By name, every credential of its kind. */
  readonly secrets: Readonly<Record<string, 'set' | 'not set'>>;
  readonly health: TransportHealth;
}

/** `dryRun`: answer what would be deleted; change nothing. */
export interface TransportDeleting {
  readonly dryRun?: boolean | undefined;
}

/** The transports of a project, by id or slug. A project without any uses the transport of the environment. */
export interface Transports {
  /** Stores the credentials encrypted. A slug made from the name gets a number when it is taken. @throws InvalidInput, TransportSlugTaken */
  create(projectId: Id, input: NewTransport): Promise<ShownTransport>;
  /** In the order in which they were created. */
  list(projectId: Id, page?: PageRequest): Promise<Page<ShownTransport>>;
  /** @throws NotFound */
  get(projectId: Id, transport: string): Promise<ShownTransport>;
  /** Settings that are not named stay, credentials included; null removes one. Closes its breaker. @throws InvalidInput, NotFound */
  update(projectId: Id, transport: string, changes: TransportChanges): Promise<ShownTransport>;
  /** Refused while a route names it, and of the last one while mail waits. @throws NotFound, TransportInUse */
  delete(projectId: Id, transport: string, options?: TransportDeleting): Promise<ShownTransport>;
  /** Connects and authenticates; with an address, also sends a test message. Success closes its breaker. @throws NotFound, InvalidInput */
  verify(projectId: Id, transport: string, options?: { readonly to?: string | undefined }): Promise<TransportTest>;
}

export function transportVerbs(deps: { readonly work: UnitOfWork; readonly verifyTransport: VerifyTransport }): Transports {
  const { work, verifyTransport } = deps;
  const show = async ({ delivery }: Scope, transport: StoredTransport): Promise<ShownTransport> =>
    shown(transport, await delivery.transports.health(transport.projectId, transport.id));
  return {
    create: (projectId, input) =>
      work.run(async (scope) => show(scope, await scope.delivery.transports.create(projectId, input))),
    list: (projectId, page = {}) =>
      work.run(async ({ delivery }) => {
        const [after, limit] = [idAfter(page), pageLimit(page)];
        const all = await delivery.transports.list(projectId);
        const health = await delivery.transports.healthOf(projectId);
        const rows = all.filter(({ id }) => after === undefined || id > after).slice(0, limit + 1);
        const items = rows.map((transport) => shown(transport, health.get(transport.id)));
        return toPage(items, limit, ({ id }) => [id]);
      }),
    get: (projectId, transport) =>
      work.run(async (scope) => show(scope, await scope.delivery.transports.get(projectId, transport))),
    update: (projectId, transport, changes) =>
      work.run(async (scope) => show(scope, await scope.delivery.transports.update(projectId, transport, changes))),
    delete: (projectId, transport, { dryRun = false } = {}) =>
      work.run(async (scope) => {
        const found = await show(scope, await scope.delivery.transports.get(projectId, transport));
        await refuseLast(scope, found);
        if (!dryRun) await scope.delivery.transports.delete(projectId, found.id);
        return found;
      }),
    verify: (projectId, transport, options) => verifyTransport.verify(projectId, transport, options),
  };
}

/** Without it the mail that waits would leave by the transport of the environment, which was not meant to take it. */
async function refuseLast(scope: Scope, { projectId, id, slug }: ShownTransport): Promise<void> {
  const others = (await scope.delivery.transports.list(projectId)).filter((one) => one.id !== id && one.state === 'active');
  if (others.length > 0) return;
  const campaigns = await campaignsInUse(scope, projectId);
  const messages = await scope.delivery.transactional.waitingMessages(projectId);
  if (campaigns.length + messages === 0) return;
  const named = campaigns.slice(0, 5).map((campaign) => campaign.slug);
  const waits = [
    ...(campaigns.length === 0 ? [] : [`campaigns that are not done: ${named.join(', ')}`]),
    ...(messages === 0 ? [] : [`transactional messages that wait: ${messages}`]),
  ];
  throw new TransportInUse(slug, `it is the last active one of the project, with ${waits.join('; ')}. Create another one first`);
}

function shown({ secretNames, ...transport }: StoredTransport, health: TransportHealth = HEALTHY): ShownTransport {
  const state = (name: string) => [name, secretNames.includes(name) ? 'set' : 'not set'] as const;
  return { ...transport, secrets: Object.fromEntries(secretSettings(transport.kind).map(state)), health };
}
