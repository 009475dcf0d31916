import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/*
 * `pp_` + 43 characters for 256 random bits + 6 characters of checksum, all base62. The prefix lets secret scanners find a
 * leaked key; the checksum lets scanners and pennypost tell a key from a look-alike without asking the database; base62 lets a
 * double click select the whole of it.
 */
const PREFIX = 'pp_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_LENGTH = 43; // 62^43 > 2^256 > 62^42
const CHECKSUM_LENGTH = 6; // 62^6 > 2^32
const FORM = new RegExp(`^${PREFIX}([0-9A-Za-z]{${SECRET_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`);

/** @param random 32 bytes; the default is the system's secure source. */
export function generateApiSecret(random: Uint8Array = randomBytes(32)): string {
  const body = base62(random, SECRET_LENGTH);
  return `${PREFIX}${body}${checksum(body)}`;
}

/** True when the text has the form of a secret. It need not be one that was issued. */
export function isApiSecret(text: string): boolean {
  const match = FORM.exec(text);
  return match !== null && checksum(match[1]!) === match[2];
}

/** SHA-256 in hexadecimal: the only form in which a secret is stored. 256 random bits need no salt and no slow hash. */
export function hashApiSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}

/** Equal length and equal content, in a time that does not depend on where they differ. */
export function sameHash(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left, 'hex'), Buffer.from(right, 'hex')];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

function checksum(body: string): string {
  return base62(createHash('sha256').update(body).digest().subarray(0, 4), CHECKSUM_LENGTH);
}

function base62(bytes: Uint8Array, length: number): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let index = 0; index < length; index++) {
    text = ALPHABET[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}
