import { InvalidInput } from './errors.ts';
import { isId } from './ids.ts';

const LONGEST = 63;

export const isSlug = (text: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);

/** @throws InvalidInput with the pointer `/slug` */
export function parseSlug(text: string): string {
  if (!isSlug(text))
    throw new InvalidInput('A slug is 1 to 63 of a-z, 0-9 and hyphens, and neither starts nor ends with a hyphen.', '/slug');
  if (isId(text)) throw new InvalidInput('A slug must not look like an id.', '/slug');
  return text;
}

/** A handle for scripts, made from a name; undefined for one without a single Latin letter or digit, or one like an id. */
export function slugOf(name: string): string | undefined {
  const plain = name
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  const slug = plain
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, LONGEST)
    .replace(/-+$/, '');
  return slug === '' || isId(slug) ? undefined : slug;
}

/** The slug with a number, for a name that something else has already: `news-2`. */
export function numberedSlug(slug: string, number: number): string {
  const stem = slug.slice(0, LONGEST - String(number).length - 1).replace(/-+$/, '');
  return `${stem}-${number}`;
}
