import type { Command } from 'commander';
import type { Application } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf } from './cli.ts';
import { type Display, renderFields, renderTable } from './table.ts';
import { formatCounted } from './text.ts';

type List = Awaited<ReturnType<Application['audience']['getList']>>;
type Counts = Awaited<ReturnType<Application['audience']['listCounts']>>[number];

export function listCommands(program: Command, cli: Cli): void {
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
        const made = await application.audience.createList(project.id, options);
        cli.output.result(listShown(made), () => fieldsOf(listShown(made), cli.output.display));
      });
    });
  example(create, 'pennypost list create --name "Harbour letter" --description "Once a month"');

  const all = paged(list.command('list').description('List the lists of the project, with their numbers of subscribers.'))
    .option('--archived', 'Include archived lists.')
    .action(async (options: PageOptions & { archived?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.audience.lists(project.id, { ...pageOf(options), includeArchived: options.archived });
        const ids = page.items.map(({ id }) => id);
        const counts = ids.length === 0 ? [] : await application.audience.listCounts(project.id, ids);
        const items = page.items.map((one) =>
          listShown(
            one,
            counts.find(({ listId }) => listId === one.id),
          ),
        );
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

  const show = list
    .command('show')
    .description('Show a list with its number of subscribers.')
    .argument('<list>', 'Id or slug of the list.')
    .action(async (idOrSlug: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.audience.getList(project.id, idOrSlug);
        const [counts] = await application.audience.listCounts(project.id, [found.id]);
        cli.output.result(listShown(found, counts), () => fieldsOf(listShown(found, counts), cli.output.display));
      });
    });
  example(show, 'pennypost list show harbour-letter');

  const shown = async (application: Application, projectId: string, found: List): Promise<void> => {
    const [counts] = await application.audience.listCounts(projectId, [found.id]);
    const changed = listShown(found, counts);
    cli.output.result(changed, () => fieldsOf(changed, cli.output.display));
  };

  const archive = list
    .command('archive')
    .description('Close a list for new subscribers. Its subscribers stay.')
    .argument('<list>', 'Id or slug of the list.')
    .option('--force', 'Archive the list even while campaigns use it. These campaigns continue.')
    .action(async (idOrSlug: string, options: { force?: boolean }) => {
      await inProject(cli, async (application, project) => {
        await shown(application, project.id, await application.audience.archiveList(project.id, idOrSlug, options));
      });
    });
  example(archive, 'pennypost list archive harbour-letter');

  const restore = list
    .command('restore')
    .description('Open an archived list again.')
    .argument('<list>', 'Id or slug of the list.')
    .action(async (idOrSlug: string) => {
      await inProject(cli, async (application, project) => {
        await shown(application, project.id, await application.audience.restoreList(project.id, idOrSlug));
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
        const found = await application.audience.getList(project.id, idOrSlug);
        const [counts] = await application.audience.listCounts(project.id, [found.id]);
        const { confirmed, unconfirmed, unsubscribed } = listShown(found, counts).subscribers;
        if (options.yes !== true)
          throw new InvalidInput(
            `This deletes the list "${found.name}" and its ${formatCounted(confirmed + unconfirmed + unsubscribed, 'subscription', 'subscriptions')}. Repeat it with --yes.`,
          );
        await application.audience.deleteList(project.id, found.id, { force: options.force });
        cli.output.result({ id: found.id, slug: found.slug, deleted: true }, () => `The list "${found.name}" is deleted.`);
      });
    });
  example(remove, 'pennypost list delete harbour-letter --yes');
}

/** Without counts, nobody is on it yet. */
const listShown = (list: List, counts?: Counts) => ({
  id: list.id,
  slug: list.slug,
  name: list.name,
  description: list.description,
  doubleOptIn: list.doubleOptIn,
  subscribers: {
    confirmed: counts?.confirmed ?? 0,
    unconfirmed: counts?.unconfirmed ?? 0,
    unsubscribed: counts?.unsubscribed ?? 0,
  },
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
