import type { Emitter } from 'liquidjs';
import { RenderFailed } from '../../domain/campaign/index.ts';
import { weigh } from './liquid-limits.ts';
import { encodedBound, encodePiece } from './quoted-printable.ts';

/** Decoded characters that one part may reach; a template that multiplies its data ends there. */
export const PART_LIMIT = 1_000_000;

/** Reads a value the way Liquid prints it: nothing for nil, lists run together. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (!Array.isArray(value)) return String(value);
  weigh(value);
  return joined(value);
}

const joined = (list: readonly unknown[]): string =>
  list.map((value) => (Array.isArray(value) ? joined(value) : toText(value))).join('');

/** Collects a part as text, for the plain way. */
export class CappedEmitter implements Emitter {
  buffer = '';
  write(value: unknown): void {
    this.buffer += toText(value);
    if (this.buffer.length > PART_LIMIT) throw tooLong();
  }
}

const tooLong = (): RenderFailed =>
  new RenderFailed(`A part of the message grew over ${PART_LIMIT} characters. A loop or a value in the data is too large.`);

/** Buffers between messages. Keeps a few of ordinary size; one that a huge value blew up is left to the collector. */
export class BufferPool {
  private readonly free: Buffer[] = [];

  /** A buffer of `octets` or more. */
  take(octets: number): Buffer {
    const buffer = this.free.pop();
    return buffer !== undefined && buffer.length >= octets ? buffer : Buffer.allocUnsafeSlow(Math.max(octets, 16_384));
  }

  give(buffer: Buffer): void {
    if (this.free.length < 64 && buffer.length <= 512_000) this.free.push(buffer);
  }
}

/**
 * Where one message grows: static bytes are copied, values are escaped and encoded in place. It is a liquidjs emitter too,
 * so that any tag of the language can write to it. Every write leaves the output at column 0 (see quoted-printable.ts).
 */
export class MessageSink implements Emitter {
  /** liquidjs reads the result of a render here. The message itself is in `target`. */
  readonly buffer = '';
  target: Buffer = Buffer.alloc(0);
  position = 0;
  private characters = 0;
  private ticks = 0;
  private deadline = 0;

  /** @param milliseconds most time that a compiled loop may take */
  begin(target: Buffer, milliseconds: number): void {
    this.ticks = 0;
    this.deadline = milliseconds;
    this.target = target;
    this.position = 0;
    this.characters = 0;
  }

  beginPart(): void {
    this.characters = 0;
  }

  /** One turn of a loop. The clock is read every 256 turns, and first then: most messages never ask for the time. */
  tick(): void {
    this.ticks += 1;
    if ((this.ticks & 255) !== 0) return;
    const now = performance.now();
    if (this.ticks === 256) this.deadline += now;
    else if (now > this.deadline) throw new RenderFailed('The loops in the template take too long for this recipient.');
  }

  /** Bytes as they are; `characters` is what they count against the part's limit. */
  bytes(chunk: Uint8Array, characters = 0): void {
    this.count(characters);
    this.ensure(chunk.length);
    this.target.set(chunk, this.position);
    this.position += chunk.length;
  }

  /** A value from a template or a recipient. */
  text(value: string, html: boolean): void {
    this.count(value.length);
    this.ensure(encodedBound(value.length));
    this.position = encodePiece(this.target, this.position, value, html);
  }

  /** ASCII for header fields, checked by the caller. */
  ascii(value: string): void {
    const length = value.length;
    this.ensure(length);
    const { target, position } = this;
    for (let index = 0; index < length; index += 1) target[position + index] = value.charCodeAt(index);
    this.position = position + length;
  }

  utf8(value: string): void {
    this.ensure(value.length * 3);
    this.position += this.target.write(value, this.position, 'utf8');
  }

  /** Writes again what stands between two positions of this message. */
  repeat(from: number, to: number): void {
    this.ensure(to - from);
    this.target.copyWithin(this.position, from, to);
    this.position += to - from;
  }

  /** liquidjs: text that is escaped already. */
  write(value: unknown): void {
    const text = toText(value);
    if (text !== '') this.text(text, false);
  }

  /**
   * Ends an encoded part. The soft break at its very end goes, unless a blank stands before it that a relay might cut.
   * @param newline end with a hard line break
   */
  endPart(newline: boolean): void {
    const { target, position } = this;
    if (position >= 4 && target[position - 3] === 0x3d && target[position - 1] === 0x0a) {
      const last = target[position - 4]!;
      if (last !== 0x20 && last !== 0x09) this.position -= 3;
      if (newline) this.ascii('\r\n');
    }
  }

  private count(characters: number): void {
    this.characters += characters;
    if (this.characters > PART_LIMIT) throw tooLong();
  }

  private ensure(octets: number): void {
    const needed = this.position + octets;
    if (needed <= this.target.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.target.length * 2));
    this.target.copy(grown, 0, 0, this.position);
    this.target = grown;
  }
}
