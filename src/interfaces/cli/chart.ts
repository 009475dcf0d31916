import { formatCount, pad, textWidth } from './text.ts';

export interface ChartPoint {
  /** `2026-11-22`; the first and the last are written under the chart. */
  readonly label: string;
  readonly value: number;
}

const LEVELS = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/** Unknown width (a file, a pipe): what a letter is wide. */
const DEFAULT_COLUMNS = 80;

/**
 * Standing bars with the scale at their left, for a daily series. Every value above zero is seen, however small. Neighbours are
 * added up where there are more values than columns, and the title then says by how many.
 */
export function renderChart(
  title: string,
  points: readonly ChartPoint[],
  { height = 6, columns = DEFAULT_COLUMNS }: { readonly height?: number | undefined; readonly columns?: number | undefined } = {},
): string {
  if (points.length === 0) return `${title}\n(none)`;
  const room = Math.max(8, columns - textWidth(formatCount(totalOf(points))) - 2);
  const merged = Math.ceil(points.length / room);
  const bars = Array.from({ length: Math.ceil(points.length / merged) }, (_, at) =>
    totalOf(points.slice(at * merged, (at + 1) * merged)),
  );
  // Three columns a bar where they fit, so that a week does not look like a splinter.
  const thick = Math.max(1, Math.min(3, Math.trunc(room / bars.length)));
  const gap = thick > 1 ? 1 : 0;
  const most = Math.max(...bars);
  const scale = Math.max(textWidth(formatCount(most)), 1);

  const rows = Array.from({ length: height }, (_, down) => {
    const floor = (height - 1 - down) * 8;
    const cells = bars.map((value) => LEVELS[Math.min(8, Math.max(0, levelOf(value, most, height) - floor))]!);
    const name = down === 0 && most > 0 ? formatCount(most) : '';
    return `${pad(name, scale, 'right')} │${cells.map((cell) => (cell === '' ? ' ' : cell).repeat(thick - gap) + ' '.repeat(gap)).join('')}`.trimEnd();
  });
  const width = bars.length * thick;
  const [first, last] = [points[0]!.label, points.at(-1)!.label];
  const labels = points.length === 1 ? first : first + pad(last, width - textWidth(first), 'right').replace(/^(?! )/, ' ');
  const heading = merged === 1 ? title : `${title} (${merged} days a bar)`;
  return [heading, ...rows, `${pad('0', scale, 'right')} └${'─'.repeat(width)}`, `${' '.repeat(scale + 2)}${labels}`].join('\n');
}

/** Eighths of a row; what is there is seen. */
function levelOf(value: number, most: number, height: number): number {
  return value <= 0 ? 0 : Math.max(1, Math.round((value / most) * height * 8));
}

const totalOf = (points: readonly ChartPoint[]): number => points.reduce((sum, point) => sum + point.value, 0);
