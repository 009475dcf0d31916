import type { Command } from 'commander';
import type { MessageFacts } from '../../application/application.ts';
import { type Cli, example, inProject, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { renderFields, renderTable } from './table.ts';

export function messageCommands(program: Command, cli: Cli): Command {
  const message = program.command('message').description('Send transactional messages, and show their states and attempts.');

  const list = paged(message.command('list').description('List transactional messages, newest first.')).action(
    async (options: PageOptions) => {
      await inProject(cli, async (application, project) =>
        resultPage(cli, await application.messages.list(project.id, pageOf(options)), messageShown, (items) =>
          renderTable(
            [
              { title: 'Accepted', value: (one) => one.acceptedAt },
              { title: 'To', value: (one) => one.to },
              { title: 'State', value: (one) => one.state.replace('_', ' ') },
              { title: 'Attempts', value: (one) => one.attempts },
              { title: 'Reply', value: (one) => one.reply },
              { title: 'Id', value: (one) => one.id },
            ],
            items,
            cli.output.display,
          ),
        ),
      );
    },
  );
  example(list, 'pennypost message list --limit 20');

  const get = message
    .command('get')
    .description('Show a transactional message with every attempt and its reply.')
    .argument('<message>', 'Id of the message.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.messages.get(project.id, id);
        const { tries } = found;
        const shown = { ...messageShown(found), tries };
        cli.output.result(shown, () =>
          [
            renderFields(
              [
                ['message', shown.id],
                ['to', shown.to],
                ['state', shown.state.replace('_', ' ')],
                ['since', shown.at],
                ['accepted', shown.acceptedAt],
                ['template', shown.templateId],
                ['next attempt', shown.nextAttemptAt],
                ['reply', shown.reply],
              ],
              cli.output.display,
            ),
            '',
            renderTable(
              [
                { title: 'Attempt', value: (one) => one.number },
                { title: 'Started', value: (one) => one.startedAt },
                { title: 'Ended', value: (one) => one.endedAt },
                { title: 'Transport', value: (one) => one.transport },
                { title: 'Outcome', value: (one) => one.outcome?.replace('_', ' ') },
                { title: 'Reply', value: (one) => one.reply },
              ],
              tries,
              cli.output.display,
            ),
          ].join('\n'),
        );
      });
    });
  example(get, 'pennypost message get 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');
  return message;
}

/** A transactional message without its content. */
export const messageShown = (message: MessageFacts) => ({
  id: message.id,
  to: message.recipient.address,
  state: message.state,
  templateId: message.templateId ?? null,
  attempts: message.attempts,
  nextAttemptAt: message.nextAttemptAt ?? null,
  acceptedAt: message.acceptedAt,
  at: message.at,
  code: message.code ?? null,
  reply: message.reply ?? null,
});
