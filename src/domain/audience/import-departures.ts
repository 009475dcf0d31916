import { ImportHoldsDepartures } from './audience-errors.ts';
import type { Import, ImportAs } from './import.ts';
import type { ImportedPerson } from './import-columns.ts';
import type { StagedRow } from './import-loader.ts';
import { fileLeftBecause, type LeftBecause } from './mail-status.ts';

/** Values that the error names; a column of reasons can have as many as it has rows. */
const NAMED_VALUES = 5;

/** Decides for each row of an import whether it subscribes or records a departure, and counts what the file says. */
export class ImportDepartures {
  private readonly as: ImportAs | null;
  private readonly fileSays: LeftBecause | undefined;
  private readonly fileName: string | null;
  private readonly counts = new Map<string, number>();
  private rows = 0;
  private others = 0;
  private recorded = 0;

  constructor({ as, fileName }: Import) {
    this.as = as;
    this.fileName = fileName;
    this.fileSays = fileName === null ? undefined : fileLeftBecause(fileName);
  }

  /** The departure to record; null when the subscriber joins. */
  judge({ left }: ImportedPerson): StagedRow['departure'] {
    const because = left?.because ?? this.fileSays;
    if (this.as === 'subscribed' || (because === undefined && (this.as === null || this.as === 'stated'))) return null;
    if (this.as === null) {
      this.count(left);
      return null;
    }
    this.recorded += 1;
    if (this.as === 'unsubscribed' || (this.as === 'stated' && because === 'unsubscribe')) return 'unsubscribed';
    return because ?? 'manual';
  }

  /** How many rows were recorded as departures. */
  get found(): number {
    return this.recorded;
  }

  /** @throws ImportHoldsDepartures when rows are marked as departures and the call does not say how to import them; nothing was changed by then */
  requireDecision(): void {
    if (this.rows === 0) return;
    const said = [...this.counts].map(([text, count]) => `${text} (${count.toLocaleString('en')})`);
    if (this.others > 0) said.push(`other values (${this.others.toLocaleString('en')})`);
    const rows = this.rows === 1 ? '1 row says' : `${this.rows.toLocaleString('en')} rows say`;
    throw new ImportHoldsDepartures(
      `${rows} that subscribers must not be mailed: ${said.join(', ')}. Nothing was imported. Say how to import the file ("as"): "stated" follows each row, "unsubscribed" or "suppressed" applies to all rows, "subscribed" lets all of them join. If a column means something different, ignore it with a map ("-").`,
      '/as',
    );
  }

  private count(left: ImportedPerson['left']): void {
    this.rows += 1;
    const value = left === null || left.value.includes('@') ? '' : ` is "${left.value}"`;
    const text = left === null ? `the name of the file, ${this.fileName}` : `column "${left.column.slice(0, 60)}"${value}`;
    const before = this.counts.get(text);
    if (before === undefined && this.counts.size >= NAMED_VALUES) this.others += 1;
    else this.counts.set(text, (before ?? 0) + 1);
  }
}
