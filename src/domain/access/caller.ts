import type { Id } from '../shared/ids.ts';
import { ScopeMissing } from './access-errors.ts';
import type { Project } from './project.ts';
import { allows, type Scope } from './scope.ts';

/** Who is asking: the holder of one key, and with it the one project that this request can see. */
export class Caller {
  readonly project: Project;
  readonly keyId: Id;
  readonly scopes: readonly Scope[];
  readonly requestsPerSecond: number;

  constructor(state: { project: Project; keyId: Id; scopes: readonly Scope[]; requestsPerSecond: number }) {
    this.project = state.project;
    this.keyId = state.keyId;
    this.scopes = state.scopes;
    this.requestsPerSecond = state.requestsPerSecond;
  }

  /** Whether the key has the scope, or `admin`. */
  hasScope(scope: Scope): boolean {
    return allows(this.scopes, scope);
  }

  /** @throws ScopeMissing unless the key has the scope, or `admin`. */
  requireScope(scope: Scope): void {
    if (!this.hasScope(scope)) throw new ScopeMissing(scope);
  }
}
