import type { ImportWarning } from './import.ts';

/** JSON Lines can name new keys in every row. */
const KEPT = 100;

/** Gathers what was left out: one warning for each column and kind, with the number of rows and the first line. */
export class ImportWarnings {
  private readonly found = new Map<string, ImportWarning>();

  /** About the file, or a column as a whole. */
  about(column: string | null, message: string): void {
    this.keep(`${column}\n${message}`, { column: shortened(column), message, rows: null, line: null });
  }

  /** About one row. @param message that of the first row is kept for all rows of the same kind */
  row(column: string | null, kind: string, line: number, message: () => string): void {
    const key = `${column}\n${kind}`;
    const before = this.found.get(key);
    if (before !== undefined) this.found.set(key, { ...before, rows: (before.rows ?? 0) + 1 });
    else this.keep(key, { column: shortened(column), message: message(), rows: 1, line });
  }

  all(): readonly ImportWarning[] {
    return [...this.found.values()];
  }

  private keep(key: string, warning: ImportWarning): void {
    if (this.found.size < KEPT) this.found.set(key, warning);
  }
}

const shortened = (column: string | null): string | null =>
  column !== null && column.length > 60 ? `${column.slice(0, 59)}…` : column;
