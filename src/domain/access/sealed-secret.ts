import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SealBroken } from './access-errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where a sealed secret is stored. It opens in this place only: a ciphertext that was copied to another row or column does not. */
export interface SealedPlace {
  readonly table: string;
  readonly row: string;
  readonly column: string;
}

const boundTo = ({ table, row, column }: SealedPlace): Buffer => Buffer.from(`${table}\0${row.toLowerCase()}\0${column}`);

/** AES-256-GCM (NIST SP 800-38D) with a random nonce and the place as additional data. @returns nonce, tag, ciphertext */
export function sealSecret(key: Uint8Array, plain: Uint8Array, place: SealedPlace): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(boundTo(place));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** @throws SealBroken when key, place or bytes are not those that were sealed */
export function openSecret(key: Uint8Array, sealed: Uint8Array, place: SealedPlace): Buffer {
  if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) throw new SealBroken();
  const body = sealed.subarray(NONCE_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(boundTo(place))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw new SealBroken();
  }
}
