import type { Id } from '../shared/ids.ts';

// Where the two hex digits of each of the 16 bytes stand in a UUID's text.
const POSITIONS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0);

/** First byte of a message token and of every MAC input: what the second id names, and the version of the layout. */
export const KIND = { mailing: 1, transactional: 2 } as const;

/** Kind, project and mailing (or transactional message): what is the same for a whole mailing. */
export const STATIC_BYTES = 33;

export function writeStatic(into: Uint8Array, offset: number, kind: keyof typeof KIND, projectId: Id, second: Id): void {
  into[offset] = KIND[kind];
  writeId(projectId, into, offset + 1);
  writeId(second, into, offset + 17);
}

/** Writes the 16 bytes of an id. By hand: 0.03 us a message; `Buffer.write(..., 'hex')` without the dashes takes 0.2 us. */
export function writeId(id: Id, into: Uint8Array, offset: number): void {
  for (let i = 0; i < 16; i += 1) {
    const at = POSITIONS[i]!;
    into[offset + i] = (DIGITS[id.charCodeAt(at)]! << 4) | DIGITS[id.charCodeAt(at + 1)]!;
  }
}

/** The id whose 16 bytes begin at `offset`. */
export function readId(bytes: Buffer, offset: number): Id {
  const hex = bytes.toString('hex', offset, offset + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The bytes, unless the text is anything but their one canonical base64url spelling without padding (RFC 4648 section 3.5). */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
