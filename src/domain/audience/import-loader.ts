import { DomainError } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import type { FileFindings, Import, ImportTotals, Rejection } from './import.ts';
import type { SuppressionReason } from './suppression.ts';

/** An address, and what it would be kept as if it were erased. */
export interface MarkedAddress {
  readonly emailKey: string;
  /** What an erased address of this key would be kept as (`erasureMark`). */
  readonly mark: string;
  /** The same under the instance's older secrets; empty until one was replaced. */
  readonly olderMarks: readonly string[];
}

/** A rejected row, with every address in its cells: an erasure finds the row by them. */
export interface StagedRejection extends Rejection {
  readonly addresses: readonly MarkedAddress[];
}

/** A row that was read and found right, ready to be merged. */
export interface StagedRow extends MarkedAddress {
  readonly line: number;
  /** Used when the address is new to the project. */
  readonly subscriberId: Id;
  /** Id of the subscriber's consent entry; null when the import states no consent. */
  readonly consentId: Id | null;
  readonly address: string;
  readonly locale: string | null;
  readonly timeZone: string | null;
  /** JSON object, checked and cleaned. */
  readonly attributes: string;
  /** The subscriber left in another system: `unsubscribed`, or why the address is suppressed. Null for a row that subscribes. */
  readonly departure: 'unsubscribed' | SuppressionReason | null;
}

/** Carries the rows of one file to the database and merges them there. No subscriber is changed before `finish`. */
export interface ImportLoad {
  /** Sends the rows on their way; may return before they have arrived. @throws the error of earlier rows, if there was one */
  add(rows: readonly StagedRow[], rejections: readonly StagedRejection[]): Promise<void>;
  /**
   * Merges batch by batch (or, on a dry run, counts what merging would do), stores totals and rejections, and marks the import
   * done.
   * @throws ImportUnreadable when the import was declared failed meanwhile
   */
  finish(findings: FileFindings, now: Date): Promise<ImportTotals>;
}

/** Opens loads. */
export interface ImportLoader {
  /**
   * Runs `work` with a load of its own. The import counts as running until it returns or its process ends. A load that was
   * not finished is dropped.
   * @throws ImportsBusy
   */
  run<T>(imported: Import, work: (load: ImportLoad) => Promise<T>): Promise<T>;
}

/** A load holds a database connection as long as its file arrives. */
export class ImportsBusy extends DomainError {
  readonly code = 'import.busy';
  readonly kind = 'limited';
  constructor(limit: number, whose: 'project' | 'process') {
    const running = `${limit} ${limit === 1 ? 'import is' : 'imports are'} running`;
    super(
      `${running} ${whose === 'project' ? 'for this project' : 'in this process'}, which is the limit. Try again when one has ended.`,
    );
  }
}
