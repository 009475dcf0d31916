import type { ErrorKind } from '../../../domain/shared/errors.ts';

/** What an error code means and what to do about it. Code spans are written in backquotes. */
export interface ErrorEntry {
  /** That of the error's class. `http`: only on the wire, `content`: only among the problems of content. */
  readonly kind: ErrorKind | 'http' | 'content';
  readonly meaning: string;
  readonly remedy: string;
}

export interface ErrorSection {
  readonly title: string;
  readonly about?: string;
  /** By code. */
  readonly errors: Readonly<Record<string, ErrorEntry>>;
}
