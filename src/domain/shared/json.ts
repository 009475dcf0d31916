import { InvalidInput } from './errors.ts';

const DEPTH = 32;

/**
 * A JSON value from outside as PostgreSQL's jsonb keeps it: texts and names without NUL and lone surrogates, which it refuses.
 * @param pointer JSON pointer to the value
 * @throws InvalidInput when it is nested more than 32 levels deep
 */
export function storableJson<T>(value: T, pointer: string): T {
  return cleaned(value, pointer, 0) as T;
}

function cleaned(value: unknown, pointer: string, depth: number): unknown {
  if (typeof value === 'string') return cleanedText(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= DEPTH) throw new InvalidInput(`This is nested more than ${DEPTH} levels deep.`, pointer);
  if (Array.isArray(value)) return value.map((item) => cleaned(item, pointer, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [cleanedText(name), cleaned(item, pointer, depth + 1)]));
}

const cleanedText = (text: string): string => text.toWellFormed().replaceAll('\0', '');
