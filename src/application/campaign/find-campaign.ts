import type { Campaign } from '../../domain/campaign/index.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import { type Id, isId } from '../../domain/shared/ids.ts';
import type { UnitOfWork } from '../unit-of-work.ts';

/** Of campaigns that have one name, as many as a refusal lists. */
const MOST_NAMED = 8;

/**
 * The id of a campaign that is named by id, by slug, or by a name that only one unarchived campaign has. A slug comes before a
 * name, except that of an archived campaign. @throws NotFound, InvalidInput
 */
export async function campaignIdOf(work: UnitOfWork, projectId: Id, named: string): Promise<Id> {
  const text = named.trim();
  if (isId(text)) return text.toLowerCase();
  return work.run(async ({ campaign }) => {
    const find = async (filter: { name: string } | { slug: string }, archived: boolean): Promise<readonly Campaign[]> =>
      (await campaign.list(projectId, { limit: MOST_NAMED + 1, archived, ...filter })).items;
    const [bySlug] = await find({ slug: text }, true);
    if (bySlug !== undefined && bySlug.archivedAt === null) return bySlug.id;
    const [first, ...others] = await find({ name: text }, false);
    if (first === undefined) {
      if (bySlug !== undefined) return bySlug.id;
      const [archived] = await find({ name: text }, true);
      if (archived === undefined) throw new NotFound('campaign', text.slice(0, 200));
      throw new InvalidInput(`"${archived.name}" is archived. Give its slug: ${archived.slug}`);
    }
    if (others.length === 0) return first.id;
    const slugs = [first, ...others].slice(0, MOST_NAMED).map(({ slug, state }) => `${slug} (${state})`);
    const more = others.length >= MOST_NAMED ? ', ...' : '';
    throw new InvalidInput(`Several campaigns are named "${first.name}". Give a slug: ${slugs.join(', ')}${more}`);
  });
}
