import type { Command } from 'commander';
import type { Campaigns } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf } from './cli.ts';
import { recentDays, renderDays, renderReport } from './report.ts';
import { renderTable } from './table.ts';

type Filter = NonNullable<Parameters<Campaigns['recipients']>[2]>;
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
        const { daily: series, ...found } = await application.campaigns.report(project.id, wanted, { daily: true });
        const daily = recentDays(series, found.launchedAt, cli.clock.now());
        cli.output.result({ ...found, daily: daily ?? null }, () => renderReport(found, daily, cli.output.display));
      });
    });
  example(report, 'pennypost campaign report "November letter"', 'pennypost campaign report "November letter" --json');

  const recipients = paged(campaign.command('recipients').description('List recipients with their outcomes.'))
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .addOption(choice('--state <state>', 'Only recipients in this state.', STATES))
    .action(async (wanted: string, options: PageOptions & { state?: string }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.campaigns.recipients(project.id, wanted, {
          ...pageOf(options),
          state: stateOf(options.state),
        });
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

  const csv = campaign
    .command('recipients-csv')
    .description('Print all recipients with their outcomes as CSV.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .addOption(choice('--state <state>', 'Only recipients in this state.', STATES))
    .action(async (wanted: string, options: { state?: string }) => {
      await inProject(cli, async (application, project) => {
        const rows = application.campaigns.recipientsCsv(project.id, wanted, { state: stateOf(options.state) });
        for await (const part of rows) cli.output.raw(part);
      });
    });
  example(csv, 'pennypost campaign recipients-csv "November letter" > recipients.csv');

  const daily = campaign
    .command('daily')
    .description('Show the figures of a campaign per day.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .option('--from <day>', 'First day, such as 2026-11-01. Default: 30 days before the last.')
    .option('--to <day>', 'Last day. Default: today.')
    .action(async (wanted: string, days: { from?: string; to?: string }) => {
      await inProject(cli, async (application, project) => {
        const series = await application.campaigns.daily(project.id, wanted, days);
        cli.output.result(series, () => renderDays(series, cli.output.display));
      });
    });
  example(daily, 'pennypost campaign daily "November letter" --from 2026-11-01');
}

function stateOf(text: string | undefined): Filter['state'] {
  const state = STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${STATES.join(', ')}.`);
  return state;
}
