import type { Command } from 'commander';
import type { Application, Campaign, Moment } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { campaignOf, campaignShown, fieldsOf, problemsText } from './campaign-lookup.ts';
import { type Cli, example, gather, inProject, type PageOptions, type Project, paged, pageOf, resultPage } from './cli.ts';
import type { ContentFile } from './content-file.ts';
import { EXIT } from './exit-codes.ts';
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
  readonly list?: readonly string[];
}

/** Drafts: making and changing them. Trying them out is in campaign-try.ts, what sends in launch.ts, what counts in campaign-report.ts. */
export function draftCommands(campaign: Command, cli: Cli): void {
  const create = campaign
    .command('create')
    .description('make a draft from a file (YAML front matter, then MJML, HTML, Markdown or plain text) or from a template')
    .option('--file <file>', 'the file, or - for standard input')
    .option('--template <template>', 'a stored template instead of a file (id or name); needs --name')
    .option('--name <name>', 'instead of the name in the file')
    .option('--list <list>', 'instead of the lists in the file (id or slug); may be repeated', gather)
    .action(async (options: CreateOptions) => {
      if ((options.file === undefined) === (options.template === undefined))
        throw new InvalidInput('Give the content once: --file or --template.');
      const file = options.file === undefined ? undefined : await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const input =
          file === undefined
            ? await fromTemplate(application, project, options)
            : await campaignInput(application, project, file, options);
        const made = await application.campaign.create(project.id, input);
        await tellDraft(cli, application, project, made, {
          schedule: file?.schedule,
          offset: file?.offset ?? 0,
          path: options.file,
        });
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
    .description('replace a draft by a file')
    .argument('<campaign>', 'id or name')
    .requiredOption('--file <file>', 'the file, or - for standard input')
    .option('--list <list>', 'instead of the lists in the file (id or slug); may be repeated', gather)
    .action(async (wanted: string, options: { file: string; list?: readonly string[] }) => {
      const file = await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const { id, name } = await campaignOf(application, project, wanted);
        const edited = await application.campaign.edit(
          project.id,
          id,
          await campaignInput(application, project, file, { name: file.name ?? name, ...options }),
        );
        await tellDraft(cli, application, project, edited, { ...file, path: options.file });
      });
    });
  example(update, 'pennypost campaign update "November letter" --file november.mjml');

  const list = paged(campaign.command('list').description('the campaigns of the project, the newest first'))
    .option('--state <state>', STATES.join(', '))
    .option('--archived', 'archived ones too')
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
              { title: 'State', value: (one) => (one.launchFailure === null ? one.state : `${one.state}, not launched`) },
              { title: 'Audience', value: (one) => (one.launchedAt === null ? null : one.audience) },
              { title: 'Launched', value: (one) => one.launchedAt ?? one.scheduledAt },
              { title: 'Subject', value: (one) => one.subject },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.width,
          ),
        );
      });
    });
  example(list, 'pennypost campaign list --state sending');

  const show = campaign
    .command('show')
    .description('one campaign')
    .argument('<campaign>', 'id or name')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const found = await campaignOf(application, project, wanted);
        const { content } = await application.campaign.get(project.id, found.id);
        cli.output.result({ ...campaignShown(found), content }, () => fieldsOf(found));
      });
    });
  example(show, 'pennypost campaign show "November letter"');

  const archive = campaign
    .command('archive')
    .description('leave it out of listings; its report stays')
    .argument('<campaign>', 'id or name')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        const archived = await application.campaign.archive(project.id, id);
        cli.output.result(campaignShown(archived), () => fieldsOf(archived));
      });
    });
  example(archive, 'pennypost campaign archive "November letter"');
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

/** A draft that cannot be sent yet is kept all the same, and the command says so by its exit code. */
async function tellDraft(
  cli: Cli,
  application: Application,
  project: Project,
  draft: Campaign,
  written: { readonly schedule: Moment | undefined; readonly offset: number; readonly path: string | undefined },
): Promise<void> {
  const { path = '<file>' } = written;
  const problems = await application.campaign.check(project.id, draft.id);
  const faulty = problems.some(({ severity }) => severity === 'error');
  const told =
    written.schedule === undefined || faulty
      ? draft
      : await application.campaign.schedule(project.id, draft.id, written.schedule.in(project.timeZone));
  const inFile = problems.map((problem) =>
    problem.part === 'source' && problem.line !== undefined ? { ...problem, line: problem.line + written.offset } : problem,
  );
  cli.output.result({ ...campaignShown(told), problems: inFile }, () =>
    problems.length === 0 ? fieldsOf(told) : `${fieldsOf(told)}\n\n${problemsText(inFile, cli.output.width)}`,
  );
  if (!faulty) return;
  cli.output.warn(
    `it is kept as a draft, and cannot be launched. Correct ${written.path ?? 'its content in a file'} and run: pennypost campaign update ${draft.id} --file ${path}`,
  );
  cli.endWith(EXIT.usage);
}

function stateOf(text: string | undefined): Filter['state'] {
  const state = STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${STATES.join(', ')}.`);
  return state;
}
