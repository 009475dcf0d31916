import type { Application, Campaign, ContentProblem } from '../../application/application.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import type { Project } from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';

/** Of campaigns that have one name, as many as are listed. */
const MOST_NAMED = 8;

/**
 * By id, by slug, or by a name that only one unarchived campaign has. A slug comes before a name, except that of an archived one.
 * @throws NotFound, InvalidInput
 */
export async function campaignOf(application: Application, project: Project, wanted: string): Promise<Campaign> {
  const text = wanted.trim();
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return application.campaign.get(project.id, text.toLowerCase());
  const find = async (filter: { name: string } | { slug: string }, archived: boolean) =>
    (await application.campaign.list(project.id, { limit: MOST_NAMED + 1, archived, ...filter })).items;
  const [bySlug] = await find({ slug: text }, true);
  if (bySlug !== undefined && bySlug.archivedAt === null) return bySlug;
  const [first, ...others] = await find({ name: text }, false);
  if (first === undefined) {
    if (bySlug !== undefined) return bySlug;
    const [archived] = await find({ name: text }, true);
    if (archived === undefined) throw new NotFound('campaign', text.slice(0, 200));
    throw new InvalidInput(`"${archived.name}" is archived. Give its slug: ${archived.slug}`);
  }
  if (others.length === 0) return first;
  const slugs = [first, ...others].slice(0, MOST_NAMED).map(({ slug, state }) => `${slug} (${state})`);
  const more = others.length >= MOST_NAMED ? ', ...' : '';
  throw new InvalidInput(`Several campaigns are named "${first.name}". Give a slug: ${slugs.join(', ')}${more}`);
}

export const campaignShown = (campaign: Campaign) => ({
  id: campaign.id,
  slug: campaign.slug,
  name: campaign.name,
  state: campaign.state,
  pauseReason: campaign.pauseReason,
  launchFailure: campaign.launchFailure,
  subject: campaign.subject,
  audience: campaign.audience,
  lists: campaign.lists,
  excludeLists: campaign.excludeLists,
  createdAt: campaign.createdAt,
  scheduledAt: campaign.scheduledAt,
  launchedAt: campaign.launchedAt,
  submittedAt: campaign.submittedAt,
  settledAt: campaign.settledAt,
  archivedAt: campaign.archivedAt,
});

export const fieldsOf = (campaign: Campaign, display: Display): string =>
  renderFields(
    [
      ['campaign', campaign.name],
      ['slug', campaign.slug],
      ['id', campaign.id],
      ['state', campaign.state],
      ['paused because', campaign.pauseReason],
      ['not launched', campaign.launchFailure],
      ['subject', campaign.subject],
      ['author', mailboxText(campaign.author)],
      ['content', campaign.contentKind],
      ['audience', campaign.launchedAt === null ? undefined : campaign.audience],
      ['created', campaign.createdAt],
      ['scheduled', campaign.scheduledAt],
      ['launched', campaign.launchedAt],
      ['submitted', campaign.submittedAt],
      ['settled', campaign.settledAt],
      ['archived', campaign.archivedAt],
    ],
    display,
  );

export function problemsText(problems: readonly ContentProblem[], display: Display): string {
  if (problems.length === 0) return 'Nothing stands in the way.';
  return renderTable(
    [
      { title: '', value: (problem) => problem.severity },
      { title: 'Part', value: (problem) => problem.part },
      { title: 'Line', value: (problem) => problem.line },
      { title: 'Problem', value: (problem) => problem.message },
      { title: 'Code', value: (problem) => problem.code },
    ],
    problems,
    display,
  );
}

const mailboxText = ({ name, address }: Campaign['author']): string =>
  name === undefined || name === '' ? address : `${name} <${address}>`;
