import type { Campaign, ContentProblem } from '../../application/application.ts';
import { type Display, renderFields, renderTable } from './table.ts';

export const campaignShown = (campaign: Campaign) => ({
  id: campaign.id,
  slug: campaign.slug,
  name: campaign.name,
  state: campaign.state,
  pauseReason: campaign.pauseReason,
  launchFailure: campaign.launchFailure,
  subject: campaign.subject,
  audience: campaign.audience,
  recipients: campaign.recipients,
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
      ['recipients', campaign.launchedAt === null ? undefined : campaign.recipients],
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
  if (problems.length === 0) return 'No problems found.';
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
