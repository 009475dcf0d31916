import { HmacKey } from '../shared/hmac-key.ts';
import type { Id } from '../shared/ids.ts';
import { SealBroken } from './access-errors.ts';
import { openSecret, type SealedPlace, sealSecret } from './sealed-secret.ts';
import { deriveKey, fingerprint, keyId } from './secret-key.ts';

/** Keeps derived keys of the projects in use; a stranger's made-up project ids push out nothing for long. */
const REMEMBERED = 1_000;

/** A sealed secret begins with the id of the key that sealed it. */
const KEY_ID_LENGTH = 6;
const sealedUnder = (sealed: Uint8Array): string => Buffer.from(sealed.subarray(0, KEY_ID_LENGTH)).toString('latin1');

/**
 * The instance's secrets: the present one signs, older ones still verify until they are removed. With an older one goes the
 * knowledge of what it marked: links that it signed are dead, and addresses erased under it are no longer recognised.
 */
export class KeyRing {
  /** Six characters of base64url that name the present secret in tokens. */
  readonly keyId: string;
  readonly fingerprint: string;
  /** Of the secrets that the present one replaced. */
  readonly olderFingerprints: readonly string[];
  readonly #ordered: readonly [Buffer, ...Buffer[]];
  readonly #secrets = new Map<string, Buffer>();
  readonly #tokens = new Map<string, HmacKey>();
  readonly #erasure = new Map<string, Uint8Array>();

  /** @param secrets the present one first; 32 bytes each */
  constructor(secrets: readonly [Buffer, ...Buffer[]]) {
    this.#ordered = secrets;
    this.keyId = keyId(secrets[0]);
    this.fingerprint = fingerprint(secrets[0]);
    this.olderFingerprints = secrets.slice(1).map(fingerprint);
    for (const secret of secrets) this.#secrets.set(keyId(secret), secret);
  }

  /** The keys of one project's marks of erased addresses: the first makes new ones, all of them recognise. */
  erasureKeys(projectId: Id): readonly [Uint8Array, ...Uint8Array[]] {
    const [present, ...older] = this.#ordered;
    const keyFrom = (secret: Buffer, age: number): Uint8Array =>
      remembered(this.#erasure, `${age}/${projectId}`, () => deriveKey(secret, projectId, 'erasure'));
    return [keyFrom(present, 0), ...older.map((secret, at) => keyFrom(secret, at + 1))];
  }

  /** Encrypts a credential of a project for its place in the database, under the present secret. */
  seal(projectId: Id, plain: string, place: SealedPlace): Buffer {
    const sealed = sealSecret(this.#sealingKey(projectId, this.#ordered[0]), Buffer.from(plain), place);
    return Buffer.concat([Buffer.from(this.keyId, 'latin1'), sealed]);
  }

  /** @throws SealBroken */
  open(projectId: Id, sealed: Uint8Array, place: SealedPlace): string {
    const secret = this.#secrets.get(sealedUnder(sealed));
    if (secret === undefined) throw new SealBroken();
    return openSecret(this.#sealingKey(projectId, secret), sealed.subarray(KEY_ID_LENGTH), place).toString();
  }

  /** Whether it was sealed under an older secret, and is to be sealed again before that one is removed. */
  sealedBefore(sealed: Uint8Array): boolean {
    return sealedUnder(sealed) !== this.keyId;
  }

  #sealingKey(projectId: Id, secret: Buffer): Uint8Array {
    return deriveKey(secret, projectId, 'credentials');
  }

  /** The key of one project's public tokens; undefined for a key id that is unknown or removed. */
  tokenKey(projectId: Id, named: string): HmacKey | undefined {
    const secret = this.#secrets.get(named);
    if (secret === undefined) return undefined;
    return remembered(this.#tokens, `${named}/${projectId}`, () => new HmacKey(deriveKey(secret, projectId, 'message-token')));
  }
}

function remembered<Key>(known: Map<string, Key>, name: string, derive: () => Key): Key {
  const found = known.get(name);
  if (found !== undefined) return found;
  const [oldest] = known.keys();
  if (known.size >= REMEMBERED && oldest !== undefined) known.delete(oldest);
  const key = derive();
  known.set(name, key);
  return key;
}
