import { DomainError } from '../shared/errors.ts';
import type { Scope } from './scope.ts';

/** Why a secret was refused. For logs and tests only: the outside always reads the same sentence. */
export type RefusalReason = 'missing' | 'malformed' | 'unknown' | 'expired' | 'revoked';

/** The secret is not valid. One answer for every reason, so that it does not reveal which secrets once existed. */
export class Unauthenticated extends DomainError {
  readonly code = 'access.unauthenticated';
  readonly kind = 'unauthenticated';
  readonly reason: RefusalReason;
  constructor(reason: RefusalReason) {
    super('The request has no valid API key. Send one as "Authorization: Bearer pp_...".');
    this.reason = reason;
  }
}

/** The key is good, but was not given the permission for this. */
export class ScopeMissing extends DomainError {
  readonly code = 'access.scope_missing';
  readonly kind = 'forbidden';
  readonly scope: Scope;
  constructor(scope: Scope) {
    super(`This API key lacks the scope "${scope}". Create a key that has it.`);
    this.scope = scope;
  }
}

/** Slugs name projects on the command line and are unique in the instance. */
export class SlugTaken extends DomainError {
  readonly code = 'access.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`A project "${slug}" exists already. Choose another slug.`, '/slug');
  }
}

/** The instance's secret is not 256 bits in a known spelling. */
export class InvalidSecretKey extends DomainError {
  readonly code = 'access.invalid_secret_key';
  readonly kind = 'invalid';
  constructor() {
    super(
      'The secret key must be 32 bytes, written as 64 hexadecimal digits or as base64 (for example from: openssl rand -hex 32).',
    );
  }
}

/** This node holds another secret than the one the database was set up with; it would send links that no other process can verify. */
export class ForeignSecretKey extends DomainError {
  readonly code = 'access.foreign_secret_key';
  readonly kind = 'conflict';
  constructor(expected: string, actual: string) {
    super(
      `The database was set up with another secret key (fingerprint ${expected.slice(0, 8)}..., this node has ${actual.slice(0, 8)}...). ` +
        'Set PENNYPOST_SECRET_KEY to the key of this database. To replace that key, write the new one first and the old one after it.',
    );
  }
}

/** A stored secret does not open: it was changed or moved, or the instance's key that sealed it is not among those of this node. */
export class SealBroken extends DomainError {
  readonly code = 'access.seal_broken';
  readonly kind = 'conflict';
  constructor() {
    super(
      'A stored credential cannot be decrypted with the keys of this node. If the secret key was replaced, write the older one after it. ' +
        'Otherwise store the credential again.',
    );
  }
}
