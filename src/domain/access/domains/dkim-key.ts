import { generateKeyPair, type KeyObject } from 'node:crypto';
import type { Id } from '../../shared/ids.ts';
import type { SealedPlace } from '../sealed-secret.ts';

/** RFC 6376 with RSA of 2,048 bits, which every receiver knows, and RFC 8463, which is shorter and faster. */
export const KEY_ALGORITHMS = ['rsa-sha256', 'ed25519-sha256'] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/**
 * `pending`: waits for its DNS record. `active`: signs. `retiring`: signs no more, but mail on its way needs its record.
 * `retired`: its record may be removed.
 */
export type DkimKeyStatus = 'pending' | 'active' | 'retiring' | 'retired';

export interface DkimKey {
  readonly id: Id;
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  /** Base64, as it stands in `p=` of the DNS record. */
  readonly publicKey: string;
  /** Undefined once another key has taken over. */
  readonly sealedPrivateKey: Uint8Array | undefined;
  readonly createdAt: Date;
  readonly activatedAt: Date | undefined;
  readonly replacedAt: Date | undefined;
}

/** Mail stays in queues for five days at most, and some receivers look at it again after delivery. */
export const OVERLAP_MS = 7 * 24 * 3_600_000;

export function keyStatus({ activatedAt, replacedAt }: Pick<DkimKey, 'activatedAt' | 'replacedAt'>, now: Date): DkimKeyStatus {
  if (replacedAt !== undefined) return now.getTime() - replacedAt.getTime() < OVERLAP_MS ? 'retiring' : 'retired';
  return activatedAt === undefined ? 'pending' : 'active';
}

/** When the record of a replaced key may be removed. */
export const removableAt = ({ replacedAt }: DkimKey): Date | undefined =>
  replacedAt === undefined ? undefined : new Date(replacedAt.getTime() + OVERLAP_MS);

/** Of the id, so that two projects with the same domain have different selectors. */
export const selectorOf = (keyId: Id): string => `pp${keyId.replaceAll('-', '').slice(-10)}`;

/** Where the private key is sealed for. */
export const sealedPlaceOf = (keyId: Id): SealedPlace => ({
  table: 'pennypost_access.dkim_key',
  row: keyId,
  column: 'sealed_private_key',
});

/** The text of the DNS record. */
export const recordOf = ({ algorithm, publicKey }: Pick<DkimKey, 'algorithm' | 'publicKey'>): string =>
  `v=DKIM1; k=${algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519'}; p=${publicKey}`;

export interface GeneratedKey {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: string;
  /** PKCS #8 in PEM. */
  readonly privateKey: string;
}

/** A pair of each algorithm. RSA takes some 100 ms, on the thread pool. */
export function generateKeys(): Promise<readonly GeneratedKey[]> {
  return Promise.all([
    new Promise<GeneratedKey>((resolve, reject) =>
      generateKeyPair('rsa', { modulusLength: 2_048 }, (error, publicKey, privateKey) =>
        error === null ? resolve(generated('rsa-sha256', publicKey, privateKey)) : reject(error),
      ),
    ),
    new Promise<GeneratedKey>((resolve, reject) =>
      generateKeyPair('ed25519', {}, (error, publicKey, privateKey) =>
        error === null ? resolve(generated('ed25519-sha256', publicKey, privateKey)) : reject(error),
      ),
    ),
  ]);
}

function generated(algorithm: KeyAlgorithm, publicKey: KeyObject, privateKey: KeyObject): GeneratedKey {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // RFC 8463 section 4: the 32 bytes of the key alone, which end its SubjectPublicKeyInfo.
  const published = algorithm === 'ed25519-sha256' ? spki.subarray(-32) : spki;
  return {
    algorithm,
    publicKey: published.toString('base64'),
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}
