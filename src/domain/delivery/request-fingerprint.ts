import { createHash } from 'node:crypto';

/**
 * SHA-256 (hex) over the parts of a request in their order: equal requests have equal fingerprints, from any client and in
 * whatever order the names of their objects come.
 */
export function requestFingerprint(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts, namesInOrder)).digest('hex');
}

function namesInOrder(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
