import { DomainError, InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import { numberedSlug, parseSlug, slugOf } from '../shared/slug.ts';
import type { Content } from './content.ts';

export class TemplateSlugTaken extends DomainError {
  readonly code = 'template.slug_taken';
  readonly kind = 'conflict';
  constructor(slug: string) {
    super(`There is a template "${slug}" in this project already. Choose another slug.`, '/slug');
  }
}

/** Reusable content with variables. */
export class Template {
  projectId: Id;
  id: Id;
  name: string;
  /** Never changes: programs rely on it. */
  slug: string;
  content: Content;
  createdAt: Date;
  updatedAt: Date;
  readonly version!: number;

  /** @param slug default: made from the name. @throws InvalidInput */
  constructor(projectId: Id, id: Id, name: string, content: Content, createdAt: Date, slug?: string) {
    this.projectId = projectId;
    this.id = id;
    this.name = checkName(name);
    this.slug = slug === undefined ? (slugOf(this.name) ?? 'template') : parseSlug(slug);
    this.content = content;
    this.createdAt = createdAt;
    this.updatedAt = createdAt;
  }

  /** The same with a number behind its slug. */
  numbered(number: number): Template {
    const { projectId, id, name, content, createdAt, slug } = this;
    return new Template(projectId, id, name, content, createdAt, numberedSlug(slug, number));
  }

  edit(change: { name?: string | undefined; content?: Content | undefined }, now: Date): void {
    if (change.name !== undefined) this.name = checkName(change.name);
    if (change.content !== undefined) this.content = change.content;
    this.updatedAt = now;
  }
}

function checkName(name: string): string {
  const trimmed = name.trim().toWellFormed();
  if (trimmed === '' || trimmed.length > 200 || /\p{Cc}/u.test(trimmed))
    throw new InvalidInput('A template needs a name of 1 to 200 printable characters.', '/name');
  return trimmed;
}
