import type { Command } from 'commander';
import type { Application, Campaign } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { campaignOf, campaignShown, fieldsOf, problemsText } from './campaign-lookup.ts';
import {
  type Cli,
  choice,
  example,
  gather,
  inProject,
  type PageOptions,
  type Project,
  paged,
  pageOf,
  resultPage,
} from './cli.ts';
import { byLines, type ContentFile, inFile } from './content-file.ts';
import { readContent } from './read-content.ts';
import { listIds } from './subscriber.ts';
import { renderTable } from './table.ts';
import { templateIdOf } from './template.ts';

type Filter = Parameters<Application['campaign']['list']>[1];
const STATES: readonly NonNullable<Filter['state']>[] = ['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled'];

interface CreateOptions {
  readonly file?: string;
  readonly template?: string;
  readonly name?: string;
  readonly slug?: string;
  readonly list?: readonly string[];
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
    .action(async (options: CreateOptions) => {
      if ((options.file === undefined) === (options.template === undefined))
        throw new InvalidInput('Give the content once: --file or --template.');
      const file = options.file === undefined ? undefined : await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const input =
          file === undefined
            ? await fromTemplate(application, project, options)
            : await campaignInput(application, project, file, options);
        const offset = file?.offset ?? 0;
        const writing = { checked: true, scheduleAt: file?.schedule?.in(project.timeZone, cli.clock.now()) };
        const made = await byLines(offset, () =>
          application.campaign.create(project.id, { ...input, slug: options.slug }, writing),
        );
        await tellDraft(cli, application, made, offset);
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
    .action(async (wanted: string, options: { file: string; list?: readonly string[] }) => {
      const file = await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const { id, name } = await campaignOf(application, project, wanted);
        const input = await campaignInput(application, project, file, { name: file.name ?? name, ...options });
        const writing = { checked: true, scheduleAt: file.schedule?.in(project.timeZone, cli.clock.now()) };
        const edited = await byLines(file.offset, () => application.campaign.edit(project.id, id, input, writing));
        await tellDraft(cli, application, edited, file.offset);
      });
    });
  example(update, 'pennypost campaign update "November letter" --file november.mjml');

  const list = paged(campaign.command('list').description('List the campaigns of the project, newest first.'))
    .addOption(choice('--state <state>', 'Only campaigns in this state.', STATES))
    .option('--archived', 'Include archived campaigns.')
    .action(async (options: PageOptions & { state?: string; archived?: boolean }) => {
      await inProject(cli, async (application, project) => {
        const page = await application.campaign.list(project.id, {
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
              { title: 'Audience', value: (one) => (one.launchedAt === null ? null : one.audience) },
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

  const show = campaign
    .command('show')
    .description('Show a campaign.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const found = await campaignOf(application, project, wanted);
        const { content } = await application.campaign.get(project.id, found.id);
        cli.output.result({ ...campaignShown(found), content }, () => fieldsOf(found, cli.output.display));
      });
    });
  example(show, 'pennypost campaign show "November letter"');

  const archive = campaign
    .command('archive')
    .description('Hide a campaign from listings. Its report stays.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        const archived = await application.campaign.archive(project.id, id);
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
        const { id, slug, name, state } = await campaignOf(application, project, wanted);
        // Whoever is asked to repeat it should not find that it was no draft.
        if (options.yes !== true && state === 'draft')
          throw new InvalidInput(`This deletes the draft "${name}" (${slug}). Repeat it with --yes.`);
        await application.campaign.delete(project.id, id);
        cli.output.result({ id, slug, deleted: true }, () => `The draft "${name}" is deleted.`);
      });
    });
  example(remove, 'pennypost campaign delete november-letter-2 --yes');
}

async function campaignInput(
  application: Application,
  project: Project,
  file: ContentFile,
  options: { name?: string; list?: readonly string[] },
) {
  const name = options.name ?? file.name;
  if (name === undefined)
    throw new InvalidInput('The campaign has no name: add "name: ..." to the front matter, or give --name.');
  return {
    name,
    content: file.content,
    lists: await listIds(application, project, options.list ?? file.lists),
    excludeLists: await listIds(application, project, file.excludeLists),
    trackOpens: file.trackOpens,
    trackClicks: file.trackClicks,
  };
}

/** The template's content is copied; everything else comes from the options. */
async function fromTemplate(application: Application, project: Project, options: CreateOptions) {
  const { name, template = '', list = [] } = options;
  if (name === undefined) throw new InvalidInput('The campaign has no name. Give --name.');
  const templateId = await templateIdOf(application, project, template);
  return { name, templateId, lists: await listIds(application, project, list) };
}

/** What it is now, and what could still be better. */
async function tellDraft(cli: Cli, application: Application, draft: Campaign, offset: number): Promise<void> {
  const problems = (await application.campaign.check(draft.projectId, draft.id)).map(inFile(offset));
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
