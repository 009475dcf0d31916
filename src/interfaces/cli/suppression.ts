import type { Command } from 'commander';
import type { Suppressions } from '../../application/application.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { type Display, renderTable } from './table.ts';

type Suppression = Awaited<ReturnType<Suppressions['lookup']>>[number];

export function suppressionCommands(program: Command, cli: Cli): void {
  const suppression = program.command('suppression').description('Manage suppressed addresses.');

  const create = suppression
    .command('create')
    .description('Suppress an address, whether or not a subscriber has it.')
    .argument('<address>', 'E-mail address.')
    .option('--scope <scope>', 'Mail to suppress: project (all mail), marketing, list:<id>, or stream:<name>.', 'project')
    .addOption(
      choice('--reason <reason>', 'Reason of the suppression.', ['manual', 'unsubscribe', 'hard_bounce', 'complaint']).default(
        'manual',
      ),
    )
    .option('--note <text>', 'Note that is stored as evidence.')
    .action(async (address: string, options: { scope: string; reason: string; note?: string }) => {
      await inProject(cli, async (application, project) => {
        const { scope, reason, note } = options;
        const { changed } = await application.suppressions.create(project.id, address, {
          scope,
          reason,
          evidence: note === undefined ? {} : { note },
        });
        const text = changed
          ? `${address} is suppressed (${scope}, ${reason}).`
          : `${address} was already suppressed for a reason that is at least as serious.`;
        cli.output.result({ address, scope, reason, changed }, () => text);
      });
    });
  example(create, 'pennypost suppression create ada@example.org --note "asked by telephone"');

  const lift = suppression
    .command('lift')
    .description('Remove a suppression. Do so only at the request of the owner of the address.')
    .argument('<address>', 'E-mail address.')
    .option('--scope <scope>', 'Scope of the suppression to remove: project, marketing, list:<id>, or stream:<name>.', 'project')
    .action(async (address: string, { scope }: { scope: string }) => {
      await inProject(cli, async (application, project) => {
        const changed = await application.suppressions.lift(project.id, address, scope);
        cli.output.result({ address, scope, changed }, () =>
          changed ? `${address} may be mailed again (${scope}).` : `No suppression was found for ${address} (${scope}).`,
        );
      });
    });
  example(lift, 'pennypost suppression lift ada@example.org');

  const list = paged(suppression.command('list').description('List suppressions, newest first.'))
    .option('--scope <scope>', 'Only suppressions of this scope: project, marketing, list:<id>, or stream:<name>.')
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
        resultPage(cli, await application.suppressions.list(project.id, search), suppressionShown, (items) =>
          tableOf(items, cli.output.display),
        );
      });
    });
  example(list, 'pennypost suppression list --reason hard_bounce');

  const lookup = suppression
    .command('lookup')
    .description('Show every suppression of an address.')
    .argument('<address>', 'E-mail address.')
    .action(async (address: string) => {
      await inProject(cli, async (application, project) => {
        const items = (await application.suppressions.lookup(project.id, address)).map(suppressionShown);
        cli.output.result({ items }, () =>
          items.length === 0 ? `${address} is not suppressed.` : tableOf(items, cli.output.display),
        );
      });
    });
  example(lookup, 'pennypost suppression lookup ada@example.org');
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
