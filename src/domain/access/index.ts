/**
 * Access: which tenants there are, and who may act for them.
 *
 * Owns projects (the tenants) with what they keep and for how long, API keys, the instance's public URL, its secret key and what is
 * derived from it.
 *
 * States of a key: active, then expired (by time) or revoked (by a user); neither comes back.
 *
 * Promises
 * - Only the SHA-256 of a secret is stored: a dump of the database holds no usable key. A secret is shown once, when made.
 * - A revoked or expired key is refused on every node for every request that starts after the commit; there is no cache.
 * - Unknown, malformed, expired and revoked secrets get the same answer. Hashes are compared in constant time.
 * - One key sees one project. What does not belong to that project does not exist for it (`NotFound`).
 * - Credentials are sealed with AES-256-GCM, bound to project, table, row and column (`KeyRing.seal`); they open nowhere else.
 * - Keys for tokens differ by project and by purpose (HKDF-SHA256, RFC 5869). A node whose secret is not the one that the
 *   database was set up with is refused (`ForeignSecretKey`): its links would be dead.
 *
 * Does not promise an exact `lastUsedAt` (written at most once a minute and key), and does not count requests: the rate
 * limit of a key is stored here and kept by the face that serves the requests.
 */
export {
  ForeignSecretKey,
  InvalidSecretKey,
  type RefusalReason,
  ScopeMissing,
  SealBroken,
  SlugTaken,
  Unauthenticated,
} from './access-errors.ts';
export { AccessService } from './access-service.ts';
export type { AccessStore } from './access-store.ts';
export { ApiKey, type ApiKeyState, type ApiKeyStatus, type NewApiKey } from './api-key.ts';
export { generateApiSecret, hashApiSecret, isApiSecret } from './api-secret.ts';
export { KeyRing } from './key-ring.ts';
export { AuthorRefused, type NewProject, Project, type ProjectChanges, type ProjectState } from './project.ts';
export { SCOPES, type Scope } from './scope.ts';
export type { SealedPlace } from './sealed-secret.ts';
export { deriveKey, fingerprint, generateSecretKey, keyId, parseSecretKey } from './secret-key.ts';
