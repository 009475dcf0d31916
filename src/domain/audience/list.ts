import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { numberedSlug, parseSlug, slugOf } from '../shared/slug.ts';
import { ListArchived } from './audience-errors.ts';

export interface NewList {
  readonly name: string;
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens; made from the name when absent. Never changes: scripts rely on it. */
  readonly slug?: string | undefined;
  readonly description?: string | undefined;
  /** Default false. */
  readonly doubleOptIn?: boolean | undefined;
}

/** Turning double opt-in on keeps subscriptions that are confirmed already. */
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
  /** Subscribers get mail only after they confirmed by e-mail. */
  readonly doubleOptIn: boolean;
  readonly archivedAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly version: number;
}

/** A named set of subscribers with its opt-in rule. Renaming keeps id and slug, and so the List-Id of its mail (RFC 2919). */
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
      slug: wish.slug === undefined ? (slugOf(wish.name) ?? 'list') : parseSlug(wish.slug),
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

  /** Takes no new subscribers; keeps the present ones. Archiving twice keeps the first time. */
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

  /** The same with another slug, for a name that another list has already: `news-2`. */
  numbered(number: number): List {
    return new List({ ...this, slug: numberedSlug(this.slug, number) });
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
