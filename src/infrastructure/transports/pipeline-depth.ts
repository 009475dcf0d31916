/** Most messages on the way. When the connection breaks, all of them can be in doubt. */
const MOST = 16;
/** Enough for a relay that is near, where more would only raise what can be in doubt. */
const FEW = 4;
/** A connection that gets one message away in this time has enough on the way: 400 a second. */
const MS_PER_MESSAGE = 2.5;
/** A round trip of more than this is not counted as distance, but as a server that is slow. */
const FARTHEST_MS = 700;
/** Messages that stand longer than this behind others wait for the server, and more of them would not go faster. */
const LATE_MS = 200;
/** The front reply of a tarpit: what stands behind it is held up with it. */
export const SLOW_MS = 1_000;

/**
 * How many messages one connection may have on the way at once. It begins with one, grows by one with each quick answer, as far
 * as the distance asks for it, and shrinks when answers come late.
 */
export class PipelineDepth {
  allowed = 1;
  private quickest = Number.POSITIVE_INFINITY;

  /** @param milliseconds from the write of a transaction to its last reply */
  answered(milliseconds: number): void {
    this.quickest = Math.min(this.quickest, milliseconds);
    const late = milliseconds - Math.min(this.quickest, FARTHEST_MS);
    if (late > SLOW_MS) this.allowed = 1;
    else if (late > LATE_MS) this.allowed = Math.max(1, this.allowed - 1);
    else this.allowed = Math.min(this.allowed + 1, Math.max(FEW, Math.min(MOST, Math.ceil(this.quickest / MS_PER_MESSAGE))));
  }

  /** @param milliseconds that the front reply has been awaited @returns true when nothing may be sent behind it */
  stuck(milliseconds: number): boolean {
    if (milliseconds <= SLOW_MS) return false;
    this.allowed = 1;
    return true;
  }
}
