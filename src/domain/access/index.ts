/**
 * Access: which tenants there are, and who may act for them.
 *
 * Owns projects (the tenants) with what they keep and for how long, sending domains with their DKIM keys, API keys, the
 * instance's public URL, its secret key and what is derived from it.
 *
 * States of a key: active, then expired (by time) or revoked (by a user); neither comes back.
 *
 * States of a DKIM key: pending (its record is not in the DNS yet), active (it signs), retiring (replaced; its record must stay for
 * seven days), retired. A domain is verified when the DNS has shown an RSA key of it, and stays so: what it shows later is found by checks.
 *
 * Promises
 * - Only the SHA-256 of a secret is stored: a dump of the database holds no usable key. A secret is shown once, when made.
 * - A revoked or expired key is refused on every node for every request that starts after the commit; there is no cache.
 * - Unknown, malformed, expired and revoked secrets get the same answer. Hashes are compared in constant time.
 * - One key sees one project. What does not belong to that project does not exist for it (`NotFound`).
 * - Credentials are sealed with AES-256-GCM, bound to project, table, row and column (`KeyRing.seal`); they open nowhere else.
 * - Private keys of domains are stored sealed, leave by no answer, and are removed when another key takes over.
 * - Keys for tokens differ by project and by purpose (HKDF-SHA256, RFC 5869). A node whose secret is not the one that the
 *   database was set up with is refused (`ForeignSecretKey`): its links would be dead.
 *
 * Standards: RFC 6376 and 8463 (DKIM keys), RFC 7208 (SPF), RFC 9989 (DMARC).
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
export { type AccessDomains, DomainTaken, RotationPending } from './domains/access-domains.ts';
export { checkDomain } from './domains/check-domain.ts';
export {
  type DkimKey,
  type DkimKeyStatus,
  type GeneratedKey,
  generateKeys,
  type KeyAlgorithm,
  keyStatus,
  removableAt,
  sealedPlaceOf,
} from './domains/dkim-key.ts';
export type { Dns, DnsAnswer, DnsType } from './domains/dns.ts';
export type { DomainStore, SealedKey } from './domains/domain-store.ts';
export { FINDING_SUBJECTS, type Finding } from './domains/finding.ts';
export { type DnsRecord, SendingDomain } from './domains/sending-domain.ts';
export { KeyRing } from './key-ring.ts';
export { AuthorRefused, AuthorUnverified, type NewProject, Project, type ProjectChanges, type ProjectState } from './project.ts';
export { SCOPES, type Scope } from './scope.ts';
export type { SealedPlace } from './sealed-secret.ts';
export { deriveKey, fingerprint, generateSecretKey, keyId, parseSecretKey } from './secret-key.ts';
