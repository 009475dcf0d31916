/** A UUIDv7 in lower-case text (RFC 9562 section 5.7), made by the application so that it exists before the row does. */
export type Id = string;

/** Makes ids; a port, so that tests can make them predictable. */
export interface Ids {
  next(): Id;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export function isId(text: string): boolean {
  return UUID.test(text);
}

/**
 * UUIDv7 from a time and 10 random bytes: 48 bits of Unix milliseconds, then randomness.
 * @param milliseconds Unix time
 * @param random at least 10 bytes
 */
export function uuidv7(milliseconds: number, random: Uint8Array): Id {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(milliseconds, 0, 6);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
