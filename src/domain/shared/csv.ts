/** Cells that a spreadsheet would run as a formula (CSV injection), also behind leading spaces, which some of them drop. */
const FORMULA = /^[\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/**
 * One row of CSV (RFC 4180) with its line end; every cell is quoted. A cell that a spreadsheet would take for a formula gets
 * an apostrophe in front, so that `=HYPERLINK(...)` from a stranger is shown and not run.
 * @param options `raw: true` leaves such cells as they are, for programs that read the file back
 */
export function csvRow(cells: readonly (string | number | null | undefined)[], options: { readonly raw?: boolean } = {}): string {
  return `${cells.map((cell) => csvCell(cell, options.raw ?? false)).join(',')}\r\n`;
}

function csvCell(cell: string | number | null | undefined, raw: boolean): string {
  if (cell === null || cell === undefined) return '""';
  if (typeof cell === 'number') return `"${cell}"`;
  const shown = !raw && FORMULA.test(cell) ? `'${cell}` : cell;
  return `"${shown.replaceAll('"', '""')}"`;
}
