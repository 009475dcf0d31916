import type { TextStream } from './output.ts';
import { formatCount, formatSeconds, pad, truncate } from './text.ts';
import { REWIND } from './whole-lines.ts';

export interface ProgressOptions {
  readonly stream: TextStream;
  /** Milliseconds that only ever grow. */
  readonly clock: { monotonic(): number };
  /** What is going on: `import`, `campaign Weekly news`. */
  readonly label: string;
  /** Undefined while it is unknown; then there is neither a bar nor a time left. */
  readonly total?: number | undefined;
  /** Default `/s`; what is counted stands in the label. */
  readonly unit?: string | undefined;
}

/** Ten pictures a second look like movement; more only cost CPU time. */
const REDRAW_MS = 100;
/** A log wants to know that it goes on, not each step. */
const LINE_MS = 5_000;
/** The rate is that of the last ten seconds, so that a pause or a burst is seen and forgotten. */
const WINDOW_MS = 10_000;
const BAR_COLUMNS = 24;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/**
 * How far something has got, with its rate and the time left: a bar that is redrawn on a terminal, a plain line every few
 * seconds in a log. It owns no timer; it draws when it is told something.
 */
export class Progress {
  private readonly options: ProgressOptions;
  private readonly startedAt: number;
  private total: number | undefined;
  private done = 0;
  private note = '';
  private drawnAt: number;
  private samples: { readonly at: number; readonly done: number }[];
  private ended = false;

  constructor(options: ProgressOptions) {
    this.options = options;
    this.total = options.total;
    this.startedAt = options.clock.monotonic();
    this.samples = [{ at: this.startedAt, done: 0 }];
    // A terminal shows the first picture at once, a log waits for something to say.
    this.drawnAt = options.stream.isTTY === true ? Number.NEGATIVE_INFINITY : this.startedAt;
  }

  /**
   * @param done how many so far
   * @param more `note`: a few words behind the figures (`3 deferred`), until they are replaced; `total`: once it is known
   */
  update(done: number, more: { readonly note?: string; readonly total?: number } = {}): void {
    if (this.ended) return;
    const now = this.options.clock.monotonic();
    this.done = done;
    this.note = more.note ?? this.note;
    this.total = more.total ?? this.total;
    this.samples.push({ at: now, done });
    // The one sample before the window stays, so that the window is always covered.
    const start = this.samples.findLastIndex((sample) => sample.at <= now - WINDOW_MS);
    if (start > 0) this.samples = this.samples.slice(start);
    if (now - this.drawnAt < (this.options.stream.isTTY === true ? REDRAW_MS : LINE_MS)) return;
    this.drawnAt = now;
    this.draw(now);
  }

  /** A line of its own, above the bar. */
  say(line: string): void {
    const { stream } = this.options;
    stream.write(`${stream.isTTY === true ? REWIND : ''}${line}\n`);
    this.drawnAt = stream.isTTY === true ? Number.NEGATIVE_INFINITY : this.drawnAt;
  }

  /** Leaves the last figures standing, with the time that it took. Called again it does nothing. */
  finish(): void {
    if (this.ended) return;
    this.ended = true;
    const seconds = (this.options.clock.monotonic() - this.startedAt) / 1_000;
    const rate = seconds > 0 ? `, ${this.rateText(this.done / seconds)}` : '';
    const line = `${this.options.label}: ${this.countText()} in ${formatSeconds(seconds)}${rate}${this.noteText()}`;
    this.options.stream.write(`${this.options.stream.isTTY === true ? REWIND : ''}${line}\n`);
  }

  /** Per second, over the last ten seconds; undefined before there is anything to compare. */
  get rate(): number | undefined {
    const [first, last] = [this.samples[0]!, this.samples.at(-1)!];
    return last.at > first.at ? ((last.done - first.done) * 1_000) / (last.at - first.at) : undefined;
  }

  private draw(now: number): void {
    const { stream, label } = this.options;
    const rate = this.rate;
    const figures = [
      this.countText(),
      ...(rate === undefined ? [] : [this.rateText(rate)]),
      ...(this.total === undefined ? [] : [this.leftText(rate)]),
    ];
    if (stream.isTTY !== true) {
      stream.write(`${label} after ${formatSeconds((now - this.startedAt) / 1_000)}: ${figures.join(', ')}${this.noteText()}\n`);
      return;
    }
    const bar = this.total === undefined ? [] : [`${barOf(this.done, this.total)} ${percent(this.done, this.total)}`];
    const line = [label, ...bar, ...figures].join('  ') + this.noteText();
    // One column less than there are: a full line makes some terminals wrap, and then the next picture misses it.
    stream.write(REWIND + truncate(line, (stream.columns ?? 80) - 1));
  }

  private countText(): string {
    return this.total === undefined ? formatCount(this.done) : `${formatCount(this.done)} of ${formatCount(this.total)}`;
  }

  private rateText(rate: number): string {
    return `${rate < 10 ? rate.toFixed(1) : formatCount(rate)}${this.options.unit ?? '/s'}`;
  }

  private leftText(rate: number | undefined): string {
    const open = Math.max(0, (this.total ?? 0) - this.done);
    if (open === 0) return 'nothing left';
    return rate === undefined || rate <= 0 ? 'time left unknown' : `${formatSeconds(open / rate)} left`;
  }

  private noteText(): string {
    return this.note === '' ? '' : `  ${this.note}`;
  }
}

function barOf(done: number, total: number): string {
  const eighths = Math.trunc(BAR_COLUMNS * 8 * shareOf(done, total));
  return pad('█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!, BAR_COLUMNS, 'left').replaceAll(' ', '░');
}

/** Whole per cent, rounded down: 100 % means all. */
const percent = (done: number, total: number): string => `${String(Math.trunc(100 * shareOf(done, total))).padStart(3)} %`;

const shareOf = (done: number, total: number): number => (total > 0 ? Math.min(1, Math.max(0, done / total)) : 1);
