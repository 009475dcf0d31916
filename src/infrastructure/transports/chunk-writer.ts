import type { Socket } from 'node:net';

/** Small contents are copied into one buffer, so that several messages are one plain write. */
const ROOM = 64 * 1024;
/** Larger contents are written slice by slice, each after the kernel has taken the one before: no other progress is visible. */
const SLICE = 256 * 1024;

/** Gathers transactions into one write at a time, and knows whether their bytes have left the process. */
export class ChunkWriter {
  /** Bytes are on their way to the kernel: nothing may be added. */
  busy = false;
  private readonly socket: Socket;
  private readonly onLeft: (whole: boolean) => void;
  private readonly buffer = Buffer.allocUnsafeSlow(ROOM);
  /** What the next write consists of, and the part of the buffer that is not in it yet. */
  private pieces: Buffer[] = [];
  private start = 0;
  private end = 0;
  private bytes = 0;
  /** What is still to be written of a large content. */
  private rest: Buffer | undefined;

  /** @param onLeft called when a write has left; not `whole` while a large content, always the last one, has more to come */
  constructor(socket: Socket, onLeft: (whole: boolean) => void) {
    this.socket = socket;
    this.onLeft = onLeft;
  }

  /** The write that is being gathered is large enough. */
  get full(): boolean {
    return this.busy || this.bytes >= SLICE;
  }

  /** @param content must not change until the reply came or the connection is over */
  add(commands: string, content: Buffer): void {
    const head = Buffer.byteLength(commands);
    this.bytes += head + content.length;
    if (this.end + head + content.length <= ROOM) {
      this.end += this.buffer.write(commands, this.end);
      this.end += content.copy(this.buffer, this.end);
      return;
    }
    if (this.end + head <= ROOM) {
      this.end += this.buffer.write(commands, this.end);
      this.cut();
    } else {
      this.cut();
      this.pieces.push(Buffer.from(commands));
    }
    this.pieces.push(content.subarray(0, SLICE));
    if (content.length > SLICE) this.rest = content.subarray(SLICE);
  }

  /** Writes what was added, in one system call where the kernel has room. */
  flush(): void {
    this.cut();
    const { pieces } = this;
    const last = pieces.pop();
    if (last === undefined) return;
    this.busy = true;
    if (pieces.length > 0) this.socket.cork();
    for (const piece of pieces) this.socket.write(piece);
    this.socket.write(last, this.onWritten);
    if (pieces.length > 0) this.socket.uncork();
    this.pieces = [];
  }

  private cut(): void {
    if (this.end > this.start) this.pieces.push(this.buffer.subarray(this.start, this.end));
    this.start = this.end;
  }

  private readonly onWritten = (error?: Error | null): void => {
    // A destroyed socket calls back without an error for bytes that it dropped.
    if (error || this.socket.destroyed) return;
    const slice = this.rest?.subarray(0, SLICE);
    if (slice === undefined) {
      this.busy = false;
      this.start = 0;
      this.end = 0;
      this.bytes = 0;
      this.onLeft(true);
      return;
    }
    const further = this.rest?.subarray(SLICE);
    this.rest = further === undefined || further.length === 0 ? undefined : further;
    this.socket.write(slice, this.onWritten);
    this.onLeft(false);
  };
}
