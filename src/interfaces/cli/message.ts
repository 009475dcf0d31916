import type { Command } from 'commander';
import { MESSAGE_STATES, type Message, type MessageRecipient } from '../../application/application.ts';
import { type Cli, choice, example, inProject, moment, type PageOptions, paged, pageOf, resultPage } from './cli.ts';
import { renderFields, renderTable } from './table.ts';

export function messageCommands(program: Command, cli: Cli): Command {
  const message = program.command('message').description('Send transactional messages, and show their states and attempts.');

  const list = paged(message.command('list').description('List transactional messages, newest first.'))
    .option('--recipient <address>', 'Only messages to this address.')
    .addOption(choice('--state <state>', 'Only messages with a recipient in this state.', MESSAGE_STATES))
    .option('--tag <tag>', 'Only messages with this tag.')
    .option('--stream <name>', 'Only messages of this stream.')
    .option('--since <time>', 'Only messages accepted at this time or later.')
    .option('--until <time>', 'Only messages accepted before this time.')
    .action(async (options: ListOptions) => {
      await inProject(cli, async (application, project) => {
        const time = (text: string | undefined, option: string) =>
          text === undefined ? undefined : moment(text, option).in(project.timeZone, cli.clock.now());
        const { recipient, state, tag, stream } = options;
        const times = { since: time(options.since, '--since'), until: time(options.until, '--until') };
        return resultPage(
          cli,
          await application.messages.list(project.id, { ...pageOf(options), recipient, state, tag, stream, ...times }),
          (one) => one,
          (items) =>
            renderTable(
              [
                { title: 'Accepted', value: (one) => one.acceptedAt },
                { title: 'To', value: addressesOf },
                { title: 'State', value: (one) => spoken(one.state) },
                { title: 'Reply', value: replyOf },
                { title: 'Id', value: (one) => one.id },
              ],
              items,
              cli.output.display,
            ),
        );
      });
    });
  example(list, 'pennypost message list --limit 20', 'pennypost message list --recipient ada@example.org --state rejected');

  const get = message
    .command('get')
    .description('Show a transactional message: each recipient with every attempt and its reply.')
    .argument('<message>', 'Id of the message.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.messages.get(project.id, id);
        cli.output.result(found, () =>
          [
            renderFields(
              [
                ['message', found.id],
                ['state', spoken(found.state)],
                ['accepted', found.acceptedAt],
                ['send at', found.sendAt],
                ['stream', found.stream],
                ['tags', found.tags.join(', ') || undefined],
                ['metadata', found.metadata && JSON.stringify(found.metadata)],
                ['template', found.templateId],
              ],
              cli.output.display,
            ),
            '',
            renderTable(
              [
                { title: 'Recipient', value: (one) => one.address },
                { title: 'In', value: (one) => one.field },
                { title: 'State', value: (one) => spoken(one.state) },
                { title: 'Since', value: (one) => one.at },
                { title: 'Next attempt', value: (one) => one.nextAttemptAt },
                { title: 'Reply', value: (one) => one.reply },
              ],
              found.recipients,
              cli.output.display,
            ),
            '',
            renderTable(
              [
                { title: 'Attempt', value: (one) => one.number },
                { title: 'Recipient', value: (one) => one.address },
                { title: 'Started', value: (one) => one.startedAt },
                { title: 'Ended', value: (one) => one.endedAt },
                { title: 'Transport', value: (one) => one.transport },
                { title: 'Outcome', value: (one) => one.outcome && spoken(one.outcome) },
                { title: 'Reply', value: (one) => one.reply },
              ],
              found.recipients.flatMap(({ address, tries }) => tries.map((attempt) => ({ ...attempt, address }))),
              cli.output.display,
            ),
          ].join('\n'),
        );
      });
    });
  example(get, 'pennypost message get 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');

  const cancel = message
    .command('cancel')
    .description('Cancel a message for every recipient that still waits: scheduled, accepted or deferred.')
    .argument('<message>', 'Id of the message.')
    .action(async (id: string) => {
      await inProject(cli, async (application, project) => {
        const found = await application.messages.cancel(project.id, id);
        const cancelled = found.recipients.filter(({ state }) => state === 'cancelled');
        cli.output.result(found, () => `Cancelled for ${cancelled.map(({ address }) => address).join(', ')}.`);
      });
    });
  example(cancel, 'pennypost message cancel 0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b');
  return message;
}

interface ListOptions extends PageOptions {
  readonly recipient?: string;
  readonly state?: (typeof MESSAGE_STATES)[number];
  readonly tag?: string;
  readonly stream?: string;
  readonly since?: string;
  readonly until?: string;
}

export const spoken = (state: string): string => state.replaceAll('_', ' ');

export const addressesOf = ({ recipients }: Message): string => recipients.map(({ address }) => address).join(', ');

/** The recipient that the state of the message is about. */
export const leastFar = ({ state, recipients }: Message): MessageRecipient | undefined =>
  recipients.find((recipient) => recipient.state === state);

export const replyOf = (message: Message): string | undefined => leastFar(message)?.reply;
