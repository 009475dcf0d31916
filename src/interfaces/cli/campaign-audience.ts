import type { Command } from 'commander';
import { type Campaigns, LEFT_OUT_REASONS, RESEND_TARGETS } from '../../application/application.ts';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { type Cli, choice, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { renderFields, renderTable } from './table.ts';
import { formatCounted } from './text.ts';
import { someoneWorks } from './working.ts';

type Counts = Awaited<ReturnType<Campaigns['explain']>>;

/** Who is in a campaign's audience, who is left out, and who gets it once more. */
export function audienceCommands(campaign: Command, cli: Cli): void {
  const explain = campaign
    .command('explain')
    .description('Count recipients, and subscribers that are left out, by reason.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const counts = await application.campaigns.explain(project.id, wanted);
        cli.output.result(counts, () => renderFields(fieldsOf(counts)));
      });
    });
  example(explain, 'pennypost campaign explain "November letter"');

  const excluded = paged(campaign.command('excluded').description('List the subscribers that a campaign leaves out, and why.'))
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .addOption(choice('--reason <reason>', 'Only subscribers that are left out for this reason.', LEFT_OUT_REASONS))
    .action(async (wanted: string, options: PageOptions & { reason?: string }) => {
      await inProject(cli, async (application, project) => {
        const reason = oneOf(LEFT_OUT_REASONS, options.reason, '--reason');
        const page = await pageOfPeople((search) => application.campaigns.excluded(project.id, wanted, search), {
          ...pageOf(options),
          reason,
        });
        resultPage(
          cli,
          page,
          (row) => row,
          (items) =>
            renderTable(
              [
                { title: 'Address', value: (row) => row.address ?? '(erased)' },
                { title: 'Left out because', value: (row) => row.reason.replace('_', ' ') },
                { title: 'Detail', value: (row) => row.detail },
              ],
              items,
              cli.output.display,
            ),
        );
      });
    });
  example(excluded, 'pennypost campaign excluded "November letter" --reason bad_data');

  const resend = campaign
    .command('resend')
    .description('Resend a finished campaign to recipients that it did not reach.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .argument('<target>', 'Recipients: failed, in_doubt (may have received it), or new (subscribed since the launch).')
    .action(async (wanted: string, target: string) => {
      await inProject(cli, async (application, project) => {
        const to = oneOf(RESEND_TARGETS, target, 'The target') ?? 'failed';
        const { recipients } = await application.campaigns.resend(project.id, wanted, to);
        if (recipients > 0 && !(await someoneWorks(application, 'bulk')))
          cli.output.warn('no worker is running: nothing is sent until "pennypost serve" or "pennypost work" runs.');
        cli.output.result(
          { target: to, recipients },
          () => `${formatCounted(recipients, 'recipient gets', 'recipients get')} it again.`,
        );
      });
    });
  example(resend, 'pennypost campaign resend "November letter" failed');
}

type Search = NonNullable<Parameters<Campaigns['excluded']>[2]>;
type PageOf = (search: Search) => ReturnType<Campaigns['excluded']>;

/** Pages of a try (`bad_data` of a draft) may hold few subscribers or none: then more are read, up to 10,000 subscribers per command. */
async function pageOfPeople(ask: PageOf, search: Search) {
  const { limit = 50 } = search;
  let page = await ask(search);
  const items = [...page.items];
  for (let asked = 1; asked < 20 && items.length < limit && page.next !== undefined; asked += 1) {
    page = await ask({ ...search, limit: limit - items.length, after: page.next });
    items.push(...page.items);
  }
  return { items, next: page.next };
}

function fieldsOf({ launched, included, excluded }: Counts): [string, string][] {
  const left = LEFT_OUT_REASONS.map((reason): [string, string] => [
    reason.replace('_', ' '),
    excluded[reason]?.toLocaleString('en-US') ?? 'not tried; see: pennypost campaign excluded --reason bad_data',
  ]);
  return [[launched ? 'in the audience' : 'would get it', included.toLocaleString('en-US')], ...left];
}

/** @throws InvalidInput that names what there is to choose from */
function oneOf<Word extends string>(words: readonly Word[], text: string | undefined, what: string): Word | undefined {
  const word = words.find((known) => known === text);
  if (text !== undefined && word === undefined) throw new InvalidInput(`${what} is one of ${words.join(', ')}.`);
  return word;
}
