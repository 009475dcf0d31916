import type { Command } from 'commander';
import { InvalidInput } from '../../domain/shared/errors.ts';
import { problemsText } from './campaign-lookup.ts';
import { type Cli, example, gather, inProject } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { withOutputFile } from './output-file.ts';
import { followMessages } from './send.ts';
import { renderFields } from './table.ts';
import { formatCounted } from './text.ts';
import { checkWayOut } from './working.ts';

/** Looking at a campaign before it goes out. */
export function tryingCommands(campaign: Command, cli: Cli): void {
  const check = campaign
    .command('check')
    .description('List the problems that would prevent a launch. Exit code 2 when there are any.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .action(async (wanted: string) => {
      await inProject(cli, async (application, project) => {
        const { problems, recipients } = await application.campaigns.check(project.id, wanted);
        cli.output.result(
          { problems, recipients },
          () =>
            `${problemsText(problems, cli.output.display)}\n${formatCounted(recipients, 'recipient', 'recipients')} would get it.`,
        );
        if (problems.some(({ severity }) => severity === 'error')) cli.endWith(EXIT.usage);
      });
    });
  example(check, 'pennypost campaign check "November letter"');

  const preview = campaign
    .command('preview')
    .description('Show the message as a subscriber receives it, or with the defaults of the content.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .option('--as <subscriber>', 'Address or id of a subscriber.')
    .option('--html <file>', 'Write the HTML part to this file.')
    .action(async (wanted: string, options: { as?: string; html?: string }) => {
      await withOutputFile(options.html, '--html', [], (html) =>
        inProject(cli, async (application, project) => {
          const message = await application.campaigns.preview(project.id, wanted, { subscriber: options.as });
          if (html !== undefined) {
            if (message.html === undefined) throw new InvalidInput('This message has no HTML part.');
            await html.write(message.html);
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
        }),
      );
    });
  example(preview, 'pennypost campaign preview "November letter" --as ada@example.org --html preview.html');

  const test = campaign
    .command('test')
    .description('Send a test, marked [Test] in the subject. Reports do not count it.')
    .argument('<campaign>', 'Id, slug or name of the campaign.')
    .requiredOption('--to <address>', 'Address to send to, up to 20. May be repeated.', gather)
    .option('--as <subscriber>', 'Render the message for this subscriber (address or id).')
    .option('--wait', 'Wait until the messages are handed over.')
    .action(async (wanted: string, options: { to: readonly string[]; as?: string; wait?: boolean }) => {
      await inProject(
        cli,
        async (application, project, instance) => {
          if (options.wait === true) await checkWayOut(instance, 'transactional');
          const accepted = await application.campaigns.test(project.id, wanted, options.to, { subscriber: options.as });
          await followMessages(cli, instance, project, accepted, options.wait === true);
        },
        { works: options.wait === true },
      );
    });
  example(test, 'pennypost campaign test "November letter" --to me@example.org --wait');
}
