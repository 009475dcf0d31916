import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { Unauthenticated } from './access-errors.ts';
import { hashApiSecret, sameHash } from './api-secret.ts';
import { parseScopes, type Scope } from './scope.ts';

/** What a caller says when asking for a key. */
export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Absent: never expires. */
  readonly expiresAt?: Date | undefined;
  /** Requests per second over all addresses that use the key, 1 to 10,000; default 50. */
  readonly requestsPerSecond?: number | undefined;
}

export interface ApiKeyState {
  readonly projectId: Id;
  readonly id: Id;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secretHash: string;
  readonly requestsPerSecond: number;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** `active` keys open; the others answer as if they had never existed. */
export type ApiKeyStatus = 'active' | 'expired' | 'revoked';

/** `lastUsedAt` is for cleaning up keys: a resolution of a minute is enough and saves a write per request. */
const LAST_USED_RESOLUTION_MS = 60_000;

/** One secret of one project, of which only the SHA-256 is kept. */
export class ApiKey implements ApiKeyState {
  readonly projectId!: Id;
  readonly id!: Id;
  readonly name!: string;
  readonly scopes!: readonly Scope[];
  readonly secretHash!: string;
  readonly requestsPerSecond!: number;
  readonly createdAt!: Date;
  readonly expiresAt!: Date | null;
  readonly revokedAt!: Date | null;
  readonly lastUsedAt!: Date | null;

  constructor(state: ApiKeyState) {
    Object.assign(this, state);
  }

  /** @throws InvalidInput for an empty name, no or unknown scopes, an expiry in the past, an odd rate. */
  static issue(projectId: Id, id: Id, wish: NewApiKey, secret: string, now: Date): ApiKey {
    const name = wish.name.trim();
    if (name.length < 1 || name.length > 100) throw new InvalidInput('A key needs a name of 1 to 100 characters.', '/name');
    if (wish.expiresAt !== undefined && wish.expiresAt <= now)
      throw new InvalidInput('The expiry lies in the past.', '/expiresAt');
    const requestsPerSecond = wish.requestsPerSecond ?? 50;
    if (!Number.isInteger(requestsPerSecond) || requestsPerSecond < 1 || requestsPerSecond > 10_000) {
      throw new InvalidInput('The rate limit must be a whole number from 1 to 10,000 requests per second.', '/requestsPerSecond');
    }
    return new ApiKey({
      projectId,
      id,
      name,
      scopes: parseScopes(wish.scopes),
      secretHash: hashApiSecret(secret),
      requestsPerSecond,
      createdAt: now,
      expiresAt: wish.expiresAt ?? null,
      revokedAt: null,
      lastUsedAt: null,
    });
  }

  status(now: Date): ApiKeyStatus {
    if (this.revokedAt !== null) return 'revoked';
    return this.expiresAt !== null && this.expiresAt <= now ? 'expired' : 'active';
  }

  /** @throws Unauthenticated when the secret is not this key's, or the key is expired or revoked. */
  open(secret: string, now: Date): void {
    if (!sameHash(this.secretHash, hashApiSecret(secret))) throw new Unauthenticated('unknown');
    const status = this.status(now);
    if (status !== 'active') throw new Unauthenticated(status);
  }

  /** Takes effect at once, for good; revoking twice keeps the first time. */
  revoke(now: Date): void {
    if (this.revokedAt === null) Object.assign(this, { revokedAt: now });
  }

  /** Whether this use is worth a write of `lastUsedAt`. */
  wantsLastUsed(now: Date): boolean {
    return this.lastUsedAt === null || now.getTime() - this.lastUsedAt.getTime() >= LAST_USED_RESOLUTION_MS;
  }
}
