import type { Command } from 'commander';
import type { Application } from '../../application/application.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { type Display, renderTable } from './table.ts';

type Suppression = Awaited<ReturnType<Application['audience']['suppressionsOf']>>[number];

export function suppressionCommands(program: Command, cli: Cli): void {
  const suppression = program.command('suppression').description('List suppressed addresses and the reasons.');

  const list = paged(suppression.command('list').description('List suppressions, newest first.'))
    .option('--scope <scope>', 'Only suppressions of this scope: project, marketing, or list:<id>.')
    .addOption(
      choice('--reason <reason>', 'Only suppressions with this reason.', [
        'manual',
        'unsubscribe',
        'hard_bounce',
        'complaint',
        'erased',
      ]),
    )
    .action(async (options: PageOptions & { scope?: string; reason?: string }) => {
      await inProject(cli, async (application, project) => {
        const search = { ...pageOf(options), scope: options.scope, reason: options.reason };
        resultPage(cli, await application.audience.listSuppressions(project.id, search), suppressionShown, (items) =>
          tableOf(items, cli.output.display),
        );
      });
    });
  example(list, 'pennypost suppression list --reason hard_bounce');

  const show = suppression
    .command('show')
    .description('Show every suppression of an address.')
    .argument('<address>', 'E-mail address.')
    .action(async (address: string) => {
      await inProject(cli, async (application, project) => {
        const items = (await application.audience.suppressionsOf(project.id, address)).map(suppressionShown);
        cli.output.result({ items }, () =>
          items.length === 0 ? `${address} is not suppressed.` : tableOf(items, cli.output.display),
        );
      });
    });
  example(show, 'pennypost suppression show ada@example.org');
}

const suppressionShown = ({ emailKey, scope, reason, evidence, at }: Suppression) => ({ emailKey, scope, reason, evidence, at });

function tableOf(items: readonly ReturnType<typeof suppressionShown>[], display: Display): string {
  return renderTable(
    [
      { title: 'Address', value: (one) => one.emailKey },
      { title: 'Scope', value: (one) => one.scope },
      { title: 'Reason', value: (one) => one.reason.replace('_', ' ') },
      {
        title: 'Evidence',
        value: (one) =>
          Object.entries(one.evidence)
            .map(([name, value]) => `${name}: ${value}`)
            .join(', '),
      },
      { title: 'Since', value: (one) => one.at },
    ],
    items,
    display,
  );
}
