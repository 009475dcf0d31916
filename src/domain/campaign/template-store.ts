import type { Id } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Content } from './content.ts';
import type { Template } from './template.ts';

/** A template as listings show it. */
export interface ListedTemplate {
  readonly id: Id;
  readonly name: string;
  readonly slug: string;
  readonly kind: Content['kind'];
  readonly subject: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Templates. What `template` returns is saved when its transaction commits. */
export interface TemplateStore {
  /** False, and nothing done, when its slug is taken. */
  addTemplate(template: Template): Promise<boolean>;
  template(projectId: Id, id: Id): Promise<Template | undefined>;
  /** What it says, without the template itself. */
  templateContent(projectId: Id, idOrSlug: string): Promise<{ readonly id: Id; readonly content: Content } | undefined>;
  templates(projectId: Id, page: PageRequest): Promise<Page<ListedTemplate>>;
  removeTemplate(template: Template): void;
}
