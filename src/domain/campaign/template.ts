import { InvalidInput } from '../shared/errors.ts';
import type { Id } from '../shared/ids.ts';
import type { Content } from './content.ts';

/** Reusable content with variables. */
export class Template {
  projectId: Id;
  id: Id;
  name: string;
  content: Content;
  createdAt: Date;
  updatedAt: Date;
  readonly version!: number;

  constructor(projectId: Id, id: Id, name: string, content: Content, createdAt: Date) {
    this.projectId = projectId;
    this.id = id;
    this.name = checkName(name);
    this.content = content;
    this.createdAt = createdAt;
    this.updatedAt = createdAt;
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
