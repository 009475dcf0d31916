import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { cleanText } from './attributes.ts';
import { type Evidence, parseEvidence } from './consent.ts';

/**
 * running -> done | failed. People are merged in batches, each in a transaction of its own, and the totals grow with them: those
 * of a failed import say how many subscribers it had changed before. Importing the file again brings the rest.
 */
export type ImportState = 'running' | 'done' | 'failed';

/** rows = imported + duplicates + rejected + protected, and imported = created + updated; always. */
export interface ImportTotals {
  /** Records of the file, without its header and empty lines. */
  readonly rows: number;
  readonly imported: number;
  readonly created: number;
  /** Subscribers that existed before, whether or not the file changed them. */
  readonly updated: number;
  /** Rows that a later row of the same file replaced: the last one about an address wins. */
  readonly duplicates: number;
  /** Rows that could not be read; each with its line and reason in the list of rejections. */
  readonly rejected: number;
  /** Rows about subscribers that left one of the lists, are suppressed or erased: nothing about them was changed. */
  readonly protected: number;
}

/** The text of a failed import that may have changed subscribers. */
export const IMPORT_AGAIN =
  'The totals say how many subscribers it had changed. Import the file again; nothing is changed twice.';

export const NO_TOTALS: ImportTotals = { rows: 0, imported: 0, created: 0, updated: 0, duplicates: 0, rejected: 0, protected: 0 };

/**
 * As what the people of a file are imported. `subscribed`: they join the lists, whatever the file says about them.
 * `unsubscribed`: they have left the lists, or all marketing where none is named. `suppressed`: they get no campaigns at all.
 * `stated`: each row as the file says. Absent: they join, and a file that says that some left is refused.
 */
export const IMPORT_AS = ['subscribed', 'unsubscribed', 'suppressed', 'stated'] as const;
export type ImportAs = (typeof IMPORT_AS)[number];

export interface NewImport {
  readonly as?: ImportAs | undefined;
  /** Lists that the imported subscribers join. A row about a subscriber that left one of them is `protected` as a whole. */
  readonly lists: readonly Id[];
  /** Proof that the whole file agreed; confirms subscriptions to double opt-in lists, and is stored per subscriber. */
  readonly consent?: Evidence | undefined;
  /** Column name, or position from 1, to `email`, `locale`, `time_zone`, an attribute's name, or `-` to leave the column out. Wins over what is recognised. */
  readonly map?: Readonly<Record<string, string>> | undefined;
  /** Counts and rejects as a real import would, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly fileName?: string | undefined;
}

export interface Import {
  readonly projectId: Id;
  readonly id: Id;
  readonly state: ImportState;
  readonly dryRun: boolean;
  readonly fileName: string | null;
  readonly listIds: readonly Id[];
  readonly consent: Evidence | null;
  /** Null when the caller did not say. */
  readonly as: ImportAs | null;
  readonly map: Readonly<Record<string, string>>;
  /** The file's columns, in order; null for JSON Lines and until the file was opened. */
  readonly columns: readonly string[] | null;
  /** A label of the Encoding Standard, stated or recognised; null until the file was read. */
  readonly encoding: string | null;
  readonly warnings: readonly ImportWarning[];
  readonly totals: ImportTotals;
  /** Why it failed, as a sentence; null otherwise. */
  readonly failure: string | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** Something about the file that did not stop the import and that its owner should know. */
export interface ImportWarning {
  /** Name of the column that it is about; null when it is about the file. */
  readonly column: string | null;
  readonly message: string;
  /** How many rows it is about, and the line of the first; null when it is about all. */
  readonly rows: number | null;
  readonly line: number | null;
}

/** What reading the file to its end has shown. */
export interface FileFindings {
  readonly columns: readonly string[] | null;
  readonly encoding: string;
  readonly warnings: readonly ImportWarning[];
}

/** A row that was not imported, as it stood in the file. */
export interface Rejection {
  /** 1-based line on which the row begins. */
  readonly line: number;
  readonly reason: string;
  /** CSV: the cells. JSON Lines: the line, as one cell. Shortened to `REJECTED_CELLS` cells of `REJECTED_CELL` characters. */
  readonly cells: readonly string[];
}

export const REJECTED_CELLS = 100;
export const REJECTED_CELL = 500;
/** Rejections kept per import; further ones are only counted. A file that is wrong throughout shows it in its first rows. */
export const KEPT_REJECTIONS = 100_000;

/** @throws InvalidInput with a pointer to the field at fault. */
export function newImport(projectId: Id, id: Id, wish: NewImport, now: Date): Import {
  const map = wish.map ?? {};
  if (wish.as !== undefined && !IMPORT_AS.includes(wish.as)) {
    throw new InvalidInput('"as" must be subscribed, unsubscribed, suppressed or stated.', '/as');
  }
  if (wish.consent !== undefined && (wish.as === 'unsubscribed' || wish.as === 'suppressed')) {
    throw new InvalidInput(`Subscribers that are imported as ${wish.as} have given no consent. Omit the consent.`, '/consent');
  }
  if (Object.keys(map).length > 500) throw new InvalidInput('A map may name 500 columns.', '/map');
  return {
    projectId,
    id,
    state: 'running',
    dryRun: wish.dryRun ?? false,
    fileName: wish.fileName === undefined ? null : cleanText(wish.fileName).slice(0, 300),
    listIds: [...new Set(wish.lists)],
    consent: wish.consent === undefined ? null : parseEvidence(wish.consent, now),
    as: wish.as ?? null,
    map,
    columns: null,
    encoding: null,
    warnings: [],
    totals: NO_TOTALS,
    failure: null,
    createdAt: now,
    endedAt: null,
  };
}

/** Shortened so that a bad file of a gigabyte leaves no gigabyte of rejections. */
export function rejection(line: number, reason: string, cells: readonly string[]): Rejection {
  return { line, reason, cells: cells.slice(0, REJECTED_CELLS).map((cell) => cleanText(beginning(cell))) };
}

/** Copied: a slice keeps the whole of the text that it was cut from, and a thousand rejections wait together. */
const beginning = (cell: string): string =>
  cell.length <= REJECTED_CELL ? cell : Buffer.from(cell.slice(0, REJECTED_CELL)).toString();
