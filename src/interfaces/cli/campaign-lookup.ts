import type { Application, Campaign, ContentProblem } from '../../application/application.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import type { Project } from './cli.ts';
import { renderFields, renderTable } from './table.ts';

/** By id, or by a name that only one campaign has. @throws NotFound, InvalidInput */
export async function campaignOf(application: Application, project: Project, wanted: string): Promise<Campaign> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(wanted))
    return application.campaign.get(project.id, wanted.toLowerCase());
  const found: Campaign[] = [];
  for (let after: string | undefined; ; ) {
    const page = await application.campaign.list(project.id, { limit: 500, after, archived: true });
    found.push(...page.items.filter(({ name }) => name === wanted.trim()));
    if (page.next === undefined) break;
    after = page.next;
  }
  const [first, second] = found;
  if (first === undefined) throw new NotFound('campaign', wanted.slice(0, 200));
  if (second !== undefined)
    throw new InvalidInput(
      `Several campaigns are named "${first.name}". Name one by its id: ${found
        .map(({ id }) => id)
        .slice(0, 5)
        .join(', ')}`,
    );
  return first;
}

export const campaignShown = (campaign: Campaign) => ({
  id: campaign.id,
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

export const fieldsOf = (campaign: Campaign): string =>
  renderFields([
    ['campaign', campaign.name],
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
  ]);

export function problemsText(problems: readonly ContentProblem[], width: number | undefined): string {
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
    width,
  );
}

const mailboxText = ({ name, address }: Campaign['author']): string =>
  name === undefined || name === '' ? address : `${name} <${address}>`;
