import type { TextStream } from './output.ts';

/** To the first column, and everything right of it gone. */
export const REWIND = '\r\u001b[2K';

/**
 * A terminal that several write to: what comes while a line is being drawn and redrawn (progress) takes that line's place instead
 * of being appended to it. A redraw begins with `REWIND`.
 */
export class WholeLines implements TextStream {
  private readonly stream: TextStream;
  private open = false;

  constructor(stream: TextStream) {
    this.stream = stream;
  }

  get isTTY(): boolean | undefined {
    return this.stream.isTTY;
  }

  get columns(): number | undefined {
    return this.stream.columns;
  }

  write(text: string): void {
    if (text === '') return;
    const glued = this.open && this.isTTY === true && !text.startsWith(REWIND);
    this.stream.write(glued ? REWIND + text : text);
    this.open = !text.endsWith('\n');
  }

  /** Whatever comes next, from this process or another, begins a line. */
  end(): void {
    if (this.open) this.write('\n');
  }
}
