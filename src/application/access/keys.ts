import type { AccessService, ApiKey, NewApiKey } from '../../domain/access/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

export type Caller = Awaited<ReturnType<AccessService['authenticate']>>;

/** The API keys of a project. */
export interface Keys {
  /** The secret is in this answer and nowhere else, ever. @throws InvalidInput, NotFound */
  create(projectId: Id, input: NewApiKey): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  list(projectId: Id, page?: PageRequest): Promise<Page<ApiKey>>;
  /** Holds for every request that starts after it, on every node. @throws NotFound */
  revoke(projectId: Id, keyId: Id): Promise<ApiKey>;
  /** The holder of a secret. @throws Unauthenticated */
  authenticate(secret: string): Promise<Caller>;
}

export function keyVerbs({ work }: { readonly work: UnitOfWork }): Keys {
  return {
    create: (projectId, input) => work.run(({ access }) => access.createKey(projectId, input)),
    list: (projectId, page) => work.run(({ access }) => access.listKeys(projectId, page)),
    revoke: (projectId, keyId) => work.run(({ access }) => access.revokeKey(projectId, keyId)),
    authenticate: (secret) => work.single(({ access }) => access.authenticate(secret)),
  };
}
