import type { Command } from 'commander';
import { type Cli, choice, example, inProject } from './cli.ts';
import { SUBSCRIPTION_STATES, stateOf } from './subscriber.ts';
import { renderTable } from './table.ts';

/** What is on record about subscribers: the consent history of one, a file of many. */
export function subscriberRecordCommands(subscriber: Command, cli: Cli): void {
  const consents = subscriber
    .command('consents')
    .description('Show the consent records of a subscriber, oldest first.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .action(async (who: string) => {
      await inProject(cli, async (application, project) => {
        const consents = await application.subscribers.consents(project.id, who);
        const items = consents.map(({ projectId: _, subscriberId: __, ...entry }) => entry);
        cli.output.result({ items }, () =>
          renderTable(
            [
              { title: 'Recorded', value: (one) => one.recordedAt },
              { title: 'Action', value: (one) => one.action },
              { title: 'Lists', value: (one) => one.lists.join(', ') },
              { title: 'Source', value: (one) => one.source },
              { title: 'Address', value: (one) => one.ip },
              { title: 'Text', value: (one) => one.text },
            ],
            items,
            cli.output.display,
          ),
        );
      });
    });
  example(consents, 'pennypost subscriber consents ada@example.org');

  const exported = subscriber
    .command('export')
    .description('Print subscribers as CSV, with subscriptions and one column per attribute.')
    .option('--text <text>', 'Part of the address or of an attribute.')
    .option('--list <list>', 'Only subscribers that are or were on this list (id or slug).')
    .addOption(choice('--state <state>', 'With --list: only subscriptions in this state.', SUBSCRIPTION_STATES))
    .action(async (options: { text?: string; list?: string; state?: string }) => {
      const state = stateOf(options.state);
      await inProject(cli, async (application, project) => {
        const rows = application.subscribers.export(project.id, { text: options.text, list: options.list, state });
        for await (const part of rows) cli.output.raw(part);
      });
    });
  example(exported, 'pennypost subscriber export --list harbour-letter --state confirmed > confirmed.csv');
}
