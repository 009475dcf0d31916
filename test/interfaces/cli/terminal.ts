import type { TextStream } from '../../../src/interfaces/cli/output.ts';

const REWIND = '\r\u001b[2K';

/** A stream that keeps what was written, and shows it as a terminal would: what a carriage return overwrote is gone. */
export class RecordedStream implements TextStream {
  written = '';
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor({ columns }: { columns?: number } = {}) {
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  write(text: string): void {
    this.written += text;
  }

  /** Lines that were ended, after what was last drawn over each. */
  get lines(): string[] {
    return this.written
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(REWIND).at(-1)!);
  }

  /** The line that the cursor stands in, after what was last drawn over it. */
  get current(): string {
    return this.written.split('\n').at(-1)!.split(REWIND).at(-1)!;
  }
}

/** Time in the test's hand. */
export class HeldClock {
  private milliseconds = 50_000;

  monotonic(): number {
    return this.milliseconds;
  }

  advance(milliseconds: number): void {
    this.milliseconds += milliseconds;
  }
}
