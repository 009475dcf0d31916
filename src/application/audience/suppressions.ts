import type { NewSuppression, Suppression, SuppressionFilter } from '../../domain/audience/index.ts';
import type { Id } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

/** Addresses that are not mailed, and why. */
export interface Suppressions {
  /** Idempotent; a graver reason replaces a lighter one. @throws InvalidInput */
  create(projectId: Id, address: string, input?: NewSuppression): Promise<CreatedSuppression>;
  /** Newest first. @throws InvalidInput */
  list(projectId: Id, search?: PageRequest & SuppressionFilter): Promise<Page<Suppression>>;
  /** Every suppression of an address, in any scope. @throws InvalidInput */
  lookup(projectId: Id, address: string): Promise<readonly Suppression[]>;
  /** Lifts the suppressions of an address in one scope (default `project`); false when there were none. @throws InvalidInput */
  lift(projectId: Id, address: string, scope?: string): Promise<boolean>;
}

/** `changed` false: the address was suppressed for as grave a reason before. */
export interface CreatedSuppression {
  readonly changed: boolean;
  readonly items: readonly Suppression[];
}

export function suppressionVerbs({ work }: { readonly work: UnitOfWork }): Suppressions {
  return {
    create: (projectId, address, input) =>
      work.run(async ({ audience }) => {
        const changed = await audience.suppressions.add(projectId, address, input);
        return { changed, items: await audience.suppressions.of(projectId, address) };
      }),
    list: (projectId, search) => work.run(({ audience }) => audience.suppressions.list(projectId, search)),
    lookup: (projectId, address) => work.run(({ audience }) => audience.suppressions.of(projectId, address)),
    lift: (projectId, address, scope) => work.run(({ audience }) => audience.suppressions.lift(projectId, address, scope)),
  };
}
