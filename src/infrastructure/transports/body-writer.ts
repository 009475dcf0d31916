import type { Socket } from 'node:net';

/** RFC 5321 section 4.1.1.4: the line end before the dot belongs to the content. */
export const END_OF_DATA = '.\r\n';

/** Messages up to this size are copied with the next envelope into one buffer: one plain write costs less than writev. */
const COPY_LIMIT = 64 * 1024;
/** Two paths of 256 octets and their parameters fit several times. */
const ENVELOPE_ROOM = 4096;
/** Larger ones are written slice by slice, each after the kernel has taken the one before: no other progress is visible. */
const SLICE = 256 * 1024;

/** Writes one body at a time, with what follows it, and knows whether the final dot has left the process. */
export class BodyWriter {
  /** True once the kernel has every byte of the last body and of its dot: from then on the server may have accepted it. */
  given = true;
  /** True while more slices are to come, so that nothing else may be written. */
  slicing = false;
  private readonly socket: Socket;
  private readonly onProgress: () => void;
  private readonly buffer = Buffer.allocUnsafeSlow(COPY_LIMIT + ENVELOPE_ROOM);
  private readonly onWritten = (error?: Error | null): void => {
    // A destroyed socket calls back without an error for bytes that it dropped.
    if (!error && !this.socket.destroyed) this.given = true;
  };

  /** @param onProgress called when a slice of a large body has left */
  constructor(socket: Socket, onProgress: () => void) {
    this.socket = socket;
    this.onProgress = onProgress;
  }

  /**
   * @param content dot-stuffed, ends with CRLF; must not change until the reply came or the connection is over
   * @param following asked for the commands that go out in the same write as the final dot
   */
  write(content: Buffer, following: () => string): void {
    this.given = false;
    if (content.length > SLICE) {
      this.slicing = true;
      this.writeSlice(content, 0, following);
    } else if (content.length > COPY_LIMIT) {
      this.writeLast(content, following);
    } else {
      const tail = END_OF_DATA + following();
      // The buffer is free: what was in it has been answered, so it had left.
      content.copy(this.buffer);
      const end = content.length + this.buffer.write(tail, content.length);
      this.socket.write(this.buffer.subarray(0, end), this.onWritten);
    }
  }

  private writeLast(content: Buffer, following: () => string): void {
    this.slicing = false;
    this.socket.cork();
    this.socket.write(content);
    this.socket.write(END_OF_DATA + following(), this.onWritten);
    this.socket.uncork();
  }

  private writeSlice(content: Buffer, start: number, following: () => string): void {
    const end = start + SLICE;
    if (end >= content.length) {
      this.writeLast(content.subarray(start), following);
      this.onProgress();
      return;
    }
    this.socket.write(content.subarray(start, end), (error) => {
      if (error || this.socket.destroyed) return;
      this.onProgress();
      this.writeSlice(content, end, following);
    });
  }
}
