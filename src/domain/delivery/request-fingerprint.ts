import { createHash } from 'node:crypto';

/** SHA-256 (hex) over the parts of a request in their order: equal requests have equal fingerprints, whoever repeats them. */
export function requestFingerprint(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
