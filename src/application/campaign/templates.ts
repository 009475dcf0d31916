import type { ContentInput, ListedTemplate, NewTemplate, Template } from '../../domain/campaign/index.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import { type Id, isId } from '../../domain/shared/ids.ts';
import type { Page, PageRequest } from '../../domain/shared/page.ts';
import type { Scope, UnitOfWork } from '../unit-of-work.ts';

/** Stored content, by id, by slug, or by a name that only one template has. */
export interface Templates {
  /** A slug made from the name gets a number when it is taken. @throws InvalidInput, TemplateSlugTaken */
  create(projectId: Id, input: NewTemplate): Promise<Template>;
  /** Without content. */
  list(projectId: Id, page?: PageRequest): Promise<Page<ListedTemplate>>;
  /** @throws NotFound */
  get(projectId: Id, template: string): Promise<Template>;
  /** Messages that were accepted before keep their content. @throws NotFound, InvalidInput, ContentInvalid */
  update(projectId: Id, template: string, changes: TemplateChanges): Promise<Template>;
  /** @returns the template that was deleted @throws NotFound */
  delete(projectId: Id, template: string): Promise<Template>;
}

export interface TemplateChanges {
  readonly name?: string | undefined;
  readonly content?: ContentInput | undefined;
}

export function templateVerbs({ work }: { readonly work: UnitOfWork }): Templates {
  const at = <T>(projectId: Id, template: string, verb: (scope: Scope, id: Id) => Promise<T>): Promise<T> =>
    work.run(async (scope) => verb(scope, await templateIdOf(scope, projectId, template)));
  return {
    create: (projectId, template) => work.run(async ({ campaign }) => campaign.templates.create(projectId, template)),
    list: (projectId, page = {}) => work.run(({ campaign }) => campaign.templates.list(projectId, page)),
    get: (projectId, template) => at(projectId, template, ({ campaign }, id) => campaign.templates.get(projectId, id)),
    update: (projectId, template, changes) =>
      at(projectId, template, ({ campaign }, id) => campaign.templates.edit(projectId, id, changes)),
    delete: (projectId, template) =>
      at(projectId, template, async ({ campaign }, id) => {
        const found = await campaign.templates.get(projectId, id);
        await campaign.templates.delete(projectId, id);
        return found;
      }),
  };
}

/** @throws NotFound, InvalidInput when several templates have the name */
export async function templateIdOf({ campaign }: Pick<Scope, 'campaign'>, projectId: Id, named: string): Promise<Id> {
  if (isId(named)) return named.toLowerCase();
  const name = named.trim();
  const found: Id[] = [];
  // A slug comes before a name: it is the one that never changes.
  for (let after: string | undefined; ; ) {
    const page = await campaign.templates.list(projectId, { limit: 500, after });
    const slug = page.items.find((one) => one.slug === name);
    if (slug !== undefined) return slug.id;
    found.push(...page.items.filter((one) => one.name === name).map(({ id }) => id));
    if (page.next === undefined) break;
    after = page.next;
  }
  const [first, second] = found;
  if (first === undefined) throw new NotFound('template', named.slice(0, 200));
  if (second !== undefined)
    throw new InvalidInput(`Several templates are named "${name}". Name one by its slug or id: ${found.slice(0, 5).join(', ')}`);
  return first;
}
