import { formatCount, formatTime, oneLine, pad, textWidth, truncate } from './text.ts';

export type Cell = string | number | Date | boolean | null | undefined;

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => Cell;
  /** Default: right when every value is a number or missing, otherwise left. */
  readonly align?: 'left' | 'right' | undefined;
}

/** For where something is shown. */
export interface Display {
  /** Columns of the terminal. Absent, for files and pipes: nothing is cut. */
  readonly width?: number | undefined;
  /** Whose clocks times are shown by. Default UTC. */
  readonly timeZone?: string | undefined;
}

/** No column is made narrower than this; a terminal that is too small for that wraps. */
const LEAST = 8;
const GAP = '  ';

/**
 * Rows under titles, aligned by what a terminal shows (wide characters and emoji take two columns). Without rows it says so.
 * In a terminal the widest columns of text are cut with an ellipsis until the table fits.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], display: Display = {}): string {
  if (rows.length === 0) return '(none)';
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const texts = cells.map((row) => row.map((cell) => cellText(cell, display)));
  const aligns = columns.map((column, at) => column.align ?? (cells.every((row) => isFigure(row[at])) ? 'right' : 'left'));
  const widths = columns.map((column, at) => Math.max(textWidth(column.title), ...texts.map((row) => textWidth(row[at]!))));
  if (display.width !== undefined) narrow(widths, aligns, display.width);

  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => pad(truncate(text, widths[at]!), widths[at]!, aligns[at]!))
      .join(GAP)
      .trimEnd();
  return [
    line(columns.map((column) => column.title)),
    widths.map((columnWidth) => '─'.repeat(columnWidth)).join(GAP),
    ...texts.map(line),
  ].join('\n');
}

/** One thing, a field a line: `name    Weekly news`. Fields without a value are left out. */
export function renderFields(fields: readonly (readonly [name: string, value: Cell])[], display: Display = {}): string {
  const present = fields.filter(([, value]) => value !== undefined && value !== null && value !== '');
  const width = Math.max(0, ...present.map(([name]) => textWidth(name)));
  return present.map(([name, value]) => `${pad(name, width, 'left')}${GAP}${cellText(value, display)}`).join('\n');
}

function cellText(value: Cell, { timeZone = 'UTC' }: Display): string {
  if (value === undefined || value === null) return '–';
  if (typeof value === 'number') return Number.isInteger(value) ? formatCount(value) : String(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value instanceof Date ? formatTime(value, timeZone) : oneLine(value);
}

const isFigure = (value: Cell): boolean => typeof value === 'number' || value === undefined || value === null;

/** Takes from the widest column of text, one by one, until the sum fits; figures are never cut. */
function narrow(widths: number[], aligns: readonly ('left' | 'right')[], width: number): void {
  let surplus = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1) - width;
  for (; surplus > 0; surplus -= 1) {
    const candidates = widths.filter((one, at) => aligns[at] === 'left' && one > LEAST);
    if (candidates.length === 0) return;
    const widest = widths.findIndex((one, at) => aligns[at] === 'left' && one === Math.max(...candidates));
    widths[widest]! -= 1;
  }
}
