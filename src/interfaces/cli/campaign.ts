import type { Command } from 'commander';
import type { Campaigns } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { campaignShown, fieldsOf, problemsText } from './campaign-lookup.ts';
import { type Cli, choice, example, gather, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { byLines, type ContentFile, inFile } from './content-file.ts';
import { readContent } from './read-content.ts';
import { renderTable } from './table.ts';

type Filter = NonNullable<Parameters<Campaigns['list']>[1]>;
type Draft = Awaited<ReturnType<Campaigns['create']>>;
const STATES: readonly NonNullable<Filter['state']>[] = ['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled'];

interface AudienceOptions {
  readonly list?: readonly string[];
  readonly excludeList?: readonly string[];
}

interface CreateOptions extends AudienceOptions {
  readonly file?: string;
  readonly template?: string;
  readonly name?: string;
  readonly slug?: string;
}

/** Drafts: making and changing them. Trying them out is in campaign-try.ts, what sends in launch.ts, what counts in campaign-report.ts. */
export function draftCommands(campaign: Command, cli: Cli): void {
  const create = campaign
    .command('create')
    .description('Create a draft from a content file or a template. Invalid content creates nothing.')
    .option('--file <file>', 'Content file with front matter, or - for standard input.')
    .option('--template <template>', 'Id or name of a template to use in place of a file. Needs --name.')
    .option('--name <name>', 'Name. Default: the name in the file.')
    .option('--slug <slug>', 'Short name for commands. Default: made from the name, numbered when taken.')
    .option('--list <list>', 'Id or slug of a list, in place of the lists in the file. May be repeated.', gather)
    .option(
      '--exclude-list <list>',
      'Id or slug of a list to exclude, in place of the lists in the file. May be repeated.',
      gather,
    )
    .action(async (options: CreateOptions) => {
      if ((options.file === undefined) === (options.template === undefined))
        throw new InvalidInput('Give the content once: --file or --template.');
      const file = options.file === undefined ? undefined : await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const input = file === undefined ? fromTemplate(options) : campaignInput(file, options);
        const offset = file?.offset ?? 0;
        const writing = { checked: true, scheduleAt: file?.schedule?.in(project.timeZone, cli.clock.now()) };
        const made = await byLines(offset, () =>
          application.campaigns.create(project.id, { ...input, slug: options.slug }, writing),
        );
        tellDraft(cli, made, offset);
      });
    });
  example(
    create,
    'pennypost campaign create --file november.mjml',
    'pennypost campaign create --file hello.md --list harbour-letter',
    'pennypost campaign create --template "Monthly letter" --name "May letter" --list harbour-letter',
  );

  const update = campaign
    .command('update')
    .description('Replace a draft with a content file. Invalid content changes nothing.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .requiredOption('--file <file>', 'Content file with front matter, or - for standard input.')
    .option('--list <list>', 'Id or slug of a list, in place of the lists in the file. May be repeated.', gather)
    .option(
      '--exclude-list <list>',
      'Id or slug of a list to exclude, in place of the lists in the file. May be repeated.',
      gather,
    )
    .action(async (wanted: string, options: AudienceOptions & { file: string }) => {
      const file = await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const input = { ...contentOf(file, options), ...(file.name !== undefined && { name: file.name }) };
        const writing = { checked: true, scheduleAt: file.schedule?.in(project.timeZone, cli.clock.now()) };
        const edited = await byLines(file.offset, () => application.campaigns.update(project.id, wanted, input, writing));
        tellDraft(cli, edited, file.offset);
      });
    });
  example(update, 'pennypost campaign update "November letter" --file november.mjml');

  const list = paged(campaign.command('list').description('List the campaigns of the project, newest first.'))
    .addOption(choice('--state <state>', 'Only campaigns in this state.', STATES))
    .option('--archived', 'Include archived campaigns.')
    .action(async (options: PageOptions & { state?: string; archived?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.campaigns.list(project.id, {
          ...pageOf(options),
          state: stateOf(options.state),
          archived: options.archived,
        });
        resultPage(cli, page, campaignShown, (items) =>
          renderTable(
            [
              { title: 'Name', value: (one) => one.name },
              { title: 'Slug', value: (one) => one.slug },
              { title: 'State', value: (one) => (one.launchFailure === null ? one.state : `${one.state}, not launched`) },
              { title: 'Recipients', value: (one) => (one.launchedAt === null ? null : one.recipients) },
              { title: 'Scheduled', value: (one) => one.scheduledAt },
              { title: 'Launched', value: (one) => one.launchedAt },
              { title: 'Subject', value: (one) => one.subject },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.display,
          ),
        );
      });
    });
  example(list, 'pennypost campaign list --state sending');

  const get = campaign
    .command('get')
    .description('Show a campaign.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.campaigns.get(project.id, wanted);
        cli.output.result({ ...campaignShown(found), content: found.content }, () => fieldsOf(found, cli.output.display));
      });
    });
  example(get, 'pennypost campaign get "November letter"');

  const archive = campaign
    .command('archive')
    .description('Hide a campaign from listings. Its report stays.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const archived = await application.campaigns.archive(project.id, wanted);
        cli.output.result(campaignShown(archived), () => fieldsOf(archived, cli.output.display));
      });
    });
  example(archive, 'pennypost campaign archive november-letter');
  deleteCommand(campaign, cli);
}

function deleteCommand(campaign: Command, cli: Cli): void {
  const remove = campaign
    .command('delete')
    .description('Delete a draft. Archive campaigns that were scheduled or launched.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .option('--yes', 'Confirm the deletion.')
    .action(async (wanted: string, options: { yes?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const dryRun = options.yes !== true;
        const { id, slug, name } = await application.campaigns.delete(project.id, wanted, { dryRun });
        if (dryRun) throw new InvalidInput(`This deletes the draft "${name}" (${slug}). Repeat it with --yes.`);
        cli.output.result({ id, slug, deleted: true }, () => `The draft "${name}" is deleted.`);
      });
    });
  example(remove, 'pennypost campaign delete november-letter-2 --yes');
}

function campaignInput(file: ContentFile, options: AudienceOptions & { name?: string }) {
  const name = options.name ?? file.name;
  if (name === undefined)
    throw new InvalidInput('The campaign has no name: add "name: ..." to the front matter, or give --name.');
  return { name, ...contentOf(file, options) };
}

function contentOf(file: ContentFile, options: AudienceOptions) {
  return {
    content: file.content,
    audience: audienceOf(options, file),
    trackOpens: file.trackOpens,
    trackClicks: file.trackClicks,
  };
}

/** The template's content is copied; everything else comes from the options. */
function fromTemplate(options: CreateOptions) {
  const { name, template } = options;
  if (name === undefined) throw new InvalidInput('The campaign has no name. Give --name.');
  return { name, templateId: template, audience: audienceOf(options) };
}

/** The lists of the options, otherwise those of the file. */
function audienceOf(options: AudienceOptions, file?: Pick<ContentFile, 'lists' | 'excludeLists'>) {
  const entries = (lists: readonly string[] = []) => lists.map((list) => ({ list }));
  return {
    include: entries(options.list ?? file?.lists),
    exclude: entries(options.excludeList ?? file?.excludeLists),
  };
}

/** The draft, with every problem that a launch would report. */
function tellDraft(cli: Cli, draft: Draft, offset: number): void {
  const problems = (draft.problems ?? []).map(inFile(offset));
  cli.output.result({ ...campaignShown(draft), problems }, () =>
    problems.length === 0
      ? fieldsOf(draft, cli.output.display)
      : `${fieldsOf(draft, cli.output.display)}\n\n${problemsText(problems, cli.output.display)}`,
  );
}

function stateOf(text: string | undefined): Filter['state'] {
  const state = STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${STATES.join(', ')}.`);
  return state;
}
