import type { Command } from 'commander';
import { type Cli, choice, example, inProject } from './cli.ts';
import { SUBSCRIPTION_STATES, stateOf, subscriberOf } from './subscriber.ts';
import { renderTable } from './table.ts';

/** What is on record about subscribers: the consent history of one, a file of many. */
export function subscriberRecordCommands(subscriber: Command, cli: Cli): void {
  const history = subscriber
    .command('history')
    .description('Show the consent records of a subscriber, oldest first.')
    .argument('<subscriber>', 'Address or id of the subscriber.')
    .action(async (who: string) => {
      await inProject(cli, async (application, project) => {
        const found = await subscriberOf(application, project, who);
        const consents = await application.audience.consentsOf(project.id, found.id);
        const items = consents
          .map(({ projectId: _, subscriberId: __, ...entry }) => entry)
          .sort((a, b) => a.recordedAt.getTime() - b.recordedAt.getTime());
        const slugs = new Map<string, string>();
        for (const id of new Set(items.flatMap(({ listIds }) => listIds)))
          slugs.set(id, (await application.audience.findList(project.id, id))?.slug ?? id);
        cli.output.result({ items }, () =>
          renderTable(
            [
              { title: 'Recorded', value: (one) => one.recordedAt },
              { title: 'Action', value: (one) => one.action },
              { title: 'Lists', value: (one) => one.listIds.map((id) => slugs.get(id)).join(', ') },
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
  example(history, 'pennypost subscriber history ada@example.org');

  const exported = subscriber
    .command('export')
    .description('Print subscribers as CSV, with subscriptions and one column per attribute.')
    .option('--text <text>', 'Part of the address or of an attribute.')
    .option('--list <list>', 'Only subscribers that are or were on this list (id or slug).')
    .addOption(choice('--state <state>', 'With --list: only subscriptions in this state.', SUBSCRIPTION_STATES))
    .action(async (options: { text?: string; list?: string; state?: string }) => {
      const state = stateOf(options.state);
      await inProject(cli, async (application, project) => {
        const listId = options.list === undefined ? undefined : (await application.audience.getList(project.id, options.list)).id;
        const rows = application.exports.subscribersCsv(project.id, { text: options.text, listId, state });
        for await (const part of rows) cli.output.raw(part);
      });
    });
  example(exported, 'pennypost subscriber export --list harbour-letter --state confirmed > confirmed.csv');
}
