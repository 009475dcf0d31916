import type { Clock } from '../shared/clock.ts';
import { InvalidInput, NotFound } from '../shared/errors.ts';
import type { Id, Ids } from '../shared/ids.ts';
import type { Page, PageRequest } from '../shared/page.ts';
import type { Content } from './content.ts';
import { type ContentInput, parseContent } from './content-input.ts';
import { Template, TemplateSlugTaken } from './template.ts';
import type { ListedTemplate, TemplateStore } from './template-store.ts';

export interface NewTemplate {
  readonly name: string;
  readonly content: ContentInput;
  /** 1 to 63 of `a-z`, `0-9` and inner hyphens; made from the name when absent. */
  readonly slug?: string | undefined;
}

/** Stored content that campaigns and transactional messages are made from. */
export class CampaignTemplates {
  readonly #store: TemplateStore;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor(deps: { templates: TemplateStore; clock: Clock; ids: Ids }) {
    this.#store = deps.templates;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
  }

  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, TemplateSlugTaken */
  async create(projectId: Id, { name, content, slug }: NewTemplate): Promise<Template> {
    const wished = new Template(projectId, this.#ids.next(), name, parseContent(content), this.#clock.now(), slug);
    let template = wished;
    for (let number = 2; !(await this.#store.addTemplate(template)); number += 1) {
      if (slug !== undefined || number > 100) throw new TemplateSlugTaken(template.slug);
      template = wished.numbered(number);
    }
    return template;
  }

  /** @throws NotFound, InvalidInput */
  async edit(
    projectId: Id,
    id: Id,
    change: { name?: string | undefined; content?: ContentInput | undefined },
  ): Promise<Template> {
    const template = await this.get(projectId, id);
    const content = change.content === undefined ? undefined : parseContent(change.content);
    template.edit({ name: change.name, content }, this.#clock.now());
    return template;
  }

  /** @throws NotFound */
  async get(projectId: Id, id: Id): Promise<Template> {
    const template = await this.#store.template(projectId, id);
    if (template === undefined) throw new NotFound('template', id);
    return template;
  }

  /** Without content. */
  list(projectId: Id, page: PageRequest): Promise<Page<ListedTemplate>> {
    return this.#store.templates(projectId, page);
  }

  /** @throws NotFound */
  async delete(projectId: Id, id: Id): Promise<void> {
    this.#store.removeTemplate(await this.get(projectId, id));
  }

  /**
   * Content that was given, parsed, or that of a template; undefined when neither was given.
   * @throws InvalidInput, also for both of them; NotFound
   */
  async contentOf(
    projectId: Id,
    given: { readonly content?: ContentInput | undefined; readonly templateId?: Id | undefined },
  ): Promise<Content | undefined> {
    if (given.templateId === undefined) return given.content === undefined ? undefined : parseContent(given.content);
    if (given.content !== undefined) throw new InvalidInput('Give either content or a template, not both.', '/content');
    return (await this.contentAt(projectId, given.templateId)).content;
  }

  /** By id or slug. @throws NotFound */
  async contentAt(projectId: Id, idOrSlug: string): Promise<{ readonly id: Id; readonly content: Content }> {
    const found = await this.#store.templateContent(projectId, idOrSlug);
    if (found === undefined) throw new NotFound('template', idOrSlug.slice(0, 80));
    return found;
  }
}
