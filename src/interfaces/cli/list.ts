import type { Command } from 'commander';
import type { Lists } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf } from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';
import { formatCounted } from './text.ts';

type List = Awaited<ReturnType<Lists['list']>>['items'][number];

export function listCommands(program: Command, cli: Cli): void {
  const shown = (one: List): void => cli.output.result(listShown(one), () => fieldsOf(listShown(one), cli.output.display));
  const list = program.command('list').description('Manage lists, which subscribers join and campaigns are sent to.');

  const create = list
    .command('create')
    .description('Create a list.')
    .requiredOption('--name <name>', 'Name that subscribers see.')
    .option('--slug <slug>', 'Short name for commands and List-Id. Default: made from the name.')
    .option('--description <text>', 'What the list is about.')
    .option('--double-opt-in', 'Mail subscribers only after they confirmed by e-mail.')
    .action(async (options: { name: string; slug?: string; description?: string; doubleOptIn?: boolean }) => {
      await inProject(cli, async (application, project) => {
        shown(await application.lists.create(project.id, options));
      });
    });
  example(create, 'pennypost list create --name "Harbour letter" --description "Once a month"');

  const all = paged(list.command('list').description('List the lists of the project, with their numbers of subscribers.'))
    .option('--archived', 'Include archived lists.')
    .action(async (options: PageOptions & { archived?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.lists.list(project.id, {
          ...pageOf(options),
          includeArchived: options.archived,
          counts: true,
        });
        const items = page.items.map(listShown);
        cli.output.result({ items, next: page.next ?? null }, () =>
          renderTable(
            [
              { title: 'Slug', value: (one) => one.slug },
              { title: 'Name', value: (one) => one.name },
              { title: 'Confirmed', value: (one) => one.subscribers.confirmed },
              { title: 'Unconfirmed', value: (one) => one.subscribers.unconfirmed },
              { title: 'Unsubscribed', value: (one) => one.subscribers.unsubscribed },
              { title: 'Double opt-in', value: (one) => one.doubleOptIn },
              { title: 'Archived', value: (one) => one.archivedAt },
            ],
            items,
            cli.output.display,
          ),
        );
      });
    });
  example(all, 'pennypost list list');

  const get = list
    .command('get')
    .description('Show a list with its number of subscribers.')
    .argument('<list>', 'Id or slug of the list.')
    .action(async (idOrSlug: string) => {
      await inProject(cli, async (application, project) => {
        shown(await application.lists.get(project.id, idOrSlug));
      });
    });
  example(get, 'pennypost list get harbour-letter');

  const update = list
    .command('update')
    .description('Change the name, the description or the opt-in rule of a list.')
    .argument('<list>', 'Id or slug of the list.')
    .option('--name <name>', 'New name of the list.')
    .option('--description <text>', 'New description of the list.')
    .option('--double-opt-in', 'Mail new subscribers only after they confirm by e-mail.')
    .option('--no-double-opt-in', 'Mail new subscribers without confirmation.')
    .action(async (idOrSlug: string, options: { name?: string; description?: string; doubleOptIn?: boolean }) => {
      await inProject(cli, async (application, project) => {
        shown(await application.lists.update(project.id, idOrSlug, options));
      });
    });
  example(update, 'pennypost list update harbour-letter --name "Harbour weekly"');

  const archive = list
    .command('archive')
    .description('Close a list to new subscribers. Its subscribers stay.')
    .argument('<list>', 'Id or slug of the list.')
    .option('--force', 'Archive the list even while campaigns use it. These campaigns continue.')
    .action(async (idOrSlug: string, options: { force?: boolean }) => {
      await inProject(cli, async (application, project) => {
        shown(await application.lists.archive(project.id, idOrSlug, options));
      });
    });
  example(archive, 'pennypost list archive harbour-letter');

  const restore = list
    .command('restore')
    .description('Open an archived list again.')
    .argument('<list>', 'Id or slug of the list.')
    .action(async (idOrSlug: string) => {
      await inProject(cli, async (application, project) => {
        shown(await application.lists.restore(project.id, idOrSlug));
      });
    });
  example(restore, 'pennypost list restore harbour-letter');

  const remove = list
    .command('delete')
    .description('Delete a list with its subscriptions. The subscribers stay.')
    .argument('<list>', 'Id or slug of the list.')
    .option('--yes', 'Confirm the deletion.')
    .option('--force', 'Delete the list even while campaigns use it. They stop mailing it; scheduled ones fail.')
    .action(async (idOrSlug: string, options: { yes?: boolean; force?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const dryRun = options.yes !== true;
        const found = await application.lists.delete(project.id, idOrSlug, { force: options.force, dryRun });
        const { confirmed, unconfirmed, unsubscribed } = found.subscribers;
        if (dryRun)
          throw new InvalidInput(
            `This deletes the list "${found.name}" and its ${formatCounted(confirmed + unconfirmed + unsubscribed, 'subscription', 'subscriptions')}. Repeat it with --yes.`,
          );
        cli.output.result({ id: found.id, slug: found.slug, deleted: true }, () => `The list "${found.name}" is deleted.`);
      });
    });
  example(remove, 'pennypost list delete harbour-letter --yes');
}

const listShown = (list: List) => ({
  id: list.id,
  slug: list.slug,
  name: list.name,
  description: list.description,
  doubleOptIn: list.doubleOptIn,
  subscribers: list.subscribers ?? { confirmed: 0, unconfirmed: 0, unsubscribed: 0 },
  createdAt: list.createdAt,
  archivedAt: list.archivedAt,
});

const fieldsOf = (list: ReturnType<typeof listShown>, display: Display): string =>
  renderFields(
    [
      ['list', list.name],
      ['slug', list.slug],
      ['id', list.id],
      ['description', list.description],
      ['double opt-in', list.doubleOptIn],
      ['confirmed', list.subscribers.confirmed],
      ['unconfirmed', list.subscribers.unconfirmed],
      ['unsubscribed', list.subscribers.unsubscribed],
      ['created', list.createdAt],
      ['archived', list.archivedAt],
    ],
    display,
  );
