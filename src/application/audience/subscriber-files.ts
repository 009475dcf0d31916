import type { FileHeader } from '../../domain/audience/index.ts';

/** How to read a file; what is absent is recognised from its first bytes. */
export interface FileOptions {
  /** `csv`, or `jsonl`: one JSON object a line. */
  readonly format?: 'csv' | 'jsonl' | undefined;
  /** A label of the Encoding Standard such as `windows-1252`; recognised when absent. A byte order mark wins over it. */
  readonly encoding?: string | undefined;
  /** One character, or `tab`; recognised among comma, semicolon, tab and pipe. */
  readonly delimiter?: string | undefined;
}

/** One row, with the 1-based line on which it begins. `problem`: it cannot be read, and why; then the rest is as good as it goes. */
export type FileRow =
  | { readonly line: number; readonly cells: readonly string[] }
  | { readonly line: number; readonly record: Readonly<Record<string, unknown>>; readonly text: string }
  | { readonly line: number; readonly text: string; readonly problem: string };

export interface FileEncoding {
  /** A label of the Encoding Standard; `utf-8` for a file of ASCII only. */
  readonly encoding: string;
  /** Warnings for the user that imports, such as that the encoding was guessed. */
  readonly note: string | undefined;
}

export interface SubscriberFile {
  /** The header row of a CSV file; undefined for JSON Lines, where every row names its own. */
  readonly header: FileHeader | undefined;
  /** Rows as they arrive, in batches of at most some thousands. @throws ImportUnreadable, naming the line */
  readonly batches: AsyncIterable<readonly FileRow[]>;
  /** Bytes taken from the source so far. */
  bytesRead(): number;
  /** How the bytes were read, as far as they were; final at the end of the batches. */
  encoding(): FileEncoding;
  /** Ends the source, read or not. */
  close(): Promise<void>;
}

/** Reads files of subscribers in bounded memory, whatever they hold. Ends the source when it is done or has given up. */
export interface SubscriberFiles {
  /** @throws ImportUnreadable when the first bytes show that nothing can come of it */
  open(source: AsyncIterable<Uint8Array>, options: FileOptions): Promise<SubscriberFile>;
}
