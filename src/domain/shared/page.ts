import { DomainError } from './errors.ts';
import { type Id, isId } from './ids.ts';

/** One page of a keyset listing; `next` is an opaque cursor, absent on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/** `limit` 1 to 500, default 50. `after` is the `next` of the page before. */
export interface PageRequest {
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

export class InvalidCursor extends DomainError {
  readonly code = 'page.invalid_cursor';
  readonly kind = 'invalid';
  constructor() {
    super('The cursor does not come from this listing. Start again without a cursor.', '/cursor');
  }
}

export const pageLimit = (request: PageRequest): number => Math.min(Math.max(Math.trunc(request.limit ?? 50), 1), 500);

/** Keys of the last row, as text, so that the next page starts right behind it. */
export function encodeCursor(keys: readonly string[]): string {
  return Buffer.from(JSON.stringify(keys)).toString('base64url');
}

/** @throws InvalidCursor unless the text is a cursor with exactly `length` keys. */
export function decodeCursor(text: string, length: number): readonly string[] {
  try {
    const keys: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (Array.isArray(keys) && keys.length === length && keys.every(isKey)) return keys;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new InvalidCursor();
}

/** The key of a listing that is ordered by id alone; undefined on its first page. @throws InvalidCursor */
export function idAfter(page: PageRequest): Id | undefined {
  if (page.after === undefined) return undefined;
  const [id] = decodeCursor(page.after, 1);
  if (id === undefined || !isId(id)) throw new InvalidCursor();
  return id;
}

/** A NUL would reach the database, which knows no such character. */
function isKey(key: unknown): key is string {
  return typeof key === 'string' && key.isWellFormed() && !key.includes('\0');
}

/** Cuts the surplus row that tells whether there is a next page. `rows` were read with `limit + 1`. */
export function toPage<T>(rows: readonly T[], limit: number, keysOf: (row: T) => readonly string[]): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(keysOf(last)) : undefined };
}
