import { hkdfSync, randomBytes } from 'node:crypto';
import type { Id } from '../shared/ids.ts';
import { InvalidSecretKey } from './access-errors.ts';

const KEY_BYTES = 32;

/** A new instance secret: 256 random bits. */
export function generateSecretKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/**
 * Reads an instance secret as people keep it: 64 hexadecimal digits, or 32 bytes in base64 or base64url. White space
 * around it (a file's last line end) is ignored.
 * @throws InvalidSecretKey for any other length or alphabet.
 */
export function parseSecretKey(text: string): Buffer {
  const written = text.trim();
  if (/^[0-9a-f]{64}$/i.test(written)) return Buffer.from(written, 'hex');
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(written)) return Buffer.from(written.replaceAll('+', '-').replaceAll('/', '_'), 'base64url');
  throw new InvalidSecretKey();
}

/**
 * 32 bytes for one project and one purpose: HKDF-SHA256 (RFC 5869) from the instance's secret. Derive once, keep the result.
 * @param purpose a word of the context that uses the key, such as `message-token`; it never changes once released.
 */
export function deriveKey(secret: Uint8Array, projectId: Id, purpose: string): Buffer {
  return derive(secret, `project\0${projectId.toLowerCase()}\0${purpose}`, KEY_BYTES);
}

/**
 * Names a secret inside a token, so that old tokens find the key that made them after the instance's secret was replaced.
 * Six characters of base64url (36 bits): short enough to stand in every link, and says nothing about the secret.
 */
export function keyId(secret: Uint8Array): string {
  return derive(secret, 'key id', 5).toString('base64url').slice(0, 6);
}

/** 64 hexadecimal digits that tell two secrets apart and reveal neither; kept in the database. */
export function fingerprint(secret: Uint8Array): string {
  return derive(secret, 'fingerprint', KEY_BYTES).toString('hex');
}

function derive(secret: Uint8Array, info: string, length: number): Buffer {
  if (secret.byteLength !== KEY_BYTES) throw new InvalidSecretKey();
  return Buffer.from(hkdfSync('sha256', secret, '', `pennypost/1\0${info}`, length));
}
