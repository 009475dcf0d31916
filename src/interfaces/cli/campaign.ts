import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Application, Campaign, ContentProblem } from '../../application/application.ts';
import { InvalidInput, NotFound } from '../../domain/shared/errors.ts';
import { type Cli, example, gather, inProject, type PageOptions, type Project, paged, pageOf, resultPage } from './cli.ts';
import type { ContentFile } from './content-file.ts';
import { EXIT } from './exit-codes.ts';
import { readContent } from './read-content.ts';
import { followMessages } from './send.ts';
import { listIds, subscriberOf } from './subscriber.ts';
import { renderFields, renderTable } from './table.ts';
import { checkWayOut } from './working.ts';

type Filter = Parameters<Application['campaign']['list']>[1];
const STATES: readonly NonNullable<Filter['state']>[] = ['draft', 'scheduled', 'sending', 'paused', 'submitted', 'cancelled'];

/** Drafts: making, changing, looking at, trying out. What sends is in launch.ts, what counts in report-command.ts. */
export function draftCommands(campaign: Command, cli: Cli): void {
  const create = campaign
    .command('create')
    .description('make a draft from a file: YAML front matter, then MJML, HTML or plain text')
    .requiredOption('--file <file>', 'the file, or - for standard input')
    .option('--name <name>', 'instead of the name in the file')
    .option('--list <list>', 'instead of the lists in the file (id or slug); may be repeated', gather)
    .action(async (options: { file: string; name?: string; list?: readonly string[] }) => {
      const file = await readContent(cli, options.file);
      await inProject(cli, async (application, project) => {
        const input = await campaignInput(application, project, file, options);
        const made = await application.campaign.create(project.id, input);
        await tellDraft(cli, application, project, made, file, options.file);
      });
    });
  example(
    create,
    'pennypost campaign create --file november.mjml',
    'pennypost campaign create --file hello.md --list harbour-letter',
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
        await tellDraft(cli, application, project, edited, file, options.file);
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
              { title: 'State', value: (one) => one.state },
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
        cli.output.result({ ...campaignShown(found), content: found.content }, () => fieldsOf(found));
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
  tryingCommands(campaign, cli);
}

function tryingCommands(campaign: Command, cli: Cli): void {
  const check = campaign
    .command('check')
    .description('everything that would stand in the way of a launch; exit code 2 when something does')
    .argument('<campaign>', 'id or name')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        const problems = await application.campaign.check(project.id, id);
        const audience = await audienceOf(application, project, id);
        cli.output.result(
          { problems, audience },
          () => `${problemsText(problems, cli.output.width)}\n${audience.toLocaleString('en-US')} people would get it.`,
        );
        if (problems.some(({ severity }) => severity === 'error')) cli.endWith(EXIT.usage);
      });
    });
  example(check, 'pennypost campaign check "November letter"');

  const preview = campaign
    .command('preview')
    .description('the message as one subscriber would see it, or with the defaults of the content')
    .argument('<campaign>', 'id or name')
    .option('--as <who>', 'address or id of a subscriber')
    .option('--html <file>', 'write the HTML part to this file')
    .action(async (wanted: string, options: { as?: string; html?: string }) => {
      await inProject(cli, async (application, project) => {
        const { id } = await campaignOf(application, project, wanted);
        const message = await application.campaign.preview(project.id, id, await asOf(application, project, options.as));
        if (options.html !== undefined) {
          if (message.html === undefined) throw new InvalidInput('This message has no HTML part.');
          await writeFile(options.html, message.html);
          cli.output.note(`HTML written to ${options.html}`);
        }
        cli.output.result(message, () =>
          [
            renderFields([
              ['subject', message.subject],
              ['preheader', message.preheader],
            ]),
            '',
            message.text.trim(),
          ].join('\n'),
        );
      });
    });
  example(preview, 'pennypost campaign preview "November letter" --as ada@example.org --html preview.html');

  const test = campaign
    .command('test')
    .description('send it to a few addresses with [Test] before the subject; counted in no report')
    .argument('<campaign>', 'id or name')
    .requiredOption('--to <address>', 'up to 20; may be repeated', gather)
    .option('--as <who>', 'as this subscriber would see it (address or id)')
    .option('--wait', 'until it was handed over')
    .action(async (wanted: string, options: { to: readonly string[]; as?: string; wait?: boolean }) => {
      await inProject(
        cli,
        async (application, project, instance) => {
          const { id } = await campaignOf(application, project, wanted);
          if (options.wait === true) await checkWayOut(instance, 'transactional');
          const accepted = await application.campaign.test(
            project.id,
            id,
            options.to,
            await asOf(application, project, options.as),
          );
          await followMessages(cli, instance, project, accepted, options.wait === true);
        },
        { works: options.wait === true },
      );
    });
  example(test, 'pennypost campaign test "November letter" --to me@example.org --wait');
}

/** By id, or by a name that only one campaign has. @throws NotFound, InvalidInput */
export async function campaignOf(application: Application, project: Project, wanted: string): Promise<Campaign> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(wanted))
    return application.campaign.get(project.id, wanted.toLowerCase());
  const found: Campaign[] = [];
  for (let after: string | undefined; ; ) {
    const page = await application.campaign.list(project.id, { limit: 500, after, archived: true });
    found.push(...page.items.filter(({ name }) => name === wanted.trim()));
    if (page.next === undefined) break;
    after = page.next;
  }
  const [first, second] = found;
  if (first === undefined) throw new NotFound('campaign', wanted.slice(0, 200));
  if (second !== undefined)
    throw new InvalidInput(
      `Several campaigns are named "${first.name}". Name one by its id: ${found
        .map(({ id }) => id)
        .slice(0, 5)
        .join(', ')}`,
    );
  return first;
}

export const campaignShown = (campaign: Campaign) => ({
  id: campaign.id,
  name: campaign.name,
  state: campaign.state,
  pauseReason: campaign.pauseReason,
  subject: campaign.content.subject,
  audience: campaign.audience,
  lists: campaign.lists,
  excludeLists: campaign.excludeLists,
  createdAt: campaign.createdAt,
  scheduledAt: campaign.scheduledAt,
  launchedAt: campaign.launchedAt,
  submittedAt: campaign.submittedAt,
  settledAt: campaign.settledAt,
  archivedAt: campaign.archivedAt,
});

export const fieldsOf = (campaign: Campaign): string =>
  renderFields([
    ['campaign', campaign.name],
    ['id', campaign.id],
    ['state', campaign.state],
    ['paused because', campaign.pauseReason],
    ['subject', campaign.content.subject],
    ['author', mailboxText(campaign.content.author)],
    ['content', campaign.content.kind],
    ['audience', campaign.launchedAt === null ? undefined : campaign.audience],
    ['created', campaign.createdAt],
    ['scheduled', campaign.scheduledAt],
    ['launched', campaign.launchedAt],
    ['submitted', campaign.submittedAt],
    ['settled', campaign.settledAt],
    ['archived', campaign.archivedAt],
  ]);

async function campaignInput(
  application: Application,
  project: Project,
  file: ContentFile,
  options: { file: string; name?: string; list?: readonly string[] },
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

/** A draft that cannot be sent yet is kept all the same, and the command says so by its exit code. */
async function tellDraft(
  cli: Cli,
  application: Application,
  project: Project,
  draft: Campaign,
  file: ContentFile,
  path: string,
): Promise<void> {
  const problems = await application.campaign.check(project.id, draft.id);
  const faulty = problems.some(({ severity }) => severity === 'error');
  const told =
    file.schedule === undefined || faulty ? draft : await application.campaign.schedule(project.id, draft.id, file.schedule);
  const inFile = problems.map((problem) =>
    problem.part === 'source' && problem.line !== undefined ? { ...problem, line: problem.line + file.offset } : problem,
  );
  cli.output.result({ ...campaignShown(told), problems: inFile }, () =>
    problems.length === 0 ? fieldsOf(told) : `${fieldsOf(told)}\n\n${problemsText(inFile, cli.output.width)}`,
  );
  if (!faulty) return;
  cli.output.warn(
    `it is kept as a draft, and cannot be launched. Correct ${path} and run: pennypost campaign update ${draft.id} --file ${path}`,
  );
  cli.endWith(EXIT.usage);
}

function problemsText(problems: readonly ContentProblem[], width: number | undefined): string {
  if (problems.length === 0) return 'Nothing stands in the way.';
  return renderTable(
    [
      { title: '', value: (problem) => problem.severity },
      { title: 'Part', value: (problem) => problem.part },
      { title: 'Line', value: (problem) => problem.line },
      { title: 'Problem', value: (problem) => problem.message },
      { title: 'Code', value: (problem) => problem.code },
    ],
    problems,
    width,
  );
}

async function audienceOf(application: Application, project: Project, id: string): Promise<number> {
  const { lists, excludeLists } = await application.campaign.get(project.id, id);
  return lists.length === 0 ? 0 : application.audience.countAudience(project.id, lists, excludeLists);
}

async function asOf(application: Application, project: Project, who: string | undefined) {
  return who === undefined ? undefined : { subscriberId: (await subscriberOf(application, project, who)).id };
}

function stateOf(text: string | undefined): Filter['state'] {
  const state = STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw new InvalidInput(`--state is one of ${STATES.join(', ')}.`);
  return state;
}

const mailboxText = ({ name, address }: Campaign['content']['author']): string =>
  name === undefined || name === '' ? address : `${name} <${address}>`;
