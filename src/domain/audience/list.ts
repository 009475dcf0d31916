import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { ListArchived } from './audience-errors.ts';

export interface NewList {
  readonly name: string;
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens; made from the name when absent. Never changes: scripts rely on it. */
  readonly slug?: string | undefined;
  readonly description?: string | undefined;
  /** Default false. */
  readonly doubleOptIn?: boolean | undefined;
}

/** Turning double opt-in on leaves those who are confirmed already as they are. */
export interface ListChanges {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly doubleOptIn?: boolean | undefined;
}

export interface ListState {
  readonly projectId: Id;
  readonly id: Id;
  readonly name: string;
  readonly slug: string;
  readonly description: string;
  /** A subscription counts only after the mailed confirmation. */
  readonly doubleOptIn: boolean;
  readonly archivedAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly version: number;
}

/** A named set that people join; it holds the opt-in rule. Renaming keeps id and slug, and so the List-Id of its mail (RFC 2919). */
export class List implements ListState {
  readonly projectId!: Id;
  readonly id!: Id;
  readonly name!: string;
  readonly slug!: string;
  readonly description!: string;
  readonly doubleOptIn!: boolean;
  readonly archivedAt!: Date | null;
  readonly createdAt!: Date;
  readonly updatedAt!: Date;
  readonly version!: number;

  constructor(state: ListState) {
    Object.assign(this, state);
  }

  /** @throws InvalidInput with a pointer to the field at fault. */
  static create(projectId: Id, id: Id, wish: NewList, now: Date): List {
    return new List({
      projectId,
      id,
      name: parseName(wish.name),
      slug: wish.slug === undefined ? slugOf(wish.name) : parseSlug(wish.slug),
      description: parseDescription(wish.description ?? ''),
      doubleOptIn: wish.doubleOptIn ?? false,
      archivedAt: null,
      createdAt: now,
      updatedAt: now,
      version: 1,
    });
  }

  /** @throws InvalidInput; then nothing has changed. */
  change(changes: ListChanges, now: Date): void {
    Object.assign(this, {
      ...(changes.name !== undefined && { name: parseName(changes.name) }),
      ...(changes.description !== undefined && { description: parseDescription(changes.description) }),
      ...(changes.doubleOptIn !== undefined && { doubleOptIn: changes.doubleOptIn }),
      updatedAt: now,
    });
  }

  /** Nobody joins any more; who is on it stays on it. Archiving twice keeps the first time. */
  archive(now: Date): void {
    if (this.archivedAt === null) Object.assign(this, { archivedAt: now, updatedAt: now });
  }

  restore(now: Date): void {
    if (this.archivedAt !== null) Object.assign(this, { archivedAt: null, updatedAt: now });
  }

  /** @throws ListArchived */
  checkOpen(): void {
    if (this.archivedAt !== null) throw new ListArchived(this.name);
  }

  /** The slug with a number, for a name that another list has already: `news-2`. */
  renumber(number: number): void {
    const stem = this.slug.replace(/-\d+$/, '').slice(0, 63 - String(number).length - 1);
    Object.assign(this, { slug: `${stem}-${number}` });
  }
}

function parseName(text: string): string {
  const name = text.normalize('NFC').trim();
  if (name.length < 1 || name.length > 200 || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    throw new InvalidInput('A list needs a name of 1 to 200 characters, on one line.', '/name');
  }
  return name;
}

function parseDescription(text: string): string {
  const description = text.normalize('NFC').replaceAll('\r\n', '\n').trim();
  if (description.length > 2_000 || description.includes('\0') || !description.isWellFormed()) {
    throw new InvalidInput('A description may have 2,000 characters, without NUL.', '/description');
  }
  return description;
}

function parseSlug(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidInput('A slug is 1 to 63 of a-z, 0-9 and hyphens, and neither starts nor ends with a hyphen.', '/slug');
  }
  return text;
}

/** `list` for a name without a single Latin letter: a slug is a handle for scripts, not a title. */
function slugOf(name: string): string {
  const plain = name
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  const slug = plain
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'list' : slug;
}
