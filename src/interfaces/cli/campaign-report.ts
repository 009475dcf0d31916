import type { Command } from 'commander';
import type { Application } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { campaignOf } from './campaign-lookup.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf } from './cli.ts';
import { daysOf, renderReport } from './report.ts';
import { renderTable } from './table.ts';

type Filter = Parameters<Application['campaign']['recipients']>[2];
const STATES: readonly NonNullable<Filter['state']>[] = [
  'submitted',
  'deferred',
  'rejected',
  'in_doubt',
  'expired',
  'failed',
  'skipped',
  'cancelled',
];

export function reportCommands(campaign: Command, cli: Cli): void {
  const report = campaign
    .command('report')
    .description('Show states, opens, clicks, links, unsubscribes, and charts by day.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        const found = await application.reports.campaign(project.id, id);
        const daily = await daysOf(application, project.id, found, cli.clock.now());
        cli.output.result({ ...found, daily: daily ?? null }, () => renderReport(found, daily, cli.output.display));
      });
    });
  example(report, 'pennypost campaign report "November letter"', 'pennypost campaign report "November letter" --json');

  const recipients = paged(campaign.command('recipients').description('List recipients with their outcomes.'))
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .addOption(choice('--state <state>', 'Only recipients in this state.', STATES))
    .option('--csv', 'Write all recipients as CSV to standard output.')
    .action(async (wanted: string, options: PageOptions & { state?: string; csv?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        if (options.csv === true) {
          const rows = application.campaign.recipientsCsv(project.id, id, { state: stateOf(options.state) });
          for await (const part of rows) cli.output.raw(part);
          return;
        }
        const page = await application.campaign.recipients(project.id, id, { ...pageOf(options), state: stateOf(options.state) });
        cli.output.result({ items: page.items, next: page.next ?? null }, () => {
          const table = renderTable(
            [
              { title: 'Address', value: (row) => row.address ?? '(erased)' },
              { title: 'State', value: (row) => row.state.replace('_', ' ') },
              { title: 'Code', value: (row) => row.code },
              { title: 'Reply', value: (row) => row.reply },
              { title: 'Attempts', value: (row) => row.attempts },
              { title: 'Next attempt', value: (row) => row.nextAttemptAt },
              { title: 'Since', value: (row) => row.at },
            ],
            page.items,
            cli.output.display,
          );
          return page.next === undefined ? table : `${table}\n\nMore: --after ${page.next}`;
        });
      });
    });
  example(recipients, 'pennypost campaign recipients "November letter" --state rejected');
}

function stateOf(text: string | undefined): Filter['state'] {
  const state = STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${STATES.join(', ')}.`);
  return state;
}
