import type { Command } from 'commander';
import type { Projects } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, example, gather, inProject, type PageOptions, paged, pageOf, resultPage, whole, withInstance } from './cli.ts';
import { renderDays } from './report.ts';
import { type Display, renderFields, renderTable } from './table.ts';
import type { Instance } from './workbench.ts';

type Shown = Omit<Awaited<ReturnType<Projects['create']>>, 'key'>;

interface ProfileOptions {
  readonly name?: string;
  readonly domain?: string;
  readonly authorDomain?: readonly string[];
  readonly trackingUrl?: string;
  readonly postalAddress?: string;
  readonly timeZone?: string;
  readonly language?: string;
  readonly keepMessages?: string;
  readonly keepEvents?: string;
}

export function projectCommands(program: Command, cli: Cli): void {
  const project = program
    .command('project')
    .description('Manage projects. Each project has its own subscribers, keys and limits.');

  const create = project
    .command('create')
    .description('Create a project and its first API key. The key is shown once.')
    .requiredOption('--name <name>', 'Name that recipients see in footers and on public pages.')
    .requiredOption('--domain <domain>', 'Domain of author addresses, Message-ID, List-Id and return paths.')
    .option('--slug <slug>', 'Short name for commands. Default: made from the name.')
    .action(async (options: ProfileOptions & { name: string; domain: string; slug?: string }) => {
      const make = async ({ application }: Instance): Promise<void> => {
        const { key, ...made } = await application.projects.create(
          { ...changesOf(options), name: options.name, senderDomain: options.domain, slug: options.slug },
          { withKey: true },
        );
        cli.output.result({ ...projectShown(made), key }, () =>
          [
            fieldsOf(made, cli.output.display),
            '',
            `API key (admin), shown once: ${key?.secret}`,
            ...(made.postalAddress === ''
              ? ['Marketing mail needs a postal address: pennypost project update --postal-address "..."']
              : []),
          ].join('\n'),
        );
      };
      await withInstance(cli, make, { createsDatabase: true });
    });
  profileOptions(create);
  example(
    create,
    'pennypost project create --name "Harbour Books" --domain news.harbour.example --postal-address "Quay 1, 20457 Hamburg" --time-zone Europe/Berlin',
  );

  const list = paged(project.command('list').description('List all projects.')).action(async (options: PageOptions) => {
    await withInstance(cli, async ({ application }) =>
      resultPage(cli, await application.projects.list(pageOf(options)), projectShown, (items) =>
        renderTable(
          [
            { title: 'Slug', value: (one) => one.slug },
            { title: 'Name', value: (one) => one.name },
            { title: 'Domain', value: (one) => one.senderDomain },
            { title: 'Time zone', value: (one) => one.timeZone },
            { title: 'Id', value: (one) => one.id },
          ],
          items,
          cli.output.display,
        ),
      ),
    );
  });
  example(list, 'pennypost project list --json');

  const get = project
    .command('get')
    .description('Show the project that --project names, or the only one.')
    .action(async () => {
      await inProject(cli, async (_application, found) =>
        cli.output.result(projectShown(found), () => fieldsOf(found, cli.output.display)),
      );
    });
  example(get, 'pennypost project get --project harbour-books');

  const remove = project
    .command('delete')
    .description('Delete the project that --project names, with all its data. Sending stops first.')
    .option('--yes', 'Confirm the deletion.')
    .option('--force', 'Delete the project even while campaigns or messages are being sent.')
    .action(async (options: { yes?: boolean; force?: boolean }) => {
      // Never the only project by chance: it is named.
      const wish = cli.projectWish();
      if (wish === undefined) throw new InvalidInput('Name the project to delete: --project <id or slug>.');
      await withInstance(cli, async ({ application }) => {
        const dryRun = options.yes !== true;
        const { id, slug, name } = await application.projects.delete(wish, { force: options.force, dryRun });
        if (dryRun)
          throw new InvalidInput(
            `This deletes the project "${name}" (${slug}) with its subscribers, suppressions, campaigns and reports. Repeat it with --yes.`,
          );
        cli.output.result({ id, slug, deleted: true }, () => `The project "${name}" is deleted. A worker removes its data.`);
      });
    });
  example(remove, 'pennypost project delete --project harbour-books --yes');

  const daily = project
    .command('daily')
    .description('Show the figures of the project per day.')
    .option('--from <day>', 'First day, such as 2026-11-01. Default: 30 days before the last.')
    .option('--to <day>', 'Last day. Default: today.')
    .action(async (days: { from?: string; to?: string }) => {
      await inProject(cli, async (application, found) => {
        const series = await application.projects.daily(found.id, days);
        cli.output.result(series, () => renderDays(series, cli.output.display));
      });
    });
  example(daily, 'pennypost project daily --from 2026-11-01 --to 2026-11-30');

  const update = project
    .command('update')
    .description('Change settings of the project. Settings that are not given stay as they are.')
    .option('--name <name>', 'Name that recipients see.')
    .option('--domain <domain>', 'Domain of author addresses, Message-ID, List-Id and return paths.')
    .action(async (options: ProfileOptions) => {
      await inProject(cli, async (application, found) => {
        const updated = await application.projects.update(found.id, changesOf(options));
        cli.output.result(projectShown(updated), () => fieldsOf(updated, cli.output.display));
      });
    });
  profileOptions(update);
  example(update, 'pennypost project update --time-zone Europe/Vienna --language de');
}

function profileOptions(command: Command): void {
  command
    .option(
      '--author-domain <domain>',
      "Further domain for author addresses. '*': any domain. Empty: none. May be repeated.",
      gather,
    )
    .option('--postal-address <text>', 'Postal address in the footer of marketing mail. \\n begins a new line.')
    .option('--time-zone <name>', 'IANA time zone of times and of days in reports. Default: UTC.')
    .option('--language <tag>', 'BCP 47 language of public pages for subscribers without a language. Default: en.')
    .option('--keep-messages <days>', 'Days to keep the content of transactional messages (default 30).')
    .option('--keep-events <days>', 'Days to keep individual opens and clicks (default 365).')
    .option('--tracking-url <url>', 'Base URL of links in mail. Empty: the public URL of the instance, which is the default.');
}

function changesOf(options: ProfileOptions) {
  return {
    name: options.name,
    senderDomain: options.domain,
    authorDomains: options.authorDomain?.filter((domain) => domain !== ''),
    postalAddress: options.postalAddress?.replaceAll('\\n', '\n'),
    timeZone: options.timeZone,
    defaultLanguage: options.language,
    keepMessagesDays: options.keepMessages === undefined ? undefined : whole(options.keepMessages, '--keep-messages', 1, 3_650),
    keepEventsDays: options.keepEvents === undefined ? undefined : whole(options.keepEvents, '--keep-events', 1, 3_650),
    trackingBaseUrl: options.trackingUrl === '' ? null : options.trackingUrl,
  };
}

const projectShown = (project: Shown) => ({
  id: project.id,
  slug: project.slug,
  name: project.name,
  senderDomain: project.senderDomain,
  authorDomains: project.authorDomains,
  trackingBaseUrl: project.trackingBaseUrl,
  postalAddress: project.postalAddress,
  timeZone: project.timeZone,
  defaultLanguage: project.defaultLanguage,
  keepMessagesDays: project.keepMessagesDays,
  keepEventsDays: project.keepEventsDays,
  createdAt: project.createdAt,
});

const fieldsOf = (project: Shown, display: Display): string =>
  renderFields(
    [
      ['project', project.name],
      ['slug', project.slug],
      ['id', project.id],
      ['domain', project.senderDomain],
      ['authors also of', project.authorDomains.length === 0 ? undefined : project.authorDomains.join(', ')],
      ['links', project.trackingBaseUrl],
      ['postal address', project.postalAddress],
      ['time zone', project.timeZone],
      ['language', project.defaultLanguage],
      ['keeps', `messages ${project.keepMessagesDays} days, opens and clicks ${project.keepEventsDays} days`],
      ['created', project.createdAt],
    ],
    display,
  );
